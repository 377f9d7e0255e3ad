//! The k-th smallest of the absolute values of a row. What is below each of some marks is counted, and between two of them
//! is the k-th: first of marks that a sample gives, then of others between two of these. The few values that are left are
//! brought together and searched.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::chunks;
use crate::simd::{Real, vectorised};

/// Values in a sample.
const SAMPLE: usize = if cfg!(miri) { 16 } else { 512 };
/// Marks.
const MARKS: usize = 6;
/// Standard deviations, of the rank that a sample gives, on either side of which the marks end.
const REACH: f64 = 3.5;
/// Values that are compared with all marks while they lie in a first-level cache.
const SEGMENT: usize = 1024;
/// Values that are taken aside if one of them is among those sought: a test for each would mislead the processor.
const GROUP: usize = 8;

/// The k-th smallest, counted from 0, of |x_ij| over j for every row, which is finite. A row is walked over three times
/// before the next one.
pub(in crate::batch) fn ranked<T: Real>(rows: &[&[T]], k: usize) -> Vec<f64> {
    let one = |row: &&[T]| of(row, k).to_f64();
    if chunks::are_few(rows.len() * rows[0].len()) {
        rows.iter().map(one).collect()
    } else {
        rows.par_iter().map(one).collect()
    }
}

fn of<T: Real>(row: &[T], k: usize) -> T {
    if row.len() < 4 * SAMPLE {
        return select(row.iter().map(|x| x.abs()).collect(), k);
    }
    let all = Span { from: T::default(), to: T::from_f64(f64::INFINITY), below: 0 };
    let span = all.narrowed(row, k, sampled(row, k));
    let span = span.narrowed(row, k, span.marks());
    let within = vectorised(
        #[inline(always)]
        || span.within(row),
    );
    select(within, k - span.below)
}

/// Absolute values from `from` on and below `to`.
#[derive(Clone, Copy)]
struct Span<T> {
    from: T,
    to: T,
    /// How many of a row are below it.
    below: usize,
}

impl<T: Real> Span<T> {
    /// The part between two of these marks, which are in ascending order, with the k-th of a row.
    fn narrowed(mut self, row: &[T], k: usize, marks: [T; MARKS]) -> Self {
        let below = vectorised(
            #[inline(always)]
            || below(row, marks),
        );
        for (mark, below) in marks.into_iter().zip(below) {
            if below > k {
                self.to = mark;
                break;
            }
            (self.from, self.below) = (mark, below);
        }
        self
    }

    /// Marks that part it evenly, its ends among them.
    fn marks(&self) -> [T; MARKS] {
        let (from, to) = (self.from.to_f64(), self.to.to_f64());
        let mark = |i: usize| T::from_f64(from + (to - from) * (i as f64 / (MARKS - 1) as f64));
        std::array::from_fn(|i| if i == 0 { self.from } else { mark(i) })
    }

    /// The absolute values of a row that lie in it.
    #[inline(always)]
    fn within(&self, row: &[T]) -> Vec<T> {
        let lies_within = |x: T| (x >= self.from) & (x < self.to);
        let (groups, rest) = row.as_chunks::<GROUP>();
        let mut within = Vec::new();
        for group in groups {
            let mut lengths = *group;
            lengths.iter_mut().for_each(|x| *x = x.abs());
            if lengths.iter().fold(0, |any, &x| any | u32::from(lies_within(x))) != 0 {
                within.extend_from_slice(&lengths);
            }
        }
        within.extend(rest.iter().map(|x| x.abs()));
        within.retain(|&x| lies_within(x));
        within
    }
}

/// Values around the k-th, in ascending order, as a sample has them.
fn sampled<T: Real>(row: &[T], k: usize) -> [T; MARKS] {
    let mut sample: Vec<T> = row.iter().step_by(row.len() / SAMPLE).take(SAMPLE).map(|x| x.abs()).collect();
    let part = k as f64 / row.len() as f64;
    let (rank, spread) = (part * SAMPLE as f64, REACH * (part * (1.0 - part) * SAMPLE as f64).sqrt() + 1.0);
    let place = |i: usize| {
        let at = rank + spread * (2.0 * i as f64 / (MARKS - 1) as f64 - 1.0);
        (at.max(0.0) as usize).min(SAMPLE - 1)
    };
    let (first, last) = (place(0), place(MARKS - 1));
    sample.select_nth_unstable_by(first, order);
    let (around, _, _) = sample[first..].select_nth_unstable_by(last - first, order);
    around.sort_unstable_by(order);
    std::array::from_fn(|i| sample[place(i)])
}

/// How many absolute values are below each of these.
#[inline(always)]
fn below<T: Real>(row: &[T], marks: [T; MARKS]) -> [usize; MARKS] {
    let mut below = [0; MARKS];
    for segment in row.chunks(SEGMENT) {
        for (below, mark) in below.iter_mut().zip(marks) {
            *below += segment.iter().map(|x| u32::from(x.abs() < mark)).sum::<u32>() as usize;
        }
    }
    below
}

fn select<T: Real>(mut values: Vec<T>, k: usize) -> T {
    *values.select_nth_unstable_by(k, order).1
}

fn order<T: Real>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE, of};
    use crate::random::Seed;
    use rand::RngExt;

    fn agrees(row: &[f32], what: &str) {
        let mut lengths: Vec<f32> = row.iter().map(|x| x.abs()).collect();
        lengths.sort_by(f32::total_cmp);
        let wide: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let d = row.len();
        for k in [0, 1, d / 10, d / 2, d * 9 / 10, d * 99 / 100, d - 2, d - 1] {
            assert_eq!(of(row, k), lengths[k], "{k} of {d}, {what}");
            assert_eq!(of(&wide, k), f64::from(lengths[k]), "{k} of {d}, {what}");
        }
    }

    #[test]
    fn the_kth_is_that_of_a_sort() {
        let mut rng = Seed(1).stream("test", 0, "rows", 1);
        for d in [2, 100, 4 * SAMPLE - 1, 4 * SAMPLE, 20_001] {
            let mut draw = |make: fn(f32) -> f32| -> Vec<f32> {
                (0..d).map(|_| make(rng.random::<f32>() - 0.5)).collect()
            };
            agrees(&draw(|x| x), "uniform");
            agrees(&draw(|x| 1.0 / x), "of all sizes");
            agrees(&draw(|x| (4.0 * x).round()), "few values");
            agrees(&draw(|x| if x < 0.45 { 0.0 } else { x }), "mostly zeros");
            agrees(&vec![-3.0; d], "one value");
        }
        let rising: Vec<f32> = (0..10_000).map(|i| i as f32).collect();
        agrees(&rising, "rising");
        // a sample sees every 19th: all that it sees is unlike the rest
        let unlike: Vec<f32> = (0..10_000).map(|i| if i % 19 == 0 { 1e9 } else { i as f32 }).collect();
        agrees(&unlike, "unlike its sample");
    }
}
