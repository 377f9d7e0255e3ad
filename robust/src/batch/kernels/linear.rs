//! Linear combinations of the rows, and squared distances from them.

use std::{mem::MaybeUninit, ops::Range};

use pulp::Arch;
use rayon::prelude::*;

use super::{
    chunks,
    mix::{Mix, Weights},
    tile::{self, Load, Tile},
};
use crate::{
    batch::{Groups, Map},
    simd::{Real, vectorised},
    vector::dot,
};

/// Coordinates of a combination that are summed at once.
const GROUP: usize = 64;

/// Coordinates of which distances are summed at once; a multiple of [`GROUP`].
const WIDTH: usize = 1024;

/// Coordinates of a row that are squared and summed at once.
const SEGMENT: usize = 1 << 16;

/// Σ c_i · x_i over the rows with a coefficient that is not zero, summed in f64 and rounded once. One pass over them.
/// Where all coefficients are equal, as in a mean, the sum is multiplied by it: 2 + 4 - 6 leaves nothing, whatever a
/// third is.
pub(in crate::batch) fn combine<T: Real>(rows: &[&[T]], coefficients: &[f64]) -> Vec<T> {
    let d = rows[0].len();
    let taken: Vec<(f64, &[T])> =
        coefficients.iter().zip(rows).filter(|(c, _)| **c != 0.0).map(|(&c, &row)| (c, row)).collect();
    let shared = taken.first().map(|(c, _)| *c).filter(|c| taken.iter().all(|(other, _)| other == c));
    // A power of two, which is exact, and small enough that no sum overflows.
    let share = 1.0 / taken.len().next_power_of_two() as f64;
    let scale = shared.map_or(1.0, |c| c / share);
    let terms: Vec<Term<'_, T>> = taken
        .into_iter()
        .map(|(c, row)| {
            let weight = if shared.is_some() { share } else { c };
            let (groups, rest) = row.as_chunks();
            Term { weight, groups, rest }
        })
        .collect();
    let mut values = Vec::with_capacity(d);
    chunks::fill(
        &mut values.spare_capacity_mut()[..d],
        chunks::light(terms.len(), d, WIDTH),
        || (),
        |(), start, out| {
            vectorised(
                #[inline(always)]
                || sum(&terms, scale, start / GROUP, out),
            );
        },
    );
    // SAFETY: `fill` hands every one of the d places to the work above, which writes it.
    unsafe { values.set_len(d) };
    values
}

/// A row with its weight, cut into groups of coordinates.
struct Term<'a, T> {
    weight: f64,
    groups: &'a [[T; GROUP]],
    rest: &'a [T],
}

