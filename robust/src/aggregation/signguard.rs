//! SignGuard: norms within a band, signs with the crowd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    cluster::mean_shift,
    order::median,
    radius::{clipped_mean, norms},
    sample::sampled,
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// SignGuard: the mean of the vectors whose norm is near the median norm and whose signs are like those of most,
/// each scaled down to the median norm if it is longer.
///
/// With M the median norm (midpoint), the first filter passes lower ≤ ‖x_i‖/M ≤ upper. The second draws a fraction
/// of the coordinates, describes every vector by its shares of positive, zero and negative signs, and passes the
/// largest Mean-Shift cluster (flat kernel; the bandwidth is the mean distance to the ⌊quantile · m⌋-th nearest,
/// itself counted). If no vector passes both, those of the first are averaged. Without the similarity features of
/// the paper's variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Signguard {
    /// The least norm that passes, as a multiple of the median norm.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub lower: f64,
    /// The largest norm that passes, as a multiple of the median norm.
    #[schemars(range(min = 1.0))]
    pub upper: f64,
    /// The fraction of the coordinates whose signs are counted.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub coordinates: f64,
    /// Which neighbour's distance is the bandwidth of the clusters, as a fraction of m.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub quantile: f64,
}

impl Default for Signguard {
    fn default() -> Self {
        Self { lower: 0.1, upper: 3.0, coordinates: 0.1, quantile: 0.5 }
    }
}

impl Described for Signguard {
    const NAME: &'static str = "signguard";
    const SOURCE: &'static str = "Xu et al., 2022";
}

impl Rule for Signguard {
    fn build(&self) -> Result<Layer, ParameterError> {
        let fraction = "a number above 0 and up to 1";
        ParameterError::fraction("lower", self.lower)?;
        ParameterError::at_least_one("upper", self.upper)?;
        let inside = |v: f64| v > 0.0 && v <= 1.0;
        ParameterError::unless(inside(self.coordinates), "coordinates", self.coordinates, fraction)?;
        ParameterError::unless(inside(self.quantile), "quantile", self.quantile, fraction)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Signguard {}

impl Aggregator for Signguard {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let gram = batch.gram()?;
        let m = batch.m();
        let norms = norms(gram);
        let middle = median(&norms);
        let near = |&i: &usize| norms[i] >= self.lower * middle && norms[i] <= self.upper * middle;
        let in_band: Vec<usize> = (0..m).filter(near).collect();
        let count = (self.coordinates * batch.d() as f64).ceil().max(1.0) as usize;
        let signs: Vec<Vec<f64>> =
            sampled(batch, count, &mut context.rng)?.iter().map(|row| shares(&row.to_f64())).collect();
        let crowd = mean_shift(&signs, (self.quantile * m as f64) as usize);
        let both: Vec<usize> = in_band.iter().copied().filter(|i| crowd.contains(i)).collect();
        let kept = if both.is_empty() { in_band } else { both };
        Ok(Aggregate::span(clipped_mean(&kept, &norms, middle)))
    }
}

/// The shares of positive, zero and negative values.
fn shares(values: &[f64]) -> Vec<f64> {
    let share = |is: fn(&f64) -> bool| values.iter().filter(|v| is(v)).count() as f64 / values.len() as f64;
    vec![share(|v| *v > 0.0), share(|v| *v == 0.0), share(|v| *v < 0.0)]
}
