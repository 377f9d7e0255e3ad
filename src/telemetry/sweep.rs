//! What a sweep shows of itself: how many of its cells are in which state. For
//! the process that starts the cells; the cells do not know that they are some.

use metrics::Gauge;

use super::{Meter, names};

/// The series of a sweep.
pub struct SweepMetrics {
    cells: Vec<(&'static str, Gauge)>,
}

impl SweepMetrics {
    /// States of a cell, as label values: the words of `sweep.json`.
    pub const STATES: [&str; 5] = ["pending", "running", "completed", "interrupted", "failed"];

    /// The series of the sweep `name`, at 0.
    pub fn new(meter: &Meter, name: &str) -> Self {
        let gauge = |state| meter.gauge(names::SWEEP_CELLS, &[(names::SWEEP, name), (names::STATE, state)]);
        Self { cells: Self::STATES.map(|state| (state, gauge(state))).into() }
    }

    /// So many cells are in these states, in the order of [`Self::STATES`].
    pub fn set(&self, counts: [usize; 5]) {
        for ((_, gauge), count) in self.cells.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }
}
