//! The rectifier.

use std::any::Any;

use super::{Backward, Forward, Kernel, MaxPoolKernel, Real, Run, vectorised};

/// max(x, 0); NaN stays NaN.
#[derive(Debug)]
pub struct ReluKernel;

/// The rectifier of one value.
#[inline(always)]
pub(super) fn rectified<T: Real>(x: T) -> T {
    if x < T::default() { T::default() } else { x }
}

impl<T: Real> Run<T> for ReluKernel {
    fn joined(&self, next: &dyn Kernel) -> Option<Box<dyn Kernel>> {
        let next: &dyn Any = next;
        let pool = next.downcast_ref::<MaxPoolKernel>()?;
        Some(Box::new(MaxPoolKernel { windows: pool.windows, rectified: true }))
    }

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
