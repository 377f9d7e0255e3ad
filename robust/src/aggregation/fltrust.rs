//! FLTrust: the vectors that agree with the server's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Aggregator, Context, Layer, Rule, RuleError, beside};
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
        let reference = beside::reference(batch, context, Self::NAME)?;
        let own = reference.norm();
        let norms: Vec<f64> = batch.norms2()?.into_iter().map(f64::sqrt).collect();
        let dots = batch.dots(reference);
        let trust: Vec<f64> = dots
            .iter()
            .zip(&norms)
            .map(|(dot, norm)| match norm * own {
                0.0 => 0.0,
                scale => (dot / scale).clamp(0.0, 1.0),
            })
            .collect();
        let total: f64 = trust.iter().sum();
        let share = |i: usize| match trust[i] {
            0.0 => 0.0,
            t => t / total * own / norms[i],
        };
        Ok(Aggregate::span((0..norms.len()).map(share).collect()))
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn needs_reference(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::{Vector, aggregation::Output, random::Seed};

    /// As near the end of training: the vectors of the workers are a million times as long as the server's own.
    #[test]
    fn short_references_keep_their_angles() {
        let mut rng = Seed(4).stream("test", 0, "fltrust", 0);
        let mut drawn =
            |scale: f32| -> Vec<f32> { (0..40).map(|_| scale * rng.random_range(-1.0..1.0f32)).collect() };
        let (own, rows) = (drawn(1.0), (0..9).map(|_| drawn(1e6)).collect::<Vec<_>>());
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let norm = |a: &[f32]| dot(a, a).sqrt();
        let trust: Vec<f64> =
            rows.iter().map(|row| (dot(row, &own) / norm(row) / norm(&own)).max(0.0)).collect();
        let total: f64 = trust.iter().sum();
        let rng = Seed(4).stream("test", 0, "rule", 0);
        let mut context = Context { reference: Some(own.clone().into()), ..Context::new(0, rng) };
        let vectors: Vec<Vector> = rows.iter().map(|row| row.clone().into()).collect();
        let Output::Span(weights) =
            Fltrust {}.aggregate(&Batch::new(&vectors).unwrap(), &mut context).unwrap().output
        else {
            panic!("a combination")
        };
        for ((weight, trust), row) in weights.iter().zip(&trust).zip(&rows) {
            let expected = trust / total * norm(&own) / norm(row);
            assert!((weight - expected).abs() <= 1e-6 * expected, "{weight} {expected}");
        }
    }
}
