//! The running statistics of batch normalisation, which evaluation uses.

use phalanx_robust::{
    Vector,
    state::{State, StateError},
    to_device,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

/// PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// What becomes of the running statistics when workers report those of their
/// batches, the server's own not among them. Neither way is attacked: the statistics are those that forward passes found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNormPolicy {
    /// One update by every worker, in the order of their ids and with momentum 0.1, as the released code of Dahan & Levy.
    #[default]
    Tracked,
    /// One update by the coordinate-wise median of all workers' statistics (midpoint for an even number).
    Cwmed,
}

/// Running means and variances of all tracked channels, in f64 on the model's device.
#[derive(Debug)]
pub(super) struct Running {
    mean: Tensor,
    var: Tensor,
}

impl Clone for Running {
    fn clone(&self) -> Self {
        // Never written in place, so sharing is as good as a copy.
        Self { mean: self.mean.shallow_clone(), var: self.var.shallow_clone() }
    }
}

impl Running {
    /// Means of 0 and variances of 1.
    pub fn new(channels: usize, device: Device) -> Result<Self, TchError> {
        let options = (Kind::Double, device);
        let mean = Tensor::f_zeros([channels as i64], options)?;
        Ok(Self { mean, var: Tensor::f_ones([channels as i64], options)? })
    }

    fn channels(&self) -> usize {
        self.mean.numel()
    }

    /// The statistics of `channels` channels from `start` on.
    pub fn slice(&self, start: i64, channels: i64, kind: Kind) -> Result<(Tensor, Tensor), TchError> {
        let part = |all: &Tensor| Ok::<_, TchError>(all.f_narrow(0, start, channels)?.to_kind(kind));
        Ok((part(&self.mean)?, part(&self.var)?))
    }

    /// Means and variances on the host.
    pub fn values(&self) -> (Vec<f64>, Vec<f64>) {
        (super::convert::values(&self.mean), super::convert::values(&self.var))
    }

    /// Takes in the means and unbiased variances that m workers found, `[m, channels]` each, in their order.
    pub fn update(&mut self, policy: BatchNormPolicy, mean: &Tensor, var: &Tensor) -> Result<(), TchError> {
        let next = |old: &Tensor, found: &Tensor| match policy {
            BatchNormPolicy::Tracked => tracked(old, found),
            BatchNormPolicy::Cwmed => tracked(old, &median(found)?.f_unsqueeze(0)?),
        };
        (self.mean, self.var) = (next(&self.mean, mean)?, next(&self.var, var)?);
        Ok(())
    }

    /// As vectors by name; nothing without tracked channels.
    pub fn state(&self) -> State {
        let mut state = State::default();
        if self.channels() > 0 {
            for (name, values) in [("running_mean", &self.mean), ("running_var", &self.var)] {
                state.vectors.insert(name.into(), super::convert::values(values).into());
            }
        }
        state
    }

    /// The inverse of [`Self::state`].
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if self.channels() == 0 {
            return Ok(());
        }
        let read = |entry: &str| {
            let vector: &Vector = state.vector(COMPONENT, entry)?;
            let unusable = || StateError::Unusable { component: COMPONENT, entry: entry.to_owned() };
            if vector.len() != self.channels() {
                return Err(unusable());
            }
            Tensor::f_from_slice(&vector.to_f64())
                .map(|t| t.to_device(self.mean.device()))
                .map_err(|_| unusable())
        };
        (self.mean, self.var) = (read("running_mean")?, read("running_var")?);
        Ok(())
    }
}

const COMPONENT: &str = "the model";

/// n updates r ← 0.9 r + 0.1 s_i in a row, at once: r ← 0.9^n r + Σ 0.1 · 0.9^(n-i) s_i.
fn tracked(old: &Tensor, found: &Tensor) -> Result<Tensor, TchError> {
    let n = found.size2()?.0 as i32;
    let keep = 1.0 - MOMENTUM;
    let weights: Vec<f64> = (1..=n).map(|i| MOMENTUM * keep.powi(n - i)).collect();
    let weights = to_device(&Tensor::f_from_slice(&weights)?, old.device());
    old.f_mul_scalar(keep.powi(n))?.f_add(&found.f_transpose(0, 1)?.f_mv(&weights)?)
}

/// Column by column, the midpoint of the two middle values.
fn median(found: &Tensor) -> Result<Tensor, TchError> {
    let n = found.size2()?.0;
    let sorted = found.f_sort(0, false)?.0;
    sorted.f_select(0, (n - 1) / 2)?.f_add(&sorted.f_select(0, n / 2)?)?.f_mul_scalar(0.5)
}
