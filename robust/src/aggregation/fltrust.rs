//! FLTrust: the vectors that agree with the server's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, beside::Beside};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// FLTrust: the mean of the vectors, scaled to the norm of the server's own vector g and weighted by
/// max(0, cos(x_i, g)).
///
/// The server computes g on a small data set that it trusts. If no vector points its way, the result is zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fltrust {}

impl Described for Fltrust {
    const NAME: &'static str = "fltrust";
    const SOURCE: &'static str = "Cao et al., 2021";
}

impl Rule for Fltrust {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0, and a reference vector"
    }
}

impl Stateful for Fltrust {}

impl Aggregator for Fltrust {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let reference = context.reference.as_ref().ok_or(RuleError::NoReference { rule: Self::NAME })?;
        if !reference.is_finite() {
            let message = "the server's own vector is not finite".to_owned();
            return Err(RuleError::Failed { rule: Self::NAME.to_owned(), message });
        }
        let beside = Beside::new(batch, reference, Self::NAME)?;
        let all = beside.batch()?;
        let gram = all.gram()?;
        let m = batch.m();
        let own = gram.row_norm2(m).sqrt();
        // ⟨x_i, g⟩ from the two norms and the distance
        let dot = |i: usize| (gram.row_norm2(i) + own * own - gram.distance2(i, m)) / 2.0;
        let trust: Vec<f64> = (0..m)
            .map(|i| match gram.row_norm2(i).sqrt() * own {
                0.0 => 0.0,
                scale => (dot(i) / scale).max(0.0),
            })
            .collect();
        let total: f64 = trust.iter().sum();
        let share = |i: usize| match trust[i] {
            0.0 => 0.0,
            t => t / total * own / gram.row_norm2(i).sqrt(),
        };
        Ok(Aggregate::span((0..m).map(share).collect()))
    }

    fn needs_reference(&self) -> bool {
        true
    }
}
