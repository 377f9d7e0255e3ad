//! The one product that convolutions and linear layers are made of.
//!
//! out(m, n) = start + Σ_k left(m, k) · right(k, n), where neither factor need be a matrix in memory: a row of `left`
//! starts wherever its [`Walk`] says, and k runs through segments that the walk chooses for every tile of rows. So
//! the windows of a convolution overlap in place, nothing is unfolded, and rows of zeros are left out.
//!
//! The n lie in SIMD lanes and k runs in order, so every value is one chain of multiply-adds, fused where the hardware
//! does so: the width of the registers and the size of the tiles do not change a bit.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{
    Real,
    lanes::{lanes, load, load_some, save},
};

/// Columns that lie beside each other in a packed right factor.
pub(super) const STRIP: usize = 16;

/// What a register may read past the last column; every buffer ends with so much.
pub(super) const SLACK: usize = STRIP;

/// Rows of a tile. With two registers each they are the most that the compiler keeps in 32 registers beside the operands,
/// or with one each in 16.
const ROWS: usize = 10;
/// Rows of a tile with two registers each, where there are 16: fewer loads for each product than with one.
const ROWS_OF_16: usize = 6;

/// A run of k: where it starts in both factors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub left: usize,
    pub right: usize,
}

/// Where the values of the left factor lie, and which k matter to which rows.
pub(super) trait Walk {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Where `rows` start.
    fn offsets(&self, rows: Range<usize>, offsets: &mut [usize]);
    /// The segments that these rows need, in order.
    fn segments(&self, rows: Range<usize>, segments: &mut Vec<Segment>);
}

/// The left factor.
pub(super) struct Left<'a, T, W> {
    pub values: &'a [T],
    pub walk: W,
    /// Distance of neighbours in a segment.
    pub step: usize,
}

/// The right factor: column n of step k at `n / STRIP * strip + n % STRIP + k * step`.
pub(super) struct Right<'a, T> {
    pub values: &'a [T],
    pub strip: usize,
    pub step: usize,
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub(super) enum Start<'a, T> {
    Zero,
    /// One value for every column, padded to whole strips.
    Row(&'a [T]),
    /// What `out` holds.
    Out,
}

/// The product; [`Product::run`] computes it.
pub(super) struct Product<'a, T, W> {
    pub left: Left<'a, T, W>,
    pub right: Right<'a, T>,
    /// Number of k in a segment.
    pub len: usize,
    pub start: Start<'a, T>,
    pub out: &'a mut [T],
    /// Distance of the rows of `out`.
    pub stride: usize,
    pub columns: usize,
}

impl<T: Real, W: Walk> Product<'_, T, W> {
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl<T: Real, W: Walk> WithSimd for Product<'_, T, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = lanes::<T, S>();
        let registers = self.columns.div_ceil(lanes);
        let mut segments = Vec::new();
        for register in (0..registers).step_by(2) {
            let column = register * lanes;
            match (register + 1 < registers, S::REGISTER_COUNT >= 32) {
                (true, true) => self.columns::<S, ROWS, 2>(simd, column, &mut segments),
                (true, false) => self.columns::<S, ROWS_OF_16, 2>(simd, column, &mut segments),
                (false, _) => self.columns::<S, ROWS, 1>(simd, column, &mut segments),
            }
        }
    }
}

