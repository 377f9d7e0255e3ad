//! The mean of all vectors: no robustness at all, the yardstick.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Mean of all vectors, (1/m) Σ x_i; a single Byzantine vector moves it anywhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mean {}

impl Described for Mean {
    const NAME: &'static str = "mean";
    const SOURCE: &'static str = "folklore";
}

impl Rule for Mean {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0"
    }
}

impl Stateful for Mean {}

impl Aggregator for Mean {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::span(vec![1.0 / batch.m() as f64; batch.m()]))
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
