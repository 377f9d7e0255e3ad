//! Nearest-neighbour mixing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Bound, Context, Layer, Meaning, PreAggregator, Rule, RuleError,
    order::{each, smallest},
};
use crate::{
    Batch, Map, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Nearest-neighbour mixing: y_i is the mean of the m - f vectors nearest to x_i,
/// x_i itself among them; equal distances go by index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nnm {}

impl Described for Nnm {
    const NAME: &'static str = "nnm";
    const SOURCE: &'static str = "Allouah et al., 2023";
}

impl Rule for Nnm {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Pre(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa' = 8f/(m - f) (1 + kappa), Allouah et al., 2023")
    }
}

impl Stateful for Nnm {}

impl PreAggregator for Nnm {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        RuleError::minority(Self::NAME, size)?;
        Ok(size)
    }

    fn weights(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Map, RuleError> {
        let gram = batch.gram()?;
        let (m, keep) = (batch.m(), batch.m() - context.f);
        let nearest = each(m, |i| {
            let mut distances2 = gram.distances2_from(i).to_vec();
            distances2[i] = -1.0; // x_i itself comes first
            smallest(&distances2, keep)
        });
        Ok(Map::means(nearest.iter().map(Vec::as_slice), m))
    }

    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        let kappa = 8.0 * size.f as f64 / size.honest() as f64 * (1.0 + inner.coefficient);
        let over = || inner.over(kappa, Meaning::Kappa, "8f/(m - f) (1 + ?)", "Allouah et al., 2023");
        (inner.meaning == Meaning::Kappa).then(over)
    }
}
