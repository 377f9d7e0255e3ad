//! Inner product manipulation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Inner product manipulation: all send -epsilon · mu, with the mean mu of the honest vectors of this
/// round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ipm {
    /// Length of what is sent, in lengths of the honest mean, which the paper leaves free.
    pub epsilon: f64,
}

impl Default for Ipm {
    fn default() -> Self {
        Self { epsilon: 0.1 }
    }
}

impl Described for Ipm {
    const NAME: &'static str = "ipm";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2020";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper => Self::default(),
            Preset::Dahan => Self { epsilon: 0.5 },
            Preset::Byzfl => Self { epsilon: 2.0 },
        }
    }
}

impl AttackRule for Ipm {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::finite("epsilon", self.epsilon)?;
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for Ipm {}

impl Attack for Ipm {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&view.honest()?.mean().scaled(-self.epsilon)))
    }
}
