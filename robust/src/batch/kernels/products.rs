//! The inner products of the rows, relative to a centre, or of their signs, in one pass.
//!
//! Tiles of x_i - c, with c as the last row, or of signs are packed; products of three by
//! four rows are summed in registers over a tile, and in f64 over the tiles.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    chunks,
    seen::Seen,
    tile::{GROUP, LINE, Tile, prefetch},
};
use crate::{
    batch::Matrix,
    simd::{Real, vectorised},
};

/// Coordinates in a tile: few enough that a product of f32 loses nothing that matters, and that some twenty rows
/// stay in a first-level cache. Fewer where Miri interprets every step.
pub(super) const WIDTH: usize = if cfg!(miri) { 64 } else { 384 };
/// Rows against which the others are multiplied before moving on: they stay in a cache.
const PANEL: usize = 16;
/// With more vectors than this, threads share every tile: partial sums of chunks would take more memory than the rows.
pub(super) const FEW: usize = 128;
/// Most chunks, each with partial sums of its own: they bound the memory, and the threads that can help.
pub(super) const CHUNKS: usize = 64;
/// Rows of the products that one thread sums, where threads share a tile.
const BAND: usize = 12;

/// The (m+1)×(m+1) products of x_1 - c, …, x_m - c and c, where c is row `centre`. Rows of R are packed and multiplied
/// as A. One pass over the rows.
pub(in crate::batch) fn centred<R: Real, A: Real>(rows: &[&[R]], centre: usize) -> Matrix {
    products::<R, A>(&Factors { rows, form: Form::Around(centre) })
}

/// The m×m products of the signs -1, 0 and 1 of the rows, exactly. One pass over the rows.
pub(in crate::batch) fn sign_products<R: Real>(rows: &[&[R]]) -> Matrix {
    products::<R, R>(&Factors { rows, form: Form::Signs })
}

fn products<R: Real, A: Real>(factors: &Factors<'_, R>) -> Matrix {
    let (n, d) = (factors.count(), factors.rows[0].len());
    if n > FEW {
        // in the pool as a whole, else every tile would wait for its threads
        let sums = rayon::scope(|_| together::<R, A>(factors, tiles(0..d).map(Seen::Range)));
        return Matrix::symmetric(n, sums);
    }
    let chunk = chunks::size(n, WIDTH).max(d.div_ceil(CHUNKS)).next_multiple_of(WIDTH);
    let parts = chunks::map(
        d,
        chunk,
        || Tile::<A>::new(blocks(n), WIDTH),
        |tile, range| {
            let mut sums = vec![0.0; n * n];
            let mut tiles = tiles(range).peekable();
            while let Some(range) = tiles.next() {
                let ahead = tiles
                    .peek()
                    .into_iter()
                    .flat_map(|next| factors.rows.iter().map(|row| &row[next.clone()]))
                    .collect();
                add(factors, &Seen::Range(range), tile, &mut sums, ahead);
            }
            sums
        },
    );
    Matrix::symmetric(n, chunks::total(parts))
}

/// What is multiplied of the rows.
pub(super) struct Factors<'a, R> {
    pub rows: &'a [&'a [R]],
    pub form: Form,
}

/// What of a row is multiplied.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// x_i - c, and c behind the last x_i, where c is this row.
    Around(usize),
    /// -1, 0 or 1 for each coordinate.
    Signs,
}

impl<R: Real> Factors<'_, R> {
    /// How many vectors there are.
    fn count(&self) -> usize {
        match self.form {
            Form::Around(_) => self.rows.len() + 1,
            Form::Signs => self.rows.len(),
        }
    }

    /// Fills the rows `first` … of a tile with what is seen, and zeros behind it.
    #[inline(always)]
    fn pack<A: Real>(&self, seen: &Seen<'_>, first: usize, tile: &mut [A]) {
        let count = seen.len();
        let mut around = [A::default(); WIDTH];
        if let Form::Around(centre) = self.form {
            seen.write(self.rows[centre], &mut around[..count]);
        }
        for (i, target) in (first..self.count()).zip(tile.chunks_exact_mut(WIDTH)) {
            let (target, rest) = target.split_at_mut(count);
            match (self.rows.get(i), self.form) {
                (Some(row), Form::Around(_)) => seen.write_around(row, &around[..count], target),
                (Some(row), Form::Signs) => seen.write_signs(row, target),
                (None, _) => target.copy_from_slice(&around[..count]),
            }
            rest.fill(A::default());
        }
    }
}

/// Rows of a tile for n vectors: room for whole blocks.
pub(super) fn blocks(n: usize) -> usize {
    n.next_multiple_of(3).max(n.next_multiple_of(4))
}

/// `range` in pieces that fit a tile.
pub(super) fn tiles(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(WIDTH).map(move |at| at..range.end.min(at + WIDTH))
}

