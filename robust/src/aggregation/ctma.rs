//! The centered trimmed meta-aggregator, and the anchor that it shares with its weighted form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Bound, Context, Layer, Meaning, MetaAggregator, Output, Rule, RuleError,
    order::smallest,
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// What happens to vectors at exactly the distance of the last one kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// Exactly m - f vectors are kept; equal distances go by index.
    #[default]
    Exact,
    /// All of them are kept, but the divisor stays m - f, as the released code does.
    Kept,
}

/// Centered trimmed meta-aggregator: with x0 the inner rule's result, the mean of the m - f vectors nearest to x0.
///
/// Computed as x0 + (1/(m - f)) Σ (x_i - x0) over the vectors kept, so x0 drops out unless ties are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ctma {
    /// What happens to vectors at exactly the distance of the last one kept.
    pub ties: Ties,
}

impl Described for Ctma {
    const NAME: &'static str = "ctma";
    const SOURCE: &'static str = "Dahan & Levy, 2024";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => Self { ties: Ties::Kept },
            Preset::Paper | Preset::Byzfl => Self { ties: Ties::Exact },
        }
    }
}

impl Rule for Ctma {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Meta(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some("c' = 16 delta (1 + c) with exact ties, Dahan & Levy, 2024")
    }
}

impl Stateful for Ctma {}

impl MetaAggregator for Ctma {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError> {
        let anchor = Anchor::of(inner, batch, context)?;
        let keep = batch.m() - context.f;
        let kept = self.kept(&anchor.distances2, keep);
        let share: Vec<f64> = kept.iter().map(|&k| f64::from(u8::from(k)) / keep as f64).collect();
        let excess = kept.iter().filter(|k| **k).count() as f64 / keep as f64 - 1.0;
        Ok(anchor.plus(share, excess, batch))
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        // The proof takes m - f vectors, no more.
        if self.ties == Ties::Kept {
            return None;
        }
        let c = 16.0 * size.delta() * (1.0 + inner.coefficient);
        Some(inner.over(c, Meaning::C, "16 delta (1 + ?)", "Dahan & Levy, 2024"))
    }
}

impl Ctma {
    fn kept(&self, distances2: &[f64], keep: usize) -> Vec<bool> {
        let nearest = smallest(distances2, keep);
        let last = nearest.iter().map(|&i| distances2[i]).fold(0.0, f64::max);
        let tied = |i: usize| self.ties == Ties::Kept && distances2[i] <= last;
        (0..distances2.len()).map(|i| nearest.binary_search(&i).is_ok() || tied(i)).collect()
    }
}

/// The result x0 of the inner rule, and how far the rows are from it.
pub(super) struct Anchor {
    aggregate: Aggregate,
    /// ‖x_i - x0‖² of every row of the batch.
    pub(super) distances2: Vec<f64>,
}

impl Anchor {
    pub(super) fn of(
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Self, RuleError> {
        let wanted = std::mem::replace(&mut context.wants_distances, batch.map().is_none());
        let anchor = inner.aggregate(batch, context);
        context.wants_distances = wanted;
        let mut aggregate = anchor?.checked(batch)?;
        let at_hand = aggregate.distances.take().filter(|_| batch.map().is_none());
        let distances2 = match (&aggregate.output, at_hand) {
            (_, Some(distances)) => distances,
            (Output::Span(c), _) => batch.distances_to_span(c),
            (Output::Vector(x0), _) => batch.distances(x0),
        };
        if distances2.iter().any(|d| !d.is_finite()) {
            batch.check_finite()?;
        }
        Ok(Self { aggregate, distances2 })
    }

    /// Σ share_i x_i - excess · x0.
    pub(super) fn plus(self, mut share: Vec<f64>, excess: f64, batch: &Batch<'_>) -> Aggregate {
        match self.aggregate.output {
            Output::Vector(x0) if excess != 0.0 => {
                let mut output = batch.combine(&share);
                output.axpy(-excess, &x0);
                Aggregate::vector(output)
            }
            Output::Span(c) if excess != 0.0 => {
                share.iter_mut().zip(&c).for_each(|(s, c)| *s -= excess * c);
                Aggregate::span(share)
            }
            _ => Aggregate::span(share),
        }
    }
}
