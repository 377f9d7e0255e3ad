//! Everything is sorted by label.

use phalanx_robust::{describe::Described, random::Seed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut};
use crate::data::sampler::Order;

/// Label skew without any mixing: the samples are sorted by label, in random order within a label, and cut into equal
/// pieces, one a worker in the order of ids. Sizes differ by at most one; every sample is dealt once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Extreme {
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

impl Described for Extreme {
    const NAME: &'static str = "extreme";
    const SOURCE: &'static str = "folklore; extreme_niid of ByzFL";
}

impl PartitionRule for Extreme {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        check::enough(labels.len(), workers)?;
        let all = cut::shuffled(labels.len(), &mut seed.stream("data", 0, "partition", 0));
        let sorted = sorted(labels, &all);
        let shards = cut::evenly(&sorted, workers).into_iter().map(<[u32]>::to_vec).collect();
        Ok(Deal::Shards(Shards::new(shards, Order::replacing(self.replacement))))
    }
}

/// The samples at `positions` sorted by label, equal labels in their given order.
pub(super) fn sorted(labels: &[u8], positions: &[u32]) -> Vec<u32> {
    cut::by_class(labels, positions).concat()
}
