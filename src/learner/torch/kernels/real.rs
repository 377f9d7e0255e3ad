//! The number formats of the kernels, and the SIMD operations that products need of both.

use std::{
    fmt::Debug,
    ops::{Add, AddAssign, Div, Mul, Sub},
};

use phalanx_robust::Vector;
use pulp::{Arch, Simd, WithSimd};

use super::{Kernel, Run};

/// f32 or f64, alone and in SIMD lanes.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    /// One SIMD register of these.
    type Lanes<S: Simd>: Copy;

    /// The coordinates of a host vector of this format.
    fn view(vector: &Vector) -> Option<&[Self]>;
    /// The host vector of these coordinates.
    fn vector(values: Vec<Self>) -> Vector;
    /// The kernel for this format.
    fn of(kernel: &dyn Kernel) -> &dyn Run<Self>;
    /// The same value in f64.
    fn to_f64(self) -> f64;
    /// The nearest value.
    fn from_f64(value: f64) -> Self;
    /// A register full of one value.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Lanes<S>;
    /// a·b + c, rounded once.
    fn mul_add<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, c: Self::Lanes<S>) -> Self::Lanes<S>;
}

macro_rules! real {
    ($type:ident, $variant:ident, $lanes:ident, $splat:ident, $mul_add:ident) => {
        impl Real for $type {
            type Lanes<S: Simd> = S::$lanes;

            fn view(vector: &Vector) -> Option<&[Self]> {
                match vector {
                    Vector::$variant(values) => Some(values),
                    _ => None,
                }
            }

            fn vector(values: Vec<Self>) -> Vector {
                values.into()
            }

            fn of(kernel: &dyn Kernel) -> &dyn Run<Self> {
                kernel
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$lanes {
                simd.$splat(value)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes, c: S::$lanes) -> S::$lanes {
                simd.$mul_add(a, b, c)
            }
        }
    };
}

real!(f32, F32, f32s, splat_f32s, mul_add_f32s);
real!(f64, F64, f64s, splat_f64s, mul_add_f64s);

/// Runs plain loops compiled for the best instruction set at hand. `work` must be `#[inline(always)]`, and so
/// must what it calls, or they stay compiled for the oldest.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnMut() -> R) -> R {
    struct Loops<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Loops<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)() // by reference: a call by value goes through a shim that is not inlined
        }
    }
    Arch::new().dispatch(Loops(work))
}
