//! Clipping by the history of norms, then the larger of two clusters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError, cluster::larger_of_two, order::median,
    radius::factor,
};
use crate::{
    Batch, Matrix, Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// Clipped clustering: the vectors, scaled down to the median of all norms seen so far, are parted in two by average
/// linkage on the cosine distance, and the larger part is averaged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClippedClustering {
    /// The largest norm a vector may have whatever the history says; without it, no limit.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub max_norm: Option<f64>,
}

impl Described for ClippedClustering {
    const NAME: &'static str = "clipped-clustering";
    const SOURCE: &'static str = "Li et al., 2023";
}

impl Rule for ClippedClustering {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.max_norm.map_or(Ok(()), |v| ParameterError::positive("max_norm", v))?;
        Ok(Layer::Base(Box::new(Clusterer { rule: self.clone(), norms: Vec::new() })))
    }
}

/// The rule with its memory: every norm seen.
#[derive(Clone, Debug)]
struct Clusterer {
    rule: ClippedClustering,
    norms: Vec<f64>,
}

impl Stateful for Clusterer {
    fn state(&self) -> State {
        let norms = Vector::from(self.norms.clone());
        State { vectors: [("norms".to_owned(), norms)].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.norms = state.vector(ClippedClustering::NAME, "norms")?.to_f64();
        Ok(())
    }
}

impl Aggregator for Clusterer {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(ClippedClustering::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let gram = batch.gram()?;
        let m = batch.m();
        let norms: Vec<f64> = (0..m).map(|i| gram.row_norm2(i).sqrt()).collect();
        self.norms.extend(&norms);
        let radius = median(&self.norms).min(self.rule.max_norm.unwrap_or(f64::INFINITY));
        // 1 - cos, without the difference of two numbers near 1
        let apart = |i: usize, j: usize| match norms[i] * norms[j] {
            0.0 => 1.0, // a zero vector is like none
            scale => (gram.distance2(i, j) - (norms[i] - norms[j]).powi(2)).max(0.0) / (2.0 * scale),
        };
        let kept = larger_of_two(&Matrix::from_fn(m, m, apart));
        let mut coefficients = vec![0.0; m];
        kept.iter().for_each(|&i| coefficients[i] = factor(norms[i].powi(2), radius) / kept.len() as f64);
        Ok(Aggregate::span(coefficients))
    }
}
