//! How a pass is cut into pieces and spread over rayon's current pool.

use std::ops::Range;

use rayon::prelude::*;

/// Values in the chunk of a pass: enough to pay for handing it to a thread.
const VALUES: usize = 1 << 16;

/// Values that are added up in less time than it takes to wake a thread.
const FEW: usize = 1 << 18;

/// Whether to read and add up this many values is no work for more than the caller.
pub(in crate::batch) fn are_few(values: usize) -> bool {
    values <= FEW
}

/// As [`size`], for work that does no more than to read and add: few values are one chunk, which stays with the caller.
pub(super) fn light(m: usize, d: usize, step: usize) -> usize {
    if are_few(m * d) { d.max(1) } else { size(m, step) }
}

/// Coordinates in a chunk when `m` rows are read: a multiple of `step`.
pub(super) fn size(m: usize, step: usize) -> usize {
    (VALUES / m.max(1)).div_ceil(step).max(1) * step
}

/// Runs `work` on every chunk of `0..columns`; the results in the order of the chunks.
pub(super) fn map<S, R: Send>(
    columns: usize,
    chunk: usize,
    scratch: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, Range<usize>) -> R + Send + Sync,
) -> Vec<R> {
    let count = columns.div_ceil(chunk);
    if count == 1 {
        return vec![work(&mut scratch(), 0..columns)];
    }
    let range = |i: usize| i * chunk..columns.min((i + 1) * chunk);
    (0..count).into_par_iter().map_init(scratch, |s, i| work(s, range(i))).collect()
}

/// Runs `work` on every chunk of `out` with the place of its first element; the results in order.
pub(super) fn fill<T: Send, S, R: Send>(
    out: &mut [T],
    chunk: usize,
    scratch: impl Fn() -> S + Send + Sync,
    work: impl Fn(&mut S, usize, &mut [T]) -> R + Send + Sync,
) -> Vec<R> {
    if out.len() <= chunk {
        return vec![work(&mut scratch(), 0, out)];
    }
    out.par_chunks_mut(chunk).enumerate().map_init(scratch, |s, (i, out)| work(s, i * chunk, out)).collect()
}

/// Sums vectors of equal length, first to last.
pub(super) fn total(parts: Vec<Vec<f64>>) -> Vec<f64> {
    let add = |mut sum: Vec<f64>, part: Vec<f64>| {
        sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
        sum
    };
    parts.into_iter().reduce(add).unwrap_or_default()
}
