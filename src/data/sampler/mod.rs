//! Where a worker's batches come from. A draw is a function of the round
//! alone; the permutation of the epoch in hand is kept only to save time.

mod noise;
mod shard;
mod stream;

pub use noise::NoiseSampler;
use phalanx_robust::random::{Seed, Stream};
pub use shard::{Order, Shard, ShardSampler};
pub use stream::{Shared, StreamSampler};

/// A batch that cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplerError {
    /// A batch of nothing.
    #[error("worker {worker} has batch_size = 0; a batch holds at least one sample")]
    Empty {
        /// Whose batch.
        worker: usize,
    },
    /// A worker that holds no sample.
    #[error("worker {worker} holds no sample")]
    Nothing {
        /// Who that is.
        worker: usize,
    },
    /// More samples than the worker holds.
    #[error("worker {worker} has batch_size = {batch}, more than the {shard} samples of its shard")]
    Large {
        /// Whose batch.
        worker: usize,
        /// Samples in a batch.
        batch: usize,
        /// Samples in its shard.
        shard: usize,
    },
    /// More samples in one round than there are.
    #[error("the batches of one round hold {batch} samples, more than the {samples} of the training set")]
    Global {
        /// Samples of all workers' batches together.
        batch: usize,
        /// Samples in the training set.
        samples: usize,
    },
}

/// The random numbers of a worker's batch in `round`.
fn batch_stream(seed: Seed, worker: usize, round: u64) -> Stream {
    seed.stream("worker", worker as u64, "batch", round)
}
