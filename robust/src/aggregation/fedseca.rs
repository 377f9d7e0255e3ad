//! FedSECA: an elected sign for every coordinate, and the mean of what agrees with it.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{each, median},
    radius::factor,
};
use crate::{
    Batch, Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// FedSECA: at every coordinate, the mean of the clipped, clamped and sparsified values whose sign is the one that is
/// elected there.
///
/// Two vectors agree if more of their coordinates have equal signs than opposite ones, and disagree the other way round.
/// The vote of x_i is its concordance: how many vectors it agrees with, itself counted, less those it disagrees with, or 0.
/// The sign of coordinate j is that of Σ_i vote_i sign(x_ij). Vectors are scaled down to the median norm, their coordinates
/// clamped to the median length there (both midpoints), and of x_i only the coordinates longer than the
/// `sparsity`-quantile of its own lengths (interpolated) are left. Where nobody is left, or no sign is elected, there is 0.
///
/// What lies on a device comes to the host for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fedseca {
    /// The share of the coordinates of every vector that is left out, gamma in the paper.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub sparsity: f64,
}

impl Default for Fedseca {
    fn default() -> Self {
        Self { sparsity: 0.9 }
    }
}

impl Described for Fedseca {
    const NAME: &'static str = "fedseca";
    const SOURCE: &'static str = "Benjamin et al., 2025";
}

impl Rule for Fedseca {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::below_one("sparsity", self.sparsity)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Fedseca {}

impl Aggregator for Fedseca {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let norms2 = batch.norms2()?;
        let radius = median(&norms2.iter().map(|norm2| norm2.sqrt()).collect::<Vec<_>>());
        let rows = batch.to_rows();
        let votes = votes(&rows);
        let voter = |i: usize| Voter {
            vote: votes[i],
            factor: factor(norms2[i], radius),
            threshold: quantile(&rows[i].to_f64(), self.sparsity),
        };
        let voters: Vec<Voter> = (0..rows.len()).into_par_iter().map(voter).collect();
        let output: Vec<Vec<f64>> = pieces(&rows).map(|piece| elected(&voters, &piece)).collect();
        Ok(Aggregate::vector(rows[0].like(&output.concat())))
    }
}

/// What of a vector all its coordinates share.
struct Voter {
    /// How much its signs count.
    vote: i64,
    /// What takes it to the median norm, if it is longer.
    factor: f64,
    /// The length that a coordinate must exceed.
    threshold: f64,
}

/// Coordinates that are brought together at once.
const WIDTH: usize = 1 << 12;

/// The rows cut into pieces, in order: the values of every row at the same coordinates.
fn pieces(rows: &[Vector]) -> impl IndexedParallelIterator<Item = Vec<Vec<f64>>> {
    let d = rows[0].len();
    (0..d.div_ceil(WIDTH)).into_par_iter().map(move |at| {
        let places: Vec<usize> = (at * WIDTH..d.min((at + 1) * WIDTH)).collect();
        rows.iter().map(|row| row.at(&places)).collect()
    })
}

/// How much the signs of every row count.
fn votes(rows: &[Vector]) -> Vec<i64> {
    let m = rows.len();
    let sum = |a: Vec<i64>, b: Vec<i64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let agreement = pieces(rows).map(|piece| agreement(&piece)).reduce(|| vec![0; m * m], sum);
    let concordance = |i: usize| agreement[i * m..][..m].iter().map(|agreed| agreed.signum()).sum::<i64>();
    (0..m).map(|i| concordance(i).max(0)).collect()
}

/// For every two rows of a piece, in how many coordinates their signs are equal, less in how many they are opposite.
fn agreement(piece: &[Vec<f64>]) -> Vec<i64> {
    let signs: Vec<[Vec<u64>; 2]> =
        piece.iter().map(|row| [bits(row, |v| v > 0.0), bits(row, |v| v < 0.0)]).collect();
    let common = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| i64::from((a & b).count_ones())).sum();
    let agreed = |[up, down]: &[Vec<u64>; 2], [other_up, other_down]: &[Vec<u64>; 2]| -> i64 {
        let both: [i64; 4] = [(up, other_up), (down, other_down), (up, other_down), (down, other_up)]
            .map(|(a, b)| common(a, b));
        both[0] + both[1] - both[2] - both[3]
    };
    let m = piece.len();
    each(m * m, |at| agreed(&signs[at / m], &signs[at % m]))
}

/// A bit for every value, which is set if `is` holds of it.
fn bits(values: &[f64], is: impl Fn(f64) -> bool) -> Vec<u64> {
    let word = |part: &[f64]| part.iter().rev().fold(0, |word, &v| word << 1 | u64::from(is(v)));
    values.chunks(64).map(word).collect()
}

/// The value at the part q of the way through the lengths of these, in order.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut lengths: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    let place = q * (lengths.len() - 1) as f64;
    let (_, &mut lower, above) = lengths.select_nth_unstable_by(place as usize, f64::total_cmp);
    let upper = above.iter().copied().min_by(f64::total_cmp).unwrap_or(lower);
    lower + (upper - lower) * place.fract()
}

/// The rule's value of every coordinate of a piece.
fn elected(voters: &[Voter], piece: &[Vec<f64>]) -> Vec<f64> {
    let mut lengths = vec![0.0; voters.len()];
    let value = |j: usize| {
        let column = || voters.iter().zip(piece.iter().map(|row| row[j]));
        lengths.iter_mut().zip(column()).for_each(|(length, (voter, v))| *length = voter.factor * v.abs());
        lengths.sort_unstable_by(f64::total_cmp);
        let clamp = (lengths[(lengths.len() - 1) / 2] + lengths[lengths.len() / 2]) / 2.0;
        let elected = column().map(|(voter, v)| voter.vote * sign(v)).sum::<i64>().signum();
        let left = column().filter(|(voter, v)| sign(*v) == elected && v.abs() > voter.threshold);
        elected as f64 * mean_above_zero(left.map(|(voter, v)| (voter.factor * v.abs()).min(clamp)))
    };
    (0..piece[0].len()).map(value).collect()
}

/// The mean of the values above 0; of none, 0.
fn mean_above_zero(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|v| *v > 0.0).fold((0.0, 0u32), |(sum, count), v| (sum + v, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}
