//! Min-max: as far from the honest mean as the honest vectors are from each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View, statistics};
use crate::{
    Batch, Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// The direction p in which the attackers leave the honest mean mu.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Minus the standard deviation of the honest vectors (divisor n - 1) at every coordinate.
    #[default]
    Std,
    /// -sign(mu).
    Sign,
    /// -mu / ‖mu‖.
    Unit,
}

impl Direction {
    /// The mean of the honest vectors, and p.
    pub(super) fn of(self, honest: &Batch<'_>) -> (Vector, Vector) {
        if self == Self::Std {
            let moments = statistics::moments(honest, 1);
            return (moments.mean, moments.deviation.scaled(-1.0));
        }
        let mean = honest.mean();
        let unit = if self == Self::Unit { mean.unit() } else { None };
        let p = unit.unwrap_or_else(|| mean.signum()).scaled(-1.0);
        (mean, p)
    }
}

/// Min-max: all send mu + gamma · p, with the largest gamma for which the vector is no farther from
/// any honest vector than some two of these are from each other. The gamma is exact (the root of a
/// quadratic); the authors come to it by bisection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MinMax {
    /// The direction p in which the attackers leave the honest mean.
    pub direction: Direction,
}

impl Described for MinMax {
    const NAME: &'static str = "min-max";
    const SOURCE: &'static str = "Shejwalkar & Houmansadr, 2021";
}

impl AttackRule for MinMax {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for MinMax {}

impl Attack for MinMax {
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
        let pairs = (0..gram.m()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let diameter2 = pairs.map(|(i, j)| gram.distance2(i, j)).fold(0.0, f64::max);
        let square = p.dot(&p);
        // ‖mu + gamma p - x‖² = gamma² ‖p‖² + 2 gamma ⟨p, mu - x⟩ + ‖mu - x‖² <= diameter² for every x.
        let largest = |row: &Vector| {
            let away = vector.minus(row);
            let (slope, rest) = (p.dot(&away), diameter2 - away.dot(&away));
            let root = (slope * slope + square * rest).max(0.0).sqrt();
            if slope > 0.0 { rest / (root + slope) } else { (root - slope) / square }
        };
        let gamma = statistics::rows(honest).iter().map(largest).fold(f64::INFINITY, f64::min);
        if gamma.is_finite() {
            vector.axpy(gamma.max(0.0), &p);
        }
        Ok(view.everyone(&vector))
    }
}
