//! The rectifier.

use super::{Backward, Forward, Real, Run, vectorised};

/// max(x, 0); NaN stays NaN.
#[derive(Debug)]
pub struct ReluKernel;

/// The rectifier of one value.
#[inline(always)]
pub(super) fn rectified<T: Real>(x: T) -> T {
    if x < T::default() { T::default() } else { x }
}

impl<T: Real> Run<T> for ReluKernel {
    fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
        vectorised(
            #[inline(always)]
            || y.iter_mut().zip(x).for_each(|(y, &x)| *y = rectified(x)),
        );
    }

    fn backward(&self, Backward { y, dy, dx, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        let zero = T::default();
        vectorised(
            #[inline(always)]
            || {
                for ((dx, &dy), &y) in dx.iter_mut().zip(dy).zip(y) {
                    *dx = if y > zero { dy } else { zero };
                }
            },
        );
    }
}
