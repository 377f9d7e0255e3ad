//! Tiles whose columns are brought into order. A column of few values stays in registers from its first comparator to its
//! last, for each number of values is code of its own; of many values, every comparator goes through memory.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use super::{
    network::{self, Comparator, Exchange, Pair, Use, pairwise},
    tile::{Ahead, Tile},
};
use crate::simd::{Finite, Real};

/// How columns come into order.
pub(super) enum Sorting {
    /// Each in registers; whether the one or two values in its middle are all that is needed.
    InRegisters { middle: bool },
    /// Comparator by comparator.
    ThroughMemory(Arc<[Comparator]>),
}

impl Sorting {
    /// The way for columns of `uses.len()` values, of which this is used.
    pub(super) fn of(uses: Vec<Use>) -> Self {
        let m = uses.len();
        let dropped = |ends: &[Use]| ends.iter().all(|&end| end == Use::Dropped);
        let middle = dropped(&uses[..(m - 1) / 2]) && dropped(&uses[m / 2 + 1..]);
        if m <= if middle { MOST_FOR_THE_MIDDLE } else { MOST } {
            Self::InRegisters { middle }
        } else {
            Self::ThroughMemory(network::known(uses))
        }
    }

    /// The tile in which what is used of the columns of `tile` has its place: `other`, which has its form, or itself.
    /// Meanwhile the memory `ahead` is asked for, where every comparator goes through memory and leaves time for it.
    pub(super) fn sorted<'t, T: Real>(
        &self,
        tile: &'t mut Tile<T>,
        other: &'t mut Tile<T>,
        ahead: Ahead<'_, T>,
    ) -> &'t mut Tile<T> {
        match self {
            &Self::InRegisters { middle } => {
                sort(|i| tile.row(i), other, middle);
                other
            }
            Self::ThroughMemory(network) => {
                Arch::new().dispatch(Exchange { network, tile, ahead });
                tile
            }
        }
    }
}

/// Most values of a column that is faster in registers than through memory, where unused comparators are left out.
const MOST: usize = 18;
/// The same where only the middle is needed: then the compiler leaves them out here too. Of AVX-512's 32 registers.
const MOST_FOR_THE_MIDDLE: usize = 28;

macro_rules! with_each_number_of_rows {
    ($($m:literal)*; $($more:literal)*) => {
        /// Leaves the columns of as many rows as the tile has in the tile, in order; or only what is in their middle. Says
        /// whether all values are finite.
        pub(super) fn sort<'a, T: Real>(row: impl Fn(usize) -> &'a [T], to: &mut Tile<T>, middle: bool) -> bool {
            use std::array::from_fn;
            let arch = Arch::new();
            match (to.rows(), middle) {
                $(($m, false) => arch.dispatch(Columns::<T, $m, false> { from: from_fn(row), to }),
                ($m, true) => arch.dispatch(Columns::<T, $m, true> { from: from_fn(row), to }),)*
                $(($more, true) => arch.dispatch(Columns::<T, $more, true> { from: from_fn(row), to }),)*
                (m, _) => unreachable!("{m} values do not fit in registers"),
            }
        }
    };
}

with_each_number_of_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; 19 20 21 22 23 24 25 26 27 28);

/// Sorts columns of M values.
struct Columns<'a, T, const M: usize, const MIDDLE: bool> {
    /// Rows as wide as the tile.
    from: [&'a [T]; M],
    to: &'a mut Tile<T>,
}

impl<T: Real, const M: usize, const MIDDLE: bool> WithSimd for Columns<'_, T, M, MIDDLE> {
    type Output = bool;

    /// One register of columns at a time. The compiler drops the comparators whose results are not kept.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let (to, _) = T::split_mut::<S>(self.to.all_mut());
        let width = to.len() / M;
        let mut to = to.chunks_exact_mut(width);
        let to: [&mut [T::Lanes<S>]; M] = std::array::from_fn(|_| to.next().unwrap_or_default());
        let from: [&[T::Lanes<S>]; M] = std::array::from_fn(|i| &T::split::<S>(self.from[i]).0[..width]);
        let mut finite = Finite::<S, T>::new(simd);
        for at in 0..width {
            let mut column: [T::Lanes<S>; M] = std::array::from_fn(|i| from[i][at]);
            for x in column {
                finite.see(simd, x);
            }
            compare_all::<S, T, M>(simd, &mut column);
            let kept = if MIDDLE { (M - 1) / 2..M / 2 + 1 } else { 0..M };
            kept.for_each(|i| to[i][at] = column[i]);
        }
        finite.all(simd, &[])
    }
}

