//! Shards of unequal size and equal distribution.

use phalanx_robust::{
    describe::{Described, ParameterError, sole},
    random::{Seed, Stream},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, Shards, check, cut, proportions};
use crate::data::sampler::Order;

/// Quantity skew: samples are dealt at random in shards of unequal size. Every worker gets `min_size`, and what is left
/// is divided as `sizes` says; every sample is dealt once. Rules with `weights = "samples"` weigh vectors by these sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quantity {
    /// How what is beyond the minimum is divided: `{ dirichlet = { alpha = 0.5 } }`, proportions drawn from
    /// Dirichlet(alpha, …, alpha), or `{ power-law = { exponent = 1.0 } }`, proportional to j^-exponent for a random
    /// order j = 1, 2, … of the workers.
    #[serde(deserialize_with = "sole")]
    pub sizes: Sizes,
    /// The fewest samples that a worker may hold.
    pub min_size: usize,
    /// Whether batches are drawn with replacement; without, a worker goes through its whole shard, shuffled anew each time.
    /// Batches of rounds in which it takes no part are passed over.
    pub replacement: bool,
}

/// A law of sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sizes {
    /// Random proportions.
    Dirichlet {
        /// Concentration: towards 0 one worker takes all, towards infinity all take the same.
        alpha: f64,
    },
    /// Proportions that fall as a power of the rank.
    PowerLaw {
        /// How steeply; 0 makes all sizes equal.
        exponent: f64,
    },
}

impl Default for Quantity {
    fn default() -> Self {
        Self { sizes: Sizes::Dirichlet { alpha: 0.5 }, min_size: 10, replacement: false }
    }
}

impl Described for Quantity {
    const NAME: &'static str = "quantity";
    const SOURCE: &'static str = "Li, Diao, Chen & He, 2022 (Dirichlet); power law: folklore";
}

impl PartitionRule for Quantity {
    fn deal(&self, labels: &[u8], workers: usize, seed: Seed) -> Result<Deal, PartitionError> {
        check::enough(labels.len(), workers)?;
        check::min_size(self.min_size, labels.len(), workers)?;
        let rng = &mut seed.stream("data", 0, "partition", 0);
        let all = cut::shuffled(labels.len(), rng);
        let shares = self.sizes.shares(workers, rng)?;
        let (least, rest) = all.split_at(self.min_size * workers);
        let pieces = cut::evenly(least, workers).into_iter().zip(cut::proportionally(rest, &shares));
        let shards = pieces.map(|(least, more)| [least, more].concat()).collect();
        Ok(Deal::Shards(Shards::new(shards, Order::replacing(self.replacement))))
    }
}

impl Sizes {
    /// What share each worker takes.
    fn shares(&self, workers: usize, rng: &mut Stream) -> Result<Vec<f64>, ParameterError> {
        match *self {
            Self::Dirichlet { alpha } => {
                ParameterError::positive("sizes.dirichlet.alpha", alpha)?;
                Ok(proportions::dirichlet(workers, alpha, rng))
            }
            Self::PowerLaw { exponent } => {
                ParameterError::not_negative("sizes.power-law.exponent", exponent)?;
                let rank = |rank: u32| f64::from(rank + 1).powf(-exponent);
                Ok(cut::shuffled(workers, rng).into_iter().map(rank).collect())
            }
        }
    }
}
