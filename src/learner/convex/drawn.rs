//! An objective as drawn, held against what its rule told of it before.

use std::sync::Arc;

use phalanx_robust::random::Seed;

use super::{Objective, ObjectiveError, ObjectiveRule};

/// Draws the objective of `rule`.
///
/// # Errors
/// [`ObjectiveError`], also for an objective that is not what its rule tells.
pub fn draw(rule: &impl ObjectiveRule, seed: Seed) -> Result<Arc<dyn Objective>, ObjectiveError> {
    let objective = rule.build(seed)?;
    let dim = rule.dim();
    if dim == 0 {
        return Err(ObjectiveError::Empty);
    }
    for (part, point) in [("start", objective.start()), ("optimum", objective.optimum())] {
        if point.len() != dim {
            return Err(ObjectiveError::Length { part, found: point.len(), dim });
        }
        if !point.iter().all(|value| value.is_finite()) {
            return Err(ObjectiveError::NotFinite { part });
        }
    }
    check_labels(objective.as_ref(), rule.classes())?;
    Ok(objective)
}

fn check_labels(objective: &dyn Objective, classes: usize) -> Result<(), ObjectiveError> {
    let largest = |labels: &Vec<u8>| labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let found = objective.labels().map_or(0, |labels| largest(labels));
    if found > classes || (found == 0) != (classes == 0) {
        return Err(ObjectiveError::Classes { found, classes });
    }
    Ok(())
}
