//! Rows without their short coordinates, block by block: what is left of them, and combinations of that.

use std::ops::Range;

use rayon::prelude::*;

use super::chunks;
use crate::{
    batch::Left,
    simd::{Real, vectorised},
};

/// Coordinates of a row that are added up at once: no more than a count of 32 bits can hold.
const SEGMENT: usize = 1 << 16;

/// Coordinates of a combination that are summed at once.
const WIDTH: usize = 1 << 10;

/// Independent sums, as many as the widest registers keep busy.
const LANES: usize = 16;

/// What is left of every row in every one of these blocks without coordinates shorter than `least` of the row. One pass.
pub(in crate::batch) fn left<T: Real>(
    rows: &[&[T]],
    blocks: &[Range<usize>],
    least: &[f64],
) -> Vec<Vec<Left>> {
    let of = |row: &[T], least: f64| -> Vec<Left> {
        blocks.iter().map(|block| left_of(&row[block.clone()], least)).collect()
    };
    if chunks::are_few(rows.len() * rows[0].len()) {
        return rows.iter().zip(least).map(|(row, &least)| of(row, least)).collect();
    }
    rows.par_iter().zip(least).map(|(row, &least)| of(row, least)).collect()
}

fn left_of<T: Real>(values: &[T], least: f64) -> Left {
    let parts = values.chunks(SEGMENT).map(|part| {
        vectorised(
            #[inline(always)]
            || counted(part, least),
        )
    });
    parts.fold(Left::default(), |all, part| Left {
        norm2: all.norm2 + part.norm2,
        up: all.up + part.up,
        down: all.down + part.down,
    })
}

#[inline(always)]
fn counted<T: Real>(values: &[T], least: f64) -> Left {
    let (groups, rest) = values.as_chunks::<LANES>();
    let (mut squares, mut ups, mut downs) = ([0.0; LANES], [0u32; LANES], [0u32; LANES]);
    let mut add = |lane: usize, value: T| {
        let value = long(value, least);
        squares[lane] += value * value;
        ups[lane] += u32::from(value > 0.0);
        downs[lane] += u32::from(value < 0.0);
    };
    for group in groups {
        group.iter().enumerate().for_each(|(lane, value)| add(lane, *value));
    }
    rest.iter().enumerate().for_each(|(lane, value)| add(lane, *value));
    let count = |counts: [u32; LANES]| counts.iter().map(|&count| count as usize).sum();
    Left { norm2: squares.iter().sum(), up: count(ups), down: count(downs) }
}

/// The value, or 0 if it is shorter than that.
#[inline(always)]
fn long<T: Real>(value: T, least: f64) -> f64 {
    let value = value.to_f64();
    if value.abs() >= least { value } else { 0.0 }
}

/// In every block the combination of the rows with its coefficients, without coordinates shorter than `least` of the
/// row; summed in f64 and rounded once. One pass over the rows whose coefficient is not zero. The blocks follow each other.
pub(in crate::batch) fn combine_left<T: Real>(
    rows: &[&[T]],
    blocks: &[Range<usize>],
    least: &[f64],
    coefficients: &[Vec<f64>],
) -> Vec<T> {
    let pieces = |(block, coefficients): (&Range<usize>, _)| {
        let (starts, end) = (block.clone().step_by(WIDTH), block.end);
        starts.map(move |at| (at..end.min(at + WIDTH), coefficients)).collect::<Vec<_>>()
    };
    let pieces: Vec<(Range<usize>, &Vec<f64>)> = blocks.iter().zip(coefficients).flat_map(pieces).collect();
    let sum = |(range, coefficients): &(Range<usize>, &Vec<f64>)| {
        let mut sums = vec![0.0; range.len()];
        let taken = rows.iter().zip(least).zip(*coefficients).filter(|(_, c)| **c != 0.0);
        taken.for_each(|((row, &least), &c)| {
            vectorised(
                #[inline(always)]
                || add(&mut sums, &row[range.clone()], least, c),
            );
        });
        sums.into_iter().map(T::from_f64).collect::<Vec<T>>()
    };
    if chunks::are_few(rows.len() * rows[0].len()) {
        return pieces.iter().flat_map(sum).collect();
    }
    let sums: Vec<Vec<T>> = pieces.par_iter().map(sum).collect();
    sums.concat()
}

#[inline(always)]
fn add<T: Real>(sums: &mut [f64], values: &[T], least: f64, c: f64) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = c.mul_add(long(*value, least), *sum);
    }
}
