//! Pooling.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Pass, Shape, windows};
use crate::learner::torch::kernels::{AvgPoolKernel, MaxPoolKernel, Windows};

/// The largest value of every window; windows do not overlap.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool {
    /// Side of the window in pixels, at least 1.
    pub kernel: usize,
}

/// The mean of every window; windows do not overlap.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool {
    /// Side of the window in pixels, at least 1.
    pub kernel: usize,
}

fn pooled(input: Shape, kernel: usize) -> Result<Shape, String> {
    let (channels, height, width) = windows(input, kernel, kernel, 0)?;
    Ok(Shape::Image { channels, height, width })
}

fn pool_windows(input: Shape, kernel: usize) -> Option<Windows> {
    let Shape::Image { channels, height, width } = input else { return None };
    Some(Windows { channels, height, width, kernel })
}

impl Layer for MaxPool {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        pooled(input, self.kernel)
    }

    fn forward(&self, x: Tensor, _: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let window = [self.kernel as i64; 2];
        x.f_max_pool2d(window, window, [0, 0], [1, 1], false)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let windows = pool_windows(input, self.kernel)?;
        Some(Box::new(MaxPoolKernel { windows, rectified: false }))
    }
}

impl Layer for AvgPool {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        pooled(input, self.kernel)
    }

    fn forward(&self, x: Tensor, _: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let window = [self.kernel as i64; 2];
        x.f_avg_pool2d(window, window, [0, 0], false, true, None)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        Some(Box::new(AvgPoolKernel(pool_windows(input, self.kernel)?)))
    }
}
