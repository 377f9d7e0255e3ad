//! Batch normalisation over the pixels of one worker's batch, with the rectifier and the pooling behind it.

use std::any::Any;

use super::{
    Backward, Buffers, Forward, Kernel, MaxPoolKernel, Mode, Real, ReluKernel, Run, Windows,
    sums::channel_sums,
    windows::{Spread, Stage, Sums, coefficients},
};
use crate::learner::torch::pass::EPSILON;

/// y = (x - mean) / sqrt(var + epsilon) · weight + bias, channel by channel; of that the largest value of every window, or
/// 0 if that is larger and a rectifier follows.
#[derive(Debug)]
pub struct BatchNormKernel {
    /// The windows, which all pixels are in; of one pixel each where nothing is pooled.
    pub windows: Windows,
    /// Whether a rectifier follows.
    pub rectified: bool,
}

/// Positions in `weights.own`.
const WEIGHT: usize = 0;
const BIAS: usize = 1;

/// Positions in `memory.own`: what the batch was normalised by.
const MEAN: usize = 0;
const SCALE: usize = 1;

impl BatchNormKernel {
    /// Pixels of a batch, n.
    fn pixels(&self, batch: usize) -> usize {
        batch * self.windows.height * self.windows.width
    }

    fn coefficients<T: Real>(&self, of: impl Fn(usize) -> f64) -> Vec<T> {
        coefficients(self.windows.channels, of)
    }

    fn stage<T: Real>(&self, weights: &Buffers<T>, memory: &Buffers<T>) -> Stage<T> {
        let at = |kept: &[T], c: usize| kept[c].to_f64();
        Stage {
            windows: self.windows,
            shift: self.coefficients(|c| -at(&memory.own[MEAN], c)),
            slope: self.coefficients(|c| at(&memory.own[SCALE], c) * at(&weights.own[WEIGHT], c)),
            bias: self.coefficients(|c| at(&weights.own[BIAS], c)),
            floor: Stage::floor(self.rectified),
        }
    }
}

/// Mean and sum of squared deviations of every channel.
fn moments<T: Real>(channels: usize, x: &[T]) -> (Vec<f64>, Vec<f64>) {
    let n = (x.len() / channels) as f64;
    let mut mean = channel_sums(channels, x, None);
    mean.iter_mut().for_each(|sum| *sum /= n);
    let squares = channel_sums(channels, x, Some(&mean));
    (mean, squares)
}

impl<T: Real> Run<T> for BatchNormKernel {
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let (weight, bias) = parameters.split_at(self.windows.channels);
        Buffers { own: vec![weight.to_vec(), bias.to_vec()], inner: Vec::new() }
    }

    fn joined(&self, next: &dyn Kernel) -> Option<Box<dyn Kernel>> {
        let Self { windows, rectified } = *self;
        let next: &dyn Any = next;
        if next.is::<ReluKernel>() {
            return Some(Box::new(Self { windows, rectified: true }));
        }
        let pool = next.downcast_ref::<MaxPoolKernel>()?;
        let rectified = rectified || pool.rectified;
        (windows.kernel == 1 && pool.windows.whole())
            .then(|| Box::new(Self { windows: pool.windows, rectified }) as Box<dyn Kernel>)
    }

    /// One value has no variance to normalise by.
    fn least_batch(&self) -> usize {
        if self.pixels(1) > 1 { 1 } else { 2 }
    }

    fn forward(&self, Forward { weights, batch, x, y, mode, memory }: Forward<'_, T>) {
        let scale = |var: f64| 1.0 / (var + EPSILON).sqrt();
        let (mean, scale): (Vec<f64>, Vec<f64>) = match mode {
            Mode::Training { mean, var, .. } => {
                let (found, squares) = moments(self.windows.channels, &x[..batch * self.windows.sample()]);
                let n = self.pixels(batch) as f64;
                mean.copy_from_slice(&found);
                var.iter_mut().zip(&squares).for_each(|(var, square)| *var = square / (n - 1.0));
                (found, squares.iter().map(|square| scale(square / n)).collect())
            }
            Mode::Evaluation { mean, var } => (mean.to_vec(), var.iter().map(|&var| scale(var)).collect()),
        };
        memory.own = vec![self.coefficients(|c| mean[c]), self.coefficients(|c| scale[c])];
        self.stage(weights, memory).forward(batch, x, y);
    }

    fn backward(&self, Backward { weights, batch, x, y, dy, dx, gradient, memory, .. }: Backward<'_, T>) {
        let channels = self.windows.channels;
        let stage = self.stage(weights, memory);
        let mut sums = Sums { dy: vec![0.0; channels], products: vec![0.0; channels] };
        stage.backward(batch, [x, y, dy], &mut sums);
        let Sums { dy: shift, products } = sums;
        let scale = |c: usize| memory.own[SCALE][c].to_f64();
        let (weight, bias) = gradient.split_at_mut(channels);
        weight.iter_mut().enumerate().for_each(|(c, w)| *w = T::from_f64(products[c] * scale(c)));
        bias.iter_mut().zip(&shift).for_each(|(b, &sum)| *b = T::from_f64(sum));
        let Some(dx) = dx else { return };
        // dx = factor · (dy - Σ dy / n - x̂ Σ x̂ dy / n)
        let n = self.pixels(batch) as f64;
        let factor = |c: usize| scale(c) * weights.own[WEIGHT][c].to_f64();
        let mut spread = Spread {
            dx,
            scale: self.coefficients(factor),
            pull: self.coefficients(|c| -factor(c) * scale(c) * scale(c) * products[c] / n),
            offset: self.coefficients(|c| -factor(c) * shift[c] / n),
        };
        stage.backward(batch, [x, y, dy], &mut spread);
    }
}
