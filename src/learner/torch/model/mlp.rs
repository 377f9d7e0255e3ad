//! The multilayer perceptron.

use phalanx_robust::describe::{Described, ParameterError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, ModelError};
use crate::learner::torch::{
    Layer, ModelRule,
    layer::{Flatten, Linear, Relu},
};

/// Most values in a layer; with more, the numbers of parameters would not be numbers.
const WIDEST: usize = 10_000_000;

/// Multilayer perceptron: linear layers with rectifiers between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mlp {
    /// Widths of the hidden layers, from the first on.
    #[schemars(inner(range(min = 1, max = 10_000_000)))]
    pub hidden: Vec<usize>,
}

impl Default for Mlp {
    fn default() -> Self {
        Self { hidden: vec![100] }
    }
}

impl Described for Mlp {
    const NAME: &'static str = "mlp";
    const SOURCE: &'static str = "Rumelhart et al., 1986";
}

impl ModelRule for Mlp {
    fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
        let usable = self.hidden.iter().all(|width| (1..=WIDEST).contains(width));
        ParameterError::unless(
            usable,
            "hidden",
            format!("{:?}", self.hidden),
            "widths from 1 to 10,000,000",
        )?;
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(Flatten)];
        for &out in &self.hidden {
            layers.push(Box::new(Linear { out }));
            layers.push(Box::new(Relu));
        }
        layers.push(Box::new(Linear { out: classes }));
        Model::new(input, classes, layers)
    }
}
