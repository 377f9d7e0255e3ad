//! A small bias that grows.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View, statistics::spread};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// Where the bias points, for the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Heading {
    /// A direction drawn at the start, uniform on the sphere.
    #[default]
    Random,
    /// Against the honest mean of the first round.
    Against,
}

/// Drift: all send mu + min(rate · t, limit) · s · u in round t: the honest mean mu with a bias along
/// a fixed unit vector u, measured in the root mean square distance s of the honest vectors to mu, so
/// that it hides in their noise while it grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Drift {
    /// What the bias grows by in a round, in units of s.
    #[schemars(range(min = 0.0))]
    pub rate: f64,
    /// The largest bias, in units of s.
    #[schemars(range(min = 0.0))]
    pub limit: f64,
    /// Where the bias points.
    pub heading: Heading,
}

impl Default for Drift {
    fn default() -> Self {
        Self { rate: 0.01, limit: 1.0, heading: Heading::Random }
    }
}

impl Described for Drift {
    const NAME: &'static str = "drift";
    const SOURCE: &'static str = "Phalanx; time-coupled attacks as in Karimireddy, He & Jaggi, 2021";
}

impl AttackRule for Drift {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::not_negative("rate", self.rate)?;
        ParameterError::not_negative("limit", self.limit)?;
        Ok(Box::new(Drifting { rule: self.clone(), heading: None }))
    }
}

#[derive(Clone)]
struct Drifting {
    rule: Drift,
    heading: Option<Vector>,
}

impl Drifting {
    fn choose(&self, view: &View<'_>, mean: &Vector) -> Vector {
        let heading = match self.rule.heading {
            Heading::Against => mean.scaled(-1.0),
            Heading::Random => {
                let mut rng = view.rng.clone();
                let draw: Vec<f64> = (0..mean.len()).map(|_| StandardNormal.sample(&mut rng)).collect();
                mean.like(&draw)
            }
        };
        heading.unit().unwrap_or(heading)
    }
}

impl Stateful for Drifting {
    fn state(&self) -> State {
        let mut state = State::default();
        state.vectors.extend(self.heading.clone().map(|u| ("heading".to_owned(), u)));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.heading = state.vectors.get("heading").cloned();
        Ok(())
    }

    fn holds(&self, _: usize, _: u64) -> u64 {
        1
    }
}

impl Attack for Drifting {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        let mean = honest.mean();
        let heading = self.heading.take().unwrap_or_else(|| self.choose(view, &mean));
        let bias = (self.rule.rate * view.round as f64).min(self.rule.limit);
        let mut vector = mean.clone();
        vector.axpy(bias * spread(honest, &mean), &heading);
        self.heading = Some(heading);
        Ok(view.everyone(&vector))
    }
}
