//! A vote of signs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError};
use crate::{
    Batch, ColumnRule, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Majority vote of signs: at every coordinate, the sign of Σ sign(x_i): -1, 0 for a draw, or 1. The length of
/// the result is that of a vote, so the step size must fit it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignMajority {}

impl Described for SignMajority {
    const NAME: &'static str = "sign-majority";
    const SOURCE: &'static str = "Bernstein et al., 2019";
}

impl Rule for SignMajority {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for SignMajority {}

impl Aggregator for SignMajority {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(batch.columns(&ColumnRule::SignMajority, context.wants_distances)?.into())
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
