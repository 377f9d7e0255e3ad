//! The inner products of the rows, relative to a centre, in one pass.
//!
//! Tiles of x_i - c, with c as the last row, are packed; products of three by
//! four rows are summed in registers over a tile, and in f64 over the tiles.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    chunks,
    seen::{SPARE, Seen},
    tile::{GROUP, LINE, Tile, prefetch},
};
use crate::{
    batch::{Matrix, Places},
    simd::{Real, vectorised},
};

/// Coordinates in a tile: few enough that a product of f32 loses nothing that matters, and that some twenty rows
/// stay in a first-level cache. Fewer where Miri interprets every step.
const WIDTH: usize = if cfg!(miri) { 64 } else { 384 };
/// Rows against which the others are multiplied before moving on: they stay in a cache.
const PANEL: usize = 16;
/// With more vectors than this, threads share every tile: partial sums of chunks would take more memory than the rows.
const FEW: usize = 128;
/// Most chunks, each with partial sums of its own: they bound the memory, and the threads that can help.
const CHUNKS: usize = 64;
/// Rows of the products that one thread sums, where threads share a tile.
const BAND: usize = 12;

/// Rows, or what of them is at some places.
#[derive(Clone, Copy)]
pub(in crate::batch) struct Window<'a, R> {
    /// The rows, whole.
    pub rows: &'a [&'a [R]],
    /// Which of their coordinates are seen; all without.
    pub places: Option<&'a Places>,
}

