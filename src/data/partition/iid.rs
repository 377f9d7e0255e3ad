//! Disjoint shards of equal size, dealt at random.

use phalanx_robust::{describe::Described, random::Seed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut};
use crate::data::sampler::Order;

/// Disjoint shards of equal size, dealt at random: of n samples each of m workers gets floor(n/m), and the n mod m
/// left over stay unused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Iid {
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

impl Described for Iid {
    const NAME: &'static str = "iid";
    const SOURCE: &'static str = "folklore";
}

impl PartitionRule for Iid {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        check::enough(labels.len(), workers)?;
        let all = cut::shuffled(labels.len(), &mut seed.stream("data", 0, "partition", 0));
        let shards = all.chunks_exact(labels.len() / workers).take(workers).map(<[u32]>::to_vec).collect();
        Ok(Deal::Shards(Shards::new(shards, Order::replacing(self.replacement))))
    }
}
