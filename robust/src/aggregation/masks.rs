//! Masks over the coordinates of some vectors: what of each enters their mean, as learned from the slopes of a loss there.

use rayon::prelude::*;

use crate::{Matrix, simd::Real};

/// Coordinates that a thread takes at once; a multiple of the bits of a word.
const CHUNK: usize = 1024;
/// No mask goes farther than this from 0, so that a mean of closed ones is still one.
const FARTHEST: f64 = 300.0;

/// A number for every coordinate of n vectors, through whose logistic function the coordinate enters the mean.
pub(super) struct Masks {
    n: usize,
    /// Those of one coordinate beside each other.
    values: Vec<f32>,
}

/// How masks follow their slopes.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// What slopes are multiplied by.
    pub rate: f64,
    /// The farthest that a mask moves.
    pub reach: f64,
}

impl Masks {
    /// Masks for n vectors of d coordinates that are all 1, the logistic of which is 0.73.
    pub(super) fn new(n: usize, d: usize) -> Self {
        Self { n, values: vec![1.0; n * d] }
    }

    /// At every coordinate j, Σ_i s_ij x_ij / Σ_i s_ij, where s is the logistic function of the masks.
    pub(super) fn mean<T: Real>(&self, rows: &[&[T]]) -> Vec<f64> {
        let mut means = vec![0.0; self.values.len() / self.n];
        let pieces = means.par_chunks_mut(CHUNK).zip(self.values.par_chunks(CHUNK * self.n));
        let scratch = || (Vec::new(), Vec::new());
        pieces.enumerate().for_each_init(scratch, |(shares, closed), (chunk, (means, values))| {
            for (at, (mean, column)) in means.iter_mut().zip(values.chunks_exact(self.n)).enumerate() {
                opened(column, shares, closed);
                *mean = mean_at(rows, CHUNK * chunk + at, shares);
            }
        });
        means
    }

    /// The root mean square of those slopes of the masks that are finite, where the loss has these `slopes` at the coordinates of the mean.
    pub(super) fn typical_slope<T: Real>(&self, rows: &[&[T]], slopes: &[f64]) -> f64 {
        let chunk = |(chunk, (values, slopes)): (usize, (&[f32], &[f64]))| {
            let (mut shares, mut own, mut part) = (Vec::new(), Vec::new(), Scaled::default());
            for (at, (column, slope)) in values.chunks_exact(self.n).zip(slopes).enumerate() {
                own_slopes(rows, CHUNK * chunk + at, column, *slope, &mut shares, &mut own);
                own.iter().filter(|slope| slope.is_finite()).for_each(|slope| part.add(slope.abs(), 1.0));
            }
            part
        };
        let pieces = self.values.par_chunks(CHUNK * self.n).zip(slopes.par_chunks(CHUNK));
        let parts: Vec<Scaled> = pieces.enumerate().map(chunk).collect();
        let mut all = Scaled::default();
        parts.iter().for_each(|part| all.add(part.scale, part.squares));
        all.scale * (all.squares / self.values.len() as f64).sqrt()
    }

    /// Moves every mask against its slope, where the loss has these `slopes` at the coordinates of the mean; one without a
    /// slope that is a number stands still.
    pub(super) fn descend<T: Real>(&mut self, rows: &[&[T]], slopes: &[f64], pace: Pace) {
        let n = self.n;
        let pieces = self.values.par_chunks_mut(CHUNK * n).zip(slopes.par_chunks(CHUNK));
        let scratch = || (Vec::new(), Vec::new());
        pieces.enumerate().for_each_init(scratch, |(shares, own), (chunk, (values, slopes))| {
            for (at, (column, slope)) in values.chunks_exact_mut(n).zip(slopes).enumerate() {
                own_slopes(rows, CHUNK * chunk + at, column, *slope, shares, own);
                for (mask, slope) in column.iter_mut().zip(&*own) {
                    let wanted = pace.rate * slope;
                    let far = if wanted.is_nan() { 0.0 } else { wanted.clamp(-pace.reach, pace.reach) };
                    *mask = (f64::from(*mask) - far).clamp(-FARTHEST, FARTHEST) as f32;
                }
            }
        });
    }

    /// For every two vectors, at how many coordinates one is open and the other is not: where the logistic function of its
    /// mask is above `threshold`.
    pub(super) fn differences(&self, threshold: f64) -> Matrix {
        let n = self.n;
        let count = |mut counts: Vec<u64>, values: &[f32]| {
            let mut words = vec![0u64; n];
            for (bit, column) in values.chunks_exact(n).enumerate() {
                for (word, mask) in words.iter_mut().zip(column) {
                    *word |= u64::from(logistic(f64::from(*mask)) > threshold) << bit;
                }
            }
            for (i, counts) in counts.chunks_exact_mut(n).enumerate() {
                counts.iter_mut().zip(&words).for_each(|(c, w)| *c += u64::from((w ^ words[i]).count_ones()));
            }
            counts
        };
        let none = || vec![0; n * n];
        let plus = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let words = self.values.par_chunks(n * u64::BITS as usize);
        let counts = words.with_min_len(CHUNK / u64::BITS as usize).fold(none, count).reduce(none, plus);
        Matrix::from_fn(n, n, |i, j| counts[n * i + j] as f64)
    }
}

/// A sum of squares in a unit of its own, which neither overflows nor vanishes.
#[derive(Default)]
struct Scaled {
    scale: f64,
    /// The sum, in squares of the scale.
    squares: f64,
}

impl Scaled {
    /// Adds so many squares of a length.
    fn add(&mut self, length: f64, times: f64) {
        if length > self.scale {
            self.squares = times + self.squares * (self.scale / length).powi(2);
            self.scale = length;
        } else if length > 0.0 {
            self.squares += times * (length / self.scale).powi(2);
        }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The shares of a coordinate's mean that these masks give, and 1 - s of each.
fn opened(column: &[f32], shares: &mut Vec<f64>, closed: &mut Vec<f64>) {
    shares.clear();
    closed.clear();
    for &mask in column {
        let e = (-f64::from(mask)).exp();
        let open = 1.0 / (1.0 + e);
        shares.push(open);
        closed.push(e * open);
    }
    let whole: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= whole);
}

fn mean_at<T: Real>(rows: &[&[T]], j: usize, shares: &[f64]) -> f64 {
    rows.iter().zip(shares).map(|(row, share)| share * row[j].to_f64()).sum()
}

/// The slopes of the masks of coordinate j, where `slope` is that of its mean.
fn own_slopes<T: Real>(
    rows: &[&[T]],
    j: usize,
    column: &[f32],
    slope: f64,
    shares: &mut Vec<f64>,
    own: &mut Vec<f64>,
) {
    opened(column, shares, own);
    let mean = mean_at(rows, j, shares);
    for ((own, share), row) in own.iter_mut().zip(shares).zip(rows) {
        *own *= slope * *share * (row[j].to_f64() - mean); // s' = s (1 - s)
    }
}
