//! The mean of what agrees with the sign that is elected at every coordinate, in one pass.

use pulp::Arch;

use super::{
    chunks, reduce,
    sorted::Sorting,
    tile::{self, Ahead, GROUP, Load, Tile, group},
};
use crate::{
    batch::{ColumnRule, Elector, Median},
    simd::{Real, vectorised},
};

/// For every column, the mean over the electors of what their rows have there of the elected sign; see
/// [`Batch::elected_mean`](crate::Batch::elected_mean). The rows are finite. One pass over them.
pub(in crate::batch) fn elected_mean<T: Real>(rows: &[&[T]], electors: &[Elector], out: &mut [T]) {
    let m = rows.len();
    let width = tile::width::<T>(2 * m);
    let pass = Pass { rows, electors, sorting: Sorting::of(reduce::uses_of_median(m)) };
    let scratch = || Scratch {
        raw: Tile::new(m, width),
        lengths: Tile::new(m, width),
        sorted: Tile::new(m, width),
        clamp: vec![T::default(); width],
        elected: vec![T::default(); width],
    };
    let chunk = chunks::size(m, width);
    chunks::fill(out, chunk, scratch, |scratch, start, out| pass.chunk(scratch, start, out));
}

const MEDIAN: ColumnRule = ColumnRule::Median(Median::Midpoint);

/// Whole numbers up to here, and their sums, are exact in every number format.
const EXACT: usize = 1 << 24;

/// Buffers of one thread.
struct Scratch<T> {
    raw: Tile<T>,
    /// Absolute values, scaled; then what is kept of them.
    lengths: Tile<T>,
    /// The same in ascending order, as far as their median needs it.
    sorted: Tile<T>,
    /// The longest that a value may be.
    clamp: Vec<T>,
    elected: Vec<T>,
}

struct Pass<'a, T> {
    rows: &'a [&'a [T]],
    electors: &'a [Elector],
    sorting: Sorting,
}

impl<T: Real> Pass<'_, T> {
    /// Fills `out`, which begins at coordinate `start`.
    fn chunk(&self, scratch: &mut Scratch<T>, start: usize, out: &mut [T]) {
        let (width, end) = (scratch.raw.width(), start + out.len());
        let mut bad = vec![false; self.rows.len()];
        for (at, out) in (start..).step_by(width).zip(out.chunks_mut(width)) {
            Arch::new().dispatch(Load { rows: self.rows, at, tile: &mut scratch.raw, bad: &mut bad });
            let next = end.min(at + width)..end.min(at + 2 * width);
            self.tile(scratch, Ahead::new(self.rows, next), out);
        }
    }

    /// From a loaded tile to the means.
    fn tile(&self, scratch: &mut Scratch<T>, ahead: Ahead<'_, T>, out: &mut [T]) {
        let Scratch { raw, lengths, sorted, clamp, elected } = scratch;
        vectorised(
            #[inline(always)]
            || scale(raw, self.electors, lengths),
        );
        let sorted = self.sorting.sorted(lengths, sorted, ahead);
        vectorised(
            #[inline(always)]
            || {
                reduce::reduce(&MEDIAN, sorted, &mut [], clamp);
                if self.electors.len().pow(2) <= EXACT {
                    elect::<T, T>(raw, self.electors, elected);
                } else {
                    elect::<T, f64>(raw, self.electors, elected);
                }
            },
        );
        vectorised(
            #[inline(always)]
            || {
                keep(raw, self.electors, elected, clamp, lengths);
                mean(lengths, elected, out);
            },
        );
    }
}

/// The absolute values of every row, scaled by its factor.
#[inline(always)]
fn scale<T: Real>(raw: &Tile<T>, electors: &[Elector], lengths: &mut Tile<T>) {
    for (i, elector) in electors.iter().enumerate() {
        let factor = T::from_f64(elector.factor);
        lengths.row_mut(i).iter_mut().zip(raw.row(i)).for_each(|(length, x)| *length = factor * x.abs());
    }
}

/// The signs of the votes for either sign, which are added up as A.
#[inline(always)]
fn elect<T: Real, A: Real>(raw: &Tile<T>, electors: &[Elector], elected: &mut [T]) {
    for (at, elected) in elected.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let mut sums = [A::default(); GROUP];
        for (i, elector) in electors.iter().enumerate() {
            let (votes, row) = (A::from_f64(elector.votes), group(raw.row(i), at));
            for j in 0..GROUP {
                sums[j] = sums[j] + votes * A::nearest(row[j].sign());
            }
        }
        for j in 0..GROUP {
            elected[j] = T::nearest(sums[j].sign());
        }
    }
}

/// The values that agree and are longer than the threshold of their row, scaled and cut, without a sign; 0 for others.
#[inline(always)]
fn keep<T: Real>(raw: &Tile<T>, electors: &[Elector], elected: &[T], clamp: &[T], kept: &mut Tile<T>) {
    for (i, elector) in electors.iter().enumerate() {
        let (factor, threshold) = (T::from_f64(elector.factor), T::from_f64(elector.threshold));
        let columns = raw.row(i).iter().zip(elected.iter().zip(clamp));
        for (kept, (&x, (&elected, &clamp))) in kept.row_mut(i).iter_mut().zip(columns) {
            let along = elected * x;
            let scaled = factor * along;
            let cut = if scaled < clamp { scaled } else { clamp };
            *kept = if along > threshold { cut } else { T::default() };
        }
    }
}

/// The mean of what is kept and not 0, with the elected sign. A loop of its own for each number format: in one, the wider
/// would halve the registers of the other.
#[inline(always)]
fn mean<T: Real>(kept: &Tile<T>, elected: &[T], out: &mut [T]) {
    let (zero, one) = (T::default(), T::from_f64(1.0));
    for (at, out) in out.chunks_mut(GROUP).enumerate() {
        let (mut sums, mut counts) = ([0.0; GROUP], [zero; GROUP]);
        for i in 0..kept.rows() {
            let row = group(kept.row(i), at);
            for j in 0..GROUP {
                counts[j] = counts[j] + if row[j] > zero { one } else { zero };
            }
        }
        for i in 0..kept.rows() {
            let row = group(kept.row(i), at);
            for j in 0..GROUP {
                sums[j] += row[j].to_f64();
            }
        }
        let elected = group(elected, at);
        for (j, out) in out.iter_mut().enumerate() {
            *out = T::from_f64(elected[j].to_f64() * (sums[j] / counts[j].to_f64().max(1.0)));
        }
    }
}
