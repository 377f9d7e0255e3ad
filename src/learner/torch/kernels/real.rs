//! The number formats of the kernels.

use std::ops::{AddAssign, Div, Mul};

use phalanx_robust::simd;

use super::{Kernel, Run};

/// f32 or f64, alone and in SIMD lanes, for which a layer has a kernel.
pub trait Real: simd::Real + AddAssign + Mul<Output = Self> + Div<Output = Self> {
    /// The kernel for this format.
    fn of(kernel: &dyn Kernel) -> &dyn Run<Self>;
}

impl Real for f32 {
    fn of(kernel: &dyn Kernel) -> &dyn Run<Self> {
        kernel
    }
}

impl Real for f64 {
    fn of(kernel: &dyn Kernel) -> &dyn Run<Self> {
        kernel
    }
}
