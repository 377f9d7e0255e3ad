//! The coordinate-wise trimmed mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError, theory::ratio};
use crate::{
    Batch, ColumnRule, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Coordinate-wise trimmed mean: at every coordinate, the mean of the m - 2f values that remain without the f
/// smallest and the f largest.
///
/// With x_(1) ≤ … ≤ x_(m) the sorted values of a coordinate, the output is Σ_{f < k ≤ m-f} x_(k) / (m - 2f).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cwtm {}

impl Described for Cwtm {
    const NAME: &'static str = "cwtm";
    const SOURCE: &'static str = "Yin et al., 2018";
}

impl Rule for Cwtm {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa = 6 r (1 + r), Allouah et al., 2023")
    }
}

impl Stateful for Cwtm {}

impl Aggregator for Cwtm {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let columns = batch.columns(&ColumnRule::TrimmedMean { f: context.f }, context.wants_distances)?;
        Ok(columns.into())
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let r = ratio(size);
        Some(Bound::kappa(6.0 * r * (1.0 + r), "6 r (1 + r)", "Allouah et al., 2023"))
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
