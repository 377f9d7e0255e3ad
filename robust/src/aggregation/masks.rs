//! Masks over the coordinates of some vectors: what of each enters their mean, as learned from the slopes of a loss there.

use std::f64::consts::LOG2_E;

use rayon::prelude::*;

use crate::{
    Matrix,
    simd::{Real, vectorised},
};

/// Coordinates that a thread takes at once: as many bits as fill some words.
const PIECE: usize = 256;
/// No mask goes farther than this from 0, so that a mean of closed ones is still one.
const FARTHEST: f64 = 300.0;

/// A number for every coordinate of n vectors, through whose logistic function the coordinate enters the mean.
pub(super) struct Masks {
    n: usize,
    d: usize,
    /// Piece by piece of the coordinates, and in each row by row.
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
        Self { n, d, values: vec![1.0; n * d] }
    }

    /// At every coordinate j, Σ_i s_ij x_ij / Σ_i s_ij, where s is the logistic function of the masks.
    pub(super) fn mean<T: Real>(&self, rows: &[&[T]]) -> Vec<f64> {
        let mut means = vec![0.0; self.d];
        let pieces = means.par_chunks_mut(PIECE).zip(self.values.par_chunks(PIECE * self.n));
        pieces.enumerate().for_each_init(Piece::default, |piece, (at, (means, masks))| {
            piece.open(masks);
            piece.share(&part(rows, at));
            means.copy_from_slice(&piece.mean);
        });
        means
    }

    /// The root mean square of those slopes of the masks that are finite, where the loss has these `slopes` at the coordinates of the mean.
    pub(super) fn typical_slope<T: Real>(&self, rows: &[&[T]], slopes: &[f64]) -> f64 {
        let pieces = self.values.par_chunks(PIECE * self.n).zip(slopes.par_chunks(PIECE));
        let sum = |piece: &mut Piece, (at, (masks, slopes))| {
            let mut sum = Scaled::default();
            let own = piece.slopes(masks, &part(rows, at), slopes);
            own.iter().filter(|slope| slope.is_finite()).for_each(|slope| sum.add(slope.abs(), 1.0));
            sum
        };
        let parts: Vec<Scaled> = pieces.enumerate().map_init(Piece::default, sum).collect();
        let mut all = Scaled::default();
        parts.iter().for_each(|part| all.add(part.scale, part.squares));
        all.scale * (all.squares / self.values.len() as f64).sqrt()
    }

    /// Moves every mask against its slope, where the loss has these `slopes` at the coordinates of the mean; one without a
    /// slope that is a number stands still.
    pub(super) fn descend<T: Real>(&mut self, rows: &[&[T]], slopes: &[f64], pace: Pace) {
        let pieces = self.values.par_chunks_mut(PIECE * self.n).zip(slopes.par_chunks(PIECE));
        pieces.enumerate().for_each_init(Piece::default, |piece, (at, (masks, slopes))| {
            let own = piece.slopes(masks, &part(rows, at), slopes);
            vectorised(
                #[inline(always)]
                || masks.iter_mut().zip(own).for_each(|(mask, slope)| *mask = pace.moved(*mask, *slope)),
            );
        });
    }

    /// For every two vectors, at how many coordinates one is open and the other is not: where the logistic function of its
    /// mask is above `threshold`.
    pub(super) fn differences(&self, threshold: f64) -> Matrix {
        let n = self.n;
        let start = || (Piece::default(), vec![0; n * n]);
        let count = |(mut piece, mut counts): (Piece, Vec<u64>), masks: &[f32]| {
            piece.open(masks);
            let patterns: Vec<Vec<u64>> = piece.rows(n).map(|row| bits(row, threshold)).collect();
            let pairs = patterns.iter().flat_map(|a| patterns.iter().map(move |b| apart(a, b)));
            counts.iter_mut().zip(pairs).for_each(|(count, apart)| *count += apart);
            (piece, counts)
        };
        let plus = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let parts = self.values.par_chunks(PIECE * n).fold(start, count).map(|(_, counts)| counts);
        let counts = parts.reduce(|| vec![0; n * n], plus);
        Matrix::from_fn(n, n, |i, j| counts[n * i + j] as f64)
    }
}

impl Pace {
    /// Where a mask goes that has this slope.
    #[inline(always)]
    fn moved(self, mask: f32, slope: f64) -> f32 {
        let wanted = self.rate * slope;
        let far = if wanted.is_nan() { 0.0 } else { wanted.max(-self.reach).min(self.reach) };
        (f64::from(mask) - far).clamp(-FARTHEST, FARTHEST) as f32
    }
}

/// What of the rows is in the piece with this index.
fn part<'a, T>(rows: &[&'a [T]], piece: usize) -> Vec<&'a [T]> {
    let start = PIECE * piece;
    rows.iter().map(|row| &row[start..row.len().min(start + PIECE)]).collect()
}

