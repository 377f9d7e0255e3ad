//! Dropout.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Pass, Shape};
use crate::learner::torch::kernels::DropoutKernel;

/// In training every value is 0 with probability `rate`, each on its own, and else divided by 1 - rate; in evaluations all
/// are as they were.
///
/// A worker draws from the random numbers of its batch, so that x_t and x_{t-1} lose the same values.
///
/// Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: A Simple Way to Prevent Neural Networks from
/// Overfitting", 2014.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability that a value is dropped, at least 0 and below 1.
    pub rate: f64,
}

impl Layer for Dropout {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        if (0.0..1.0).contains(&self.rate) {
            return Ok(input);
        }
        Err(format!("a rate of at least 0 and below 1, not {}", self.rate))
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        pass.drop_out(x, self.rate)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        Some(Box::new(DropoutKernel { len: input.len(), rate: self.rate }))
    }
}
