//! What the objectives share: random directions, and the place of start and optimum in the domain.

use phalanx_robust::{describe::ParameterError, random::Stream, step::Domain};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::{axpy, norm};

/// `len` independent standard normal numbers.
pub(super) fn normal(len: usize, rng: &mut Stream) -> Vec<f64> {
    (0..len).map(|_| rng.sample(StandardNormal)).collect()
}

/// A vector of norm `length` in a direction drawn uniformly.
pub(super) fn direction(len: usize, length: f64, rng: &mut Stream) -> Vec<f64> {
    let mut vector = normal(len, rng);
    let scale = length / norm(&vector);
    vector.iter_mut().for_each(|value| *value *= scale);
    vector
}

/// The start at `distance` from `optimum` in a random direction.
pub(super) fn start(optimum: &[f64], distance: f64, rng: &mut Stream) -> Vec<f64> {
    let mut start = optimum.to_vec();
    axpy(&mut start, 1.0, &direction(optimum.len(), distance, rng));
    start
}

/// Whether a ball can have this radius.
pub(super) fn check_radius(radius: Option<f64>) -> Result<(), ParameterError> {
    radius.map_or(Ok(()), |radius| ParameterError::positive("radius", radius))
}

/// The domain of `radius`, none meaning everywhere, if both points lie in it.
pub(super) fn domain(radius: Option<f64>, optimum: &[f64], start: &[f64]) -> Result<Domain, ParameterError> {
    let Some(radius) = radius else { return Ok(Domain::Everywhere) };
    for (point, needs) in [
        (optimum, "the optimum must lie in the ball: choose a larger radius"),
        (start, "the start must lie in the ball: choose a larger radius or a smaller distance"),
    ] {
        if norm(point) > radius {
            let told = format!("{radius}, with a point of norm {}", norm(point));
            return Err(ParameterError::new("radius", told, needs));
        }
    }
    Ok(Domain::Ball { radius })
}
