//! Clipping by the history of norms, then the larger of two clusters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    cluster::larger_of_two,
    order::{cosine_distances, median},
    radius::{clipped_mean, norms},
};
use crate::{
    Batch, Size, Vector,
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
        let norms = norms(gram);
        self.norms.extend(&norms);
        let radius = median(&self.norms).min(self.rule.max_norm.unwrap_or(f64::INFINITY));
        let kept = larger_of_two(&cosine_distances(gram));
        Ok(Aggregate::span(clipped_mean(&kept, &norms, radius)))
    }
}
