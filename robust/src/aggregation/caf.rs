//! The covariance-bound-agnostic filter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    spectrum::{centred, distances2, top},
};
use crate::{
    Batch, Matrix, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Covariance-bound-agnostic filter: the weighted mean, of all that the filter passes, whose weighted covariance
/// has the least largest eigenvalue.
///
/// From weights c_i = 1, while Σ c_i > m - 2f: with the weighted mean μ and the unit top eigenvector v of the
/// weighted covariance Σ c_i (x_i - μ)(x_i - μ)ᵀ / Σ c_i, let τ_i = ⟨v, x_i - μ⟩² and c_i ← c_i (1 - τ_i / max τ),
/// the maximum over c_i > 0. The eigenvector is exact, from the Gram matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Caf {}

impl Described for Caf {
    const NAME: &'static str = "caf";
    const SOURCE: &'static str = "Allouah et al., 2025";
}

impl Rule for Caf {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Caf {}

impl Aggregator for Caf {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::span(filter(&distances2(batch.gram()?), context.f)))
    }
}

/// The coefficients of the filter's choice.
fn filter(distances2: &Matrix, f: usize) -> Vec<f64> {
    let m = distances2.rows();
    let normalised = |c: &[f64]| {
        let total: f64 = c.iter().sum();
        c.iter().map(|v| v / total).collect::<Vec<_>>()
    };
    let mut c = vec![1.0; m];
    let (mut best, mut least) = (normalised(&c), f64::INFINITY);
    while c.iter().sum::<f64>() > (m - 2 * f) as f64 {
        let around = centred(distances2, &c);
        let total: f64 = c.iter().sum();
        let root: Vec<f64> = c.iter().map(|c| c.sqrt()).collect();
        let (value, u) = top(&Matrix::from_fn(m, m, |i, j| root[i] * around[(i, j)] * root[j] / total));
        if value < least {
            (best, least) = (normalised(&c), value);
        }
        // v = Σ √c_j u_j (x_j - μ), up to its length, which the ratio of τ does not need
        let direction: Vec<f64> = root.iter().zip(&u).map(|(r, u)| r * u).collect();
        let along = around.transposed_times(&direction); // √τ
        let largest =
            along.iter().zip(&c).filter(|(_, c)| **c > 0.0).map(|(t, _)| t.abs()).fold(0.0, f64::max);
        if largest == 0.0 {
            break; // the vectors agree
        }
        c.iter_mut().zip(&along).for_each(|(c, t)| *c *= (1.0 - (t / largest).powi(2)).max(0.0));
    }
    best
}
