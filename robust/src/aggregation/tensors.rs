//! What a rule knows of the parameter tensors in the vectors.

use super::RuleError;
use crate::{Layout, describe::counted};

/// What `rule` was `told`, if it fits vectors of d coordinates; one tensor if it was told nothing.
pub(super) fn layout(told: Option<&Layout>, d: usize, rule: &str) -> Result<Layout, RuleError> {
    let layout = told.cloned().unwrap_or_else(|| Layout::whole(d));
    if layout.d() == d {
        return Ok(layout);
    }
    let told = counted(layout.d(), "coordinate");
    let message = format!("it was told of tensors of {told} together; the vectors have {d}");
    Err(RuleError::Failed { rule: rule.to_owned(), message })
}
