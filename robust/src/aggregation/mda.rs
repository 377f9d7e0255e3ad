//! Minimum-diameter averaging, exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    cover::Graph,
    order::{mean_of, pairwise2},
};
use crate::{
    Batch, Matrix, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Minimum-diameter averaging: the mean of the m - f vectors whose largest mutual distance is least.
///
/// Exact without enumeration: m - f vectors have a diameter of at most t if f vectors meet every pair that is
/// farther apart, a vertex cover, so t follows by bisection over the distances. Of several sets with the least
/// diameter, which are common, the first in lexicographic order is taken, as by enumeration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mda {}

impl Described for Mda {
    const NAME: &'static str = "mda";
    const SOURCE: &'static str = "Rousseeuw, 1985; El-Mhamdi et al., 2021";
}

impl Rule for Mda {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Mda {}

impl Aggregator for Mda {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let distances2 = pairwise2(batch.gram()?);
        let kept = least_diameter(&distances2, context.f)?;
        Ok(Aggregate::span(mean_of(&kept, batch.m())))
    }
}

fn least_diameter(distances2: &Matrix, f: usize) -> Result<Vec<usize>, RuleError> {
    let m = distances2.rows();
    let farther = |t: f64| Graph::new(m, |i, j| distances2[(i, j)] > t);
    let mut radii: Vec<f64> =
        (0..m).flat_map(|i| (0..i).map(move |j| (i, j))).map(|at| distances2[at]).collect();
    radii.push(0.0);
    radii.sort_unstable_by(f64::total_cmp);
    radii.dedup();
    let (mut low, mut high) = (0, radii.len() - 1); // the least radius that will do is in low..=high
    while low < high {
        let middle = (low + high) / 2;
        if farther(radii[middle]).coverable(f)? { high = middle } else { low = middle + 1 }
    }
    Ok(farther(radii[low]).first_uncovered(f)?.unwrap_or_else(|| (0..m - f).collect()))
}
