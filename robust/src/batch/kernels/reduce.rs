//! What a rule makes of a tile whose columns are sorted as far as it needs.

use super::{
    network::Use,
    tile::{GROUP, Tile, group},
};
use crate::{batch::ColumnRule, simd::Real};

/// The outputs of a sorting network over `n` values that a rule uses; `None` if it needs no order.
pub(super) fn uses(rule: &ColumnRule, n: usize) -> Option<Vec<Use>> {
    let ends = |count: usize, ends: Use, middle: Use| {
        let mut uses = vec![middle; n];
        uses[..count].fill(ends);
        uses[n - count..].fill(ends);
        uses
    };
    match *rule {
        ColumnRule::SignMajority
        | ColumnRule::TurnedMean { .. }
        | ColumnRule::Minimum
        | ColumnRule::Maximum => None,
        ColumnRule::Median(_) => Some(uses_of_median(n)),
        ColumnRule::TrimmedMean { f } => Some(ends(f, Use::Dropped, Use::Summed)),
        ColumnRule::MeanAroundMedian { keep, .. } => {
            let mut uses = ends(n - keep, Use::Exact, Use::Summed);
            uses[(n - 1) / 2..=n / 2].fill(Use::Exact);
            Some(uses)
        }
        ColumnRule::MeanAroundTrimmedMean { keep, f } => Some(ends(f.max(n - keep), Use::Exact, Use::Summed)),
    }
}

/// The same for a median of any kind.
pub(super) fn uses_of_median(n: usize) -> Vec<Use> {
    let mut uses = vec![Use::Dropped; n];
    uses[(n - 1) / 2..=n / 2].fill(Use::Exact);
    uses
}

/// The rule's value of every column of `tile`, as far as `out` goes. `sums` has room for one row.
#[inline(always)]
pub(super) fn reduce<T: Real>(rule: &ColumnRule, tile: &mut Tile<T>, sums: &mut [f64], out: &mut [T]) {
    let n = tile.rows();
    match *rule {
        ColumnRule::Median(median) => match median.places(n) {
            (low, high) if low == high => out.copy_from_slice(&tile.row(low)[..out.len()]),
            (low, high) => {
                let middle = tile.row(low).iter().zip(tile.row(high));
                out.iter_mut().zip(middle).for_each(|(out, (&a, &b))| *out = T::from_f64(midpoint(a, b)));
            }
        },
        ColumnRule::TrimmedMean { f } => {
            sum(tile, f..n - f, sums);
            mean(sums, n - 2 * f, out);
        }
        ColumnRule::MeanAroundMedian { keep, median } => {
            let (low, high) = median.places(n);
            let middle = tile.row(low).iter().zip(tile.row(high));
            sums.iter_mut().zip(middle).for_each(|(twice, (&a, &b))| *twice = a.to_f64() + b.to_f64());
            mean_around(tile, keep, sums, out);
        }
        ColumnRule::MeanAroundTrimmedMean { keep, f } => {
            sum(tile, f..n - f, sums);
            sums.iter_mut().for_each(|sum| *sum *= 2.0 / shares(n - 2 * f));
            mean_around(tile, keep, sums, out);
        }
        ColumnRule::SignMajority => {
            sum_signs(tile, out);
            out.iter_mut().for_each(|sum| *sum = sum.sign());
        }
        ColumnRule::TurnedMean { votes } => {
            sum(tile, 0..n, sums);
            sum_signs(tile, out);
            turned_mean(sums, n, votes, out);
        }
        ColumnRule::Minimum => extreme(tile, out, |x, y| x < y),
        ColumnRule::Maximum => extreme(tile, out, |x, y| x > y),
    }
}

#[inline(always)]
fn midpoint<T: Real>(a: T, b: T) -> f64 {
    0.5 * a.to_f64() + 0.5 * b.to_f64()
}

/// The part of each of `count` values that is added: a power of two, which is exact, and small enough that no sum overflows.
fn share(count: usize) -> f64 {
    1.0 / count.next_power_of_two() as f64
}

/// What makes the mean of a sum of such parts.
fn shares(count: usize) -> f64 {
    share(count) * count as f64
}

/// The sums of the [`share`]s of these rows.
#[inline(always)]
fn sum<T: Real>(tile: &Tile<T>, rows: std::ops::Range<usize>, sums: &mut [f64]) {
    let share = share(rows.len());
    sums.fill(0.0);
    for i in rows {
        sums.iter_mut().zip(tile.row(i)).for_each(|(sum, x)| *sum = share.mul_add(x.to_f64(), *sum));
    }
}

#[inline(always)]
fn mean<T: Real>(sums: &[f64], count: usize, out: &mut [T]) {
    let shares = shares(count);
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = T::from_f64(sum / shares));
}

/// The mean of the `keep` values nearest to a centre, of which `twice` is the double.
///
/// In a sorted column they are a window. It starts as the first `keep` values and moves from s to s + 1
/// while x_{s+keep} is nearer than x_s, that is while x_s + x_{s+keep} is below the double centre: on a tie the
/// lower value stays. A window holds one value of every index modulo `keep`, which moves on from x_s to x_{s+keep}.
#[inline(always)]
fn mean_around<T: Real>(tile: &Tile<T>, keep: usize, twice: &[f64], out: &mut [T]) {
    let (n, share, shares) = (tile.rows(), share(keep), shares(keep));
    for (at, out) in out.chunks_mut(GROUP).enumerate() {
        let (twice, mut sums) = (group(twice, at), [0.0; GROUP]);
        for first in 0..keep {
            let mut within = *group(tile.row(first), at);
            for s in (first..n - keep).step_by(keep) {
                let (low, high) = (group(tile.row(s), at), group(tile.row(s + keep), at));
                for j in 0..GROUP {
                    let moves = low[j].to_f64() + high[j].to_f64() < twice[j];
                    within[j] = if moves { high[j] } else { within[j] };
                }
            }
            for j in 0..GROUP {
                sums[j] = share.mul_add(within[j].to_f64(), sums[j]);
            }
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = T::from_f64(sum / shares));
    }
}

/// The mean of `count` values, turned where the sum of their signs, which `out` holds before, is below `votes`.
#[inline(always)]
fn turned_mean<T: Real>(sums: &[f64], count: usize, votes: usize, out: &mut [T]) {
    let (shares, votes) = (shares(count), votes as f64);
    for (out, sum) in out.iter_mut().zip(sums) {
        let mean = sum / shares;
        *out = T::from_f64(if out.to_f64().abs() < votes { -mean } else { mean });
    }
}

#[inline(always)]
fn sum_signs<T: Real>(tile: &Tile<T>, out: &mut [T]) {
    out.fill(T::default());
    for i in 0..tile.rows() {
        out.iter_mut().zip(tile.row(i)).for_each(|(sum, &x)| *sum = *sum + x.sign());
    }
}

/// The value of every column that goes `before` all others.
#[inline(always)]
fn extreme<T: Real>(tile: &Tile<T>, out: &mut [T], before: impl Fn(T, T) -> bool) {
    for (at, out) in out.chunks_mut(GROUP).enumerate() {
        let mut first = *group(tile.row(0), at);
        for i in 1..tile.rows() {
            let row = group(tile.row(i), at);
            for j in 0..GROUP {
                first[j] = if before(row[j], first[j]) { row[j] } else { first[j] };
            }
        }
        out.copy_from_slice(&first[..out.len()]);
    }
}
