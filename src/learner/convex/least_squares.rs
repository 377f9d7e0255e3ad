//! A quadratic with chosen curvature and chosen noise.

use std::sync::Arc;

use phalanx_actors::learner::{Draw, LearnerError};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
    step::Domain,
};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Objective, ObjectiveError, ObjectiveRule, Sampled, geometry, rotation::Rotation, vectors};

/// Largest d.
const MOST_PARAMETERS: usize = 100_000_000;

/// Least squares, f(x) = 1/2 (x - x*)ᵀ H (x - x*), with noisy gradients and a known minimiser x*.
///
/// The eigenvalues h_1 … h_d of H are spaced evenly from `strong_convexity` to `smoothness`. A sample z is a random
/// quadratic f(x; z) = 1/2 (x - x*)ᵀ H_z (x - x*) + nᵀ (x - x*): n is normal with E‖n‖² = sigma², and H_z has the
/// eigenvectors of H and the eigenvalues h_i (1 ± curvature_noise), each sign on its own with probability 1/2. So
/// E‖∇f(x; z) - ∇f(x)‖² = sigma² + curvature_noise² ‖∇f(x)‖², and sigma_L = curvature_noise · smoothness. A worker's
/// gradient is that of one z, whatever its batch size, and its loss f(x; z), which may be negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeastSquares {
    /// Number of parameters, d.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub dim: usize,
    /// Largest eigenvalue of H, L.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: f64,
    /// Smallest eigenvalue of H, mu; at most `smoothness`.
    #[schemars(range(min = 0.0))]
    pub strong_convexity: f64,
    /// Whether the eigenvectors of H are random, far from the axes; without, H is diagonal.
    pub rotated: bool,
    /// Root of the variance of the additive noise, sigma; sigma² is the sum over all coordinates.
    #[schemars(range(min = 0.0))]
    pub sigma: f64,
    /// Relative noise of H's eigenvalues, sigma_L / L; with 0 the noise is the same at every point.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub curvature_noise: f64,
    /// ‖x*‖; the direction is random.
    #[schemars(range(min = 0.0))]
    pub optimum_norm: f64,
    /// ‖x_1 - x*‖; the direction is random.
    #[schemars(range(min = 0.0))]
    pub distance: f64,
    /// Radius of the ball around the origin to which iterates are projected; without it, no projection.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub radius: Option<f64>,
}

impl Default for LeastSquares {
    fn default() -> Self {
        Self {
            dim: 100,
            smoothness: 1.0,
            strong_convexity: 0.0,
            rotated: false,
            sigma: 1.0,
            curvature_noise: 0.0,
            optimum_norm: 1.0,
            distance: 1.0,
            radius: None,
        }
    }
}

impl Described for LeastSquares {
    const NAME: &'static str = "least-squares";
    const SOURCE: &'static str = "folklore";
}

impl ObjectiveRule for LeastSquares {
    fn check(&self) -> Result<(), ParameterError> {
        if !(1..=MOST_PARAMETERS).contains(&self.dim) {
            return Err(ParameterError::new("dim", self.dim, "1 <= dim <= 100,000,000"));
        }
        ParameterError::positive("smoothness", self.smoothness)?;
        for (name, value, most, needs) in [
            (
                "strong_convexity",
                self.strong_convexity,
                self.smoothness,
                "0 <= strong_convexity <= smoothness",
            ),
            (
                "curvature_noise",
                self.curvature_noise,
                1.0,
                "0 <= curvature_noise <= 1, so that every sample is convex",
            ),
        ] {
            ParameterError::unless((0.0..=most).contains(&value), name, value, needs)?;
        }
        ParameterError::not_negative("sigma", self.sigma)?;
        ParameterError::not_negative("optimum_norm", self.optimum_norm)?;
        ParameterError::not_negative("distance", self.distance)?;
        geometry::check_radius(self.radius)
    }

    fn dim(&self) -> usize {
        self.dim
    }

    /// Eigenvalues, optimum, start, and what turns them.
    fn holds(&self) -> u64 {
        vectors(3 + if self.rotated { Rotation::VECTORS } else { 0 }, self.dim)
    }

    fn build(&self, seed: Seed) -> Result<Arc<dyn Objective>, ObjectiveError> {
        self.check()?;
        let rng = |purpose| seed.stream("task", 0, purpose, 0);
        let optimum = geometry::direction(self.dim, self.optimum_norm, &mut rng("optimum"));
        let start = geometry::start(&optimum, self.distance, &mut rng("start"));
        let domain = geometry::domain(self.radius, &optimum, &start)?;
        let mut basis = rng("basis");
        let rotation =
            if self.rotated { Rotation::drawn(self.dim, &mut basis) } else { Rotation::none(self.dim) };
        Ok(Arc::new(Quadratic {
            rule: self.clone(),
            eigenvalues: self.eigenvalues(),
            rotation,
            optimum,
            start,
            domain,
        }))
    }
}

impl LeastSquares {
    fn eigenvalues(&self) -> Vec<f64> {
        let (low, high) = (self.strong_convexity, self.smoothness);
        let last = self.dim - 1;
        (0..=last)
            .map(|i| if i == last { high } else { low + (high - low) * i as f64 / last as f64 })
            .collect()
    }
}

struct Quadratic {
    rule: LeastSquares,
    eigenvalues: Vec<f64>,
    /// To the basis of H's eigenvectors.
    rotation: Rotation,
    optimum: Vec<f64>,
    start: Vec<f64>,
    domain: Domain,
}

impl Quadratic {
    /// x - x* in the basis of the eigenvectors.
    fn offset(&self, x: &[f64]) -> Vec<f64> {
        self.rotation.apply(x.iter().zip(&self.optimum).map(|(x, o)| x - o).collect())
    }
}

impl Objective for Quadratic {
    fn start(&self) -> &[f64] {
        &self.start
    }

    fn optimum(&self) -> &[f64] {
        &self.optimum
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn value(&self, x: &[f64]) -> f64 {
        self.offset(x).iter().zip(&self.eigenvalues).map(|(u, h)| 0.5 * h * u * u).sum()
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        self.rotation.undo(self.offset(x).iter().zip(&self.eigenvalues).map(|(u, h)| h * u).collect())
    }

    fn sampled(&self, x: &[f64], _: usize, draw: &Draw) -> Result<Sampled, LearnerError> {
        let (mut rng, offset) = (draw.rng.clone(), self.offset(x));
        let scale = self.rule.sigma / (self.rule.dim as f64).sqrt();
        let relative = self.rule.curvature_noise;
        // The noise is drawn in the basis of the eigenvectors; its distribution is the same in any. It becomes the
        // gradient in place: at the dimensions that memory allows, every other vector costs as much as a draw.
        let mut gradient = geometry::normal(self.rule.dim, &mut rng);
        let (mut curved, mut tilted) = (0.0, 0.0);
        for ((value, u), h) in gradient.iter_mut().zip(&offset).zip(&self.eigenvalues) {
            let part = if relative > 0.0 && rng.random() { relative } else { -relative };
            let (slope, noise) = (h * (1.0 + part) * u, *value * scale);
            curved += slope * u;
            tilted += noise * u;
            *value = slope + noise;
        }
        let loss = 0.5 * curved + tilted;
        Ok(Sampled { gradient: self.rotation.undo(gradient), loss, accuracy: f64::NAN })
    }
}
