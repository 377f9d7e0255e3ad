//! Weights of workers, as a parameter.

use super::{Context, RuleError};
use crate::describe::ParameterError;

/// That `weights` can be used, in any number.
pub(super) fn check_values(weights: &[f64]) -> Result<(), ParameterError> {
    weights.iter().try_for_each(|&w| ParameterError::positive("weights", w))?;
    let total: f64 = weights.iter().sum();
    ParameterError::unless(
        (2.0 * total).is_finite(),
        "weights",
        total,
        "weights of which twice the sum is finite",
    )
}

/// That there is a weight for each of the workers; none at all stands for equal ones.
pub(super) fn check_number(weights: &[f64], workers: usize, rule: &'static str) -> Result<(), RuleError> {
    let enough = weights.is_empty() || weights.len() >= workers;
    ParameterError::unless(enough, "weights", weights.len(), "one weight for each worker")
        .map_err(|error| RuleError::Parameter { rule, error })
}

/// The weight of each of m rows by the worker that sent it.
pub(super) fn of_rows(
    weights: &[f64],
    m: usize,
    context: &Context,
    rule: &'static str,
) -> Result<Vec<f64>, RuleError> {
    if weights.is_empty() {
        return Ok(vec![1.0; m]);
    }
    let of = |i: usize| {
        weights.get(context.worker(i)).copied().ok_or_else(|| {
            let error = ParameterError::new("weights", weights.len(), "one weight for each worker");
            RuleError::Parameter { rule, error }
        })
    };
    (0..m).map(of).collect()
}
