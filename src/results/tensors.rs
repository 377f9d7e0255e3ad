//! A vector as a tensor of a safetensors file: one dimension, little-endian.

use std::borrow::Cow;

use phalanx_robust::{Dtype, Vector};
use safetensors::{View, tensor::TensorView};

/// A vector to be written.
pub(crate) struct Written<'a> {
    vector: &'a Vector,
    shape: [usize; 1],
}

impl<'a> Written<'a> {
    pub fn new(vector: &'a Vector) -> Self {
        Self { vector, shape: [vector.len()] }
    }

    fn bytes(&self) -> Vec<u8> {
        match (self.vector.dtype(), self.vector.as_f32()) {
            (Dtype::F32, Some(values)) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            (Dtype::F32, None) => {
                self.vector.to_f64().iter().flat_map(|&v| (v as f32).to_le_bytes()).collect()
            }
            (Dtype::F64, _) => self.vector.to_f64().iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

impl View for Written<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        match self.vector.dtype() {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F64 => safetensors::Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.vector.bytes() as usize
    }
}

/// The vector of host memory that a tensor holds; none if it is no vector of f32 or f64.
pub(crate) fn read(tensor: &TensorView<'_>) -> Option<Vector> {
    let (&[_], bytes) = (tensor.shape(), tensor.data()) else { return None };
    match tensor.dtype() {
        safetensors::Dtype::F32 => {
            let values = bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
            Some(values.collect::<Vec<_>>().into())
        }
        safetensors::Dtype::F64 => {
            let values = bytes.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk));
            Some(values.collect::<Vec<_>>().into())
        }
        _ => None,
    }
}
