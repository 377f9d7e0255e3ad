//! The coordinate-wise median.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError, theory::ratio};
use crate::{
    Batch, ColumnRule, Median, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Coordinate-wise median: at every coordinate, the median of the m values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cwmed {
    /// Which value is the median of an even number of values.
    pub even: Median,
}

impl Described for Cwmed {
    const NAME: &'static str = "cwmed";
    const SOURCE: &'static str = "Yin et al., 2018";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => Self { even: Median::Lower },
            Preset::Paper | Preset::Byzfl => Self { even: Median::Midpoint },
        }
    }
}

impl Rule for Cwmed {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa = 4 (1 + r)^2, Allouah et al., 2023")
    }
}

impl Stateful for Cwmed {}

impl Aggregator for Cwmed {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(batch.columns(&ColumnRule::Median(self.even), context.wants_distances)?.into())
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let kappa = 4.0 * (1.0 + ratio(size)).powi(2);
        Some(Bound::kappa(kappa, "4 (1 + r)^2", "Allouah et al., 2023"))
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
