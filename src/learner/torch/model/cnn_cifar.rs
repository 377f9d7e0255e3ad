//! ByzFL's network for CIFAR-10.

use phalanx_robust::describe::Described;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, ModelError};
use crate::learner::torch::{
    ModelRule,
    layer::{Conv, Flatten, Linear, MaxPool, Relu},
};

/// Three 5x5 convolutions of 20, 100 and 200 channels, each rectified and pooled, and linear layers of 512, 256 and the classes.
///
/// 2,324,630 parameters on CIFAR-10.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CnnCifar {}

impl Described for CnnCifar {
    const NAME: &'static str = "cnn-cifar";
    const SOURCE: &'static str = "ByzFL (González et al., 2025)";
}

impl ModelRule for CnnCifar {
    fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
        Model::new(
            input,
            classes,
            vec![
                Box::new(Conv::new(20, 5, 2)),
                Box::new(Relu),
                Box::new(MaxPool { kernel: 2 }),
                Box::new(Conv::new(100, 5, 2)),
                Box::new(Relu),
                Box::new(MaxPool { kernel: 2 }),
                Box::new(Conv::new(200, 5, 2)),
                Box::new(Relu),
                Box::new(MaxPool { kernel: 2 }),
                Box::new(Flatten),
                Box::new(Linear { out: 512 }),
                Box::new(Relu),
                Box::new(Linear { out: 256 }),
                Box::new(Relu),
                Box::new(Linear { out: classes }),
            ],
        )
    }
}
