//! FedSECA: an elected sign for every coordinate, and the mean of what agrees with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{each, median},
    radius::factor,
};
use crate::{
    Batch, Matrix, Size,
    batch::Elector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// FedSECA: at every coordinate, the mean of the clipped, clamped and sparsified values whose sign is the one that is
/// elected there.
///
/// Two vectors agree if more of their coordinates have equal signs than opposite ones, and disagree the other way round.
/// The vote of x_i is its concordance: how many vectors it agrees with, itself counted, less those it disagrees with, or 0.
/// The sign of coordinate j is that of Σ_i vote_i sign(x_ij). Vectors are scaled down to the median norm, their coordinates
/// clamped to the median length there (both midpoints), and of x_i only the coordinates longer than the
/// `sparsity`-quantile of its own lengths (interpolated) are left. Where nobody is left, or no sign is elected, there is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fedseca {
    /// The share of the coordinates of every vector that is left out, gamma in the paper.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub sparsity: f64,
}

impl Default for Fedseca {
    fn default() -> Self {
        Self { sparsity: 0.9 }
    }
}

impl Described for Fedseca {
    const NAME: &'static str = "fedseca";
    const SOURCE: &'static str = "Benjamin et al., 2025";
}

impl Rule for Fedseca {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::below_one("sparsity", self.sparsity)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Stateful for Fedseca {}

impl Aggregator for Fedseca {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let rows = batch.to_rows();
        let batch = batch.alike(&rows)?;
        let norms2 = batch.norms2()?;
        let radius = median(&norms2.iter().map(|norm2| norm2.sqrt()).collect::<Vec<_>>());
        // between this length and the next one lies the quantile, so that the same coordinates are longer than either
        let place = self.sparsity * (batch.d() - 1) as f64;
        let thresholds = batch.ranked_lengths(place as usize)?;
        let votes = votes(&batch.sign_products());
        let elector = |i: usize| Elector {
            votes: votes[i],
            factor: factor(norms2[i], radius),
            threshold: thresholds[i],
        };
        Ok(Aggregate::vector(batch.elected_mean(&each(rows.len(), elector))?))
    }
}

/// How much the signs of every row count, by how far the signs of every two agree.
fn votes(agreement: &Matrix) -> Vec<f64> {
    let m = agreement.rows();
    let concordance = |i: usize| (0..m).map(|k| sign(agreement[(i, k)])).sum::<f64>();
    each(m, |i| concordance(i).max(0.0))
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
