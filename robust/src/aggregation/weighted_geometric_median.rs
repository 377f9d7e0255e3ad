//! The geometric median of vectors that count differently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, GeometricMedian, Layer, Rule, RuleError, Start, weights::Weights,
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Weighted geometric median, the point of least Σ s_i ‖x_i - z‖, by smoothed Weiszfeld steps; for asynchronous
/// rounds, where s_i is how often worker i has answered.
///
/// A step takes z to Σ w_i x_i / Σ w_i with w_i = s_i / max(‖x_i - z‖, nu). Without smoothing, from a z that is one of
/// the vectors, it goes to the weighted mean of the others only so far as these outweigh it (Vardi & Zhang, 2000), and
/// stays if that vector is the median.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedGeometricMedian {
    /// The weight s_i of every worker, by id; an empty list for equal ones; "samples" for how many training
    /// samples it holds.
    pub weights: Weights,
    /// Where the steps start.
    pub start: Start,
    /// The least distance that a vector counts with (smoothing), in the unit of the vectors; by default a millionth of
    /// the median distance to the vectors.
    #[schemars(range(min = 0.0))]
    pub nu: Option<f64>,
    /// The largest number of steps.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// The steps end when z moves by less than this fraction of the median distance to the vectors; 0 takes all steps.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for WeightedGeometricMedian {
    fn default() -> Self {
        let GeometricMedian { start, nu, steps, tolerance } = GeometricMedian::default();
        Self { weights: Weights::default(), start, nu, steps, tolerance }
    }
}

impl Described for WeightedGeometricMedian {
    const NAME: &'static str = "weighted-geometric-median";
    const SOURCE: &'static str = "Dahan & Levy, 2024 (asynchronous)";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper | Preset::Byzfl => Self::default(),
            Preset::Dahan => Self {
                weights: Weights::default(),
                start: Start::Zero,
                nu: Some(0.0),
                steps: 3,
                tolerance: 0.0,
            },
        }
    }
}

impl Rule for WeightedGeometricMedian {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.weights.check_values()?;
        self.solver().build()?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f; not under `bucketing` with `weights`"
    }
}

impl Stateful for WeightedGeometricMedian {}

impl WeightedGeometricMedian {
    fn solver(&self) -> GeometricMedian {
        let Self { start, nu, steps, tolerance, .. } = *self;
        GeometricMedian { start, nu, steps, tolerance }
    }
}

impl Aggregator for WeightedGeometricMedian {
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
        Ok(Aggregate::span(self.solver().solve(batch, &own)?))
    }
}
