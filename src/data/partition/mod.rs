//! How the training data is dealt to its holders: all workers and attackers,
//! or the honest workers alone, from whose shards attackers then draw too
//! ([`Deal::lend`]).
//!
//! A partition is a config struct with [`PartitionRule`]; its [`Deal`] makes
//! the workers' samplers. A new one is one file here and one line of [`built_in`].

mod check;
mod classes;
mod cut;
mod dirichlet;
mod extreme;
mod gamma_similarity;
mod iid;
mod proportions;
mod quantity;
mod shared_stream;

use std::sync::Arc;

use phalanx_actors::learner::Sampler;
use phalanx_robust::{
    describe::{Described, ParameterError, counted},
    random::Seed,
};

pub use classes::Classes;
pub use dirichlet::Dirichlet;
pub use extreme::Extreme;
pub use gamma_similarity::GammaSimilarity;
pub use iid::Iid;
pub use quantity::{Quantity, Sizes};
pub use shared_stream::SharedStream;

use super::sampler::{Order, SamplerError, Shard, ShardSampler, Shared, StreamSampler};

/// Data that cannot be dealt as configured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// Some worker would hold nothing.
    #[error("{} cannot be dealt to {}", counted(*.samples, "sample"), counted(*.workers, "worker"))]
    Few {
        /// Number of training samples.
        samples: usize,
        /// Number of workers.
        workers: usize,
    },
    /// One worker would hold nothing.
    #[error("worker {worker} would hold no sample")]
    Nothing {
        /// Its id.
        worker: usize,
    },
    /// Only shards can be lent.
    #[error(
        "all workers draw from one stream here, so that nobody holds data; `holders = \"honest\"` needs shards"
    )]
    Stream,
    /// A parameter that cannot be used.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Another number of shards than of workers.
    #[error("it deals {} to {}", counted(*.shards, "shard"), counted(*.workers, "worker"))]
    Shards {
        /// How many were dealt.
        shards: usize,
        /// How many are needed.
        workers: usize,
    },
    /// A sample that is not there.
    #[error("worker {worker} is dealt sample {index} of {samples}")]
    Sample {
        /// To whom it is dealt.
        worker: usize,
        /// Its position.
        index: u32,
        /// Number of training samples.
        samples: usize,
    },
    /// What a partition from outside says of itself.
    #[error("{0}")]
    Other(String),
}

/// The training data as dealt.
#[derive(Clone, Debug)]
pub enum Deal {
    /// Each worker holds samples of its own, from which it draws alone.
    Shards(Shards),
    /// All workers draw from one stream over the whole training set.
    Stream,
}

/// What each worker holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Shards {
    /// Positions in the training set, one list a worker, by id.
    pub shards: Vec<Arc<[u32]>>,
    /// In which order a worker goes through its shard.
    pub order: Order,
    /// How many samples were moved after the draw, to give every worker the least it must hold.
    pub moved: usize,
}

impl Shards {
    /// Shards as drawn: for each worker, by id, the positions of its samples in the training set. A worker has one at
    /// least; two may have the same.
    pub fn new(shards: Vec<Vec<u32>>, order: Order) -> Self {
        Self { shards: shards.into_iter().map(Arc::from).collect(), order, moved: 0 }
    }
}

impl Deal {
    /// The deal to `workers` workers, of whom those after the holders draw from the holders' shards: the k-th of them,
    /// from 0, from that of holder k mod their number.
    ///
    /// # Errors
    /// [`PartitionError::Stream`] for a deal without shards.
    pub fn lend(self, workers: usize) -> Result<Self, PartitionError> {
        match self {
            Self::Shards(dealt) => {
                let shards = dealt.shards.iter().cycle().take(workers).cloned().collect();
                Ok(Self::Shards(Shards { shards, ..dealt }))
            }
            Self::Stream => Err(PartitionError::Stream),
        }
    }

