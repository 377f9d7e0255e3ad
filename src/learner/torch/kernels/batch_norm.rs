//! Batch normalisation over the pixels of one worker's batch.

use super::{
    Backward, Buffers, Forward, Norms, Real, Run,
    sums::{channel_sums, repeated},
    vectorised,
};
use crate::learner::torch::pass::EPSILON;

/// y = (x - mean) / sqrt(var + epsilon) · weight + bias, channel by channel.
#[derive(Debug)]
pub struct BatchNormKernel {
    /// Number of channels.
    pub channels: usize,
    /// Pixels of one sample.
    pub pixels: usize,
}

/// Positions in `weights.own`.
const WEIGHT: usize = 0;
const BIAS: usize = 1;

/// Positions in `memory.own`: what the batch was normalised by.
const MEAN: usize = 0;
const SCALE: usize = 1;

impl BatchNormKernel {
    /// Mean and sum of squared deviations of every channel.
    fn moments<T: Real>(&self, x: &[T]) -> (Vec<f64>, Vec<f64>) {
        let n = (x.len() / self.channels) as f64;
        let none = repeated(self.channels, |_| 0.0);
        let mut mean = channel_sums(
            self.channels,
            x,
            x,
            &none,
            #[inline(always)]
            |x, _, _| x,
        );
        mean.iter_mut().for_each(|sum| *sum /= n);
        let shift = repeated(self.channels, |c| mean[c]);
        let squares = channel_sums(
            self.channels,
            x,
            x,
            &shift,
            #[inline(always)]
            |x, _, mean| (x - mean) * (x - mean),
        );
        (mean, squares)
    }
}

impl<T: Real> Run<T> for BatchNormKernel {
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let (weight, bias) = parameters.split_at(self.channels);
        Buffers { own: vec![weight.to_vec(), bias.to_vec()], inner: Vec::new() }
    }

    /// One value has no variance to normalise by.
    fn least_batch(&self) -> usize {
        if self.pixels > 1 { 1 } else { 2 }
    }

    fn forward(&self, Forward { weights, batch, x, y, norms, memory }: Forward<'_, T>) {
        let len = batch * self.pixels * self.channels;
        let n = (batch * self.pixels) as f64;
        let (mean, scale): (Vec<f64>, Vec<f64>) = match norms {
            Norms::Batch { mean, var } => {
                let (found, squares) = self.moments(&x[..len]);
                mean.copy_from_slice(&found);
                var.iter_mut().zip(&squares).for_each(|(var, square)| *var = square / (n - 1.0));
                (found, squares.iter().map(|square| 1.0 / (square / n + EPSILON).sqrt()).collect())
            }
            Norms::Running { mean, var } => {
                (mean.to_vec(), var.iter().map(|var| 1.0 / (var + EPSILON).sqrt()).collect())
            }
        };
        let kept = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect();
        memory.own = vec![kept(&mean), kept(&scale)];
        let (weight, bias) = (&weights.own[WEIGHT], &weights.own[BIAS]);
        let mean: Vec<T> = repeated(self.channels, |c| mean[c]);
        let slope: Vec<T> = repeated(self.channels, |c| scale[c] * weight[c].to_f64());
        let bias: Vec<T> = repeated(self.channels, |c| bias[c].to_f64());
        vectorised(
            #[inline(always)]
            || {
                for (y, x) in y[..len].chunks_mut(mean.len()).zip(x[..len].chunks(mean.len())) {
                    for ((((y, &x), &mean), &slope), &bias) in
                        y.iter_mut().zip(x).zip(&mean).zip(&slope).zip(&bias)
                    {
                        *y = (x - mean) * slope + bias;
                    }
                }
            },
        );
    }

    fn backward(&self, Backward { weights, batch, x, dy, dx, gradient, memory, .. }: Backward<'_, T>) {
        let len = batch * self.pixels * self.channels;
        let n = (batch * self.pixels) as f64;
        let (x, dy) = (&x[..len], &dy[..len]);
        let at = |position: usize, c: usize| memory.own[position][c].to_f64();
        let mean: Vec<T> = repeated(self.channels, |c| at(MEAN, c));
        let shift = channel_sums(
            self.channels,
            dy,
            dy,
            &mean,
            #[inline(always)]
            |dy, _, _| dy,
        );
        let products = channel_sums(
            self.channels,
            x,
            dy,
            &mean,
            #[inline(always)]
            |x, dy, mean| (x - mean) * dy,
        );
        let slope: Vec<f64> = products.iter().enumerate().map(|(c, sum)| sum * at(SCALE, c)).collect();
        let (weight, bias) = gradient.split_at_mut(self.channels);
        weight.iter_mut().zip(&slope).for_each(|(w, &sum)| *w = T::from_f64(sum));
        bias.iter_mut().zip(&shift).for_each(|(b, &sum)| *b = T::from_f64(sum));
        let Some(dx) = dx else { return };
        // dx = factor · (dy - Σ dy / n - x̂ Σ x̂ dy / n)
        let factor = |c: usize| at(SCALE, c) * weights.own[WEIGHT][c].to_f64();
        let scaled: Vec<T> = repeated(self.channels, factor);
        let pull: Vec<T> = repeated(self.channels, |c| factor(c) * at(SCALE, c) * slope[c] / n);
        let offset: Vec<T> = repeated(self.channels, |c| factor(c) * shift[c] / n);
        let wide = mean.len();
        vectorised(
            #[inline(always)]
            || {
                for ((dx, dy), x) in dx[..len].chunks_mut(wide).zip(dy.chunks(wide)).zip(x.chunks(wide)) {
                    let coefficients = mean.iter().zip(&scaled).zip(&pull).zip(&offset);
                    for (((dx, &dy), &x), (((&mean, &scaled), &pull), &offset)) in
                        dx.iter_mut().zip(dy).zip(x).zip(coefficients)
                    {
                        *dx = dy * scaled - (x - mean) * pull - offset;
                    }
                }
            },
        );
    }
}