/// What masks make of a piece of the coordinates. What vectors have each lies row by row.
#[derive(Default)]
struct Piece {
    /// The logistic function s of the masks; later what share of the mean each gives.
    shares: Vec<f64>,
    /// 1 - s.
    closed: Vec<f64>,
    /// 1 / Σ_i s_i.
    units: Vec<f64>,
    /// The masked mean.
    mean: Vec<f64>,
}

impl Piece {
    /// Opens these masks: s and 1 - s.
    fn open(&mut self, masks: &[f32]) {
        self.shares.resize(masks.len(), 0.0);
        self.closed.resize(masks.len(), 0.0);
        let Self { shares, closed, .. } = self;
        vectorised(
            #[inline(always)]
            || {
                // first all of one format, else registers are filled by half
                closed.iter_mut().zip(masks).for_each(|(closed, mask)| *closed = -f64::from(*mask));
                for (share, closed) in shares.iter_mut().zip(&mut *closed) {
                    let e = exp(*closed);
                    *share = 1.0 / (1.0 + e);
                    *closed = e * *share;
                }
            },
        );
    }

    /// Makes shares and the mean of masks that are opened.
    fn share<T: Real>(&mut self, rows: &[&[T]]) {
        let width = self.shares.len() / rows.len();
        let Self { shares, units, mean, .. } = self;
        for sum in [&mut *units, &mut *mean] {
            sum.clear();
            sum.resize(width, 0.0);
        }
        vectorised(
            #[inline(always)]
            || {
                for shares in shares.chunks_exact(width) {
                    units.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
                }
                units.iter_mut().for_each(|sum| *sum = 1.0 / *sum);
                for (shares, row) in shares.chunks_exact_mut(width).zip(rows) {
                    for (((mean, share), unit), x) in mean.iter_mut().zip(shares).zip(&*units).zip(*row) {
                        *share *= unit;
                        *mean += *share * x.to_f64();
                    }
                }
            },
        );
    }

    /// The slopes of these masks, where `slopes` are those of the mean.
    fn slopes<T: Real>(&mut self, masks: &[f32], rows: &[&[T]], slopes: &[f64]) -> &[f64] {
        self.open(masks);
        self.share(rows);
        let Self { shares, closed, mean, .. } = self;
        vectorised(
            #[inline(always)]
            || {
                let width = mean.len();
                let all = closed.chunks_exact_mut(width).zip(shares.chunks_exact(width)).zip(rows);
                for ((closed, shares), row) in all {
                    let at = mean.iter().zip(slopes).zip(*row);
                    for ((own, share), ((mean, slope), x)) in closed.iter_mut().zip(shares).zip(at) {
                        *own *= slope * share * (x.to_f64() - mean); // s' = s (1 - s)
                    }
                }
            },
        );
        closed
    }

    /// What is opened, in n rows.
    fn rows(&self, n: usize) -> impl Iterator<Item = &[f64]> {
        self.shares.chunks_exact(self.shares.len() / n)
    }
}

/// For each value a bit that says whether it is above `threshold`.
fn bits(values: &[f64], threshold: f64) -> Vec<u64> {
    let word =
        |values: &[f64]| values.iter().rev().fold(0, |word, value| word << 1 | u64::from(*value > threshold));
    values.chunks(u64::BITS as usize).map(word).collect()
}

/// In how many bits two patterns differ.
fn apart(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
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

/// e^x for |x| up to 700, to 14 digits, in operations that loops do on whole registers: 2^n, with the n nearest to x log2(e),
/// times twelve terms of the series of what is left.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// As large that a number added to it is rounded to a whole one, which the last bits of the sum then are.
    const LARGE: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
    /// ln(2) in two parts, of which the first has so few bits that its products with n are exact.
    const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const INVERSE_FACTORIALS: [f64; 12] = {
        let mut all = [1.0; 12];
        let mut n = 1;
        while n < all.len() {
            all[n] = all[n - 1] / n as f64;
            n += 1;
        }
        all
    };
    let shifted = x * LOG2_E + LARGE;
    let n = shifted - LARGE;
    let rest = x - n * LN2[0] - n * LN2[1];
    // pairs of terms, pairs of pairs and their sum: side by side, where one after the other would wait for each other
    let c = &INVERSE_FACTORIALS;
    let pair = |k: usize| c[k] + c[k + 1] * rest;
    let rest2 = rest * rest;
    let four = |k: usize| pair(k) + pair(k + 2) * rest2;
    let rest4 = rest2 * rest2;
    let series = four(0) + (four(4) + four(8) * rest4) * rest4;
    series * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn the_exponential_is_that_of_the_standard_library() {
        for step in -300_000..=300_000 {
            let x = f64::from(step) / 1000.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}: {} {}", exp(x), x.exp());
        }
    }
}
