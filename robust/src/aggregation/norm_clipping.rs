//! Norm clipping with weak differential privacy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, noise::noisy, radius::factor};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Norm clipping: the mean of the vectors, each scaled down to the norm `radius` if it is longer, plus Gaussian
/// noise if wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormClipping {
    /// The largest norm that a vector may have.
    #[schemars(range(min = 0.0))]
    pub radius: f64,
    /// Standard deviation of the noise on every coordinate of the result.
    #[schemars(range(min = 0.0))]
    pub noise: f64,
}

impl Default for NormClipping {
    fn default() -> Self {
        Self { radius: 1.0, noise: 0.0 }
    }
}

impl Described for NormClipping {
    const NAME: &'static str = "norm-clipping";
    const SOURCE: &'static str = "Sun et al., 2019";
}

impl Rule for NormClipping {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::not_negative("radius", self.radius)?;
        ParameterError::not_negative("noise", self.noise)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0"
    }
}

impl Stateful for NormClipping {}

impl Aggregator for NormClipping {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m() as f64;
        let coefficients: Vec<f64> =
            batch.norms2()?.into_iter().map(|norm2| factor(norm2, self.radius) / m).collect();
        Ok(noisy(batch, coefficients, self.noise, &mut context.rng))
    }
}
