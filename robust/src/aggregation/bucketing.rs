//! Bucketing: the rule sees the means of random groups.

use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Layer, PreAggregator, Rule, RuleError};
use crate::{
    Batch, Map, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Bucketing: the means of groups of `size` vectors, drawn at random each round.
///
/// The vectors are permuted at random and cut into ⌈m/size⌉ buckets; a last one that is short is a plain mean
/// too. Each Byzantine vector spoils at most one bucket, so f of them must stay a minority of the buckets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bucketing {
    /// Vectors in a bucket; without it the largest number that leaves f buckets a minority, ⌈m/(2f)⌉ - 1, or m for
    /// f = 0. That is the ⌊m/(2f)⌋ of the released code of Dahan & Levy, but where 2f divides m, so that half of its buckets
    /// may be spoilt.
    #[schemars(range(min = 1))]
    pub size: Option<usize>,
}

impl Described for Bucketing {
    const NAME: &'static str = "bucketing";
    const SOURCE: &'static str = "Karimireddy, He & Jaggi, 2022";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan | Preset::Paper => Self { size: None },
            Preset::Byzfl => Self { size: Some(1) },
        }
    }
}

impl Rule for Bucketing {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("size", self.size.unwrap_or(1))?;
        Ok(Layer::Pre(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "ceil(m/size) > 2f"
    }
}

impl Stateful for Bucketing {}

impl Bucketing {
    fn size(&self, size: Size) -> usize {
        let twice = size.f.saturating_mul(2);
        let largest = if twice == 0 { size.m } else { size.m.div_ceil(twice).saturating_sub(1) };
        self.size.unwrap_or(largest).max(1)
    }
}

impl PreAggregator for Bucketing {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        let buckets = size.m.div_ceil(self.size(size));
        RuleError::unless(size.f < buckets.div_ceil(2), Self::NAME, "ceil(m/size) > 2f", size)?;
        Ok(Size::new(buckets, size.f))
    }

    fn keeps_workers(&self) -> bool {
        false
    }

    fn weights(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Map, RuleError> {
        let m = batch.m();
        let mut order: Vec<usize> = (0..m).collect();
        order.shuffle(&mut context.rng);
        Ok(Map::means(order.chunks(self.size(Size::new(m, context.f))), m))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
