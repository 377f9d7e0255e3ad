//! An attack from outside: its fields are its parameters in TOML, its docs are its manual.

use phalanx_robust::{
    Size, Vector,
    attack::{Attack, AttackError, AttackRule, Knowledge, View},
    describe::{Described, ParameterError},
    state::Stateful,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pulls against the current: all send minus the last aggregate, times a strength. It needs to see
/// nothing but the aggregate, which every worker sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Undertow {
    /// Length of the vectors sent, in lengths of the last aggregate.
    #[schemars(range(min = 0.0))]
    pub strength: f64,
}

impl Default for Undertow {
    fn default() -> Self {
        Self { strength: 1.0 }
    }
}

impl Described for Undertow {
    const NAME: &'static str = "undertow";
    const SOURCE: &'static str = "example";
}

impl AttackRule for Undertow {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if self.strength.is_finite() && self.strength >= 0.0 {
            return Ok(Box::new(self.clone()));
        }
        Err(ParameterError::new("strength", self.strength, "strength >= 0"))
    }
}

/// It remembers nothing. An attack that does must tell it here, or runs that are resumed end with other numbers.
impl Stateful for Undertow {}

impl Attack for Undertow {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&view.last_aggregate.scaled(-self.strength)))
    }
}
