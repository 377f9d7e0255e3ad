//! Clipping to a fixed radius.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Context, Layer, PreAggregator, Rule, RuleError,
    radius::{factor, norms2},
};
use crate::{
    Batch, Map, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Static clipping: vectors longer than `radius` are scaled down to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clipping {
    /// The largest norm that a vector may have.
    #[schemars(range(min = 0.0))]
    pub radius: f64,
}

impl Default for Clipping {
    fn default() -> Self {
        Self { radius: 2.0 }
    }
}

impl Described for Clipping {
    const NAME: &'static str = "clipping";
    const SOURCE: &'static str = "folklore";
}

impl Rule for Clipping {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::not_negative("radius", self.radius)?;
        Ok(Layer::Pre(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0"
    }
}

impl Stateful for Clipping {}

impl PreAggregator for Clipping {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)?;
        Ok(size)
    }

    /// Only of a few vectors, where it costs no more than reading them.
    fn needs_pairs(&self) -> bool {
        false
    }

    fn weights(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Map, RuleError> {
        let factors: Vec<f64> = norms2(batch)?.into_iter().map(|norm2| factor(norm2, self.radius)).collect();
        Ok(Map::scaling(&factors))
    }
}
