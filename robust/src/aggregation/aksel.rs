//! Aksel: the mean of the vectors nearest to the coordinate-wise median.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, smallest},
};
use crate::{
    Batch, ColumnRule, Median, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// How many vectors are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Keep {
    /// ⌈m/2⌉: those within the median of the distances, as published.
    #[default]
    #[serde(rename = "half")]
    Half,
    /// m - f, which makes this `ctma` over `cwmed`.
    #[serde(rename = "m-f")]
    Honest,
}

/// Aksel: the mean of the ⌈m/2⌉ vectors nearest to the coordinate-wise median (midpoint); equal distances go by index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Aksel {
    /// How many vectors are averaged: "half" or "m-f".
    pub keep: Keep,
}

impl Described for Aksel {
    const NAME: &'static str = "aksel";
    const SOURCE: &'static str = "Boussetta et al., 2021";
}

impl Rule for Aksel {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Aksel {}

impl Aggregator for Aksel {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let median = batch.columns(&ColumnRule::Median(Median::Midpoint), batch.map().is_none())?;
        let distances2 = match median.distances {
            Some(distances2) if batch.map().is_none() => distances2,
            _ => batch.distances(&median.output),
        };
        let keep = match self.keep {
            Keep::Half => m.div_ceil(2),
            Keep::Honest => m - context.f,
        };
        Ok(Aggregate::span(mean_of(&smallest(&distances2, keep), m)))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
