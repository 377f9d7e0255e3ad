//! Comparative gradient elimination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, smallest},
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Comparative gradient elimination: the mean of the m - f vectors of least norm; equal norms go by index. The
/// paper takes their sum, which is this times m - f.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cge {}

impl Described for Cge {
    const NAME: &'static str = "cge";
    const SOURCE: &'static str = "Gupta & Vaidya, 2020";
}

impl Rule for Cge {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Cge {}

impl Aggregator for Cge {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        Ok(Aggregate::span(mean_of(&smallest(&batch.norms2()?, m - context.f), m)))
    }
}
