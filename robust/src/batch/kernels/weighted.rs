//! The weighted median of every column, in one pass: the values of a tile are sorted, and their weights move with them.

use std::sync::Arc;

use pulp::Arch;

use super::{
    chunks,
    mix::Mix,
    network::{self, Comparator, Use},
    tile::{self, Ahead, Load, Tile},
};
use crate::{
    batch::{Half, Matrix},
    vector::real::{Real, vectorised},
};

/// The median of every column of the rows, or of W over them, whose row i counts `weights[i]`; the rows that are not
/// finite, and if there are any, the rest is void. One pass over the rows.
pub(in crate::batch) fn weighted_median<T: Real>(
    rows: &[&[T]],
    map: Option<&Matrix>,
    weights: &[f64],
    half: Half,
    out: &mut [T],
) -> Vec<usize> {
    let (m, k) = (rows.len(), weights.len());
    let pass = Pass {
        rows,
        map: map.map(Matrix::cast),
        weights,
        half,
        network: network::known(vec![Use::Exact; k]),
    };
    let width = tile::mixed_width::<f64>(k);
    let scratch = || Scratch {
        raw: Tile::new(m, width),
        mixed: map.map(|_| Tile::new(k, width)),
        weights: Tile::new(k, width),
        below: vec![0.0; width],
    };
    let chunk = chunks::size(m, width);
    let bad = chunks::fill(out, chunk, scratch, |scratch, start, out| pass.chunk(scratch, start, out));
    (0..m).filter(|&i| bad.iter().any(|chunk| chunk[i])).collect()
}

/// Buffers of one thread.
struct Scratch<T> {
    raw: Tile<T>,
    mixed: Option<Tile<T>>,
    weights: Tile<f64>,
    below: Vec<f64>,
}

struct Pass<'a, T> {
    rows: &'a [&'a [T]],
    map: Option<Vec<T>>,
    weights: &'a [f64],
    half: Half,
    network: Arc<[Comparator]>,
}

impl<T: Real> Pass<'_, T> {
    /// Fills `out`, which begins at coordinate `start`; which rows are not finite there.
    fn chunk(&self, scratch: &mut Scratch<T>, start: usize, out: &mut [T]) -> Vec<bool> {
        let (width, end) = (scratch.raw.width(), start + out.len());
        let mut bad = vec![false; self.rows.len()];
        for (at, out) in (start..).step_by(width).zip(out.chunks_mut(width)) {
            Arch::new().dispatch(Load { rows: self.rows, at, tile: &mut scratch.raw, bad: &mut bad });
            let next = end.min(at + width)..end.min(at + 2 * width);
            self.tile(scratch, Ahead::new(self.rows, next), out);
        }
        bad
    }

    /// From a loaded tile to its medians.
    fn tile(&self, scratch: &mut Scratch<T>, mut ahead: Ahead<'_, T>, out: &mut [T]) {
        let Scratch { raw, mixed, weights, below } = scratch;
        let values = match (&self.map, mixed) {
            (Some(map), Some(mixed)) => {
                Arch::new().dispatch(Mix { weights: map, from: raw, to: mixed });
                mixed
            }
            _ => raw,
        };
        self.weights.iter().enumerate().for_each(|(i, &weight)| weights.row_mut(i).fill(weight));
        vectorised(
            #[inline(always)]
            || {
                network::carry(&self.network, values, weights, &mut ahead);
                self.pick(values, weights, below, out);
            },
        );
    }

    /// The first value of every sorted column up to which there is half of the weight.
    #[inline(always)]
    fn pick(&self, values: &Tile<T>, weights: &Tile<f64>, below: &mut [f64], out: &mut [T]) {
        let (total, last) = (self.weights.iter().sum::<f64>(), values.rows() - 1);
        let (this, next) = self.half.parts();
        below.fill(0.0);
        for i in 0..=last {
            let column = values.row(i).iter().zip(values.row(last.min(i + 1))).zip(weights.row(i));
            for ((out, below), ((&value, &after), &weight)) in out.iter_mut().zip(&mut *below).zip(column) {
                let (before, up_to) = (2.0 * *below, 2.0 * (*below + weight));
                let between = T::from_f64(this * value.to_f64() + next * after.to_f64());
                let median = if up_to == total { between } else { value };
                *out = if (before < total) & (up_to >= total) { median } else { *out };
                *below += weight;
            }
        }
    }
}
