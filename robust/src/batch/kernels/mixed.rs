//! The rows of a map over the rows, as vectors of their own: for pre-aggregators without a rule.

use pulp::Arch;
use rayon::prelude::*;

use super::{
    chunks, linear,
    mix::Mix,
    tile::{self, Load, Tile},
};
use crate::{
    batch::Matrix,
    vector::real::{Real, vectorised},
};

/// Terms for each raw row, on average, from which on the whole product is cheaper than sums of single terms.
const DENSE: usize = 4;

/// The rows of W times the rows. One pass over them.
pub(in crate::batch) fn mixed<T: Real>(rows: &[&[T]], map: &Matrix) -> Vec<Vec<T>> {
    let (m, k, d) = (rows.len(), map.rows(), rows[0].len());
    let terms: Vec<Vec<(f64, &[T])>> = (0..k).map(|i| terms(rows, map.row(i))).collect();
    let dense = terms.iter().map(Vec::len).sum::<usize>() > DENSE * m;
    let width = if dense { tile::mixed_width::<T>(m + k) } else { linear::WIDTH };
    let chunk = chunks::size(m + k, width);
    let mut out: Vec<Vec<T>> = (0..k).map(|_| vec![T::default(); d]).collect();
    let mut pieces: Vec<Vec<&mut [T]>> = (0..d.div_ceil(chunk)).map(|_| Vec::with_capacity(k)).collect();
    for row in &mut out {
        pieces.iter_mut().zip(row.chunks_mut(chunk)).for_each(|(piece, part)| piece.push(part));
    }
    let pieces = pieces.into_par_iter().enumerate();
    if dense {
        let weights: Vec<T> = map.cast();
        let scratch = || (Tile::new(m, width), Tile::new(k, width), vec![false; m]);
        pieces.for_each_init(scratch, |(raw, mixed, bad), (i, mut piece)| {
            for at in (0..piece[0].len()).step_by(width) {
                Arch::new().dispatch(Load { rows, at: i * chunk + at, tile: raw, bad });
                Arch::new().dispatch(Mix { weights: &weights, from: raw, to: mixed });
                for (row, part) in piece.iter_mut().enumerate() {
                    let part = part[at..].iter_mut().take(width);
                    part.zip(mixed.row(row)).for_each(|(to, from)| *to = *from);
                }
            }
        });
    } else {
        pieces.for_each_init(
            || vec![0.0; width],
            |sums, (i, piece)| {
                for (part, terms) in piece.into_iter().zip(&terms) {
                    for (at, part) in (i * chunk..).step_by(width).zip(part.chunks_mut(width)) {
                        vectorised(
                            #[inline(always)]
                            || linear::sum(terms, at, sums, part),
                        );
                    }
                }
            },
        );
    }
    out
}

/// The rows with a weight that is not zero.
fn terms<'a, T>(rows: &[&'a [T]], weights: &[f64]) -> Vec<(f64, &'a [T])> {
    weights.iter().zip(rows).filter(|(w, _)| **w != 0.0).map(|(&w, &row)| (w, row)).collect()
}
