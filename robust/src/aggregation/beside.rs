//! A batch with one more row: a centre or a reference that the server brings along.

use std::sync::Arc;

use super::{Context, RuleError};
use crate::{Batch, Map, Vector};

/// The server's own vector, which `rule` needs, and which is finite and like the rows of `batch`.
pub(super) fn reference<'a>(
    batch: &Batch<'_>,
    context: &'a Context,
    rule: &'static str,
) -> Result<&'a Vector, RuleError> {
    let reference = context.reference.as_ref().ok_or(RuleError::NoReference { rule })?;
    if !reference.is_finite() {
        let message = "the server's own vector is not finite".to_owned();
        return Err(RuleError::Failed { rule: rule.to_owned(), message });
    }
    check(batch, reference, rule)?;
    Ok(reference)
}

/// That `point`, which `rule` has of its own, is like the rows of `batch`.
pub(super) fn check(batch: &Batch<'_>, point: &Vector, rule: &str) -> Result<(), RuleError> {
    if batch.raw()[0].is_like(point) {
        return Ok(());
    }
    let message =
        format!("the server's vector has {}, the rows have {}", point.kind(), batch.raw()[0].kind());
    Err(RuleError::Failed { rule: rule.to_owned(), message })
}

/// The raw rows of a batch with a point beside them, under the batch's map.
pub(super) struct Beside<'a> {
    beside: Batch<'a>,
    rows: Vec<Vector>,
    map: Option<Arc<Map>>,
}

impl<'a> Beside<'a> {
    /// `point` as row m of `batch`, for `rule`.
    pub(super) fn new(batch: &Batch<'a>, point: &Vector, rule: &str) -> Result<Self, RuleError> {
        check(batch, point, rule)?;
        let rows = batch.raw().iter().chain([point]).cloned().collect();
        let map = batch.map().map(|w| Arc::new(w.beside_one()));
        Ok(Self { beside: batch.clone(), rows, map })
    }

    /// The batch of both.
    pub(super) fn batch(&self) -> Result<Batch<'_>, RuleError> {
        let raw = self.beside.alike(&self.rows)?;
        Ok(match &self.map {
            Some(w) => raw.mapped(w.clone()),
            None => raw,
        })
    }
}
