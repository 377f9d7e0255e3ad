//! The mean around the coordinate-wise median.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError};
use crate::{
    Batch, ColumnRule, Median, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Mean around median: at every coordinate, the mean of the m - f values nearest to the median; of two that are
/// equally near, the smaller counts first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Meamed {
    /// Which value is the median of an even number of values.
    pub even: Median,
}

impl Described for Meamed {
    const NAME: &'static str = "meamed";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2018";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => Self { even: Median::Lower },
            Preset::Paper | Preset::Byzfl => Self { even: Median::Midpoint },
        }
    }
}

impl Rule for Meamed {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Meamed {}

impl Aggregator for Meamed {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let keep = batch.m() - context.f;
        let rule = ColumnRule::MeanAroundMedian { keep, median: self.even };
        Ok(batch.columns(&rule, context.wants_distances)?.into())
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
