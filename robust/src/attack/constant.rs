//! A constant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// A constant: all send the same number at every coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {
    /// The number.
    pub value: f64,
}

impl Default for Constant {
    fn default() -> Self {
        Self { value: 1.0 }
    }
}

impl Described for Constant {
    const NAME: &'static str = "constant";
    const SOURCE: &'static str = "Li et al., 2019 (RSA), same-value attack";
}

impl AttackRule for Constant {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::finite("value", self.value)?;
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for Constant {}

impl Attack for Constant {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.filled(self.value))
    }
}
