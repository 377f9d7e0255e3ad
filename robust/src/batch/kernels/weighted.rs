//! The weighted median of every column, in one pass: the few values of a tile that can be it are sorted, and the
//! weight of all values up to one of them says on which side of it the median is.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{
    chunks,
    mix::{Mix, Weights},
    network::Use,
    sorted::Sorting,
    tile::{self, Ahead, GROUP, Load, Tile},
};
use crate::{
    batch::{Map, Median, rounding},
    simd::{Real, vectorised},
};

/// Registers of columns whose medians are sought at once: enough that one sum does not wait for another.
const REGISTERS: usize = 4;

/// Whole numbers up to here, and their sums, are exact in every number format.
const EXACT: f64 = (1 << 24) as f64;

/// The median of every column of the rows, or of W over them, whose row i counts `weights[i]`; the rows that are not
/// finite, and if there are any, the rest is void. One pass over the rows.
pub(in crate::batch) fn weighted_median<T: Real>(
    rows: &[&[T]],
    map: Option<&Map>,
    weights: &[f64],
    median: Median,
    out: &mut [T],
) -> Vec<usize> {
    let whole = weights.iter().all(|w| w.fract() == 0.0) && 2.0 * weights.iter().sum::<f64>() <= EXACT;
    let pass = if whole { medians::<T, T> } else { medians::<T, f64> };
    pass(rows, map, weights, median, out)
}

/// The same, where weights are added up as A.
fn medians<T: Real, A: Real>(
    rows: &[&[T]],
    map: Option<&Map>,
    weights: &[f64],
    median: Median,
    out: &mut [T],
) -> Vec<usize> {
    let (m, k) = (rows.len(), weights.len());
    let among = candidates(weights);
    let mut uses = vec![Use::Dropped; k];
    uses[among.clone()].fill(Use::Exact);
    let width = tile::width_in::<A>(k + among.len(), REGISTERS * GROUP);
    let scratch = || Scratch::<T, A> {
        raw: Tile::new(m, width),
        mixed: map.map(|_| Tile::new(k, width)),
        values: Tile::new(k, width),
        ordered: Tile::new(k, width),
        sorted: Tile::new(among.len(), width),
    };
    let pass = Pass {
        rows,
        map: map.map(Weights::of),
        weights,
        median,
        among: among.clone(),
        sorting: Sorting::of(uses),
    };
    let chunk = chunks::size(m, width);
    let bad = chunks::fill(out, chunk, scratch, |scratch, start, out| pass.chunk(scratch, start, out));
    (0..m).filter(|&i| bad.iter().any(|chunk| chunk[i])).collect()
}

/// The places in ascending order at which the median can be, whichever value has which weight: below the first there
/// is less than half of the weight even of the heaviest values, and up to the last half of it even of the lightest.
fn candidates(weights: &[f64]) -> Range<usize> {
    let mut ascending = weights.to_vec();
    ascending.sort_by(f64::total_cmp);
    let total: f64 = ascending.iter().sum();
    let slack = 2.0 * rounding(weights.len());
    let short = |weight: &f64, sum: &mut f64, slack: f64| {
        *sum += 2.0 * weight;
        *sum * slack < total
    };
    let (mut heavy, mut light) = (0.0, 0.0);
    let first = ascending.iter().rev().take_while(|w| short(w, &mut heavy, 1.0 + slack)).count();
    let last = ascending.iter().take_while(|w| short(w, &mut light, 1.0 - slack)).count();
    first..(last + 1).min(weights.len())
}

/// Buffers of one thread.
struct Scratch<T, A> {
    raw: Tile<T>,
    mixed: Option<Tile<T>>,
    /// All values, as they came.
    values: Tile<A>,
    /// The same in ascending order.
    ordered: Tile<T>,
    /// Those that can be the median, in ascending order.
    sorted: Tile<A>,
}

struct Pass<'a, T> {
    rows: &'a [&'a [T]],
    map: Option<Weights<T>>,
    weights: &'a [f64],
    median: Median,
    /// Where the median can be in a sorted column.
    among: Range<usize>,
    sorting: Sorting,
}

impl<T: Real> Pass<'_, T> {
    /// Fills `out`, which begins at coordinate `start`; which rows are not finite there.
    fn chunk<A: Real>(&self, scratch: &mut Scratch<T, A>, start: usize, out: &mut [T]) -> Vec<bool> {
        let (width, end) = (scratch.raw.width(), start + out.len());
        let mut bad = vec![false; self.rows.len()];
        for (at, out) in (start..).step_by(width).zip(out.chunks_mut(width)) {
            Arch::new().dispatch(Load { rows: self.rows, at, tile: &mut scratch.raw, bad: &mut bad });
            let next = end.min(at + width)..end.min(at + 2 * width);
            self.tile(scratch, Ahead::new(self.rows, next), out);
        }
        bad
    }

    /// From a loaded tile to its medians.
    fn tile<A: Real>(&self, scratch: &mut Scratch<T, A>, ahead: Ahead<'_, T>, out: &mut [T]) {
        let (arch, Scratch { raw, mixed, values, ordered, sorted }) = (Arch::new(), scratch);
        let tile = match (&self.map, mixed) {
            (Some(map), Some(mixed)) => {
                arch.dispatch(Mix { weights: map, from: raw, to: mixed });
                mixed
            }
            _ => raw,
        };
        copy(tile, 0, values);
        copy(self.sorting.sorted(tile, ordered, ahead), self.among.start, sorted);
        arch.dispatch(Medians { values, sorted, weights: self.weights, median: self.median });
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(sorted.row(0)).for_each(|(out, &median)| *out = T::nearest(median)),
        );
    }
}

