//! A vector in a libtorch tensor, on the CPU or a GPU.

use std::sync::atomic::{AtomicU64, Ordering};

use tch::{Device, Kind, Tensor};

use super::{Dtype, Vector};

static COPIES: AtomicU64 = AtomicU64::new(0);
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What vectors on a device have given to the host: each copy waits for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How often.
    pub copies: u64,
    /// How many numbers in all.
    pub numbers: u64,
}

/// What all threads of this process have copied from tensors to the host so far, by vectors and batches.
pub fn copied_to_host() -> Copied {
    Copied { copies: COPIES.load(Ordering::Relaxed), numbers: NUMBERS.load(Ordering::Relaxed) }
}

/// A copy takes microseconds at least; this takes nanoseconds.
pub(crate) fn count(numbers: usize) {
    COPIES.fetch_add(1, Ordering::Relaxed);
    NUMBERS.fetch_add(numbers as u64, Ordering::Relaxed);
}

/// The host's values on a device; it is not waited for what that computes. From memory of the host that is not locked, as
/// this is, CUDA has taken the values when the call returns.
pub fn to_device(host: &Tensor, device: Device) -> Tensor {
    host.to_device_(device, host.kind(), true, false)
}

/// A tensor that is never written through a shared reference.
#[derive(Debug)]
pub struct Shared(Tensor);

// SAFETY: libtorch lets several threads read one tensor at once (its reference
// counts are atomic and const methods do not mutate data); `Shared` hands out
// `&Tensor` alone, and every method here makes new tensors rather than writing in place.
unsafe impl Sync for Shared {}

impl Clone for Shared {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl Shared {
    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    pub(super) fn address(&self) -> usize {
        self.0.data_ptr() as usize
    }

    pub(super) fn len(&self) -> usize {
        self.0.numel()
    }

    pub(super) fn dtype(&self) -> Dtype {
        if self.0.kind() == Kind::Double { Dtype::F64 } else { Dtype::F32 }
    }

    pub(super) fn like(&self, values: &[f64]) -> Self {
        Self(to_device(&Tensor::from_slice(values).to_kind(self.0.kind()), self.0.device()))
    }

    /// The values as f64 on the host.
    pub(crate) fn to_f64(&self) -> Vec<f64> {
        let host = self.0.to_device(Device::Cpu).to_kind(Kind::Double).contiguous();
        let mut values = vec![0.0; host.numel()];
        count(values.len());
        host.copy_data(&mut values, host.numel());
        values
    }

    pub(super) fn at(&self, places: &[usize]) -> Vec<f64> {
        self.picked(places).to_f64()
    }

    pub(super) fn picked(&self, places: &[usize]) -> Self {
        let places: Vec<i64> = places.iter().map(|&i| i as i64).collect();
        let places = to_device(&Tensor::from_slice(&places), self.0.device());
        self.map(|x| x.index_select(0, &places))
    }

    pub(super) fn is_finite(&self) -> bool {
        count(1);
        self.0.isfinite().all().int64_value(&[]) != 0
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.0.size() == other.0.size()
            && self.0.kind() == other.0.kind()
            && self.0.device() == other.0.device()
    }

    pub(super) fn update(&mut self, f: impl FnOnce(&Tensor) -> Tensor) {
        self.0 = tch::no_grad(|| f(&self.0));
    }

    pub(super) fn map(&self, f: impl FnOnce(&Tensor) -> Tensor) -> Self {
        Self(tch::no_grad(|| f(&self.0)))
    }

    pub(super) fn dot(&self, other: &Self) -> f64 {
        count(1);
        let wide = |x: &Tensor| x.to_kind(Kind::Double);
        tch::no_grad(|| wide(&self.0).dot(&wide(&other.0)).double_value(&[]))
    }
}

impl From<Tensor> for Shared {
    fn from(tensor: Tensor) -> Self {
        Self(tensor.detach())
    }
}

/// # Panics
/// If the tensor is not one-dimensional, or of neither `Float` nor `Double` kind.
impl From<Tensor> for Vector {
    fn from(tensor: Tensor) -> Self {
        assert!(tensor.dim() == 1, "a vector has one dimension");
        assert!(matches!(tensor.kind(), Kind::Float | Kind::Double), "a vector holds f32 or f64");
        Self::Torch(tensor.into())
    }
}
