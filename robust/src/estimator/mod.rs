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
///
/// ```
/// use phalanx_robust::{
///     Vector,
///     describe::{Described, ParameterError},
///     estimator::{Estimator, EstimatorRule, Gradients, Points},
///     random::Seed,
///     state::Stateful,
///     testing::conform_estimator,
/// };
/// use rand_distr::{Distribution, StandardNormal};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// The gradient with Gaussian noise: the mechanism of differential privacy, for gradients that are clipped.
/// #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Private {
///     /// Standard deviation of the noise at each coordinate.
///     #[schemars(range(min = 0.0))]
///     std: f64,
/// }
///
/// impl Default for Private {
///     fn default() -> Self {
///         Self { std: 1.0 }
///     }
/// }
///
/// impl Described for Private {
///     const NAME: &'static str = "private";
///     const SOURCE: &'static str = "an example, after Abadi et al., 2016";
/// }
///
/// impl EstimatorRule for Private {
///     fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
///         ParameterError::not_negative("std", self.std)?;
///         Ok(Box::new(Noisy { std: self.std, place: (0, Seed(0)) }))
///     }
/// }
///
/// #[derive(Clone)]
/// struct Noisy {
///     std: f64,
///     /// Whose it is, and the seed. Not in its state: it is told anew.
///     place: (usize, Seed),
/// }
///
/// impl Stateful for Noisy {}
///
/// impl Estimator for Noisy {
///     fn place(&mut self, worker: usize, seed: Seed) {
///         self.place = (worker, seed);
///     }
///
///     fn points(&self, _: u64) -> Points {
///         Points::Current
///     }
///
///     fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
///         let (worker, seed) = self.place;
///         let mut rng = seed.stream("estimator", worker as u64, "noise", round);
///         let noise: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(gradients.current.len()).collect();
///         let mut vector = gradients.current;
///         vector.axpy(self.std, &vector.like(&noise));
///         vector
///     }
/// }
///
/// let rule = Private { std: 0.1 };
/// conform_estimator(|| rule.build().unwrap()).unwrap();
///
/// let sent = |worker, round| {
///     let mut estimator = rule.build().unwrap();
///     estimator.place(worker, Seed(1));
///     let current = Vector::from(vec![1.0; 1000]);
///     estimator.update(round, Gradients { current, previous: None }).to_f64()
/// };
/// assert_eq!(sent(3, 1), sent(3, 1));
/// assert!(sent(3, 1) != sent(4, 1) && sent(3, 1) != sent(3, 2));
/// let variance = sent(3, 1).iter().map(|value| (value - 1.0).powi(2)).sum::<f64>() / 1000.0;
/// assert!((variance - 0.01).abs() < 0.002, "{variance}");
/// ```
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
