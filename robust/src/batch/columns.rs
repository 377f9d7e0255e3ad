//! Rules that see the coordinates one by one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Vector;

/// Which value is the median where two are in the middle: of an even number of values, or where the values up to one
/// hold exactly half of the weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Median {
    /// The lower of the two, as `torch.median`.
    Lower,
    /// The mean of the two, as `numpy.median`.
    #[default]
    Midpoint,
    /// The upper of the two: the first value whose cumulative weight is above half.
    Upper,
}

impl Median {
    /// How much of the lower and of the upper of the two the median takes.
    pub(super) fn parts(self) -> (f64, f64) {
        match self {
            Self::Lower => (1.0, 0.0),
            Self::Midpoint => (0.5, 0.5),
            Self::Upper => (0.0, 1.0),
        }
    }

    /// Where the values whose mean is the median stand among `n` sorted ones; equal where it is one of them.
    pub(super) fn places(self, n: usize) -> (usize, usize) {
        let (lower, upper) = ((n - 1) / 2, n / 2);
        match self {
            Self::Lower => (lower, lower),
            Self::Midpoint => (lower, upper),
            Self::Upper => (upper, upper),
        }
    }
}

/// A rule of the values of one coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnRule {
    /// The middle value; for an even number of them, what is said of the two.
    Median(Median),
    /// The mean without the `f` smallest and the `f` largest.
    TrimmedMean {
        /// Number dropped at each end.
        f: usize,
    },
    /// The mean of the `keep` values nearest to the median (MeaMed); of two equally near, the lower one.
    MeanAroundMedian {
        /// Number kept.
        keep: usize,
        /// What the median of an even number of values is.
        median: Median,
    },
    /// The mean of the `keep` values nearest to the `f`-trimmed mean (Phocas); of two equally near, the lower one.
    MeanAroundTrimmedMean {
        /// Number kept.
        keep: usize,
        /// Number dropped at each end for the trimmed mean.
        f: usize,
    },
    /// The sign of the sum of signs: -1, 0 or 1.
    SignMajority,
    /// The mean, and minus the mean where the sum of signs is nearer to 0 than `votes`.
    TurnedMean {
        /// The sum of signs, of either sign, from which the mean stands.
        votes: usize,
    },
    /// The smallest value.
    Minimum,
    /// The largest value.
    Maximum,
}

/// How a row takes part in [`Batch::elected_mean`](crate::Batch::elected_mean).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Elector {
    /// Votes for the sign of its value, a whole number.
    pub votes: f64,
    /// What its values are multiplied with before they are averaged, from 0 to 1.
    pub factor: f64,
    /// The length that a value must exceed, before it is multiplied: one that the row has.
    pub threshold: f64,
}

/// What a rule of columns found.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The rule's value at every coordinate.
    pub output: Vector,
    /// ‖x_i - output‖² of every raw row, if it was asked for.
    pub distances: Option<Vec<f64>>,
}

impl ColumnRule {
    /// # Panics
    /// If the rule cannot be applied to `n` values: 2f ≥ n, or `keep` not in 1 … n.
    pub(super) fn check(&self, n: usize) {
        let (trimmed, kept) = match *self {
            Self::Median(_)
            | Self::SignMajority
            | Self::TurnedMean { .. }
            | Self::Minimum
            | Self::Maximum => (0, 1),
            Self::TrimmedMean { f } => (f, 1),
            Self::MeanAroundMedian { keep, .. } => (0, keep),
            Self::MeanAroundTrimmedMean { keep, f } => (f, keep),
        };
        assert!(2 * trimmed < n, "trimming {trimmed} values at each end of {n} leaves none");
        assert!((1..=n).contains(&kept), "keeping {kept} of {n} values");
    }
}
