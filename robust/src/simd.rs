//! The two number formats of host vectors, and the SIMD operations that kernels need of both. Vectors, the passes over
//! batches and the layers of a learner are written against it; it knows nothing of rows or rules.
//!
//! A kernel is written once, generic over [`Real`] and over pulp's `Simd`;
//! `pulp::Arch` picks AVX-512, AVX2 with FMA, NEON or plain code when it runs.

use std::{
    fmt::Debug,
    ops::{Add, Mul, Sub},
};

use pulp::{Arch, Simd, WithSimd};

use crate::Vector;

/// f32 or f64, alone and in SIMD lanes.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Mul<Output = Self>
    + Sub<Output = Self>
    + 'static
{
    /// One SIMD register of these.
    type Lanes<S: Simd>: Copy;
    /// Yes or no for each of these lanes.
    type Mask<S: Simd>: Copy;

    /// The coordinates of a host vector of this format.
    fn view(vector: &Vector) -> Option<&[Self]>;
    /// The host vector of these coordinates.
    fn vector(values: Vec<Self>) -> Vector;
    /// The same value in f64.
    fn to_f64(self) -> f64;
    /// The nearest value; overflow becomes infinite.
    fn from_f64(value: f64) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// -1, 0 or 1.
    #[inline(always)]
    fn sign(self) -> Self {
        let (zero, one) = (Self::default(), Self::from_f64(1.0));
        let up = if self > zero { one } else { zero };
        let down = if self < zero { one } else { zero };
        up - down
    }
    /// The nearest to a value of either format.
    #[inline(always)]
    fn nearest<R: Real>(value: R) -> Self {
        Self::from_f64(value.to_f64())
    }

    /// The whole registers at the start of a slice, and what is left.
    fn split<S: Simd>(values: &[Self]) -> (&[Self::Lanes<S>], &[Self]);
    /// As [`split`](Self::split), to write.
    fn split_mut<S: Simd>(values: &mut [Self]) -> (&mut [Self::Lanes<S>], &mut [Self]);
    /// A register full of one value.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Lanes<S>;
    /// The smaller value of every lane.
    fn min<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// The larger value of every lane.
    fn max<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a + b.
    fn plus<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Lanes<S>;
    /// a·b + c, rounded once where the hardware does so.
    fn mul_add<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>, c: Self::Lanes<S>) -> Self::Lanes<S>;
    /// The sum over the lanes.
    fn sum<S: Simd>(simd: S, a: Self::Lanes<S>) -> f64;

    /// Whether a = b.
    fn equal<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    /// Whether a < b.
    fn less_than<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    /// Whether a ≤ b.
    fn less_than_or_equal<S: Simd>(simd: S, a: Self::Lanes<S>, b: Self::Lanes<S>) -> Self::Mask<S>;
    /// `yes` where the mask says so, else `no`.
    fn select<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        yes: Self::Lanes<S>,
        no: Self::Lanes<S>,
    ) -> Self::Lanes<S>;
}

/// Runs plain loops compiled for the best instruction set at hand. `work` must be `#[inline(always)]`, and so
/// must what it calls, or they stay compiled for the oldest.
#[inline(always)]
pub fn vectorised<R>(work: impl FnMut() -> R) -> R {
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

/// Sees whether values are finite: 0·x is NaN for those alone that are not, and NaN stays in a sum.
pub(crate) struct Finite<S: Simd, T: Real>(T::Lanes<S>);

impl<S: Simd, T: Real> Finite<S, T> {
    /// Before any value.
    #[inline(always)]
    pub(crate) fn new(simd: S) -> Self {
        Self(T::splat(simd, T::default()))
    }

    /// Looks at the values in a register.
    #[inline(always)]
    pub(crate) fn see(&mut self, simd: S, x: T::Lanes<S>) {
        self.0 = T::mul_add(simd, x, T::splat(simd, T::default()), self.0);
    }

    /// Whether all that was seen is finite, and the `rest`, which fills no register.
    #[inline(always)]
    pub(crate) fn all(&self, simd: S, rest: &[T]) -> bool {
        !T::sum(simd, self.0).is_nan() & rest.iter().all(|x| x.to_f64().is_finite())
    }
}

macro_rules! real {
    ($type:ident, $variant:ident, $lanes:ident, $mask:ident, $split:ident, $split_mut:ident, $splat:ident, $min:ident, $max:ident, $add:ident, $mul_add:ident, $sum:ident, $equal:ident, $less_than:ident, $less_than_or_equal:ident, $select:ident) => {
        impl Real for $type {
            type Lanes<S: Simd> = S::$lanes;
            type Mask<S: Simd> = S::$mask;

            fn view(vector: &Vector) -> Option<&[Self]> {
                match vector {
                    Vector::$variant(values) => Some(values),
                    _ => None,
                }
            }

            fn vector(values: Vec<Self>) -> Vector {
                values.into()
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
            fn abs(self) -> Self {
                Self::abs(self)
            }

            #[inline(always)]
            fn split<S: Simd>(values: &[Self]) -> (&[S::$lanes], &[Self]) {
                S::$split(values)
            }

            #[inline(always)]
            fn split_mut<S: Simd>(values: &mut [Self]) -> (&mut [S::$lanes], &mut [Self]) {
                S::$split_mut(values)
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$lanes {
                simd.$splat(value)
            }

            #[inline(always)]
            fn min<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$min(a, b)
            }

            #[inline(always)]
            fn max<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$max(a, b)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$lanes {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes, c: S::$lanes) -> S::$lanes {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$lanes) -> f64 {
                f64::from(simd.$sum(a))
            }

            #[inline(always)]
            fn equal<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$mask {
                simd.$equal(a, b)
            }

            #[inline(always)]
            fn less_than<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$mask {
                simd.$less_than(a, b)
            }

            #[inline(always)]
            fn less_than_or_equal<S: Simd>(simd: S, a: S::$lanes, b: S::$lanes) -> S::$mask {
                simd.$less_than_or_equal(a, b)
            }

            #[inline(always)]
            fn select<S: Simd>(simd: S, mask: S::$mask, yes: S::$lanes, no: S::$lanes) -> S::$lanes {
                simd.$select(mask, yes, no)
            }
        }
    };
}

real!(
    f32,
    F32,
    f32s,
    m32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    min_f32s,
    max_f32s,
    add_f32s,
    mul_add_e_f32s,
    reduce_sum_f32s,
    equal_f32s,
    less_than_f32s,
    less_than_or_equal_f32s,
    select_f32s
);
real!(
    f64,
    F64,
    f64s,
    m64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    min_f64s,
    max_f64s,
    add_f64s,
    mul_add_e_f64s,
    reduce_sum_f64s,
    equal_f64s,
    less_than_f64s,
    less_than_or_equal_f64s,
    select_f64s
);
