//! Fall of empires.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Fall of empires: all send (1 - c) · mu, with the mean mu of the honest vectors of this round. The
/// same family as `ipm` with epsilon = c - 1, in the parameter that ByzantineMomentum uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Foe {
    /// How many times the honest mean is subtracted from itself; beyond 1 the sign flips. The default sends what
    /// `ipm` does by default.
    pub c: f64,
}

impl Default for Foe {
    fn default() -> Self {
        Self { c: 1.1 }
    }
}

impl Described for Foe {
    const NAME: &'static str = "foe";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2020; El-Mhamdi et al., 2021";
}

impl AttackRule for Foe {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::finite("c", self.c)?;
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for Foe {}

impl Attack for Foe {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&view.honest()?.mean().scaled(1.0 - self.c)))
    }
}
