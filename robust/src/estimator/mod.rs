//! What an honest worker makes of its stochastic gradients: the vector it submits.

mod momentum;
mod sgd;
mod storm;

use dyn_clone::DynClone;
pub use momentum::{First, Momentum};
pub use sgd::Sgd;
pub use storm::Storm;

use crate::{
    Vector,
    describe::{Described, ParameterError},
    random::Seed,
    state::Stateful,
};

/// The points at which an estimator needs the gradient of one and the same batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// The query point x_t.
    Current,
    /// The query points x_t and x_{t-1}.
    CurrentAndPrevious,
}

/// Gradients of one batch.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// At x_t.
    pub current: Vector,
    /// At x_{t-1}, if the estimator asked for it and there is such a point.
    pub previous: Option<Vector>,
}

/// A worker's memory and how it turns gradients into the vector it submits.
///
/// Its vectors may be kept elsewhere between rounds (`machine.state`, `task.state`): it is then given back what
/// [`state`](Stateful::state) says without the vectors, and all of it before the next [`update`](Self::update). If that
/// leaves other values than before, it keeps everything.
pub trait Estimator: DynClone + Stateful + Send {
    /// Told once by whoever makes it for a run, as an experiment does: whose it is, and the seed. One that draws random numbers takes a stream
    /// for each round from it, such as `seed.stream("estimator", worker as u64, "noise", round)`: results are then the same
    /// for any number of threads, and there is nothing to remember.
    fn place(&mut self, worker: usize, seed: Seed) {
        let _ = (worker, seed);
    }

    /// Where the estimator needs gradients in `round` (from 1).
    fn points(&self, round: u64) -> Points;

    /// Takes the gradients of `round` in and returns the vector to submit.
    fn update(&mut self, round: u64, gradients: Gradients) -> Vector;
}

dyn_clone::clone_trait_object!(Estimator);

/// An estimator as configured.
pub trait EstimatorRule: Described {
    /// Makes the estimator of one worker, without memory yet.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError>;
}

/// Takes every estimator that it is shown, built in or from outside.
pub trait EstimatorVisitor {
    /// Called once for each.
    fn visit<E: EstimatorRule>(&mut self);
}

/// The estimators built in.
pub fn built_in(v: &mut impl EstimatorVisitor) {
    v.visit::<Sgd>();
    v.visit::<Momentum>();
    v.visit::<Storm>();
}
