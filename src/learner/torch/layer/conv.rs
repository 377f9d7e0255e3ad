//! Convolution.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Parameter, Pass, Shape, Start, windows};
use crate::learner::torch::kernels::ConvKernel;

/// A convolution with square windows. For g workers it is one convolution in g groups.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    /// Number of channels that come out.
    pub out: usize,
    /// Side of the window in pixels.
    pub kernel: usize,
    /// Step of the window in pixels, at least 1.
    pub stride: usize,
    /// Width of the frame of zeros in pixels.
    pub padding: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv {
    /// With stride 1 and a bias.
    pub fn new(out: usize, kernel: usize, padding: usize) -> Self {
        Self { out, kernel, stride: 1, padding, bias: true }
    }

    /// Without a bias.
    pub fn plain(out: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self { out, kernel, stride, padding, bias: false }
    }

    /// Values of one window.
    fn window(&self, input: Shape) -> usize {
        match input {
            Shape::Image { channels, .. } => channels * self.kernel * self.kernel,
            Shape::Flat(_) => 0,
        }
    }
}

impl Layer for Conv {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        let (_, height, width) = windows(input, self.kernel, self.stride, self.padding)?;
        Ok(Shape::Image { channels: self.out, height, width })
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let window = self.window(input);
        let start = Start::fan_in(window);
        let weight = Parameter::new("weight", self.out * window, start);
        let bias = self.bias.then(|| Parameter::new("bias", self.out, start));
        std::iter::once(weight).chain(bias).collect()
    }

    fn products(&self, input: Shape) -> u64 {
        self.output(input).map_or(0, |output| (output.len() * self.window(input)) as u64)
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let (groups, kernel) = (pass.groups(), self.kernel as i64);
        let out = groups * self.out as i64;
        let weight = pass.parameter(&[out, -1, kernel, kernel])?;
        let bias = if self.bias { Some(pass.parameter(&[out])?) } else { None };
        let both = |n: usize| [n as i64; 2];
        x.f_conv2d(&weight, bias, both(self.stride), both(self.padding), [1, 1], groups)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let Self { out, kernel, stride, padding, bias } = *self;
        let Shape::Image { channels, height, width } = input else { return None };
        let conv = ConvKernel { channels, height, width, out, kernel, stride, padding, bias };
        (padding < kernel).then(|| Box::new(conv) as Box<dyn Kernel>)
    }
}
