//! The coordinate-wise median.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError, theory::ratio};
use crate::{
    Batch, ColumnRule, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Which value is the median of an even number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Even {
    /// The lower of the two middle values, as `torch.median`.
    Lower,
    /// The mean of the two middle values, as `numpy.median`.
    #[default]
    Midpoint,
}

/// Coordinate-wise median: at every coordinate, the median of the m values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cwmed {
    /// Which value is the median of an even number of values.
    pub even: Even,
}

impl Described for Cwmed {
    const NAME: &'static str = "cwmed";
    const SOURCE: &'static str = "Yin et al., 2018";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => Self { even: Even::Lower },
            Preset::Paper | Preset::Byzfl => Self { even: Even::Midpoint },
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
        RuleError::unless(size.m > 2 * size.f, Self::NAME, "m > 2f", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let rule = match self.even {
            Even::Lower => ColumnRule::LowerMedian,
            Even::Midpoint => ColumnRule::MidpointMedian,
        };
        Ok(batch.columns(&rule, context.wants_distances)?.into())
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let kappa = 4.0 * (1.0 + ratio(size)).powi(2);
        Some(Bound::kappa(kappa, "4 (1 + r)^2", "Allouah et al., 2023"))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
