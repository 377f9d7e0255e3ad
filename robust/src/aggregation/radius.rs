//! Vectors within a radius: the norms that rules compare with it, and what scales a vector down to it.

use super::RuleError;
use crate::{Batch, Gram};

/// Up to this number of vectors the Gram matrix takes little more than reading them.
const FEW: usize = 32;

/// The squared norms; of few vectors with the rest of their Gram matrix, which a rule after this one may want.
pub(super) fn norms2(batch: &Batch<'_>) -> Result<Vec<f64>, RuleError> {
    if batch.m() <= FEW {
        batch.gram()?;
    }
    Ok(batch.norms2()?)
}

/// The norm of every row.
pub(super) fn norms(gram: &Gram) -> Vec<f64> {
    (0..gram.m()).map(|i| gram.row_norm2(i).sqrt()).collect()
}

/// The factor that takes a vector of this squared norm into the ball of `radius`.
pub(super) fn factor(norm2: f64, radius: f64) -> f64 {
    let norm = norm2.sqrt();
    if norm <= radius { 1.0 } else { radius / norm }
}

/// The coefficients of the mean of the `kept` vectors, each scaled into the ball of `radius`, where all have these `norms`.
pub(super) fn clipped_mean(kept: &[usize], norms: &[f64], radius: f64) -> Vec<f64> {
    let mut coefficients = vec![0.0; norms.len()];
    kept.iter().for_each(|&i| coefficients[i] = factor(norms[i] * norms[i], radius) / kept.len() as f64);
    coefficients
}
