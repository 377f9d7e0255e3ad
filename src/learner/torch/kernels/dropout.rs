//! Dropout.

use super::{Backward, Forward, Mode, Real, Run, vectorised};

/// In training 0 with probability `rate`, else x / (1 - rate); x in evaluations.
#[derive(Debug)]
pub struct DropoutKernel {
    /// Values of one sample.
    pub len: usize,
    /// Probability that a value is dropped.
    pub rate: f64,
}

/// Position in `memory.own`: what the values were multiplied by.
const FACTORS: usize = 0;

impl<T: Real> Run<T> for DropoutKernel {
    fn kept(&self, _: bool) -> usize {
        self.len
    }

    fn forward(&self, Forward { batch, x, y, mode, memory, .. }: Forward<'_, T>) {
        let Mode::Training { chance, .. } = mode else { return y.copy_from_slice(x) };
        let values = batch * self.len;
        let factors = &mut memory.sized(FACTORS, values)[..values];
        let scale = T::from_f64(1.0 / (1.0 - self.rate));
        for (factor, kept) in factors.iter_mut().zip(chance.kept(self.rate)) {
            *factor = if kept { scale } else { T::default() };
        }
        multiply(y, x, factors);
    }

    fn backward(&self, Backward { dy, dx, memory, .. }: Backward<'_, T>) {
        if let Some(dx) = dx {
            multiply(dx, dy, &memory.own[FACTORS]);
        }
    }
}

fn multiply<T: Real>(product: &mut [T], values: &[T], factors: &[T]) {
    vectorised(
        #[inline(always)]
        || {
            for ((product, &value), &factor) in product.iter_mut().zip(values).zip(factors) {
                *product = value * factor;
            }
        },
    );
}
