//! Batch normalisation.

use tch::{TchError, Tensor};

use super::{Kernel, Layer, Parameter, Pass, Shape, Start};
use crate::learner::torch::kernels::{BatchNormKernel, Windows};

/// Normalises every channel of an image over the batch, with PyTorch's epsilon
/// 1e-5, then scales and shifts it. Every worker has statistics of its own.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm;

fn channels(input: Shape) -> usize {
    match input {
        Shape::Image { channels, .. } => channels,
        Shape::Flat(_) => 0,
    }
}

impl Layer for BatchNorm {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Image { .. } => Ok(input),
            Shape::Flat(_) => Err("an image".into()),
        }
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let channels = channels(input);
        vec![Parameter::new("weight", channels, Start::Ones), Parameter::new("bias", channels, Start::Zeros)]
    }

    fn tracked(&self, input: Shape) -> usize {
        channels(input)
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let weight = pass.exact_parameter(&[-1])?;
        let bias = pass.exact_parameter(&[-1])?;
        pass.normalise(x, weight, bias)
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let Shape::Image { channels, height, width } = input else { return None };
        let windows = Windows::pixels(channels, height, width);
        Some(Box::new(BatchNormKernel { windows, rectified: false }))
    }
}
