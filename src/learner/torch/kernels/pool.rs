//! Pooling over windows that do not overlap.

use std::any::Any;

use super::{
    Backward, Forward, Kernel, Real, ReluKernel, Run, Windows,
    windows::{Pass, Stage},
};

/// The largest value of every window, or 0 if that is larger and a rectifier goes before or behind.
#[derive(Debug)]
pub struct MaxPoolKernel {
    /// The windows.
    pub windows: Windows,
    /// Whether the values are rectified.
    pub rectified: bool,
}

/// The mean of every window.
#[derive(Debug)]
pub struct AvgPoolKernel(pub Windows);

impl<T: Real> Run<T> for MaxPoolKernel {
    /// The rectified largest value is the largest rectified one.
    fn joined(&self, next: &dyn Kernel) -> Option<Box<dyn Kernel>> {
        let next: &dyn Any = next;
        next.is::<ReluKernel>()
            .then(|| Box::new(Self { windows: self.windows, rectified: true }) as Box<dyn Kernel>)
    }

    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        Stage::pooling(self.windows, self.rectified).forward(batch, x, y);
    }

    /// The first of equal values takes the gradient, as in PyTorch.
    fn backward(&self, Backward { x, y, dy, dx, batch, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        if !self.windows.whole() {
            dx.fill(T::default());
        }
        Stage::pooling(self.windows, self.rectified).backward(batch, [x, y, dy], &mut Pass(dx));
    }
}

impl AvgPoolKernel {
    /// Calls `f` with every window: where it starts in the input, and in the output.
    fn each(&self, batch: usize, mut f: impl FnMut(usize, usize)) {
        self.0.each_line(batch, |from, to| {
            self.0.along().for_each(|(corner, out)| f(from + corner, to + out));
        });
    }

    fn area<T: Real>(&self) -> T {
        T::from_f64((self.0.kernel * self.0.kernel) as f64)
    }
}

impl<T: Real> Run<T> for AvgPoolKernel {
    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        let area = self.area();
        self.each(batch, |from, to| {
            let y = &mut y[to..][..self.0.channels];
            y.fill(T::default());
            for pixel in self.0.offsets() {
                y.iter_mut().zip(&x[from + pixel..]).for_each(|(y, &x)| *y += x);
            }
            y.iter_mut().for_each(|y| *y = *y / area);
        });
    }

    fn backward(&self, Backward { dy, dx, batch, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        let area = self.area();
        dx.fill(T::default());
        self.each(batch, |from, to| {
            for pixel in self.0.offsets() {
                let dx = &mut dx[from + pixel..][..self.0.channels];
                dx.iter_mut().zip(&dy[to..]).for_each(|(dx, &dy)| *dx = dy / area);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Buffers, Mode},
        *,
    };

    #[test]
    fn a_window_with_nan_is_nan_and_the_first_largest_value_takes_the_gradient() {
        let channels = 18; // a group and a part of one
        let windows = Windows { channels, height: 2, width: 2, kernel: 2 };
        let pool = MaxPoolKernel { windows, rectified: false };
        let mut x: Vec<f32> =
            [1.0, 3.0, 3.0, 2.0].into_iter().flat_map(|value| vec![value; channels]).collect();
        x[channels] = f32::NAN; // channel 0 of the second pixel
        let (mut y, mut dx) = (vec![0.0; channels], vec![7.0; x.len()]);
        let (weights, memory) = (&Buffers::default(), &mut Buffers::default());
        let mode = Mode::Evaluation { mean: &[], var: &[] };
        pool.forward(Forward { weights, batch: 1, x: &x, y: &mut y, mode, memory });
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