/// The sums times `scale`, from group `first` on. A group stays in registers while all rows are added, one after the
/// other: a row is read in lines that follow each other, no sum goes through memory, and a fused product and sum, which
/// every processor with wide registers has, leaves time for what conversion to f64 takes.
#[inline(always)]
fn sum<T: Real>(terms: &[Term<'_, T>], scale: f64, first: usize, out: &mut [MaybeUninit<T>]) {
    let (groups, rest) = out.as_chunks_mut::<GROUP>();
    for (at, out) in (first..).zip(groups) {
        let mut sums = [0.0; GROUP];
        for term in terms {
            let x = &term.groups[at];
            for i in 0..GROUP {
                sums[i] = term.weight.mul_add(x[i].to_f64(), sums[i]);
            }
        }
        for i in 0..GROUP {
            out[i].write(T::from_f64(scale * sums[i]));
        }
    }
    for (i, out) in rest.iter_mut().enumerate() {
        let mut sum = 0.0;
        for term in terms {
            sum = term.weight.mul_add(term.rest[i].to_f64(), sum);
        }
        out.write(T::from_f64(scale * sum));
    }
}

/// For every row Σ (x_ij - p_j)² over the coordinates j of each group. One pass.
pub(in crate::batch) fn distances_within<T: Real>(
    rows: &[&[T]],
    groups: &Groups,
    point: &[T],
) -> Vec<Vec<f64>> {
    let of = |row: &&[T]| {
        let mut sums = vec![0.0; groups.count()];
        for ((&x, &p), &group) in row.iter().zip(point).zip(groups.of()) {
            sums[group as usize] += (x.to_f64() - p.to_f64()).powi(2);
        }
        sums
    };
    if chunks::are_few(rows.len() * point.len()) {
        rows.iter().map(of).collect()
    } else {
        rows.par_iter().map(of).collect()
    }
}

/// ‖x_i - p‖² for every row, or for every row of W over them. One pass.
pub(in crate::batch) fn distances<T: Real>(rows: &[&[T]], map: Option<&Map>, point: &[T]) -> Vec<f64> {
    match map {
        None => {
            sums(rows.len(), point.len(), |i, range| dot::distance2(&rows[i][range.clone()], &point[range]))
        }
        Some(map) => mapped_distances(rows, map, point),
    }
}

/// ⟨x_i, p⟩ of every row. One pass.
pub(in crate::batch) fn dots<T: Real>(rows: &[&[T]], point: &[T]) -> Vec<f64> {
    sums(rows.len(), point.len(), |i, range| dot::dot(&rows[i][range.clone()], &point[range]))
}

/// ‖x_i‖² of every row. One pass, row after row: no other row is needed with it.
pub(in crate::batch) fn norms2<T: Real>(rows: &[&[T]]) -> Vec<f64> {
    let norm2 = |part: &[T]| dot::dot(part, part);
    if chunks::are_few(rows.len() * rows[0].len()) {
        return rows.iter().map(|row| row.chunks(SEGMENT).map(norm2).sum()).collect();
    }
    let parts = |row: &&[T]| row.par_chunks(SEGMENT).map(norm2).collect::<Vec<f64>>();
    rows.par_iter().map(|row| parts(row).into_iter().sum()).collect()
}

/// ‖x_i - x_j‖² of the pairs (i, j), where j may be the origin. One pass over their rows.
pub(in crate::batch) fn differences<T: Real>(rows: &[&[T]], pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
    sums(pairs.len(), rows[0].len(), |at, range| {
        let (i, j) = pairs[at];
        let x = &rows[i][range.clone()];
        j.map_or_else(|| dot::dot(x, x), |j| dot::distance2(x, &rows[j][range]))
    })
}

/// `count` sums over d coordinates, side by side through memory; `part` is a sum over some of them.
fn sums(count: usize, d: usize, part: impl Fn(usize, Range<usize>) -> f64 + Sync) -> Vec<f64> {
    let parts = chunks::map(
        d,
        chunks::light(count, d, WIDTH),
        || (),
        |(), range| {
            let mut sums = vec![0.0; count];
            for at in range.clone().step_by(WIDTH) {
                let end = range.end.min(at + WIDTH);
                sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += part(i, at..end));
            }
            sums
        },
    );
    chunks::total(parts)
}

fn mapped_distances<T: Real>(rows: &[&[T]], map: &Map, point: &[T]) -> Vec<f64> {
    let (m, k) = (rows.len(), map.rows());
    let width = tile::mixed_width::<T>(m + k);
    let weights = Weights::<T>::of(map);
    let scratch = || (Tile::new(m, width), Tile::new(k, width), vec![false; m]);
    let parts = chunks::map(point.len(), chunks::size(m, width), scratch, |(raw, mixed, bad), range| {
        let mut sums = vec![0.0; k];
        for at in range.clone().step_by(width) {
            let point = &point[at..range.end.min(at + width)];
            Arch::new().dispatch(Load { rows, at, tile: raw, bad });
            Arch::new().dispatch(Mix { weights: &weights, from: raw, to: mixed });

            let each = sums.iter_mut().enumerate();
            each.for_each(|(i, sum)| *sum += dot::distance2(&mixed.row(i)[..point.len()], point));
        }
        sums
    });
    chunks::total(parts)
}
