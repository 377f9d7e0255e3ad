//! A linear map of the rows, applied to a tile: the small product W · X. And the
//! product of two m×m matrices, which is the same thing.

use pulp::{Arch, Simd, WithSimd};

use super::{
    chunks,
    tile::{self, Tile},
};
use crate::{
    batch::{Map, Matrix},
    simd::Real,
};

/// A k×m matrix W in the form in which it is multiplied.
pub(super) enum Weights<T> {
    /// All values in row order.
    Dense(Vec<T>),
    /// Of every row the columns and values that are not zero.
    Sparse(Vec<Vec<(usize, T)>>),
}

/// Part of the values that are not zero, up to which these alone are gone through. A register is then loaded for every
/// product and not for six, so that a matrix with half of its values is still multiplied as a whole.
const SPARSE: f64 = 0.25;

impl<T: Real> Weights<T> {
    pub(super) fn of(map: &Map) -> Self {
        if map.terms() as f64 > SPARSE * (map.rows() * map.columns()) as f64 {
            return Self::Dense(map.to_matrix().values().iter().map(|&w| T::from_f64(w)).collect());
        }
        let rows = (0..map.rows()).map(|i| map.row(i).iter().map(|&(j, w)| (j, T::from_f64(w))).collect());
        Self::Sparse(rows.collect())
    }
}

/// `to` = W · `from`.
pub(super) struct Mix<'a, T> {
    pub weights: &'a Weights<T>,
    pub from: &'a Tile<T>,
    pub to: &'a mut Tile<T>,
}

impl<T: Real> WithSimd for Mix<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let m = self.from.rows();
        let (from, _) = T::split::<S>(self.from.all());
        let (to, _) = T::split_mut::<S>(self.to.all_mut());
        let stride = from.len() / m;
        match self.weights {
            Weights::Dense(weights) => dense::<S, T>(simd, weights, from, to, (weights.len() / m, stride)),
            Weights::Sparse(rows) => {
                for (terms, to) in rows.iter().zip(to.chunks_exact_mut(stride)) {
                    sparse::<S, T>(simd, terms, from, to);
                }
            }
        }
    }
}

/// One row of the product from its `terms`.
#[inline(always)]
fn sparse<S: Simd, T: Real>(simd: S, terms: &[(usize, T)], from: &[T::Lanes<S>], to: &mut [T::Lanes<S>]) {
    let stride = to.len();
    let (groups, rest) = to.as_chunks_mut::<REGISTERS>();
    for (group, to) in groups.iter_mut().enumerate() {
        *to = sum::<S, T, REGISTERS>(simd, terms, from, stride, group * REGISTERS);
    }
    let done = stride - rest.len();
    for (at, to) in (done..).zip(rest) {
        [*to] = sum::<S, T, 1>(simd, terms, from, stride, at);
    }
}

/// Registers of a row that are summed side by side, so that one sum does not wait for another.
const REGISTERS: usize = 4;

/// C registers of the sum of the `terms`.
#[inline(always)]
fn sum<S: Simd, T: Real, const C: usize>(
    simd: S,
    terms: &[(usize, T)],
    from: &[T::Lanes<S>],
    stride: usize,
    at: usize,
) -> [T::Lanes<S>; C] {
    let mut sums = [T::splat(simd, T::default()); C];
    for &(j, w) in terms {
        let (w, x) = (T::splat(simd, w), &from[j * stride + at..][..C]);
        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = T::mul_add(simd, w, x, *sum));
    }
    sums
}

/// The product from all values.
#[inline(always)]
fn dense<S: Simd, T: Real>(
    simd: S,
    weights: &[T],
    from: &[T::Lanes<S>],
    to: &mut [T::Lanes<S>],
    (k, stride): (usize, usize),
) {
    let pairs = stride / 2 * 2;
    for at in (0..pairs).step_by(2) {
        rows::<S, T, 2>(simd, weights, from, to, (k, stride), at);
    }
    if pairs < stride {
        rows::<S, T, 1>(simd, weights, from, to, (k, stride), pairs);
    }
}

/// W · B.
pub(in crate::batch) fn product(map: &Map, b: &Matrix) -> Matrix {
    let (n, inner, columns) = (map.rows(), map.columns(), b.columns());
    assert_eq!(inner, b.rows(), "a matrix that does not fit");
    let width = tile::width::<f64>(inner);
    let weights = Weights::of(map);
    let parts = chunks::map(
        columns,
        width,
        || Tile::new(inner, width),
        |from, range| {
            let part = |i: usize| &b.row(i)[range.clone()];
            (0..inner).for_each(|i| from.row_mut(i)[..range.len()].copy_from_slice(part(i)));
            let mut to = Tile::new(n, width);
            Arch::new().dispatch(Mix { weights: &weights, from, to: &mut to });
            (range, to)
        },
    );
    let mut out = vec![0.0; n * columns];
    for (range, part) in parts {
        let rows = out.chunks_exact_mut(columns).enumerate();
        rows.for_each(|(i, row)| row[range.clone()].copy_from_slice(&part.row(i)[..range.len()]));
    }
    Matrix::from_values(columns, out)
}

/// C registers of all k rows of the product: six rows at a time, so that every register that is loaded is used for
/// six, and what is left at once.
#[inline(always)]
fn rows<S: Simd, T: Real, const C: usize>(
    simd: S,
    w: &[T],
    x: &[T::Lanes<S>],
    to: &mut [T::Lanes<S>],
    (k, stride): (usize, usize),
    at: usize,
) {
    let sixes = k / 6 * 6;
    (0..sixes).step_by(6).for_each(|i| block::<S, T, 6, C>(simd, w, x, to, stride, i, at));
    match k - sixes {
        5 => block::<S, T, 5, C>(simd, w, x, to, stride, sixes, at),
        4 => block::<S, T, 4, C>(simd, w, x, to, stride, sixes, at),
        3 => block::<S, T, 3, C>(simd, w, x, to, stride, sixes, at),
        2 => block::<S, T, 2, C>(simd, w, x, to, stride, sixes, at),
        1 => block::<S, T, 1, C>(simd, w, x, to, stride, sixes, at),
        _ => {}
    }
}

/// R rows by C registers of the product, kept in registers while it is summed.
#[inline(always)]
fn block<S: Simd, T: Real, const R: usize, const C: usize>(
    simd: S,
    weights: &[T],
    from: &[T::Lanes<S>],
    to: &mut [T::Lanes<S>],
    stride: usize,
    row: usize,
    at: usize,
) {
    let m = from.len() / stride;
    let mut sums = [[T::splat(simd, T::default()); C]; R];
    let weights: [&[T]; R] = std::array::from_fn(|r| &weights[(row + r) * m..(row + r + 1) * m]);
    for (j, x) in from.chunks_exact(stride).enumerate() {
        let x = &x[at..at + C];
        for (sums, weights) in sums.iter_mut().zip(weights) {
            let w = T::splat(simd, weights[j]);
            sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = T::mul_add(simd, w, x, *sum));
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        to[(row + r) * stride + at..][..C].copy_from_slice(sums);
    }
}
