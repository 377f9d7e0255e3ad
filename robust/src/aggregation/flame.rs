//! FLAME: the directions of a majority, clipped, under noise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    cluster::majority,
    noise::noisy,
    order::{cosine_distances, median},
    radius::{clipped_mean, norms},
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// FLAME: the mean of the vectors in the majority that HDBSCAN finds by their directions, each scaled down to the median
/// norm if it is longer, plus Gaussian noise.
///
/// HDBSCAN works on the cosine distances; its smallest cluster is ⌊m/2⌋ + 1 vectors, and one cluster alone is allowed. The
/// median norm S (midpoint) is that of all m vectors, and the noise on every coordinate has the standard deviation
/// `noise` · S. Unlike in the paper, which takes the cosines between models, here they are those between the vectors that
/// are aggregated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Flame {
    /// Standard deviation of the noise on every coordinate of the result, as a multiple of the median norm: the paper's
    /// lambda, which is 0.001 for images and words and 0.01 for network traffic.
    #[schemars(range(min = 0.0))]
    pub noise: f64,
    /// HDBSCAN's core distance is that to this nearest vector, itself the first. Up to 2 it changes nothing.
    #[schemars(range(min = 1))]
    pub min_samples: usize,
}

impl Default for Flame {
    fn default() -> Self {
        Self { noise: 1e-3, min_samples: 1 }
    }
}

impl Described for Flame {
    const NAME: &'static str = "flame";
    const SOURCE: &'static str = "Nguyen et al., 2022";
}

impl Rule for Flame {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::not_negative("noise", self.noise)?;
        ParameterError::at_least_one("min_samples", self.min_samples)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Flame {}

impl Aggregator for Flame {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let gram = batch.gram()?;
        let norms = norms(gram);
        let radius = median(&norms);
        let kept = majority(&cosine_distances(gram), self.min_samples);
        Ok(noisy(batch, clipped_mean(&kept, &norms, radius), self.noise * radius, &mut context.rng))
    }
}
