//! The mean of vectors that count differently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, weights::Weights};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Weighted mean, Σ s_i x_i / Σ s_i over the vectors that are there, with no robustness at all: by default the average of
/// FedAvg, where s_i is how many samples worker i holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedMean {
    /// The weight s_i of every worker, by id; an empty list for equal ones; "samples" for how many training
    /// samples it holds.
    pub weights: Weights,
}

impl Default for WeightedMean {
    fn default() -> Self {
        Self { weights: Weights::Samples }
    }
}

impl Described for WeightedMean {
    const NAME: &'static str = "weighted-mean";
    const SOURCE: &'static str = "McMahan et al., 2017";
}

impl Rule for WeightedMean {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.weights.check_values()?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0; by default workers that hold shards, else a list of `weights` (always in `aggregate`, `attack` and \
         `certify`); not under `bucketing`, unless the list is empty"
    }
}

impl Stateful for WeightedMean {}

impl Aggregator for WeightedMean {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.weights.check_number(size.m, Self::NAME)?;
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn check_workers(&self, workers: usize, _: Size) -> Result<(), RuleError> {
        self.weights.check_number(workers, Self::NAME)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let mut shares = self.weights.of_rows(batch.m(), context, Self::NAME)?;
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        Ok(Aggregate::span(shares))
    }

    fn knows_workers(&self) -> bool {
        self.weights.differ()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.weights.count(held, Self::NAME)
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
