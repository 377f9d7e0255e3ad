//! The centered trimmed meta-aggregator over vectors that count differently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, MetaAggregator, Rule, RuleError, ctma::Anchor, order::ascending,
    weights::Weights,
};
use crate::{
    Batch, Size,
    batch::rounding,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Weighted centered trimmed meta-aggregator: with x0 the inner rule's result, the weighted mean of the vectors
/// nearest to x0 that hold the fraction 1 - delta of all weight; of the last one only the part that fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedCtma {
    /// The weight of every worker, by id; an empty list for equal ones; "samples" for how many training
    /// samples it holds.
    pub weights: Weights,
    /// The fraction of the weight that Byzantine workers may hold; without it, f/m.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 0.5))]
    pub delta: Option<f64>,
}

impl Described for WeightedCtma {
    const NAME: &'static str = "weighted-ctma";
    const SOURCE: &'static str = "Dahan & Levy, 2024 (asynchronous)";
}

impl Rule for WeightedCtma {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.weights.check_values()?;
        if let Some(delta) = self.delta {
            ParameterError::unless(
                (0.0..0.5).contains(&delta),
                "delta",
                delta,
                "a number from 0 to below 0.5",
            )?;
        }
        Ok(Layer::Meta(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f; not under `bucketing` with `weights`"
    }
}

/// Of vectors that count `weights` the first in `order`, up to this `part` of all weights, as coefficients of their mean.
/// A vector farther out, which may be of any length, is not given what rounding leaves of the part.
fn nearest(weights: &[f64], order: &[usize], part: f64) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let (mut share, mut left) = (vec![0.0; weights.len()], part * total);
    for &i in order {
        if left <= rounding(weights.len()) * total {
            break;
        }
        share[i] = weights[i].min(left);
        left -= share[i];
    }
    let taken: f64 = share.iter().sum();
    share.iter_mut().for_each(|share| *share /= taken);
    share
}

impl Stateful for WeightedCtma {}

impl MetaAggregator for WeightedCtma {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.weights.check_number(size.m, Self::NAME)?;
        RuleError::minority(Self::NAME, size)
    }

    fn check_workers(&self, workers: usize, _: Size) -> Result<(), RuleError> {
        self.weights.check_number(workers, Self::NAME)
    }

    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let own = self.weights.of_rows(m, context, Self::NAME)?;
        let anchor = Anchor::of(inner, batch, context)?;
        let delta = self.delta.unwrap_or(Size::new(m, context.f).delta());
        let share = nearest(&own, &ascending(&anchor.distances2), 1.0 - delta);
        Ok(anchor.plus(share, 0.0, batch))
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn knows_workers(&self) -> bool {
        self.weights.differ()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.weights.count(held, Self::NAME)
    }
}
