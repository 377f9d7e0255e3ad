//! Adaptive robust clipping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Bound, Context, Layer, Meaning, PreAggregator, Rule, RuleError,
    order::ascending,
    radius::{factor, norms2},
    theory::ratio,
};
use crate::{
    Batch, Map, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Adaptive robust clipping: the ⌊2 (f/m) (m - f)⌋ longest vectors are scaled down to the norm of the next longest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Arc {}

impl Described for Arc {
    const NAME: &'static str = "arc";
    const SOURCE: &'static str = "Allouah et al., 2025";
}

impl Rule for Arc {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Pre(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa' = kappa + 2r, Allouah et al., 2025")
    }
}

impl Stateful for Arc {}

impl PreAggregator for Arc {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        RuleError::minority(Self::NAME, size)?;
        Ok(size)
    }

    /// Only of a few vectors, where it costs no more than reading them.
    fn needs_pairs(&self) -> bool {
        false
    }

    fn weights(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Map, RuleError> {
        let (m, f) = (batch.m(), context.f);
        let lengths2 = norms2(batch)?;
        let clipped = 2 * f * (m - f) / m;
        let radius = lengths2[ascending(&lengths2)[m - 1 - clipped]].sqrt();
        Ok(Map::scaling(&lengths2.iter().map(|&n| factor(n, radius)).collect::<Vec<_>>()))
    }
    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        let kappa = inner.coefficient + 2.0 * ratio(size);
        let over = || inner.over(kappa, Meaning::Kappa, "? + 2r", "Allouah et al., 2025");
        (inner.meaning == Meaning::Kappa).then(over)
    }
}
