//! What a sweep shows of itself: how many of its cells are in which state. For
//! the process that starts the cells; the cells do not know that they are some.

use metrics::Gauge;

use super::{Meter, names};
use crate::sweep::manifest::Standing;

/// The series of a sweep.
pub struct SweepMetrics {
    cells: [Gauge; 5],
}

impl SweepMetrics {
    /// The series of the sweep `name`, at 0. States of a cell are label values: the words of `sweep.json`.
    pub fn new(meter: &Meter, name: &str) -> Self {
        let labels = |state| [(names::SWEEP, name), (names::STATE, state)];
        let gauge = |state: Standing| meter.gauge(names::SWEEP_CELLS, &labels(state.name()));
        Self { cells: Standing::ALL.map(gauge) }
    }

    /// So many cells are in these states, in the order of [`Standing::ALL`].
    pub fn set(&self, counts: [usize; 5]) {
        for (gauge, count) in self.cells.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }
}
