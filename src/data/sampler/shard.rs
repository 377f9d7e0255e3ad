//! Batches from a worker's own shard.

use std::sync::Arc;

use phalanx_actors::learner::{Draw, Sampler};
use phalanx_robust::random::Seed;
use rand::{RngExt, seq::SliceRandom};

use super::{SamplerError, batch_stream};

/// In which order a worker goes through its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Every epoch goes through the whole shard in a new random order. Batches follow each other without a gap, so
    /// that one may hold the end of an epoch and the start of the next, and every sample is seen equally often. A worker
    /// that is not called in every round passes over the batches of the others, and sees some samples more often.
    Epochs,
    /// Every sample of a batch is drawn on its own, with replacement.
    Replacement,
}

impl Order {
    /// With or without replacement.
    pub fn replacing(replacement: bool) -> Self {
        if replacement { Self::Replacement } else { Self::Epochs }
    }
}

/// What one worker holds.
#[derive(Clone, Debug)]
pub struct Shard {
    /// Id of the worker.
    pub worker: usize,
    /// Positions of its samples in the training set.
    pub indices: Arc<[u32]>,
    /// Labels of the whole training set.
    pub labels: Arc<Vec<u8>>,
}

/// Draws batches from one shard.
#[derive(Clone, Debug)]
pub struct ShardSampler {
    shard: Shard,
    batch: usize,
    order: Order,
    seed: Seed,
    epoch: Option<Epoch>,
}

#[derive(Clone, Debug)]
struct Epoch {
    number: u64,
    indices: Vec<u32>,
}

impl ShardSampler {
    /// Batches of `batch` samples.
    ///
    /// # Errors
    /// [`SamplerError::Empty`]; [`SamplerError::Nothing`] for an empty shard, [`SamplerError::Large`] for a batch larger
    /// than the shard, in either order.
    pub fn new(shard: Shard, batch: usize, order: Order, seed: Seed) -> Result<Self, SamplerError> {
        let (worker, held) = (shard.worker, shard.indices.len());
        match batch {
            0 => Err(SamplerError::Empty { worker }),
            _ if held == 0 => Err(SamplerError::Nothing { worker }),
            _ if batch > held => Err(SamplerError::Large { worker, batch, shard: held }),
            _ => Ok(Self { shard, batch, order, seed, epoch: None }),
        }
    }

    /// The shard in the order of epoch `number`, from 0.
    fn epoch(&mut self, number: u64) -> &[u32] {
        if self.epoch.as_ref().is_none_or(|epoch| epoch.number != number) {
            let mut indices = self.epoch.take().map_or_else(Vec::new, |epoch| epoch.indices);
            indices.clear();
            indices.extend_from_slice(&self.shard.indices);
            indices.shuffle(&mut self.seed.stream("worker", self.shard.worker as u64, "epoch", number));
            self.epoch = Some(Epoch { number, indices });
        }
        self.epoch.as_ref().map_or(&[], |epoch| &epoch.indices)
    }

    fn in_epochs(&mut self, round: u64) -> Vec<usize> {
        let (held, batch) = (self.shard.indices.len() as u64, self.batch as u64);
        let mut position = round.saturating_sub(1) * batch;
        let end = position + batch;
        let mut drawn = Vec::with_capacity(self.batch);
        while position < end {
            let (number, within) = (position / held, position % held);
            let taken = (held - within).min(end - position);
            let slice = &self.epoch(number)[within as usize..(within + taken) as usize];
            drawn.extend(slice.iter().map(|&index| index as usize));
            position += taken;
        }
        drawn
    }

    fn with_replacement(&self, round: u64) -> Vec<usize> {
        let held = &self.shard.indices;
        let mut rng = self.seed.stream("worker", self.shard.worker as u64, "indices", round);
        (0..self.batch).map(|_| held[rng.random_range(0..held.len())] as usize).collect()
    }
}

impl Sampler for ShardSampler {
    fn draw(&mut self, round: u64) -> Draw {
        let indices = match self.order {
            Order::Epochs => self.in_epochs(round),
            Order::Replacement => self.with_replacement(round),
        };
        let labels = indices.iter().map(|&index| i64::from(self.shard.labels[index])).collect();
        Draw { indices, labels, rng: batch_stream(self.seed, self.shard.worker, round) }
    }
}
