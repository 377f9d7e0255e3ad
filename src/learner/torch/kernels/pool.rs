//! Pooling over windows that do not overlap.

use super::{Backward, Forward, Real, Run, vectorised};

/// The windows of an image.
#[derive(Debug)]
pub struct Windows {
    /// Channels, C.
    pub channels: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Side of a window in pixels.
    pub kernel: usize,
}

/// The largest value of every window.
#[derive(Debug)]
pub struct MaxPoolKernel(pub Windows);

/// The mean of every window.
#[derive(Debug)]
pub struct AvgPoolKernel(pub Windows);

impl Windows {
    /// Number of windows of one sample.
    fn count(&self) -> usize {
        (self.height / self.kernel) * (self.width / self.kernel)
    }

    /// Where the first pixel of window `w` lies in a sample, in values.
    #[inline(always)]
    fn corner(&self, w: usize) -> usize {
        let across = self.width / self.kernel;
        (w / across * self.width + w % across) * self.kernel * self.channels
    }

    /// Where the pixels of a window lie from its corner, row by row.
    #[inline(always)]
    fn pixels(&self) -> impl Iterator<Item = usize> + use<> {
        let (kernel, width, channels) = (self.kernel, self.width, self.channels);
        (0..kernel).flat_map(move |y| (0..kernel).map(move |x| (y * width + x) * channels))
    }

    /// Calls `f` with every window of the batch: where it starts in the input, and in the output.
    #[inline(always)]
    fn each(&self, batch: usize, mut f: impl FnMut(usize, usize)) {
        let (count, sample) = (self.count(), self.height * self.width * self.channels);
        for n in 0..batch {
            for w in 0..count {
                f(n * sample + self.corner(w), (n * count + w) * self.channels);
            }
        }
    }

    /// Calls `f` with every group of channels of every window: where it starts in the input and in the output, and how
    /// many channels it has.
    #[inline(always)]
    fn each_group(&self, batch: usize, mut f: impl FnMut(usize, usize, usize)) {
        vectorised(
            #[inline(always)]
            || {
                self.each(
                    batch,
                    #[inline(always)]
                    |from, to| {
                        for first in (0..self.channels).step_by(GROUP) {
                            f(from + first, to + first, GROUP.min(self.channels - first));
                        }
                    },
                );
            },
        );
    }

    fn area(&self) -> f64 {
        (self.kernel * self.kernel) as f64
    }
}

/// Channels of a pixel that are compared at once. They stay in registers while a window is gone through: a choice
/// between what memory holds and something else would become a masked store, which AVX2 has no fast one of.
const GROUP: usize = 16;

/// Up to a group of values, the rest zero.
#[inline(always)]
fn load<T: Real>(values: &[T]) -> [T; GROUP] {
    values.try_into().unwrap_or_else(|_| {
        let mut group = [T::default(); GROUP];
        group[..values.len()].copy_from_slice(values);
        group
    })
}

/// As much of a group as there is room for.
#[inline(always)]
fn store<T: Real>(group: [T; GROUP], values: &mut [T]) {
    match <&mut [T; GROUP]>::try_from(&mut *values) {
        Ok(whole) => *whole = group,
        Err(_) => values.copy_from_slice(&group[..values.len()]),
    }
}

/// The larger value; NaN if one is.
#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    let is_nan = |value: T| value.partial_cmp(&value).is_none();
    if b > a || is_nan(b) { b } else { a }
}

impl<T: Real> Run<T> for MaxPoolKernel {
    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        self.0.each_group(
            batch,
            #[inline(always)]
            |from, to, count| {
                let mut best = load(&x[from..][..count]);
                for pixel in self.0.pixels().skip(1) {
                    let x = load(&x[from + pixel..][..count]);
                    best = std::array::from_fn(|i| larger(best[i], x[i]));
                }
                store(best, &mut y[to..][..count]);
            },
        );
    }

    /// The first of equal values takes the gradient, as in PyTorch.
    fn backward(&self, Backward { x, y, dy, dx, batch, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        dx.fill(T::default());
        self.0.each_group(
            batch,
            #[inline(always)]
            |from, to, count| {
                let (mut left, y) = (load(&dy[to..][..count]), load(&y[to..][..count]));
                for pixel in self.0.pixels() {
                    let x = load(&x[from + pixel..][..count]);
                    let taken = |i: usize| if x[i] == y[i] { left[i] } else { T::default() };
                    store(std::array::from_fn(taken), &mut dx[from + pixel..][..count]);
                    left = std::array::from_fn(|i| if x[i] == y[i] { T::default() } else { left[i] });
                }
            },
        );
    }
}

impl<T: Real> Run<T> for AvgPoolKernel {
    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        let (channels, area) = (self.0.channels, T::from_f64(self.0.area()));
        self.0.each(batch, |from, to| {
            let y = &mut y[to..][..channels];
            y.fill(T::default());
            for pixel in self.0.pixels() {
                y.iter_mut().zip(&x[from + pixel..]).for_each(|(y, &x)| *y += x);
            }
            y.iter_mut().for_each(|y| *y = *y / area);
        });
    }

    fn backward(&self, Backward { dy, dx, batch, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        let (channels, area) = (self.0.channels, T::from_f64(self.0.area()));
        dx.fill(T::default());
        self.0.each(batch, |from, to| {
            for pixel in self.0.pixels() {
                let dx = &mut dx[from + pixel..][..channels];
                dx.iter_mut().zip(&dy[to..]).for_each(|(dx, &dy)| *dx = dy / area);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Buffers, Norms},
        *,
    };

    #[test]
    fn a_window_with_nan_is_nan_and_the_first_largest_value_takes_the_gradient() {
        let channels = 18; // a group and a part of one
        let pool = MaxPoolKernel(Windows { channels, height: 2, width: 2, kernel: 2 });
        let mut x: Vec<f32> =
            [1.0, 3.0, 3.0, 2.0].into_iter().flat_map(|value| vec![value; channels]).collect();
        x[channels] = f32::NAN; // channel 0 of the second pixel
        let (mut y, mut dx) = (vec![0.0; channels], vec![7.0; x.len()]);
        let (weights, memory) = (&Buffers::default(), &mut Buffers::default());
        let norms = Norms::Running { mean: &[], var: &[] };
        pool.forward(Forward { weights, batch: 1, x: &x, y: &mut y, norms, memory });
        assert!(y[0].is_nan() && y[1..].iter().all(|&y| y == 3.0), "{y:?}");
        let dy: Vec<f32> = (1..=18).map(|c| c as f32).collect();
        let (gradient, dx_of) = (&mut [][..], Some(&mut dx[..]));
        pool.backward(Backward { weights, batch: 1, x: &x, y: &y, dy: &dy, dx: dx_of, gradient, memory });
        let expected: Vec<f32> = (0..4)
            .flat_map(|pixel| dy.iter().map(move |&dy| if pixel == 1 && dy > 1.0 { dy } else { 0.0 }))
            .collect();
        assert_eq!(dx, expected);
    }
}
