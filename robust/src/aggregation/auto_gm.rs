//! The geometric median of vectors that weigh the more, the nearer they are to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, GeometricMedian, Layer, Rule, RuleError, order::ascending};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Auto-weighted geometric median (AutoGM): the point z that, with weights α_i ≥ 0 of sum 1, makes
/// Σ α_i ‖x_i - z‖ + (lambda/2) Σ α_i² least, by turns over z and the weights.
///
/// For the weights of a turn z is their geometric median, from that of the turn before; the first is that of equal weights.
/// For a point the weights are α_i = max(0, eta - ‖x_i - z‖) / lambda, with the eta for which they add up to 1: a vector
/// farther away than eta has none. A large lambda keeps all weights equal, which is `geometric-median`; among distances as
/// long as lambda, or longer, whoever is nearest gains by every turn, and z may end at a single vector. Lambda is a length,
/// so the result depends on the unit of the vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoGm {
    /// What equal weights are worth, in the unit of the vectors; by default their number m, as in released code.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lambda: Option<f64>,
    /// The largest number of turns.
    #[schemars(range(min = 1))]
    pub iterations: usize,
    /// The turns end when the sum falls by less than this fraction of it; 0 takes all of them.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for AutoGm {
    fn default() -> Self {
        Self { lambda: None, iterations: 100, tolerance: 1e-6 }
    }
}

impl Described for AutoGm {
    const NAME: &'static str = "auto-gm";
    const SOURCE: &'static str = "Li, Ngai & Voigt, 2023";
}

impl Rule for AutoGm {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.lambda.map_or(Ok(()), |lambda| ParameterError::positive("lambda", lambda))?;
        ParameterError::at_least_one("iterations", self.iterations)?;
        ParameterError::not_negative("tolerance", self.tolerance)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for AutoGm {}

impl Aggregator for AutoGm {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let gram = batch.gram()?;
        let m = batch.m();
        let lambda = self.lambda.unwrap_or(m as f64);
        let median = GeometricMedian::default();
        let median = GeometricMedian { tolerance: median.tolerance.min(self.tolerance), ..median };
        let mut weights = vec![1.0 / m as f64; m];
        let mut z = median.solve(batch, &weights)?;
        let mut distances = roots(gram.distances2_to(&z));
        let mut sum = objective(&distances, &weights, lambda);
        for _ in 0..self.iterations {
            weights = weigh(&distances, lambda);
            z = median.descend(gram, z, &weights, median.steps);
            distances = roots(gram.distances2_to(&z));
            let before = std::mem::replace(&mut sum, objective(&distances, &weights, lambda));
            if self.tolerance > 0.0 && before - sum < self.tolerance * sum {
                break;
            }
        }
        Ok(Aggregate::span(z))
    }
}

fn roots(squares: Vec<f64>) -> Vec<f64> {
    squares.into_iter().map(f64::sqrt).collect()
}

/// Σ α_i d_i + (lambda/2) Σ α_i², where what has no weight may be infinitely far away.
fn objective(distances: &[f64], weights: &[f64], lambda: f64) -> f64 {
    let weighed = weights.iter().zip(distances).filter(|(w, _)| **w > 0.0);
    weighed.map(|(w, d)| w * d + lambda / 2.0 * w * w).sum()
}

/// max(0, eta - d_i) / lambda, which add up to 1: the p nearest have weight, where p is the largest number for which the
/// p-th is nearer than eta = (lambda + the sum of the p least distances) / p.
fn weigh(distances: &[f64], lambda: f64) -> Vec<f64> {
    let order = ascending(distances);
    let least = distances[order[0]]; // taken off all, so that lambda is not lost beside large distances
    let (mut eta, mut sum) = (lambda, 0.0);
    for (&i, p) in order.iter().zip(1..) {
        let d = distances[i] - least;
        if p > 1 && d >= eta {
            break;
        }
        sum += d;
        eta = (lambda + sum) / f64::from(p);
    }
    distances.iter().map(|d| (eta - (d - least)).max(0.0) / lambda).collect()
}

#[cfg(test)]
mod tests {
    use super::weigh;

    #[test]
    fn weights_add_up_to_one_and_fall_with_the_distance() {
        for lambda in [1e-12, 0.3, 1.0, 7.0, 1e9] {
            for shift in [0.0, 5.0, 1e6] {
                let distances = [3.0, 0.5, 0.5, 100.0, 1.25, f64::INFINITY].map(|d| d + shift);
                let weights = weigh(&distances, lambda);
                let total: f64 = weights.iter().sum();
                assert!((total - 1.0).abs() < 1e-6, "{lambda:e} and {shift:e}: {weights:?}");
                assert!(weights[1] == weights[2] && weights[5] == 0.0, "{weights:?}");
                assert!(weights[1] >= weights[4] && weights[4] >= weights[0] && weights[0] >= weights[3]);
            }
        }
        assert_eq!(weigh(&[1.0, 1.0, 1.0, 1.0], 2.0), [0.25; 4]);
        assert_eq!(weigh(&[4.0, 0.0, 9.0], 1.0), [0.0, 1.0, 0.0]);
        assert_eq!(weigh(&[1.0, 0.0], 2.0), [0.25, 0.75]);
    }
}
