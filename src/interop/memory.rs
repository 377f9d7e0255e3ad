//! Whether a matrix fits into memory.

use super::Problem;
use crate::machine::available_memory;

/// `Ok` if `needed` bytes can be had, or if the system does not say.
///
/// # Errors
/// [`Problem::Memory`] with both numbers.
pub fn require_memory(needed: u64) -> Result<(), Problem> {
    match available_memory() {
        Some(available) if needed > available => Err(Problem::Memory { needed, available }),
        _ => Ok(()),
    }
}
