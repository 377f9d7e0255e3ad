//! Reconstruction error: the mean of the vectors that lie along the few directions in which most of all lies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, smallest},
    spectrum::{leading, products},
};
use crate::{
    Batch, Gram, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Most singular vectors, for they are found one after the other.
const MOST_COMPONENTS: usize = 100;

/// Reconstruction error: the mean of the vectors of which the first `components` right singular vectors of all leave less
/// than the part `threshold` of the squared norm.
///
/// With v_k these singular vectors of the matrix of all vectors, around the origin and not their mean, and at most m - 1 of
/// them, the error of x_i is 1 - Σ_k ⟨x_i, v_k⟩² / ‖x_i‖²; that of a zero vector is 0. If every error reaches the threshold,
/// the ⌊m/2⌋ vectors of the least errors are averaged, at least one, equal errors by index. Two vectors or one are averaged
/// as they are. A longer vector turns the first directions towards itself: put `clipping` before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reconstruction {
    /// How many singular vectors there are to reconstruct from.
    #[schemars(range(min = 1, max = 100))]
    pub components: usize,
    /// The error from which on a vector is left out.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub threshold: f64,
}

impl Default for Reconstruction {
    fn default() -> Self {
        Self { components: 3, threshold: 0.6 }
    }
}

impl Described for Reconstruction {
    const NAME: &'static str = "reconstruction";
    const SOURCE: &'static str = "after FL-Byzantine-Library (CRYPTO-KU)";
}

impl Rule for Reconstruction {
    fn build(&self) -> Result<Layer, ParameterError> {
        let few = (1..=MOST_COMPONENTS).contains(&self.components);
        ParameterError::unless(few, "components", self.components, "1 to 100")?;
        ParameterError::positive("threshold", self.threshold)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0"
    }
}

impl Stateful for Reconstruction {}

impl Aggregator for Reconstruction {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        if m <= 2 {
            batch.require_finite()?;
            return Ok(Aggregate::span(vec![1.0 / m as f64; m]));
        }
        let errors = self.errors(batch.gram()?);
        let mut kept: Vec<usize> = (0..m).filter(|&i| errors[i] < self.threshold).collect();
        if kept.is_empty() {
            kept = smallest(&errors, m / 2);
        }
        Ok(Aggregate::span(mean_of(&kept, m)))
    }
}

impl Reconstruction {
    /// The part of every squared norm that is not reconstructed.
    fn errors(&self, gram: &Gram) -> Vec<f64> {
        let m = gram.m();
        let products = products(gram);
        let norms2: Vec<f64> = (0..m).map(|i| products[(i, i)]).collect();
        let mut explained = vec![0.0; m];
        for (value, vector) in leading(products, self.components.min(m - 1)) {
            // the left singular vector times the singular value has the lengths along the right one
            explained.iter_mut().zip(vector).for_each(|(sum, u)| *sum += value * u * u);
        }
        let error = |(explained, norm2): (f64, f64)| {
            if norm2 > 0.0 { 1.0 - (explained / norm2).min(1.0) } else { 0.0 }
        };
        explained.into_iter().zip(norms2).map(error).collect()
    }
}