    /// The same, if each of `workers` holders has a shard, of which each sample is among the `samples` that there are.
    ///
    /// # Errors
    /// [`PartitionError::Shards`] or [`PartitionError::Sample`].
    pub fn checked(self, samples: usize, workers: usize) -> Result<Self, PartitionError> {
        let Self::Shards(Shards { shards, .. }) = &self else { return Ok(self) };
        if shards.len() != workers {
            return Err(PartitionError::Shards { shards: shards.len(), workers });
        }
        for (worker, shard) in shards.iter().enumerate() {
            if let Some(&index) = shard.iter().find(|&&index| index as usize >= samples) {
                return Err(PartitionError::Sample { worker, index, samples });
            }
        }
        Ok(self)
    }

    /// How many samples each worker draws from, by id; None where no shards are held.
    pub fn held(&self) -> Option<Vec<usize>> {
        match self {
            Self::Shards(dealt) => Some(dealt.shards.iter().map(|shard| shard.len()).collect()),
            Self::Stream => None,
        }
    }

    /// The samplers of all workers, by id: worker j draws batches of `batches[j]` samples with these `labels`.
    ///
    /// # Errors
    /// [`SamplerError`] for a batch that is empty or larger than what it is drawn from.
    pub fn samplers(
        &self,
        labels: &Arc<Vec<u8>>,
        batches: &[usize],
        seed: Seed,
    ) -> Result<Vec<Box<dyn Sampler>>, SamplerError> {
        match self {
            Self::Shards(Shards { shards, order, .. }) => {
                let sampler = |(worker, (shard, &batch)): (usize, (&Arc<[u32]>, &usize))| {
                    let shard = Shard { worker, indices: shard.clone(), labels: labels.clone() };
                    let sampler = ShardSampler::new(shard, batch, *order, seed)?;
                    Ok(Box::new(sampler) as Box<dyn Sampler>)
                };
                shards.iter().zip(batches).enumerate().map(sampler).collect()
            }
            Self::Stream => {
                let shared = Shared::new(labels, batches, seed)?;
                let sampler = |worker| Box::new(StreamSampler::new(&shared, worker)) as Box<dyn Sampler>;
                Ok((0..batches.len()).map(sampler).collect())
            }
        }
    }
}

/// A partition as configured.
///
/// ```
/// use phalanx::{
///     Program,
///     data::{
///         partition::{Deal, PartitionError, PartitionRule, Shards},
///         sampler::Order,
///     },
/// };
/// use phalanx_robust::{describe::Described, random::Seed};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// Samples are dealt in turn, in the order of the training set.
/// #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct InTurn {}
///
/// impl Described for InTurn {
///     const NAME: &'static str = "in-turn";
///     const SOURCE: &'static str = "an example";
/// }
///
/// impl PartitionRule for InTurn {
///     fn deal(&self, labels: &[u8], workers: usize, _: Seed) -> Result<Deal, PartitionError> {
///         let samples = labels.len() as u32;
///         let shards = (0..workers as u32).map(|worker| (worker..samples).step_by(workers).collect());
///         Ok(Deal::Shards(Shards::new(shards.collect(), Order::Epochs)))
///     }
/// }
///
/// let program = Program::new().partition::<InTurn>();
/// # let _ = program;
/// ```
pub trait PartitionRule: Described {
    /// Deals the samples with these `labels` to `workers` holders; random numbers are those of streams of `seed`. What is
    /// returned is held against [`Deal::checked`].
    ///
    /// # Errors
    /// [`PartitionError`].
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError>;
}

/// Is shown every built-in partition.
pub trait PartitionVisitor {
    /// Called once for each.
    fn visit<P: PartitionRule>(&mut self);
}

/// The partitions built in.
pub fn built_in(v: &mut impl PartitionVisitor) {
    v.visit::<Iid>();
    v.visit::<SharedStream>();
    v.visit::<Dirichlet>();
    v.visit::<GammaSimilarity>();
    v.visit::<Extreme>();
    v.visit::<Classes>();
    v.visit::<Quantity>();
}