impl<T: Real, W: Walk> Product<'_, T, W> {
    /// N registers of columns from `column` on, all rows, R at a time.
    #[inline(always)]
    fn columns<S: Simd, const R: usize, const N: usize>(
        &mut self,
        simd: S,
        column: usize,
        segments: &mut Vec<Segment>,
    ) {
        let rows = self.left.walk.rows();
        for first in (0..rows).step_by(R) {
            let tile = first..rows.min(first + R);
            segments.clear();
            self.left.walk.segments(tile.clone(), segments);
            let mut sums = self.starts::<S, R, N>(simd, tile.clone(), column);
            self.add::<S, R, N>(simd, tile.clone(), column, segments, &mut sums);
            self.store::<S, R, N>(tile, column, &sums);
        }
    }

    #[inline(always)]
    fn starts<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        tile: Range<usize>,
        column: usize,
    ) -> [[T::Lanes<S>; N]; R] {
        let lanes = lanes::<T, S>();
        let mut sums = [[T::splat(simd, T::default()); N]; R];
        for (i, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                let c = column + n * lanes;
                match self.start {
                    Start::Zero => {}
                    Start::Row(row) => *sum = load::<T, S>(&row[c..]),
                    Start::Out if i < tile.len() => {
                        let row = &self.out[(tile.start + i) * self.stride..][..self.columns][c..];
                        *sum = load_some::<T, S>(row);
                    }
                    Start::Out => {}
                }
            }
        }
        sums
    }

    /// The hot loop. Rows past the tile's end repeat its last one; what they give is not stored.
    #[inline(always)]
    fn add<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        tile: Range<usize>,
        column: usize,
        segments: &[Segment],
        sums: &mut [[T::Lanes<S>; N]; R],
    ) {
        let lanes = lanes::<T, S>();
        let (left, right, len) = (&self.left, &self.right, self.len);
        let mut rows = [0; R];
        let count = tile.len();
        left.walk.offsets(tile, &mut rows[..count]);
        let last = rows[count - 1];
        rows[count..].fill(last);
        let mut columns = [0; N];
        for (n, at) in columns.iter_mut().enumerate() {
            let c = column + n * lanes;
            *at = c / STRIP * right.strip + c % STRIP;
        }
        let Some(last) = len.checked_sub(1) else { return };
        let far = |of: fn(&Segment) -> usize| segments.iter().map(of).max().unwrap_or(0);
        let last_row = rows.iter().max().unwrap_or(&0) + far(|s| s.left) + last * left.step;
        let last_column = columns.iter().max().unwrap_or(&0) + far(|s| s.right) + last * right.step;
        assert!(last_row < left.values.len() && last_column + lanes <= right.values.len());

        let mut acc = *sums;
        for segment in segments {
            // SAFETY: no index below is larger than `last_row`, or than `last_column` and the lanes behind it,
            // which the assertion has found inside.
            unsafe {
                let mut a = left.values.as_ptr().add(segment.left);
                let mut b = right.values.as_ptr().add(segment.right);
                for _ in 0..len {
                    let mut values = [T::splat(simd, T::default()); N];
                    for n in 0..N {
                        values[n] = b.add(columns[n]).cast::<T::Lanes<S>>().read_unaligned();
                    }
                    for i in 0..R {
                        let x = T::splat(simd, *a.add(rows[i]));
                        for n in 0..N {
                            acc[i][n] = T::mul_add(simd, x, values[n], acc[i][n]);
                        }
                    }
                    // Wrapping: after the last step they may point past the end.
                    (a, b) = (a.wrapping_add(left.step), b.wrapping_add(right.step));
                }
            }
        }
        *sums = acc;
    }

    #[inline(always)]
    fn store<S: Simd, const R: usize, const N: usize>(
        &mut self,
        tile: Range<usize>,
        column: usize,
        sums: &[[T::Lanes<S>; N]; R],
    ) {
        let lanes = lanes::<T, S>();
        for (m, sums) in tile.zip(sums) {
            let row = &mut self.out[m * self.stride..][..self.columns];
            for (n, &sum) in sums.iter().enumerate() {
                save::<T, S>(sum, &mut row[column + n * lanes..]);
            }
        }
    }
}

/// The rows of a matrix in memory, `len` values apart, with a single segment.
pub(super) struct Rows {
    pub rows: usize,
    pub len: usize,
}

impl Walk for Rows {
    fn rows(&self) -> usize {
        self.rows
    }

    fn offsets(&self, rows: Range<usize>, offsets: &mut [usize]) {
        offsets.iter_mut().zip(rows).for_each(|(offset, m)| *offset = m * self.len);
    }

    fn segments(&self, _: Range<usize>, segments: &mut Vec<Segment>) {
        segments.push(Segment { left: 0, right: 0 });
    }
}
