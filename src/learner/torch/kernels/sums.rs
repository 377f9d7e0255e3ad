//! Loops over pixels whose channels lie innermost.
//!
//! Few channels make short loops, so several pixels are taken at once: a coefficient for each channel becomes a row
//! of coefficients, repeated for as many pixels as make the loop long.

use super::{Real, vectorised};

/// Values of a loop that are worth its start.
const LONG: usize = 64;

/// Rounds of a loop that are summed in the number format itself before they go to f64.
const BLOCK: usize = 64;

/// The coefficients of `channels` channels, repeated until they make a long loop.
pub(super) fn repeated<T: Real>(channels: usize, of: impl Fn(usize) -> f64) -> Vec<T> {
    let one: Vec<T> = (0..channels).map(|c| T::from_f64(of(c))).collect();
    one.repeat(LONG.div_ceil(channels.max(1)))
}

/// Σ over the pixels of `term(x, y)`, for each channel; x and y are `[pixels, channels]`, `shift` is [`repeated`].
#[inline(always)]
pub(super) fn channel_sums<T: Real>(
    channels: usize,
    x: &[T],
    y: &[T],
    shift: &[T],
    term: impl Fn(T, T, T) -> T,
) -> Vec<f64> {
    let wide = shift.len();
    let mut totals = vec![0.0; wide];
    let mut partial = vec![T::default(); wide];
    vectorised(
        #[inline(always)]
        || {
            for (x, y) in x.chunks(BLOCK * wide).zip(y.chunks(BLOCK * wide)) {
                partial.fill(T::default());
                for (x, y) in x.chunks(wide).zip(y.chunks(wide)) {
                    for (((sum, &x), &y), &shift) in partial.iter_mut().zip(x).zip(y).zip(shift) {
                        *sum += term(x, y, shift);
                    }
                }
                for (total, &sum) in totals.iter_mut().zip(&partial) {
                    *total += sum.to_f64();
                }
            }
        },
    );
    let mut sums = vec![0.0; channels];
    for pixel in totals.chunks(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, total)| *sum += total);
    }
    sums
}
