//! The walks over the m×d numbers, for whoever counts or times them. This
//! crate has no clock; who wants one brings it along in
//! [`Context::watch`](crate::aggregation::Context::watch).

use std::fmt::Debug;

use serde::Serialize;

/// One walk over the numbers of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// The inner products of the rows; repeated inside where the first centre was a bad one.
    Gram,
    /// A linear combination of the rows that have a coefficient.
    Combine,
    /// A rule on every column.
    Columns,
    /// The distances of the rows to a point.
    Distances,
}

impl Pass {
    /// Does the work of this pass and tells `watch` of it.
    pub(crate) fn seen<T>(self, watch: Option<&dyn Watch>, work: impl FnOnce() -> T) -> T {
        watch.inspect(|watch| watch.began(self));
        let made = work();
        watch.inspect(|watch| watch.ended(self));
        made
    }
}

/// Is told of every pass. Passes of one batch come one after the other.
pub trait Watch: Debug + Send + Sync {
    /// A pass begins.
    fn began(&self, pass: Pass);
    /// It is over.
    fn ended(&self, pass: Pass);
}
