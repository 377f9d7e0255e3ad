//! The layers on the CPU without libtorch: forward and backward of one worker's batch, in f32 or f64.
//!
//! libtorch's convolutions are slow in f64 and pay, as every operation of a small network does, for being general. Here
//! a worker goes through the model alone and its activations stay in the core's cache; the weights, which all workers
//! share, are packed once for each point. Activations are `[b, height, width, channels]` or `[b, n]`, and every buffer
//! ends with [`SLACK`] values that registers may read and nobody uses.
//!
//! A [`Layer`](super::Layer) offers its kernel by `Layer::kernel`; a model all of whose layers do runs here, any other
//! one in libtorch. Nothing here knows libtorch, jobs or threads.

mod batch_norm;
mod chain;
mod conv;
mod dropout;
mod flatten;
mod lanes;
mod linear;
mod loss;
mod network;
mod pool;
mod product;
mod real;
mod relu;
mod residual;
mod sums;
mod windows;

use std::{any::Any, fmt::Debug, ops::Range};

use phalanx_robust::simd::vectorised;

pub(super) use batch_norm::BatchNormKernel;
pub(super) use chain::Chain;
pub(super) use conv::ConvKernel;
pub(super) use dropout::DropoutKernel;
pub(super) use flatten::FlattenKernel;
pub(super) use linear::LinearKernel;
pub(super) use network::{Network, Prepared, Spare, input};
pub(super) use pool::{AvgPoolKernel, MaxPoolKernel};
use product::SLACK;
pub use real::Real;
pub(super) use relu::ReluKernel;
pub(super) use residual::ResidualKernel;
pub(super) use windows::Windows;

use super::chance::Chance;

/// A layer's arithmetic in both number formats. It is closed: only layers built in have kernels, and a layer from outside is
/// computed by libtorch.
pub trait Kernel: Run<f32> + Run<f64> + Any + Debug + Send + Sync {}

impl<K: Run<f32> + Run<f64> + Any + Debug + Send + Sync> Kernel for K {}

/// A layer's arithmetic for the batch of one worker.
pub trait Run<T: Real> {
    /// The layer's parameters in the order that the passes read them.
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let _ = parameters;
        Buffers::default()
    }

    /// One kernel for this layer and the `next` one, if there is one: what lies between them is then not kept.
    fn joined(&self, next: &dyn Kernel) -> Option<Box<dyn Kernel>> {
        let _ = next;
        None
    }

    /// Samples without which there is nothing to compute.
    fn least_batch(&self) -> usize {
        1
    }

    /// Values that the layer keeps of a sample beside its output; whether the gradient at its input is asked for is told.
    fn kept(&self, input_gradient: bool) -> usize {
        let _ = input_gradient;
        0
    }

    /// Writes all of the output.
    fn forward(&self, pass: Forward<'_, T>);

    /// Writes all of the layer's gradient, and of the gradient at its input if that is asked for.
    fn backward(&self, pass: Backward<'_, T>);
}

/// What a forward pass of a layer reads and writes.
pub struct Forward<'a, T> {
    /// What [`Run::pack`] made.
    pub weights: &'a Buffers<T>,
    /// Number of samples, b.
    pub batch: usize,
    /// Input.
    pub x: &'a [T],
    /// Output.
    pub y: &'a mut [T],
    /// What the pass is for.
    pub mode: Mode<'a>,
    /// What the layer keeps for the backward pass.
    pub memory: &'a mut Buffers<T>,
}

/// What a backward pass of a layer reads and writes.
pub struct Backward<'a, T> {
    /// What [`Run::pack`] made.
    pub weights: &'a Buffers<T>,
    /// Number of samples, b.
    pub batch: usize,
    /// Input of the forward pass.
    pub x: &'a [T],
    /// Output of the forward pass.
    pub y: &'a [T],
    /// Gradient at the output.
    pub dy: &'a [T],
    /// Gradient at the input; none for the first layer with parameters.
    pub dx: Option<&'a mut [T]>,
    /// Gradient of the layer's parameters.
    pub gradient: &'a mut [T],
    /// What the forward pass kept.
    pub memory: &'a mut Buffers<T>,
}

/// Memory by position: of a layer, and of the layers inside it. It keeps its size from one pass to the next.
#[derive(Debug, Default)]
pub struct Buffers<T> {
    own: Vec<Vec<T>>,
    inner: Vec<Buffers<T>>,
}

impl<T: Real> Buffers<T> {
    /// Buffer `at`, with room for `len` values and the slack. What it held may still be there.
    fn sized(&mut self, at: usize, len: usize) -> &mut Vec<T> {
        if self.own.len() <= at {
            self.own.resize_with(at + 1, Vec::new);
        }
        let buffer = &mut self.own[at];
        buffer.resize(len + SLACK, T::default());
        buffer
    }
}

/// What a pass is for, and what layers need there that is not theirs; of statistics one value for each tracked channel.
pub enum Mode<'a> {
    /// A gradient. The batch is normalised by its own statistics, which are written here.
    Training {
        /// Means.
        mean: &'a mut [f64],
        /// Unbiased variances.
        var: &'a mut [f64],
        /// What layers draw, one after another.
        chance: &'a mut Chance,
    },
    /// An evaluation. It is normalised by the running statistics.
    Evaluation {
        /// Means.
        mean: &'a [f64],
        /// Variances.
        var: &'a [f64],
    },
}

impl Mode<'_> {
    /// The same with the statistics of some of the channels.
    fn part(&mut self, channels: Range<usize>) -> Mode<'_> {
        match self {
            Self::Training { mean, var, chance } => {
                Mode::Training { mean: &mut mean[channels.clone()], var: &mut var[channels], chance }
            }
            Self::Evaluation { mean, var } => {
                Mode::Evaluation { mean: &mean[channels.clone()], var: &var[channels] }
            }
        }
    }
}
