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

    fn area(&self) -> f64 {
        (self.kernel * self.kernel) as f64
    }
}

impl<T: Real> Run<T> for MaxPoolKernel {
    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        let channels = self.0.channels;
        vectorised(
            #[inline(always)]
            || {
                self.0.each(
                    batch,
                    #[inline(always)]
                    |from, to| {
                        let y = &mut y[to..][..channels];
                        y.copy_from_slice(&x[from..][..channels]);
                        for pixel in self.0.pixels().skip(1) {
                            for (y, &x) in y.iter_mut().zip(&x[from + pixel..][..channels]) {
                                // The comparison is false for a NaN, which so replaces the value and stays.
                                *y = if *y >= x { *y } else { x };
                            }
                        }
                    },
                );
            },
        );
    }

    /// The first of equal values takes the gradient, as in PyTorch.
    fn backward(&self, Backward { x, y, dy, dx, batch, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        let channels = self.0.channels;
        let mut left = vec![T::default(); channels];
        dx.fill(T::default());
        vectorised(
            #[inline(always)]
            || {
                self.0.each(
                    batch,
                    #[inline(always)]
                    |from, to| {
                        left.copy_from_slice(&dy[to..][..channels]);
                        let y = &y[to..][..channels];
                        for pixel in self.0.pixels() {
                            let x = &x[from + pixel..][..channels];
                            let dx = &mut dx[from + pixel..][..channels];
                            for (((dx, left), &x), &y) in dx.iter_mut().zip(&mut left).zip(x).zip(y) {
                                let found = x == y;
                                *dx = if found { *left } else { T::default() };
                                *left = if found { T::default() } else { *left };
                            }
                        }
                    },
                );
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
