//! Infinity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Infinity: all send +Inf at every coordinate. Such vectors are set aside before the rule, which sees the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inf {}

impl Described for Inf {
    const NAME: &'static str = "inf";
    const SOURCE: &'static str = "folklore";
}

impl AttackRule for Inf {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for Inf {}

impl Attack for Inf {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.filled(f64::INFINITY))
    }
}
