//! Sums over two slices, in f64 and in a fixed order.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::simd::{Finite, Real, vectorised};

/// Independent sums: enough to keep the adders of any processor busy.
const LANES: usize = 16;

/// Σ a_i b_i.
pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            sum(
                a,
                b,
                #[inline(always)]
                |a, b| a * b,
            )
        },
    )
}

/// Σ (a_i - b_i)².
pub(crate) fn distance2<T: Real>(a: &[T], b: &[T]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            sum(
                a,
                b,
                #[inline(always)]
                |a, b| (a - b) * (a - b),
            )
        },
    )
}

/// Values that are looked at in less time than it takes to wake a thread.
const FEW: usize = 1 << 17;

/// Whether no value is NaN or infinite.
pub(crate) fn is_finite<T: Real>(values: &[T]) -> bool {
    let alone = |part: &[T]| part.chunks(4096).all(|part| Arch::new().dispatch(AreFinite(part)));
    if values.len() <= FEW { alone(values) } else { values.par_chunks(FEW).all(alone) }
}

struct AreFinite<'a, T>(&'a [T]);

impl<T: Real> WithSimd for AreFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let (whole, rest) = T::split::<S>(self.0);
        let mut finite = Finite::<S, T>::new(simd);
        whole.iter().for_each(|&x| finite.see(simd, x));
        finite.all(simd, rest)
    }
}

#[inline(always)]
fn sum<T: Real>(a: &[T], b: &[T], term: impl Fn(f64, f64) -> f64) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different lengths");
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane].to_f64(), b[lane].to_f64());
        }
    }
    let mut rest = 0.0;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest += term(a.to_f64(), b.to_f64());
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        let (low, high) = sums[..2 * width].split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low += *high); // one waits for four others, not for fifteen
    }
    sums[0] + rest
}
