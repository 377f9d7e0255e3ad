//! The mathematics of Byzantine-robust learning: batches of vectors, robust
//! aggregation rules, attacks, gradient estimators and server steps.
//!
//! This crate knows no actors, no files and no clock. In the order a reader
//! meets them:
//!
//! - [`Vector`] and [`Batch`]: one vector, and m of them, wherever they live;
//! - [`aggregation`]: the rules, and [`Defence`](aggregation::Defence), a chain of them;
//! - [`attack`]: what Byzantine workers send;
//! - [`estimator`]: what honest workers make of their gradients;
//! - [`step`]: what the server does with the aggregate;
//! - [`certify`]: a search for the input that moves a rule furthest;
//! - [`testing`]: whether a component from outside keeps what runs rely on.
//!
//! Notation, everywhere: m workers, of which f are Byzantine, vectors of
//! length d, delta = f/m.
//!
//! ```
//! use phalanx_robust::{Batch, Size, Vector, aggregation::{Defence, Cwmed}, random::Seed};
//!
//! let rows: Vec<Vector> = [[1.0f32, 2.0], [1.2, 2.2], [1e9, -1e9]].iter().map(|r| Vector::from(r.to_vec())).collect();
//! let mut defence = Defence::base(Cwmed::default());
//! let result = defence.aggregate(&rows, 1, Seed(7).stream("rule", 0, "round", 1)).unwrap();
//! assert_eq!(result.output.to_f64(), vec![1.2f32 as f64, 2.0]);
//! # let _ = (Batch::new(&rows).unwrap(), Size::new(3, 1));
//! ```

pub mod aggregation;
pub mod attack;
mod batch;
pub mod certify;
mod contain;
mod decimals;
pub mod describe;
pub mod estimator;
mod layout;
pub mod random;
pub mod simd;
pub mod state;
pub mod step;
pub mod testing;
mod vector;

pub use batch::{Batch, BatchError, ColumnRule, Columns, Gram, Map, Matrix, Median, Pass, Watch};
pub use contain::{contained, panic_message};
pub use layout::{Block, Layout};
#[cfg(feature = "torch")]
pub use vector::{Copied, Shared, copied_to_host, to_device};
pub use vector::{Dtype, Vector};

/// How many vectors there are, and how many of them the rule must withstand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of vectors.
    pub m: usize,
    /// Number of Byzantine vectors to withstand.
    pub f: usize,
}

impl Size {
    /// `m` vectors, `f` of them Byzantine.
    pub fn new(m: usize, f: usize) -> Self {
        Self { m, f }
    }

    /// What falls to `m` of the vectors: f · m / self.m Byzantine ones, rounded up.
    pub fn part(self, m: usize) -> Self {
        Self { m, f: (self.f * m).div_ceil(self.m.max(1)) }
    }

    /// Number of vectors that are taken to be honest, m - f.
    pub fn honest(self) -> usize {
        self.m.saturating_sub(self.f)
    }

    /// The fraction of Byzantine vectors, delta = f/m.
    pub fn delta(self) -> f64 {
        self.f as f64 / self.m as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn a_part_has_its_share_of_f_rounded_up() {
        let share = |m, f, part| Size::new(m, f).part(part).f;
        assert_eq!(
            [share(17, 8, 17), share(100_000, 20_000, 100), share(17, 8, 5), share(17, 0, 5)],
            [8, 20, 3, 0]
        );
    }
}
