//! Bucketing: the rule sees the means of groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Context, Layer, PreAggregator, Rule, RuleError, beside,
    buckets::{across, by_cosine, shuffled},
    order::ascending,
};
use crate::{
    Batch, Map, Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Who shares a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// Any: as published.
    #[default]
    Random,
    /// Vectors whose cosines to the last aggregate differ.
    Cosine,
    /// Vectors whose distances to the last aggregate differ.
    Distance,
}

/// Bucketing: the means of groups of `size` vectors, drawn at random each round.
///
/// The vectors are permuted at random and cut into ⌈m/size⌉ buckets; a last one that is short is a plain mean
/// too. Each Byzantine vector spoils at most one bucket, so f of them must stay a minority of the buckets.
///
/// By cosine or distance to the last round's aggregate, as in FL-Byzantine-Library (CRYPTO-KU), the vectors in that order are
/// cut into `size` runs of one length (or one less) and a bucket takes one of each, drawn at random; the last
/// buckets lack those of runs that are short. So no bucket holds more of the vectors that are alike than its share. In
/// the first round, and in files, buckets are random.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bucketing {
    /// Vectors in a bucket; without it the largest number that leaves f buckets a minority, ⌈m/(2f)⌉ - 1, or m for
    /// f = 0. That is the ⌊m/(2f)⌋ of the released code of Dahan & Levy, but where 2f divides m, so that half of its buckets
    /// may be spoilt.
    #[schemars(range(min = 1))]
    pub size: Option<usize>,
    /// Who shares a bucket: any ("random"), or vectors whose cosines ("cosine") or distances ("distance") to the last
    /// aggregate differ.
    pub by: Grouping,
}

impl Described for Bucketing {
    const NAME: &'static str = "bucketing";
    const SOURCE: &'static str = "Karimireddy, He & Jaggi, 2022";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan | Preset::Paper => Self { size: None, ..Self::default() },
            Preset::Byzfl => Self { size: Some(1), ..Self::default() },
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

    /// The vectors by their likeness to the last aggregate, unless buckets are random.
    fn order(&self, batch: &Batch<'_>, last: Option<&Vector>) -> Result<Option<Vec<usize>>, RuleError> {
        let Some(last) = last.filter(|_| self.needs_last()) else { return Ok(None) };
        beside::check(batch, last, Self::NAME)?;
        if self.by == Grouping::Distance {
            return Ok(Some(ascending(&batch.distances(last))));
        }
        let norms: Vec<f64> = batch.norms2()?.into_iter().map(f64::sqrt).collect();
        Ok(Some(by_cosine(&batch.dots(last), &norms)))
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
        let size = self.size(Size::new(m, context.f));
        let Some(order) = self.order(batch, context.last.as_ref())? else {
            let order = shuffled((0..m).collect(), &mut context.rng);
            return Ok(Map::means(order.chunks(size), m));
        };
        let buckets = across(&order, size, &mut context.rng);
        Ok(Map::means(buckets.iter().map(Vec::as_slice), m))
    }

    fn needs_last(&self) -> bool {
        self.by != Grouping::Random
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
