//! The relocated orthogonal perturbation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, AttackError, AttackRule, Knowledge, View,
    alie::{Share, quantile, remark},
};
use crate::{
    Dtype, Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Relocated orthogonal perturbation: all send pi · a + (1 - pi) · mu + z · p, with the server's last
/// aggregate a (zero in round 1) and the honest mean mu. The unit vector p = sin(angle) q +
/// cos(angle) u / ‖u‖ turns around the reference u = lambda · a + (1 - lambda) · mu (mu itself in
/// round 1); q is the part of (1, …, 1) orthogonal to u, normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rop {
    /// Where the perturbation is placed: 0 at the honest mean, 1 at the last aggregate.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pi: f64,
    /// Weight of the last aggregate in the reference direction.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub lambda: f64,
    /// Angle of the perturbation to the reference, in degrees: 90 and 270 are orthogonal, 180 is
    /// opposite.
    pub angle: f64,
    /// Length of the perturbation; without it, z of the formula of `alie`.
    pub z: Option<f64>,
}

impl Default for Rop {
    fn default() -> Self {
        Self { pi: 1.0, lambda: 0.9, angle: 270.0, z: None }
    }
}

/// How many roundings of (1, …, 1) are taken for nothing.
const ROUNDINGS: f64 = 16.0;

impl Described for Rop {
    const NAME: &'static str = "rop";
    const SOURCE: &'static str = "Özfatura et al., 2024";
}

impl AttackRule for Rop {
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::fraction("pi", self.pi)?;
        ParameterError::fraction("lambda", self.lambda)?;
        ParameterError::finite("angle", self.angle)?;
        let z = self.z.map_or_else(|| quantile(Share::Honest, size), Ok)?;
        ParameterError::finite("z", z)?;
        let remark = remark(self.z, z, size, "nothing is added to the reference that is sent");
        Ok(Box::new(Relocated { rule: self.clone(), z, remark }))
    }
}

#[derive(Clone)]
struct Relocated {
    rule: Rop,
    z: f64,
    remark: Option<String>,
}

impl Stateful for Relocated {}

impl Attack for Relocated {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let mean = view.honest()?.mean();
        let mut reference = mean.clone();
        if view.round > 1 {
            reference.lerp(self.rule.lambda, view.last_aggregate);
        }
        let reference = reference.unit().unwrap_or(reference);
        let mut orthogonal = view.shape.like(&vec![1.0; view.shape.len()]);
        orthogonal.axpy(-orthogonal.dot(&reference), &reference);
        let orthogonal = direction(&orthogonal);
        let (sin, cos) = self.rule.angle.to_radians().sin_cos();
        let mut vector = mean;
        vector.lerp(self.rule.pi, view.last_aggregate);
        vector.axpy(self.z * sin, &orthogonal);
        vector.axpy(self.z * cos, &reference);
        Ok(view.everyone(&vector))
    }
}

/// The direction of what is left of (1, …, 1); nothing where only rounding has left it.
fn direction(left: &Vector) -> Vector {
    let rounding = match left.dtype() {
        Dtype::F32 => f64::from(f32::EPSILON),
        Dtype::F64 => f64::EPSILON,
    };
    let is_nothing = left.norm() <= ROUNDINGS * rounding * (left.len() as f64).sqrt();
    left.unit().filter(|_| !is_nothing).unwrap_or_else(|| left.zeros_like())
}

#[cfg(test)]
mod tests {
    use super::{Vector, direction};

    #[test]
    fn what_rounding_leaves_has_no_direction() {
        for nothing in [Vector::from(vec![3e-16f64; 4]), Vector::from(vec![2e-7f32, -1e-7])] {
            assert_eq!(direction(&nothing).norm(), 0.0);
        }
        assert!((direction(&Vector::from(vec![1.0, -1.0, 1e-3])).norm() - 1.0).abs() < 1e-12);
    }
}
