//! Vectors within a radius: the norms that rules compare with it, and what scales a vector down to it.

use super::RuleError;
use crate::Batch;

/// Up to this number of vectors the Gram matrix takes little more than reading them.
const FEW: usize = 32;

/// The squared norms; of few vectors with the rest of their Gram matrix, which a rule after this one may want.
pub(super) fn norms2(batch: &Batch<'_>) -> Result<Vec<f64>, RuleError> {
    if batch.m() <= FEW {
        batch.gram()?;
    }
    Ok(batch.norms2()?)
}

/// The factor that takes a vector of this squared norm into the ball of `radius`.
pub(super) fn factor(norm2: f64, radius: f64) -> f64 {
    let norm = norm2.sqrt();
    if norm <= radius { 1.0 } else { radius / norm }
}
