//! The number formats of a model: of its vectors, and of what it computes in.

use phalanx_robust::Dtype;
use tch::Kind;

use super::convert;

/// Number formats of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats throughout.
    F32,
    /// 64-bit floats throughout.
    F64,
    /// Mixed, as PyTorch's autocast: activations and the parameters that multiply them are bf16, forward and back.
    /// Parameters, gradients, batch normalisation's scales and statistics, and the loss are f32.
    Bf16,
}

impl Precision {
    /// That of parameters and gradients.
    pub fn vectors(self) -> Dtype {
        match self {
            Self::F32 | Self::Bf16 => Dtype::F32,
            Self::F64 => Dtype::F64,
        }
    }

    /// libtorch's name of that of activations.
    pub(super) fn activations(self) -> Kind {
        match self {
            Self::Bf16 => Kind::BFloat16,
            Self::F32 | Self::F64 => convert::kind(self.vectors()),
        }
    }
}
