//! The coordinate-wise median of vectors that count differently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, weights::Weights};
use crate::{
    Batch, Median, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Weighted coordinate-wise median: at every coordinate, the value with at most half of the weight on either side; for
/// asynchronous rounds, where a worker's weight is how often it has answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedCwmed {
    /// The weight of every worker, by id; an empty list for equal ones; "samples" for how many training
    /// samples it holds.
    pub weights: Weights,
    /// Which value is the median where the values up to one hold exactly half of the weight.
    pub half: Median,
}

impl Described for WeightedCwmed {
    const NAME: &'static str = "weighted-cwmed";
    const SOURCE: &'static str = "Dahan & Levy, 2024 (asynchronous)";

    fn preset(preset: Preset) -> Self {
        let half = match preset {
            Preset::Dahan => Median::Upper,
            Preset::Paper | Preset::Byzfl => Median::Midpoint,
        };
        Self { weights: Weights::default(), half }
    }
}

impl Rule for WeightedCwmed {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.weights.check_values()?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f; not under `bucketing` with `weights`"
    }
}

impl Stateful for WeightedCwmed {}

impl Aggregator for WeightedCwmed {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.weights.check_number(size.m, Self::NAME)?;
        RuleError::minority(Self::NAME, size)
    }

    fn check_workers(&self, workers: usize, _: Size) -> Result<(), RuleError> {
        self.weights.check_number(workers, Self::NAME)
    }

    fn knows_workers(&self) -> bool {
        self.weights.differ()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.weights.count(held, Self::NAME)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let own = self.weights.of_rows(batch.m(), context, Self::NAME)?;
        Ok(Aggregate::vector(batch.weighted_median(&own, self.half)?))
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
