//! The mean, turned back where the signs disagree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError};
use crate::{
    Batch, ColumnRule, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Robust learning rate (RLR): at every coordinate the mean of the m values, and minus the mean where the positive and
/// the negative ones differ in number by less than theta.
///
/// Made against backdoors, which few workers must bring in against most others: where too few agree, the step goes back.
/// At a coordinate where honest workers disagree it goes back too, and one vector moves the result as far as it moves the
/// mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RobustLr {
    /// The difference of positive and negative values from which the mean stands, up to m; by default f + 1, which the
    /// Byzantine workers do not reach alone.
    pub theta: Option<usize>,
}

impl Described for RobustLr {
    const NAME: &'static str = "robust-lr";
    const SOURCE: &'static str = "Özdayi, Kantarcioglu & Gel, 2021";
}

impl Rule for RobustLr {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f, m >= theta"
    }
}

impl Stateful for RobustLr {}

impl Aggregator for RobustLr {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)?;
        RuleError::unless(self.theta.is_none_or(|theta| theta <= size.m), Self::NAME, "m >= theta", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let votes = self.theta.unwrap_or(context.f + 1);
        Ok(batch.columns(&ColumnRule::TurnedMean { votes }, context.wants_distances)?.into())
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