/// The (m+1)×(m+1) products of x_1 - c, …, x_m - c and c, where c is row `centre`, for every window on the same rows.
/// Rows of R are packed and multiplied as A. One pass over the rows.
pub(in crate::batch) fn centred<R: Real, A: Real>(windows: &[Window<'_, R>], centre: usize) -> Vec<Matrix> {
    let n = windows.first().map_or(0, |window| window.rows.len()) + 1;
    if n > FEW {
        let one = |window| Matrix::symmetric(n, together::<R, A>(window, centre));
        // in the pool as a whole, else every tile would wait for its threads
        return rayon::scope(|_| windows.iter().map(one).collect());
    }
    let sums = apart::<R, A>(windows, n, centre);
    sums.chunks_exact(n * n).map(|sums| Matrix::symmetric(n, sums.to_vec())).collect()
}

/// A tile for n vectors with room for whole blocks.
fn tile<A: Real>(n: usize) -> Tile<A> {
    Tile::new(n.next_multiple_of(3).max(n.next_multiple_of(4)), WIDTH)
}

/// The lower triangle of each window, where every thread works on coordinates of its own.
fn apart<R: Real, A: Real>(windows: &[Window<'_, R>], n: usize, centre: usize) -> Vec<f64> {
    let d = windows.first().map_or(0, Window::d);
    let several = windows.iter().map(|window| window.holding(2 * WIDTH)).max().unwrap_or(WIDTH);
    let chunk = chunks::size(n, WIDTH).max(several).max(d.div_ceil(CHUNKS)).next_multiple_of(WIDTH);
    let parts = chunks::map(
        d,
        chunk,
        || tile::<A>(n),
        |tile, range| {
            let mut sums = vec![0.0; windows.len() * n * n];
            for (window, sums) in windows.iter().zip(sums.chunks_exact_mut(n * n)) {
                window.add(centre, range.clone(), tile, sums);
            }
            sums
        },
    );
    chunks::total(parts)
}

/// The lower triangle, where the threads go through the columns side by side and each sums rows of its own.
fn together<R: Real, A: Real>(window: &Window<'_, R>, centre: usize) -> Vec<f64> {
    let (n, d) = (window.rows.len() + 1, window.d());
    let (mut tile, mut sums) = (tile::<A>(n), vec![0.0; n * n]);
    let mut at = 0..window.end(0, d);
    while !at.is_empty() {
        tile.all_mut().par_chunks_mut(BAND * WIDTH).enumerate().for_each(|(band, target)| {
            vectorised(
                #[inline(always)]
                || _ = window.pack(centre, at.clone(), band * BAND, target),
            );
        });
        let tile = &tile;
        // the longest bands first
        sums.par_chunks_mut(BAND * n).enumerate().rev().for_each(|(band, sums)| {
            let band = band * BAND..n.min((band + 1) * BAND);
            Arch::new().dispatch(Multiply { tile, used: WIDTH, n, band, sums, ahead: Vec::<&[R]>::new() });
        });
        at = at.end..window.end(at.end, d);
    }
    sums
}

impl<'a, R: Real> Window<'a, R> {
    /// Number of coordinates, seen or not.
    fn d(&self) -> usize {
        self.rows[0].len()
    }

    /// Coordinates of which `seen` are seen, more or less.
    fn holding(&self, seen: usize) -> usize {
        self.places.map_or(seen, |places| places.holding(seen))
    }

    /// Where the tile ends that begins at coordinate `at`.
    fn end(&self, at: usize, end: usize) -> usize {
        match self.places {
            None => end.min(at + WIDTH),
            Some(places) => end.min(places.end(at, WIDTH - SPARE)),
        }
    }

    /// What of the rows to ask for ahead of coordinates `range`; nothing where few of them are seen.
    fn ahead(&self, range: Range<usize>) -> Vec<&'a [R]> {
        if self.places.is_some_and(|places| !places.are_dense(range.clone())) {
            return Vec::new();
        }
        self.rows.iter().map(|row| &row[range.clone()]).collect()
    }

    /// Adds the products over coordinates `range` to the lower triangle.
    fn add<A: Real>(&self, centre: usize, range: Range<usize>, tile: &mut Tile<A>, sums: &mut [f64]) {
        let n = self.rows.len() + 1;
        let mut at = range.start..self.end(range.start, range.end);
        while !at.is_empty() {
            let used = vectorised(
                #[inline(always)]
                || self.pack(centre, at.clone(), 0, tile.all_mut()),
            );
            at = at.end..self.end(at.end, range.end);
            let ahead = self.ahead(at.clone());
            Arch::new().dispatch(Multiply { tile, used, n, band: 0..n, sums: &mut *sums, ahead });
        }
    }

    /// Fills the rows `first` … of a tile with what is seen of coordinates `range` of x_i - c, and of c behind the
    /// last x_i; says how many values of each row to use, a multiple of [`GROUP`].
    #[inline(always)]
    fn pack<A: Real>(&self, centre: usize, range: Range<usize>, first: usize, tile: &mut [A]) -> usize {
        let seen = Seen::new(self.rows[centre], range, self.places);
        let mut count = 0;
        for (i, target) in (first..=self.rows.len()).zip(tile.chunks_exact_mut(WIDTH)) {
            count = seen.write(self.rows.get(i).copied(), target);
            target[count..].fill(A::default());
        }
        count.next_multiple_of(GROUP)
    }
}

/// Adds the products of the rows `band` of a tile, of which the first `n` count, to those rows of the lower triangle.
struct Multiply<'a, R, A> {
    tile: &'a Tile<A>,
    /// Values of each row that count.
    used: usize,
    n: usize,
    /// Begins at a multiple of 3.
    band: Range<usize>,
    sums: &'a mut [f64],
    /// What the next tile is made of. It is asked for while this one is multiplied, else memory would rest meanwhile.
    ahead: Vec<&'a [R]>,
}

impl<R: Real, A: Real> WithSimd for Multiply<'_, R, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Range { start, end } = self.band.clone();
        let n = self.n;
        // about one row of the next tile for each block, more only if there are few blocks
        let mut ahead = self.ahead.chunks(self.ahead.len().div_ceil(n * n / 24 + n / 4 + 1).max(1));
        let row = |i: usize| A::split::<S>(&self.tile.row(i)[..self.used]).0;
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

/// The twelve inner products of three rows with four. Meanwhile asks for the cache lines of `ahead`, one by one.
#[inline(always)]
fn block<S: Simd, R: Real, A: Real>(
    simd: S,
    a: [&[A::Lanes<S>]; 3],
    b: [&[A::Lanes<S>]; 4],
    ahead: &[&[R]],
) -> [[f64; 4]; 3] {
    let length = a[0].len();
    assert!(a.iter().chain(&b).all(|row| row.len() == length));
    let mut sums = [[A::splat(simd, A::default()); 3]; 4];
    for t in 0..length {
        for row in ahead {
            row.get(t * LINE / size_of::<R>()).into_iter().for_each(prefetch);
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