/// The lower triangle, where the threads go through the tiles side by side and each sums rows of its own.
pub(super) fn together<'a, R: Real, A: Real>(
    factors: &Factors<'_, R>,
    tiles: impl Iterator<Item = Seen<'a>>,
) -> Vec<f64> {
    let n = factors.count();
    let (mut tile, mut sums) = (Tile::<A>::new(blocks(n), WIDTH), vec![0.0; n * n]);
    for seen in tiles {
        tile.all_mut().par_chunks_mut(BAND * WIDTH).enumerate().for_each(|(band, target)| {
            vectorised(
                #[inline(always)]
                || factors.pack(&seen, band * BAND, target),
            );
        });
        let tile = &tile;
        // the longest bands first
        sums.par_chunks_mut(BAND * n).enumerate().rev().for_each(|(band, sums)| {
            let band = band * BAND..n.min((band + 1) * BAND);
            Arch::new().dispatch(Multiply {
                tile,
                columns: 0..WIDTH,
                n,
                band,
                sums,
                ahead: Vec::<&[R]>::new(),
            });
        });
    }
    sums
}

/// Adds the products of what is seen to the lower triangle, and asks for the memory `ahead`.
fn add<R: Real, A: Real>(
    factors: &Factors<'_, R>,
    seen: &Seen<'_>,
    tile: &mut Tile<A>,
    sums: &mut [f64],
    ahead: Vec<&[R]>,
) {
    vectorised(
        #[inline(always)]
        || factors.pack(seen, 0, tile.all_mut()),
    );
    let (n, columns) = (factors.count(), 0..seen.len().next_multiple_of(GROUP));
    Arch::new().dispatch(Multiply { tile, columns, n, band: 0..n, sums, ahead });
}

/// Adds the products of the rows `band` of a tile, of which the first `n` count, to those rows of the lower triangle.
pub(super) struct Multiply<'a, R, A> {
    pub tile: &'a Tile<A>,
    /// What of each row counts.
    pub columns: Range<usize>,
    pub n: usize,
    /// Begins at a multiple of 3.
    pub band: Range<usize>,
    pub sums: &'a mut [f64],
    /// What the next tile is made of. It is asked for while this one is multiplied, else memory would rest meanwhile.
    pub ahead: Vec<&'a [R]>,
}

impl<R: Real, A: Real> WithSimd for Multiply<'_, R, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Range { start, end } = self.band.clone();
        let n = self.n;
        // about one row of the next tile for each block, more only if there are few blocks
        let mut ahead = self.ahead.chunks(self.ahead.len().div_ceil(n * n / 24 + n / 4 + 1).max(1));
        let row = |i: usize| A::split::<S>(&self.tile.row(i)[self.columns.clone()]).0;
        for panel in (0..end).step_by(PANEL) {
            for i in (start.max(panel / 3 * 3)..end).step_by(3) {
                for j in (panel..end.min(panel + PANEL).min(i + 3)).step_by(4) {
                    let a = [row(i), row(i + 1), row(i + 2)];
                    let b = [row(j), row(j + 1), row(j + 2), row(j + 3)];
                    let ahead = ahead.next().unwrap_or_default();
                    for (i, products) in (i..end).zip(block::<S, R, A>(simd, a, b, ahead)) {
                        let end = (i + 1).clamp(j, j + 4);
                        let sums = &mut self.sums[(i - start) * n + j..(i - start) * n + end];
                        sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
                    }
                }
            }
        }
    }
}

/// The twelve inner products of three rows with four. Meanwhile asks for the cache lines of `ahead`: for those of the
/// first row one by one, in each step of the sums; with few blocks there are more rows, and these go first.
#[inline(always)]
fn block<S: Simd, R: Real, A: Real>(
    simd: S,
    a: [&[A::Lanes<S>]; 3],
    b: [&[A::Lanes<S>]; 4],
    ahead: &[&[R]],
) -> [[f64; 4]; 3] {
    let length = a[0].len();
    assert!(a.iter().chain(&b).all(|row| row.len() == length));
    let (next, more) = ahead.split_first().map_or((&[][..], ahead), |(next, more)| (*next, more));
    more.iter().flat_map(|row| row.iter().step_by(LINE / size_of::<R>())).for_each(prefetch);
    let mut sums = [[A::splat(simd, A::default()); 3]; 4];
    for t in 0..length {
        if let Some(value) = next.get(t * (LINE / size_of::<R>())) {
            prefetch(value);
        }
        // SAFETY: every row has `length` registers, as asserted above.
        let a = unsafe { [*a[0].get_unchecked(t), *a[1].get_unchecked(t), *a[2].get_unchecked(t)] };
        for column in 0..4 {
            // SAFETY: as above.
            let b = unsafe { *b[column].get_unchecked(t) };
            // three sums for each load of b: with the rows of a, that fills sixteen registers
            for row in 0..3 {
                sums[column][row] = A::mul_add(simd, a[row], b, sums[column][row]);
            }
        }
    }
    let mut products = [[0.0; 4]; 3];
    for (row, products) in products.iter_mut().enumerate() {
        products.iter_mut().zip(&sums).for_each(|(product, sums)| *product = A::sum(simd, sums[row]));
    }
    products
}
