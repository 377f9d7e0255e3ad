//! The mean around the coordinate-wise trimmed mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError};
use crate::{
    Batch, ColumnRule, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Phocas: at every coordinate, the mean of the m - f values nearest to the f-trimmed mean; of two that are
/// equally near, the smaller counts first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Phocas {}

impl Described for Phocas {
    const NAME: &'static str = "phocas";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2018";
}

impl Rule for Phocas {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Phocas {}

impl Aggregator for Phocas {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let rule = ColumnRule::MeanAroundTrimmedMean { keep: batch.m() - context.f, f: context.f };
        Ok(batch.columns(&rule, context.wants_distances)?.into())
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
