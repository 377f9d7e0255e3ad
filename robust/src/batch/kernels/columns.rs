//! A rule on every column, in one pass: load a tile, map it, sort its columns
//! as far as the rule needs, reduce.

use std::sync::Arc;

use pulp::Arch;

use super::{
    chunks,
    mix::{Mix, Weights},
    network::{self, Comparator, Exchange},
    reduce,
    tile::{self, Ahead, Load, Tile},
};
use crate::{
    batch::{ColumnRule, Map},
    simd::{Real, vectorised},
    vector::dot,
};

/// What a pass over the columns found besides the rule's values.
pub(in crate::batch) struct Found {
    /// Rows with a value that is not finite; if there are any, the rest is void.
    pub bad: Vec<usize>,
    /// ‖x_i - output‖² of every row.
    pub distances: Option<Vec<f64>>,
}

/// Applies `rule` to every column of the rows, or of W over them. One pass over the rows.
pub(in crate::batch) fn columns<T: Real>(
    rows: &[&[T]],
    map: Option<&Map>,
    rule: &ColumnRule,
    distances: bool,
    out: &mut [T],
) -> Found {
    let m = rows.len();
    let k = map.map_or(m, Map::rows);
    let pass = Pass {
        rows,
        weights: map.map(Weights::of),
        rule,
        network: reduce::uses(rule, k).map(network::known).unwrap_or_default(),
        distances,
    };
    let width = if map.is_some() { tile::mixed_width::<T>(m + k) } else { tile::width::<T>(m) };
    let scratch = || Scratch::new(m, map.map(Map::rows), width);
    let chunk = chunks::size(m, width);
    let parts = chunks::fill(out, chunk, scratch, |scratch, start, out| pass.chunk(scratch, start, out));
    let (bad, squares): (Vec<Vec<bool>>, Vec<_>) = parts.into_iter().unzip();
    let bad = (0..m).filter(|&i| bad.iter().any(|chunk| chunk[i])).collect();
    Found { bad, distances: distances.then(|| chunks::total(squares)) }
}

/// Buffers of one thread.
struct Scratch<T> {
    raw: Tile<T>,
    mixed: Option<Tile<T>>,
    sums: Vec<f64>,
}

impl<T: Real> Scratch<T> {
    fn new(m: usize, mapped: Option<usize>, width: usize) -> Self {
        Self { raw: Tile::new(m, width), mixed: mapped.map(|k| Tile::new(k, width)), sums: vec![0.0; width] }
    }
}

struct Pass<'a, T> {
    rows: &'a [&'a [T]],
    weights: Option<Weights<T>>,
    rule: &'a ColumnRule,
    network: Arc<[Comparator]>,
    distances: bool,
}

impl<T: Real> Pass<'_, T> {
    /// Fills `out`, which begins at coordinate `start`; the rows that are not finite there, and their distances.
    fn chunk(&self, scratch: &mut Scratch<T>, start: usize, out: &mut [T]) -> (Vec<bool>, Vec<f64>) {
        let (m, width, end) = (self.rows.len(), scratch.raw.width(), start + out.len());
        let (mut bad, mut squares) = (vec![false; m], vec![0.0; if self.distances { m } else { 0 }]);
        for (at, out) in (start..).step_by(width).zip(out.chunks_mut(width)) {
            Arch::new().dispatch(Load { rows: self.rows, at, tile: &mut scratch.raw, bad: &mut bad });
            let next = end.min(at + width)..end.min(at + 2 * width);
            self.tile(scratch, Ahead::new(self.rows, next), out);
            let each = squares.iter_mut().zip(self.rows);
            each.for_each(|(sum, row)| *sum += dot::distance2(&row[at..at + out.len()], out));
        }
        (bad, squares)
    }

    /// From a loaded tile to the rule's values.
    fn tile(&self, scratch: &mut Scratch<T>, ahead: Ahead<'_, T>, out: &mut [T]) {
        let arch = Arch::new();
        let tile = match (&self.weights, &mut scratch.mixed) {
            (Some(weights), Some(mixed)) => {
                arch.dispatch(Mix { weights, from: &scratch.raw, to: mixed });
                mixed
            }
            _ => &mut scratch.raw,
        };
        arch.dispatch(Exchange { network: &self.network, tile, ahead });
        vectorised(
            #[inline(always)]
            || reduce::reduce(self.rule, tile, &mut scratch.sums, out),
        );
    }
}
