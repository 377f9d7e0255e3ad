//! Random proportions, for the partitions that draw them.

use phalanx_robust::random::Stream;
use rand::{Rng, RngExt};
use rand_distr::Gamma;

/// Proportions from a symmetric Dirichlet distribution: `count` of them, which sum to 1.
///
/// They are made from Gamma(alpha) variables in logarithms, ln G(alpha) = ln G(alpha + 1) + ln(U) / alpha, since for
/// a small alpha all of these are 0 in f64. `alpha` is positive and finite.
pub(super) fn dirichlet(count: usize, alpha: f64, rng: &mut Stream) -> Vec<f64> {
    let logs: Vec<f64> = (0..count).map(|_| log_gamma(alpha, rng)).collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|value| value / sum).collect()
}

/// The logarithm of a Gamma(alpha, 1) variable.
fn log_gamma(alpha: f64, rng: &mut impl Rng) -> f64 {
    // In (0, 1], so that its logarithm is finite.
    let uniform = 1.0 - rng.random::<f64>();
    let above = Gamma::new(alpha + 1.0, 1.0).map_or(1.0, |gamma| rng.sample(gamma));
    above.ln() + uniform.ln() / alpha
}
