//! A share of the data is alike everywhere, the rest is sorted by label.

use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut, extreme::sorted};
use crate::data::sampler::Order;

/// Label skew: a random share gamma of the samples is dealt evenly at random, the rest is sorted by label and cut into
/// equal pieces, one a worker. gamma = 1 is iid, gamma = 0 is `extreme`. Sizes differ by at most two; every sample is
/// dealt once. ByzFL deals the same way, but takes the first samples of what it is given for the random share: of the
/// file, or in its benchmark of a random split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GammaSimilarity {
    /// The share that is dealt at random.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: f64,
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

impl Default for GammaSimilarity {
    fn default() -> Self {
        Self { gamma: 0.5, replacement: false }
    }
}

impl Described for GammaSimilarity {
    const NAME: &'static str = "gamma-similarity";
    const SOURCE: &'static str = "Karimireddy et al., 2020 (s% similarity); ByzFL";
}

impl PartitionRule for GammaSimilarity {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        ParameterError::fraction("gamma", self.gamma)?;
        check::enough(labels.len(), workers)?;
        let all = cut::shuffled(labels.len(), &mut seed.stream("data", 0, "partition", 0));
        let (alike, rest) = all.split_at((self.gamma * all.len() as f64).floor() as usize);
        let rest = sorted(labels, rest);
        let pieces = cut::evenly(alike, workers).into_iter().zip(cut::evenly(&rest, workers));
        let shards = pieces.map(|(alike, own)| [alike, own].concat()).collect();
        Ok(Deal::Shards(Shards::new(shards, Order::replacing(self.replacement))))
    }
}
