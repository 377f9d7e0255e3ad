//! A rule on every column, in one pass: load a tile, map it, sort its columns
//! as far as the rule needs, reduce.

use pulp::Arch;

use super::{
    chunks,
    mix::{Mix, Weights},
    reduce,
    sorted::{self, Sorting},
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
        sorting: reduce::uses(rule, k).map(Sorting::of),
        distances,
    };
    let width = if map.is_some() { tile::mixed_width::<T>(m + k) } else { tile::width::<T>(m) };
    let scratch = || Scratch::of(&pass, k, width);
    let chunk = chunks::size(m, width);
    let parts = chunks::fill(out, chunk, scratch, |scratch, start, out| pass.chunk(scratch, start, out));
    let (bad, squares): (Vec<Vec<bool>>, Vec<_>) = parts.into_iter().unzip();
    let bad = (0..m).filter(|&i| bad.iter().any(|chunk| chunk[i])).collect();
    Found { bad, distances: distances.then(|| chunks::total(squares)) }
}

/// Buffers of one thread.
struct Scratch<T> {
    raw: Tile<T>,
    mixed: Tile<T>,
    sorted: Tile<T>,
    sums: Vec<f64>,
}

impl<T: Real> Scratch<T> {
    /// What the pass needs for `k` mapped rows.
    fn of(pass: &Pass<'_, T>, k: usize, width: usize) -> Self {
        let tile = |rows, needed: bool| Tile::new(if needed { rows } else { 0 }, width);
        Self {
            raw: tile(pass.rows.len(), true),
            mixed: tile(k, pass.weights.is_some()),
            sorted: tile(k, matches!(pass.sorting, Some(Sorting::InRegisters { .. }))),
            sums: vec![0.0; width],
        }
    }
}

struct Pass<'a, T> {
    rows: &'a [&'a [T]],
    weights: Option<Weights<T>>,
    rule: &'a ColumnRule,
    /// None where the rule needs no order.
    sorting: Option<Sorting>,
    distances: bool,
}

impl<T: Real> Pass<'_, T> {
    /// Fills `out`, which begins at coordinate `start`; the rows that are not finite there, and their distances.
    fn chunk(&self, scratch: &mut Scratch<T>, start: usize, out: &mut [T]) -> (Vec<bool>, Vec<f64>) {
        let (m, width, end) = (self.rows.len(), scratch.raw.width(), start + out.len());
        let (mut bad, mut squares) = (vec![false; m], vec![0.0; if self.distances { m } else { 0 }]);
        for (at, out) in (start..).step_by(width).zip(out.chunks_mut(width)) {
            if !self.straight(scratch, at, out) {
                Arch::new().dispatch(Load { rows: self.rows, at, tile: &mut scratch.raw, bad: &mut bad });
                let next = end.min(at + width)..end.min(at + 2 * width);
                self.tile(scratch, Ahead::new(self.rows, next), out);
            }
            let each = squares.iter_mut().zip(self.rows);
            each.for_each(|(sum, row)| *sum += dot::distance2(&row[at..at + out.len()], out));
        }
        (bad, squares)
    }

    /// The rule's values of a tile, straight from the rows where they lie, if that can be done and all are finite.
    fn straight(&self, scratch: &mut Scratch<T>, at: usize, out: &mut [T]) -> bool {
        let (None, Some(Sorting::InRegisters { middle })) = (&self.weights, &self.sorting) else {
            return false;
        };
        let Scratch { sorted, sums, .. } = scratch;
        let range = at..at + sorted.width();
        if out.len() < range.len() {
            return false;
        }
        let finite = sorted::sort(|i| &self.rows[i][range.clone()], sorted, *middle);
        if finite {
            self.reduce(sorted, sums, out);
        }
        finite
    }

    /// From a loaded tile to the rule's values.
    fn tile(&self, scratch: &mut Scratch<T>, ahead: Ahead<'_, T>, out: &mut [T]) {
        let Scratch { raw, mixed, sorted, sums } = scratch;
        let mut tile = raw;
        if let Some(weights) = &self.weights {
            Arch::new().dispatch(Mix { weights, from: tile, to: mixed });
            tile = mixed;
        }
        if let Some(sorting) = &self.sorting {
            tile = sorting.sorted(tile, sorted, ahead);
        }
        self.reduce(tile, sums, out);
    }

    fn reduce(&self, tile: &mut Tile<T>, sums: &mut [f64], out: &mut [T]) {
        vectorised(
            #[inline(always)]
            || reduce::reduce(self.rule, tile, sums, out),
        );
    }
}