/// The steps of [`compare_all`].
const ROOM: usize = 256;

/// The network of M values.
struct Network<const M: usize>;

impl<const M: usize> Network<M> {
    const COUNT: usize = pairwise(0, 1, M.next_power_of_two(), M, &mut [], 0);
    const PAIRS: [Pair; ROOM] = {
        let mut pairs = [(0, 0); ROOM];
        pairwise(0, 1, M.next_power_of_two(), M, &mut pairs, 0);
        pairs
    };
}

/// Comparators `$at` and all that follow with these bits added, in turn, as far as the network has them. Each is a
/// statement of its own with its wires as constants: in a loop the column would have to lie in memory.
macro_rules! steps {
    ($simd:ident, $column:ident, $at:expr;) => {
        if const { $at < Network::<M>::COUNT } {
            let (low, high) = const { Network::<M>::PAIRS[$at] };
            let (a, b) = ($column[low], $column[high]);
            ($column[low], $column[high]) = (T::min($simd, a, b), T::max($simd, a, b));
        }
    };
    ($simd:ident, $column:ident, $at:expr; $bit:literal $($bits:literal)*) => {
        steps!($simd, $column, $at; $($bits)*);
        steps!($simd, $column, $at + $bit; $($bits)*);
    };
}

/// Brings the lanes of the registers into ascending order.
#[inline(always)]
fn compare_all<S: Simd, T: Real, const M: usize>(simd: S, column: &mut [T::Lanes<S>; M]) {
    const { assert!(Network::<M>::COUNT <= ROOM) }
    steps!(simd, column, 0; 128 64 32 16 8 4 2 1);
}

#[cfg(test)]
mod tests {
    use super::{MOST, MOST_FOR_THE_MIDDLE, sort};
    use crate::{batch::kernels::tile::Tile, simd::Real};

    const WIDTH: usize = 32;

    /// What `sort` leaves of a tile, row by row.
    fn sorted<T: Real>(rows: &[[T; WIDTH]], middle: bool) -> Vec<Vec<T>> {
        let mut tile = Tile::new(rows.len(), WIDTH);
        assert!(sort(|i| &rows[i], &mut tile, middle));
        (0..rows.len()).map(|i| tile.row(i).to_vec()).collect()
    }

    /// By the zero-one principle, these networks sort everything.
    #[test]
    fn every_pattern_of_zeros_and_ones_is_sorted() {
        for m in 1..=14 {
            for first in (0..1u32 << m).step_by(WIDTH) {
                let pattern =
                    |i: usize| std::array::from_fn(|at| f32::from((first + at as u32) >> i & 1 == 1));
                let rows: Vec<[f32; WIDTH]> = (0..m).map(pattern).collect();
                let sorted = sorted(&rows, false);
                assert!((0..WIDTH).all(|at| sorted.is_sorted_by_key(|row| row[at])), "{rows:?}");
            }
        }
    }

    fn agrees_with_a_plain_sort<T: Real>() {
        for m in 1..=MOST_FOR_THE_MIDDLE {
            let value =
                |i: usize, at: usize| T::from_f64(((i * i * 31 + at * 17 + i * at) % 53) as f64 - 26.0);
            let rows: Vec<[T; WIDTH]> = (0..m).map(|i| std::array::from_fn(|at| value(i, at))).collect();
            let middle = sorted(&rows, true);
            let all = (m <= MOST).then(|| sorted(&rows, false));
            for at in 0..WIDTH {
                let mut column: Vec<f64> = rows.iter().map(|row| row[at].to_f64()).collect();
                column.sort_by(f64::total_cmp);
                let of = |rows: &[Vec<T>], i: usize| rows[i][at].to_f64();
                assert!([(m - 1) / 2, m / 2].iter().all(|&i| of(&middle, i) == column[i]), "{m} rows");
                assert!(all.iter().all(|all| (0..m).all(|i| of(all, i) == column[i])), "{m} rows");
            }
        }
    }

    #[test]
    fn every_number_of_values_is_sorted() {
        agrees_with_a_plain_sort::<f32>();
        agrees_with_a_plain_sort::<f64>();
    }

    #[test]
    fn a_value_that_is_not_finite_is_told() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut rows = [[1.0; WIDTH]; 5];
            rows[3][WIDTH - 1] = bad;
            assert!(!sort(|i| &rows[i][..], &mut Tile::new(5, WIDTH), true));
        }
    }
}
