//! A little is enough, optimised against the defence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, AttackError, AttackRule, Knowledge, View,
    alie::{Share, quantile},
    line_search::LineSearch,
    statistics::moments,
};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Optimised little: all send mu + t · sigma, with the t (of either sign) that a local line search
/// through the whole defence finds to move the aggregate furthest from the honest mean mu.
/// Probing leaves no trace in the defence, and the search looks both ways throughout; in ByzFL probes
/// change a stateful or random defence, the growing steps go one way and the shrinking ones only right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptAlie {
    /// The first t tried; without it, -z of the formula of `alie`.
    pub start: Option<f64>,
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
    /// What the divisor of the variance is less than the number of honest vectors: 1 (unbiased) or 0.
    #[schemars(range(min = 0, max = 1))]
    pub ddof: usize,
}

impl Default for OptAlie {
    fn default() -> Self {
        Self { start: None, step: 1.0, ratio: 0.5, evaluations: 20, ddof: 1 }
    }
}

impl Described for OptAlie {
    const NAME: &'static str = "opt-alie";
    const SOURCE: &'static str = "El-Mhamdi, Guerraoui & Rouault, 2021; Allouah et al., 2023";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper | Preset::Dahan => Self::default(),
            Preset::Byzfl => {
                Self { start: Some(0.0), step: 10.0, ratio: 0.8, evaluations: 60, ..Self::default() }
            }
        }
    }
}

impl AttackRule for OptAlie {
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::unless(self.ddof <= 1, "ddof", self.ddof, "0 or 1")?;
        let unsearched = || quantile(Share::Honest, size).map(|z| -z);
        let start = self.start.map_or_else(unsearched, Ok).map_err(|_| {
            ParameterError::new("start", "none", "a value, for at these m and f the formula of z has none")
        })?;
        let &Self { step, ratio, evaluations, ddof, .. } = self;
        Ok(Box::new(Searched { search: LineSearch { start, step, ratio, evaluations }.checked()?, ddof }))
    }
}

#[derive(Clone)]
struct Searched {
    search: LineSearch,
    ddof: usize,
}

impl Stateful for Searched {}

impl Attack for Searched {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Defence
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let moments = moments(view.honest()?, self.ddof);
        let found = self.search.strongest(view, &moments.mean, &moments.mean, &moments.deviation)?;
        Ok(view.everyone(&found))
    }
}
