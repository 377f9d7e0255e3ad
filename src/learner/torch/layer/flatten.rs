//! From images to vectors.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Pass, Shape};
use crate::learner::torch::kernels::FlattenKernel;

/// Makes a vector of an image, channel by channel and row by row.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(Shape::Flat(input.len()))
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        if x.dim() == 3 {
            return Ok(x);
        }
        let batch = x.size4()?.0;
        x.f_reshape([batch, pass.groups(), -1])?.f_transpose(0, 1)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let (channels, pixels) = match input {
            Shape::Image { channels, height, width } => (channels, height * width),
            Shape::Flat(n) => (1, n),
        };
        Some(Box::new(FlattenKernel { channels, pixels }))
    }
}
