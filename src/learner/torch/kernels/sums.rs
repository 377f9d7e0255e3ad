//! Sums over pixels whose channels lie innermost.
//!
//! Few channels make short rows, so several pixels are taken as one row, as many as fill whole registers.

use pulp::{Arch, Simd, WithSimd};

use super::{
    Real,
    lanes::{lanes, load, unpacked},
    product::STRIP,
};

/// Rows that are summed in the number format itself before they go to f64.
const BLOCK: usize = 64;

/// Registers of sums at a time: their additions do not wait for each other.
const ABREAST: usize = 4;

/// Σ x over the pixels, or Σ (x - about)², for each channel; x is `[pixels, channels]`.
pub(super) fn channel_sums<T: Real>(channels: usize, x: &[T], about: Option<&[f64]>) -> Vec<f64> {
    let shared = channels.trailing_zeros().min(STRIP.trailing_zeros());
    let least = channels * (STRIP >> shared); // pixels that fill whole registers
    let wide = (ABREAST * STRIP).next_multiple_of(least);
    let shift = (0..wide).map(|i| T::from_f64(about.map_or(0.0, |about| -about[i % channels]))).collect();
    let totals = Arch::new().dispatch(Rows { x, shift, squares: about.is_some() });
    let mut sums = vec![0.0; channels];
    for pixel in totals.chunks(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, total)| *sum += total);
    }
    sums
}

/// Rows as long as `shift`, which is whole registers; the last may be shorter.
struct Rows<'a, T> {
    x: &'a [T],
    shift: Vec<T>,
    squares: bool,
}

impl<T: Real> WithSimd for Rows<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f64> {
        let wide = self.shift.len();
        let mut totals = vec![0.0; wide];
        let whole = self.x.len() / wide * wide;
        let (rows, rest) = self.x.split_at(whole);
        for block in rows.chunks(BLOCK * wide) {
            let mut first = 0;
            while first + ABREAST * lanes::<T, S>() <= wide {
                self.add::<S, ABREAST>(simd, block, first, &mut totals);
                first += ABREAST * lanes::<T, S>();
            }
            while first < wide {
                self.add::<S, 1>(simd, block, first, &mut totals);
                first += lanes::<T, S>();
            }
        }
        for ((total, &x), shift) in totals.iter_mut().zip(rest).zip(&self.shift) {
            let x = x.to_f64() + shift.to_f64();
            *total += if self.squares { x * x } else { x };
        }
        totals
    }
}

impl<T: Real> Rows<'_, T> {
    /// Adds N registers of columns of a block of rows to the totals.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(&self, simd: S, block: &[T], first: usize, totals: &mut [f64]) {
        let lanes = lanes::<T, S>();
        let mut sums = [T::splat(simd, T::default()); N];
        let shift: [_; N] = std::array::from_fn(|n| load::<T, S>(&self.shift[first + n * lanes..]));
        for row in block.chunks_exact(self.shift.len()) {
            let row = &row[first..first + N * lanes];
            for n in 0..N {
                let x = T::plus(simd, load::<T, S>(&row[n * lanes..]), shift[n]);
                sums[n] =
                    if self.squares { T::mul_add(simd, x, x, sums[n]) } else { T::plus(simd, sums[n], x) };
            }
        }
        for (totals, sum) in totals[first..].chunks_mut(lanes).zip(sums) {
            totals.iter_mut().zip(unpacked::<T, S>(sum)).for_each(|(total, sum)| *total += sum.to_f64());
        }
    }
}
