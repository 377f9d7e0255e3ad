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
    /// Length of the vectors sent, in lengths of the last aggregate. A value out of the range that is declared here
    /// is refused before anything is built.
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
        Ok(Box::new(self.clone()))
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

#[cfg(test)]
mod tests {
    use phalanx_robust::{Size, attack::AttackRule, testing::conform_attack};

    use super::Undertow;

    #[test]
    fn it_keeps_what_runs_rely_on() {
        let size = Size::new(9, 3);
        let attack = Undertow { strength: 2.0 };
        conform_attack(|| attack.build(size).expect("parameters in range"), size)
            .unwrap_or_else(|broken| panic!("{broken}"));
    }
}