/// Copies the rows of a tile from row `first` on.
fn copy<T: Real, A: Real>(from: &Tile<T>, first: usize, to: &mut Tile<A>) {
    vectorised(
        #[inline(always)]
        || {
            for i in 0..to.rows() {
                to.row_mut(i)
                    .iter_mut()
                    .zip(from.row(first + i))
                    .for_each(|(to, &from)| *to = A::nearest(from));
            }
        },
    );
}

/// Leaves the weighted medians in the first row of `sorted`.
struct Medians<'a, A> {
    values: &'a Tile<A>,
    sorted: &'a mut Tile<A>,
    weights: &'a [f64],
    median: Median,
}

impl<A: Real> WithSimd for Medians<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, total) = (self.sorted.rows(), self.weights.iter().sum::<f64>());
        let rounding = rounding(self.weights.len());
        let columns = Columns::<S, A> {
            values: A::split::<S>(self.values.all()).0,
            weights: self.weights,
            all: [1.0 - rounding, 1.0 + rounding].map(|part| A::splat(simd, A::from_f64(part * total))),
        };
        let sorted = A::split_mut::<S>(self.sorted.all_mut()).0;
        for at in (0..sorted.len() / rows).step_by(REGISTERS) {
            columns.medians(simd, sorted, rows, self.median, at);
        }
    }
}

/// The values of a tile in registers, and what they count.
struct Columns<'a, S: Simd, A: Real> {
    values: &'a [A::Lanes<S>],
    weights: &'a [f64],
    /// All of the weight, a little less and a little more: what adding in another order may make of it.
    all: [A::Lanes<S>; 2],
}

impl<S: Simd, A: Real> Columns<'_, S, A> {
    /// The medians of some columns, in the first row of `sorted`: by bisection the first of its `rows` values up to
    /// which there is half of the weight, and where there is no more than half, what is between it and the next value.
    #[inline(always)]
    fn medians(&self, simd: S, sorted: &mut [A::Lanes<S>], rows: usize, median: Median, at: usize) {
        let (stride, mut left) = (sorted.len() / rows, rows);
        while left > 1 {
            let middle = left / 2;
            let twice = self.twice_up_to(simd, some::<S, A>(sorted, (middle - 1) * stride + at), at);
            for i in 0..left - middle {
                for (c, &twice) in twice.iter().enumerate() {
                    let (low, high) = (i * stride + at + c, (i + middle) * stride + at + c);
                    let less = A::less_than(simd, twice, self.all[0]);
                    sorted[low] = A::select(simd, less, sorted[high], sorted[low]);
                }
            }
            left -= middle;
        }
        let medians = some::<S, A>(sorted, at);
        let (twice, after) = (self.twice_up_to(simd, medians, at), self.next(simd, medians, at));
        let (this, next) = median.parts();
        let (this, next) = (A::splat(simd, A::from_f64(this)), A::splat(simd, A::from_f64(next)));
        for c in 0..REGISTERS {
            let part = A::mul_add(simd, this, medians[c], A::splat(simd, A::default()));
            let between = A::mul_add(simd, next, after[c], part);
            let is_half = A::less_than_or_equal(simd, twice[c], self.all[1]);
            sorted[at + c] = A::select(simd, is_half, between, medians[c]);
        }
    }

    /// Twice the weight of the values up to `most`, added in the order of the rows: so it cannot fall where values join.
    #[inline(always)]
    fn twice_up_to(&self, simd: S, most: [A::Lanes<S>; REGISTERS], at: usize) -> [A::Lanes<S>; REGISTERS] {
        let mut sums = [A::splat(simd, A::default()); REGISTERS];
        for (row, weight) in self.rows().zip(self.weights) {
            let twice = A::splat(simd, A::from_f64(2.0 * weight));
            let x = some::<S, A>(row, at);
            for c in 0..REGISTERS {
                let more = A::plus(simd, sums[c], twice);
                sums[c] = A::select(simd, A::less_than_or_equal(simd, x[c], most[c]), more, sums[c]);
            }
        }
        sums
    }

    /// The least values above `bound`; infinite if there are none.
    #[inline(always)]
    fn next(&self, simd: S, bound: [A::Lanes<S>; REGISTERS], at: usize) -> [A::Lanes<S>; REGISTERS] {
        let mut least = [A::splat(simd, A::from_f64(f64::INFINITY)); REGISTERS];
        for row in self.rows() {
            let x = some::<S, A>(row, at);
            for c in 0..REGISTERS {
                let nearer = A::min(simd, x[c], least[c]);
                least[c] = A::select(simd, A::less_than(simd, bound[c], x[c]), nearer, least[c]);
            }
        }
        least
    }

    #[inline(always)]
    fn rows(&self) -> std::slice::ChunksExact<'_, A::Lanes<S>> {
        self.values.chunks_exact(self.values.len() / self.weights.len())
    }
}

/// The registers from one on.
#[inline(always)]
fn some<S: Simd, A: Real>(registers: &[A::Lanes<S>], at: usize) -> [A::Lanes<S>; REGISTERS] {
    let mut some = [registers[at]; REGISTERS];
    some.copy_from_slice(&registers[at..at + REGISTERS]);
    some
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn few_places_can_hold_the_median() {
        assert_eq!(candidates(&[1.0; 5]), 2..3);
        assert_eq!(candidates(&[0.1; 4]), 1..3);
        assert_eq!(candidates(&[1.0, 99.0, 1.0, 1.0, 1.0]), 0..5);
        assert_eq!(candidates(&[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]), 2..5);
        assert_eq!(candidates(&[3.0]), 0..1);
    }
}
