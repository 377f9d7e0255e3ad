//! The coordinate-wise median of vectors that count differently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, weights};
pub use crate::batch::Half;
use crate::{
    Batch, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Weighted coordinate-wise median: at every coordinate, the value with at most half of the weight on either side; for
/// asynchronous rounds, where a worker's weight is how often it has answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedCwmed {
    /// The weight of every worker, by id; none for equal ones.
    pub weights: Vec<f64>,
    /// Which value is the median where the values up to one hold exactly half of the weight.
    pub half: Half,
}

impl Described for WeightedCwmed {
    const NAME: &'static str = "weighted-cwmed";
    const SOURCE: &'static str = "Dahan & Levy, 2024 (asynchronous)";

    fn preset(preset: Preset) -> Self {
        let half = match preset {
            Preset::Dahan => Half::Upper,
            Preset::Paper | Preset::Byzfl => Half::Midpoint,
        };
        Self { weights: Vec::new(), half }
    }
}

impl Rule for WeightedCwmed {
    fn build(&self) -> Result<Layer, ParameterError> {
        weights::check_values(&self.weights)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for WeightedCwmed {}

impl Aggregator for WeightedCwmed {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        weights::check_number(&self.weights, size.m, Self::NAME)?;
        RuleError::unless(size.m > 2 * size.f, Self::NAME, "m > 2f", size)
    }

    fn check_workers(&self, workers: usize, _: Size) -> Result<(), RuleError> {
        weights::check_number(&self.weights, workers, Self::NAME)
    }

    fn knows_workers(&self) -> bool {
        !self.weights.is_empty()
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let own = weights::of_rows(&self.weights, batch.m(), context, Self::NAME)?;
        Ok(Aggregate::vector(batch.weighted_median(&own, self.half)?))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
