//! Every worker knows a few classes only.

use phalanx_robust::{
    describe::{Described, ParameterError},
    random::{Seed, Stream},
};
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut};
use crate::data::sampler::Order;

/// Label skew, also called pathological: every worker holds samples of k classes and no other. The classes are
/// shuffled; worker j holds the one at j mod K and k - 1 others drawn at random, and a class's samples are dealt
/// evenly among its holders. Classes that nobody drew, which needs fewer workers than classes, stay unused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Classes {
    /// Number of classes of a worker, k.
    #[schemars(range(min = 1))]
    pub per_worker: usize,
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

impl Default for Classes {
    fn default() -> Self {
        Self { per_worker: 2, replacement: false }
    }
}

impl Described for Classes {
    const NAME: &'static str = "classes";
    const SOURCE: &'static str = "Li, Diao, Chen & He, 2022 (#C = k); after McMahan et al., 2017";
}

impl PartitionRule for Classes {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        check::enough(labels.len(), workers)?;
        let rng = &mut seed.stream("data", 0, "partition", 0);
        let lists = cut::by_class(labels, &cut::shuffled(labels.len(), rng));
        let present: Vec<usize> = (0..lists.len()).filter(|&class| !lists[class].is_empty()).collect();
        let holds = (1..=present.len()).contains(&self.per_worker);
        ParameterError::unless(holds, "per_worker", self.per_worker, "from 1 to the number of classes")?;
        let hands = self.hands(present, workers, rng);
        let mut shards = vec![Vec::new(); workers];
        for (class, samples) in lists.iter().enumerate() {
            let holders: Vec<usize> = (0..workers).filter(|&worker| hands[worker].contains(&class)).collect();
            if !holders.is_empty() {
                let pieces = cut::evenly(samples, holders.len());
                holders
                    .iter()
                    .zip(pieces)
                    .for_each(|(&worker, piece)| shards[worker].extend_from_slice(piece));
            }
        }
        match shards.iter().position(Vec::is_empty) {
            Some(worker) => Err(PartitionError::Nothing { worker }),
            None => Ok(Deal::Shards(Shards::new(shards, Order::replacing(self.replacement)))),
        }
    }
}

impl Classes {
    /// The classes of each worker.
    fn hands(&self, mut classes: Vec<usize>, workers: usize, rng: &mut Stream) -> Vec<Vec<usize>> {
        classes.shuffle(rng);
        let hand = |worker: usize| {
            let own = classes[worker % classes.len()];
            let mut others: Vec<usize> = classes.iter().copied().filter(|&class| class != own).collect();
            others.shuffle(rng);
            others.truncate(self.per_worker - 1);
            [vec![own], others].concat()
        };
        (0..workers).map(hand).collect()
    }
}
