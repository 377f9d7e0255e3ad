//! The rows of a map over the rows, as vectors of their own: for pre-aggregators without a rule.

use pulp::Arch;
use rayon::prelude::*;

use super::{
    chunks, linear,
    mix::{Mix, Weights},
    tile::{self, Load, Tile},
};
use crate::{batch::Map, simd::Real};

/// Terms for each raw row, on average, from which on the whole product is cheaper than sums of single terms.
const DENSE: usize = 4;

/// The rows of W times the rows. One pass over them.
pub(in crate::batch) fn mixed<T: Real>(rows: &[&[T]], map: &Map) -> Vec<Vec<T>> {
    let (m, k) = (rows.len(), map.rows());
    if map.terms() > DENSE * m {
        product(rows, map)
    } else {
        (0..k).into_par_iter().map(|i| linear::combine(rows, &map.weights(i))).collect()
    }
}

/// All rows together, tile by tile.
fn product<T: Real>(rows: &[&[T]], map: &Map) -> Vec<Vec<T>> {
    let (m, k, d) = (rows.len(), map.rows(), rows[0].len());
    let width = tile::mixed_width::<T>(m + k);
    let chunk = chunks::size(m + k, width);
    let mut out: Vec<Vec<T>> = (0..k).map(|_| vec![T::default(); d]).collect();
    let mut pieces: Vec<Vec<&mut [T]>> = (0..d.div_ceil(chunk)).map(|_| Vec::with_capacity(k)).collect();
    for row in &mut out {
        pieces.iter_mut().zip(row.chunks_mut(chunk)).for_each(|(piece, part)| piece.push(part));
    }
    let weights = Weights::<T>::of(map);
    let scratch = || (Tile::new(m, width), Tile::new(k, width), vec![false; m]);
    pieces.into_par_iter().enumerate().for_each_init(scratch, |(raw, mixed, bad), (i, mut piece)| {
        for at in (0..piece[0].len()).step_by(width) {
            Arch::new().dispatch(Load { rows, at: i * chunk + at, tile: raw, bad });
            Arch::new().dispatch(Mix { weights: &weights, from: raw, to: mixed });
            for (row, part) in piece.iter_mut().enumerate() {
                let part = &mut part[at..];
                let length = part.len().min(width);
                part[..length].copy_from_slice(&mixed.row(row)[..length]);
            }
        }
    });
    out
}
