//! Label skew: every class is divided in random proportions of its own.

use phalanx_robust::{
    describe::{Described, ParameterError, Preset},
    random::{Seed, Stream},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut, proportions};
use crate::data::sampler::Order;

/// How many draws may leave a worker short before the last one is mended.
const ATTEMPTS: u64 = 100;

/// Label skew: for each class, proportions over the workers are drawn from Dirichlet(alpha, …, alpha) and the class's
/// samples, shuffled, are cut by them; every sample is dealt once. A deal that leaves a worker fewer than `min_size`
/// samples is drawn again, at most 100 times in all; then the last deal is mended by moving random samples from the
/// largest shard to the smallest, one at a time.
///
/// ByzFL has no minimum: its preset sets `min_size` to 0, and a worker left with less than a batch is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dirichlet {
    /// Concentration: towards 0 a class belongs to one worker, towards infinity the shards are alike.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: f64,
    /// The fewest samples that a worker may hold.
    pub min_size: usize,
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

impl Default for Dirichlet {
    fn default() -> Self {
        Self { alpha: 0.5, min_size: 10, replacement: false }
    }
}

impl Described for Dirichlet {
    const NAME: &'static str = "dirichlet";
    const SOURCE: &'static str = "Yurochkin et al., 2019; minimum size: Li, Diao, Chen & He, 2022";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Byzfl => Self { min_size: 0, ..Self::default() },
            Preset::Paper | Preset::Dahan => Self::default(),
        }
    }
}

impl PartitionRule for Dirichlet {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        ParameterError::positive("alpha", self.alpha)?;
        check::enough(labels.len(), workers)?;
        check::min_size(self.min_size, labels.len(), workers)?;
        let (mut shards, mut moved) = (Vec::new(), 0);
        for attempt in 0..ATTEMPTS {
            let rng = &mut seed.stream("data", 0, "partition", attempt);
            shards = self.draw(labels, workers, rng);
            if shards.iter().all(|shard| shard.len() >= self.min_size) {
                break;
            }
            if attempt + 1 == ATTEMPTS {
                moved = cut::refill(&mut shards, self.min_size, rng);
            }
        }
        Ok(Deal::Shards(Shards { moved, ..Shards::new(shards, Order::replacing(self.replacement)) }))
    }
}

impl Dirichlet {
    fn draw(&self, labels: &[u8], workers: usize, rng: &mut Stream) -> Vec<Vec<u32>> {
        let mut shards = vec![Vec::new(); workers];
        for class in cut::by_class(labels, &cut::shuffled(labels.len(), rng)) {
            let shares = proportions::dirichlet(workers, self.alpha, rng);
            let pieces = cut::proportionally(&class, &shares);
            shards.iter_mut().zip(pieces).for_each(|(shard, piece)| shard.extend_from_slice(piece));
        }
        shards
    }
}
