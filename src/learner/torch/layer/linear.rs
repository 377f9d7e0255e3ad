//! The fully connected layer.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Parameter, Pass, Shape, Start};
use crate::learner::torch::kernels::LinearKernel;

/// A fully connected layer with a bias. For g workers it is one batched product.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Number of values that come out.
    pub out: usize,
}

impl Layer for Linear {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Flat(_) => Ok(Shape::Flat(self.out)),
            Shape::Image { .. } => Err("a vector (a flatten layer makes one)".into()),
        }
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let start = Start::fan_in(input.len());
        vec![Parameter::new("weight", self.out * input.len(), start), Parameter::new("bias", self.out, start)]
    }

    fn products(&self, input: Shape) -> u64 {
        (self.out * input.len()) as u64
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let (groups, out) = (pass.groups(), self.out as i64);
        let weight = pass.parameter(&[groups, out, -1])?.f_transpose(1, 2)?;
        let bias = pass.parameter(&[groups, 1, out])?;
        bias.f_baddbmm(&x, &weight, 1, 1)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        Some(Box::new(LinearKernel { input: input.len(), out: self.out }))
    }
}
