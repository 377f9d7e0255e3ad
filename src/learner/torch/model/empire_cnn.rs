//! The network for CIFAR-10 of "Fall of Empires", which many later papers took over.

use phalanx_robust::describe::Described;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, ModelError};
use crate::learner::torch::{
    Layer, ModelRule,
    layer::{BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, Relu},
};

/// Twice two 3x3 convolutions, of 64 and of 128 channels, each rectified and normalised, then pooled; and linear layers of
/// 128 and the classes. A quarter of the values is dropped after each pooling and before the last layer.
///
/// 1,310,922 parameters on CIFAR-10. With 100 classes the first linear layer gives 256 values, as in the released code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmpireCnn {}

impl Described for EmpireCnn {
    const NAME: &'static str = "empire-cnn";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2019; El-Mhamdi, Guerraoui & Rouault, 2021";
}

const DROPPED: Dropout = Dropout { rate: 0.25 };

/// Two convolutions with what follows each, pooled.
fn stage(channels: usize) -> Vec<Box<dyn Layer>> {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    for _ in 0..2 {
        layers.extend([
            Box::new(Conv::new(channels, 3, 1)) as Box<dyn Layer>,
            Box::new(Relu),
            Box::new(BatchNorm),
        ]);
    }
    layers.extend([Box::new(MaxPool { kernel: 2 }) as Box<dyn Layer>, Box::new(DROPPED)]);
    layers
}

impl ModelRule for EmpireCnn {
    fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
        let hidden = if classes == 100 { 256 } else { 128 };
        let end: [Box<dyn Layer>; 5] = [
            Box::new(Flatten),
            Box::new(Linear { out: hidden }),
            Box::new(Relu),
            Box::new(DROPPED),
            Box::new(Linear { out: classes }),
        ];
        Model::new(input, classes, stage(64).into_iter().chain(stage(128)).chain(end).collect())
    }
}
