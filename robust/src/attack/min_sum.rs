//! Min-sum: as far from all honest vectors together as one of them is from the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View, min_max::Direction, statistics};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Min-sum: all send mu + gamma · p, with the largest gamma for which the sum of the squared
/// distances of the vector to the honest vectors is no larger than that of some honest vector. The
/// gamma is exact; the authors come to it by bisection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MinSum {
    /// The direction p in which the attackers leave the honest mean.
    pub direction: Direction,
}

impl Described for MinSum {
    const NAME: &'static str = "min-sum";
    const SOURCE: &'static str = "Shejwalkar & Houmansadr, 2021";
}

impl AttackRule for MinSum {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for MinSum {}

impl Attack for MinSum {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn needs_pairs(&self) -> bool {
        true
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        let (mut vector, p) = self.direction.of(honest);
        let gram = statistics::gram(honest)?;
        let n = gram.m();
        let sums: Vec<f64> = (0..n).map(|i| (0..n).map(|j| gram.distance2(i, j)).sum()).collect();
        let bound = sums.iter().copied().fold(0.0, f64::max);
        // Σ ‖mu + gamma p - x_i‖² = n gamma² ‖p‖² + Σ ‖mu - x_i‖², for the mu - x_i add up to zero;
        // and Σ_i ‖mu - x_i‖² = Σ_ij ‖x_i - x_j‖² / 2n.
        let own = sums.iter().sum::<f64>() / (2 * n) as f64;
        let gamma = ((bound - own).max(0.0) / (n as f64 * p.dot(&p))).sqrt();
        if gamma.is_finite() {
            vector.axpy(gamma, &p);
        }
        Ok(view.everyone(&vector))
    }
}
