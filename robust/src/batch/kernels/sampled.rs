//! The inner products of the rows at several sets of their coordinates, relative to a centre, in one pass.
//!
//! A piece of every row is looked up cell by cell, while it lies in a first-level cache; what is found lies side by side
//! from then on. The products of a cell count for each of its sets.

use std::ops::Range;

use pulp::Arch;

use super::{
    cells::{Cell, Cells},
    chunks,
    products::{CHUNKS, FEW, Factors, Form, Multiply, WIDTH, blocks, tiles, together},
    seen::Seen,
    tile::{Tile, with_kept},
};
use crate::{
    batch::{Matrix, Places},
    simd::{Real, vectorised},
};

/// Coordinates of a piece that are looked up. Where they are dense that is nearly all of it, and a first-level cache holds
/// the piece of one row.
const PIECE: usize = if cfg!(miri) { 128 } else { 7296 };

/// As [`centred`](super::centred), for what of the rows is at each of these sets of places. One pass over the rows for
/// every [`Cells::MOST`] sets: what several of them hold is multiplied once.
pub(in crate::batch) fn centred_at<R: Real, A: Real>(
    rows: &[&[R]],
    centre: usize,
    sets: &[&Places],
) -> Vec<Matrix> {
    let n = rows.len() + 1;
    if n > FEW {
        let one = |set: &&Places| {
            let listed: Vec<usize> = set.iter().collect();
            let factors = Factors { rows, form: Form::Around(centre) };
            Matrix::symmetric(n, together::<R, A>(&factors, listed.chunks(WIDTH).map(Seen::Listed)))
        };
        return rayon::scope(|_| sets.iter().map(one).collect()); // in the pool as a whole
    }
    let sums = sets.chunks(Cells::MOST).flat_map(|sets| apart::<R, A>(rows, centre, sets));
    sums.map(|sums| Matrix::symmetric(n, sums)).collect()
}

/// The lower triangle for each of at most [`Cells::MOST`] sets, where every thread works on coordinates of its own.
fn apart<R: Real, A: Real>(rows: &[&[R]], centre: usize, sets: &[&Places]) -> Vec<Vec<f64>> {
    let (n, d) = (rows.len() + 1, rows[0].len());
    let held: usize = sets.iter().map(|set| set.len()).sum();
    let piece = even(d, (PIECE * d / held.clamp(1, d)).min(Cells::LONGEST));
    let chunk = d.div_ceil(CHUNKS).next_multiple_of(piece);
    let sums = |(): &mut (), range: Range<usize>| {
        let mut sums = vec![0.0; sets.len() * n * n];
        for at in range.clone().step_by(piece) {
            let range = at..range.end.min(at + piece);
            let rows: Vec<&[R]> = rows.iter().map(|row| &row[range.clone()]).collect();
            add::<R, A>(&rows, centre, &Cells::new(sets, range), &mut sums);
        }
        sums
    };
    chunks::total(chunks::map(d, chunk, || (), sums)).chunks_exact(n * n).map(<[f64]>::to_vec).collect()
}

/// The length of pieces of d coordinates, in whole words of a set: up to `most`, or a little beyond it. Where they are few
/// their number is even, for two threads to have as many.
fn even(d: usize, most: usize) -> usize {
    let count = d.div_ceil(most);
    if count > CHUNKS { most } else { d.div_ceil(count.next_multiple_of(2)) }.next_multiple_of(64)
}

/// Adds the products over pieces of the rows to the lower triangles, one after the other for each set.
fn add<R: Real, A: Real>(rows: &[&[R]], centre: usize, cells: &Cells, sums: &mut [f64]) {
    let n = rows.len() + 1;
    with_kept(|tile: &mut Tile<A>| {
        tile.shape(blocks(n), stride(cells.width()));
        vectorised(
            #[inline(always)]
            || pack(rows, centre, cells, tile),
        );
        let mut products = vec![0.0; n * n];
        for cell in cells.iter() {
            products.fill(0.0);
            for columns in tiles(cell.columns) {
                let (sums, ahead) = (&mut products[..], Vec::<&[R]>::new());
                Arch::new().dispatch(Multiply { tile, columns, n, band: 0..n, sums, ahead });
            }
            let its = sums.chunks_exact_mut(n * n).enumerate().filter(|(set, _)| cell.sets >> set & 1 == 1);
            its.for_each(|(_, sums)| {
                sums.iter_mut().zip(&products).for_each(|(sum, product)| *sum += product)
            });
        }
    });
}

/// A width of at least `width`, with which the same [`WIDTH`] columns of many rows fill a first-level cache evenly.
fn stride(width: usize) -> usize {
    width.saturating_sub(WIDTH).next_multiple_of(1024) + WIDTH
}

/// Fills a tile with the cells of x_i - c, and of c behind the last x_i.
#[inline(always)]
fn pack<R: Real, A: Real>(rows: &[&[R]], centre: usize, cells: &Cells, tile: &mut Tile<A>) {
    let width = tile.width();
    let (all, around) = tile.all_mut().split_at_mut(rows.len() * width);
    look_up(rows[centre], cells, around);
    let around = &around[..cells.width()];
    for (row, target) in rows.iter().zip(all.chunks_exact_mut(width)) {
        look_up(row, cells, target);
        target.iter_mut().zip(around).for_each(|(y, &c)| *y = *y - c);
    }
}

/// Writes the cells of a row, and zeros behind each. No place is tested.
#[inline(always)]
fn look_up<R: Real, A: Real>(row: &[R], cells: &Cells, target: &mut [A]) {
    assert!(cells.range() <= row.len(), "cells of a longer row");
    // SAFETY: a cell lists places below the length of its range, which the row has.
    let value = |&at: &u32| A::nearest(unsafe { *row.get_unchecked(at as usize) });
    for Cell { listed, columns, .. } in cells.iter() {
        let (found, padding) = target[columns].split_at_mut(listed.len());
        found.iter_mut().zip(listed).for_each(|(y, at)| *y = value(at));
        padding.fill(A::default());
    }
}
