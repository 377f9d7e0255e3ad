//! Gaussian noise on a result, as rules for differential privacy add it.

use rand::RngExt;
use rand_distr::StandardNormal;

use super::Aggregate;
use crate::{Batch, random::Stream};

/// Σ c_i x_i, with noise of this standard deviation on every coordinate.
pub(super) fn noisy(
    batch: &Batch<'_>,
    coefficients: Vec<f64>,
    deviation: f64,
    rng: &mut Stream,
) -> Aggregate {
    if deviation == 0.0 {
        return Aggregate::span(coefficients);
    }
    let mut output = batch.combine(&coefficients);
    let noise: Vec<f64> = (0..batch.d()).map(|_| rng.sample(StandardNormal)).collect();
    output.axpy(deviation, &output.like(&noise));
    Aggregate::vector(output)
}
