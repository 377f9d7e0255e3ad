//! Noise.

use rand_distr::{Distribution, Normal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Noise: every worker draws each coordinate of its vector from N(mean, std²), anew in every round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gaussian {
    /// Mean of each coordinate.
    pub mean: f64,
    /// Standard deviation of each coordinate.
    #[schemars(range(min = 0.0))]
    pub std: f64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self { mean: 0.0, std: 1.0 }
    }
}

impl Described for Gaussian {
    const NAME: &'static str = "gaussian";
    const SOURCE: &'static str = "Blanchard et al., 2017";
}

impl AttackRule for Gaussian {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::finite("mean", self.mean)?;
        let needs = "a standard deviation, from 0";
        let wrong = || ParameterError::new("std", self.std, needs);
        if self.std < 0.0 {
            return Err(wrong());
        }
        Ok(Box::new(Noise(Normal::new(self.mean, self.std).map_err(|_| wrong())?)))
    }
}

#[derive(Clone)]
struct Noise(Normal<f64>);

impl Stateful for Noise {}

impl Attack for Noise {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let mut rng = view.rng.clone();
        let mut draw = || -> Vec<f64> { (0..view.shape.len()).map(|_| self.0.sample(&mut rng)).collect() };
        Ok(view.members.iter().map(|_| view.shape.like(&draw())).collect())
    }
}
