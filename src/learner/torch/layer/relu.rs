//! The rectifier.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Pass, Shape};
use crate::learner::torch::kernels::ReluKernel;

/// max(x, 0).
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Layer for Relu {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, x: Tensor, _: &mut Pass<'_>) -> Result<Tensor, TchError> {
        x.f_relu()
    }

    fn kernel(&self, _: Shape) -> Option<Box<dyn Kernel>> {
        Some(Box::new(ReluKernel))
    }
}
