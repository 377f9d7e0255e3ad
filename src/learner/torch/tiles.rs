//! How the jobs of a round are cut into tiles that one pass answers. A tile
//! depends on the jobs alone, never on the number of threads.

use std::{collections::BTreeMap, ops::Deref};

use phalanx_actors::learner::Job;
use phalanx_robust::estimator::Points;
use tch::Device;

use super::{Model, Way};

/// Multiplications, those of the forward passes of all samples, that make a pass worth its overhead on a CPU. Measured on
/// two cores (simple-cnn, f32, 17 workers): at batch 4, 11 million a worker, one worker a pass costs 1.7 times the time of 17,
/// three 1.25 times and nine 1.05 times, while nine still leave work for several threads; at batch 32 tiles of one
/// are fastest.
const WORK: u64 = 100_000_000;

/// Values that a pass on a GPU may hold, 8 GiB in f32. The more workers a pass has, the better (measured: 17 workers with
/// batches of 4 or 128 in one pass take a quarter to a third of the time of one a pass).
const DEVICE_VALUES: usize = 1 << 31;

/// Values that libtorch keeps for each parameter, and for each value that a layer gives, at each of two points: copies,
/// gradients, and what layers keep for the way back, those within a residual block too.
const COPIES: usize = 2 * 4;

/// Positions of jobs that go through a model together; all have batches of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub jobs: Vec<usize>,
    /// Whether they ask for the gradient at x_{t-1} too.
    pub previous: bool,
}

impl Deref for Tile {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.jobs
    }
}

/// The most workers that one pass of libtorch should answer.
pub(super) fn largest(model: &Model, batch: usize, device: Device) -> usize {
    if device == Device::Cpu {
        let work = (model.products() * batch as u64).max(1);
        WORK.div_ceil(work).max(1) as usize
    } else {
        (DEVICE_VALUES / values(model, batch, device, Way::Torch).max(1)).max(1)
    }
}

/// Values that a pass holds for each of its workers with such batches, more or less: on a device at two points. Of layers
/// that have kernels it is known; libtorch was seen to hold 0.8 to 2.8 times as much a sample on the CPU, less in larger
/// batches.
pub(super) fn values(model: &Model, batch: usize, device: Device, way: Way) -> usize {
    match model.network().filter(|_| device == Device::Cpu) {
        Some(network) if way == Way::Kernels => model.dim() + batch * network.kept(),
        Some(network) => model.dim() + 2 * batch * network.kept(),
        None => COPIES * (model.dim() + batch * model.activations()),
    }
}

/// Cuts the jobs into tiles of nearly equal size, of at most as many workers as `largest` says of their batch size.
pub(super) fn cut(jobs: &[Job], largest: impl Fn(usize) -> usize) -> Vec<Tile> {
    let mut alike: BTreeMap<(usize, bool), Vec<usize>> = BTreeMap::new();
    for (position, job) in jobs.iter().enumerate() {
        let previous = job.points == Points::CurrentAndPrevious;
        alike.entry((job.draw.indices.len(), previous)).or_default().push(position);
    }
    let mut tiles = Vec::new();
    for ((batch, previous), positions) in alike {
        let each = positions.len().div_ceil(positions.len().div_ceil(largest(batch).max(1)));
        tiles.extend(positions.chunks(each).map(|jobs| Tile { jobs: jobs.to_vec(), previous }));
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::torch::{ModelRule, model::SimpleCnn};

    /// Peak memory was seen to grow by 0.38 MB a sample on two threads, in f32 and from 500 to 3,000 samples.
    #[test]
    fn libtorch_is_counted_with_what_it_was_seen_to_hold() {
        let model = SimpleCnn {}.build([1, 28, 28], 10).unwrap();
        let a_sample = |way| values(&model, 1001, Device::Cpu, way) - values(&model, 1, Device::Cpu, way);
        let seen = 1000 * 380_000 / (2 * 4);
        assert!((seen..3 * seen).contains(&a_sample(Way::Torch)));
        assert!(a_sample(Way::Kernels) < a_sample(Way::Torch));
    }

    /// 29,034 parameters; 62,730 values a sample: three of 16 x 784, one of 16 x 196, three of 32 x 196, two of 1,568, and
    /// the 10 classes.
    #[test]
    fn a_pass_on_a_gpu_holds_what_it_may() {
        let model = SimpleCnn {}.build([1, 28, 28], 10).unwrap();
        assert_eq!(model.activations(), 62_730);
        let most = |batch: usize| (1u64 << 31) / (8 * (29_034 + batch as u64 * 62_730));
        for batch in [4, 600] {
            assert_eq!(largest(&model, batch, Device::Cuda(0)) as u64, most(batch));
        }
        assert_eq!(largest(&model, 1 << 20, Device::Cuda(0)), 1);
    }
}
