//! Numbers rounded to decimals, as the released code of Dahan & Levy rounds the weights of its averages.

use crate::describe::ParameterError;

/// `value` rounded to so many decimals, as Python's `round`: of its exact binary value, ties to even.
pub(crate) fn rounded(value: f64, decimals: Option<u32>) -> f64 {
    // Through decimal text, for value · 10^n may itself round to a tie: 1/80 is 0.013, not 0.012.
    decimals.map_or(value, |n| format!("{value:.*}", n as usize).parse().unwrap_or(value))
}

/// Decimals that f64 has.
pub(crate) fn check(decimals: Option<u32>) -> Result<(), ParameterError> {
    let n = decimals.unwrap_or(0);
    ParameterError::unless(n <= 15, "decimals", n, "at most 15")
}
