//! Inner product manipulation, optimised against the defence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View, line_search::LineSearch};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Optimised inner product manipulation: all send -epsilon · mu, with the epsilon that a local line
/// search through the whole defence finds to move the aggregate furthest from the honest mean mu.
/// Probing leaves no trace in the defence, and the search looks both ways throughout; in ByzFL probes
/// change a stateful or random defence, the growing steps go one way and the shrinking ones only right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptIpm {
    /// The first epsilon tried; the default is that of `ipm`.
    pub start: f64,
    /// The first step of the search. Up to eight steps are tried in either direction, each twice as long as the one
    /// before.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub step: f64,
    /// What the step shrinks by around the best point.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub ratio: f64,
    /// How often the defence is probed in a round. Preset `byzfl` does so three times as often as ByzFL does, because
    /// steps that shrink slowly and look both ways need more to come to the same place.
    #[schemars(range(min = 1))]
    pub evaluations: u32,
}

impl Default for OptIpm {
    fn default() -> Self {
        Self { start: 0.1, step: 1.0, ratio: 0.5, evaluations: 20 }
    }
}

impl Described for OptIpm {
    const NAME: &'static str = "opt-ipm";
    const SOURCE: &'static str = "El-Mhamdi, Guerraoui & Rouault, 2021; Allouah et al., 2023";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper => Self::default(),
            Preset::Dahan => Self { start: 0.5, ..Self::default() },
            Preset::Byzfl => Self { start: 0.0, step: 10.0, ratio: 0.8, evaluations: 60 },
        }
    }
}

impl AttackRule for OptIpm {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        let &Self { start, step, ratio, evaluations } = self;
        Ok(Box::new(Searched(LineSearch { start, step, ratio, evaluations }.checked()?)))
    }
}

#[derive(Clone)]
struct Searched(LineSearch);

impl Stateful for Searched {}

impl Attack for Searched {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Defence
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let mean = view.honest()?.mean();
        let found = self.0.strongest(view, &mean, &mean.zeros_like(), &mean.scaled(-1.0))?;
        Ok(view.everyone(&found))
    }
}
