//! What the server does with the aggregate: it moves its iterate w and the query point x.

mod adaptive;
mod anytime_sgd;
mod schedule;
mod sgd;

pub use adaptive::{Adagrad, Adam, Yogi};
pub use anytime_sgd::AnytimeSgd;
use dyn_clone::DynClone;
pub use schedule::Schedule;
pub use sgd::Sgd;

use crate::{
    Vector,
    describe::{Described, ParameterError},
    random::Seed,
    state::Stateful,
};

/// The closed convex set K of the problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// All of R^d.
    Everywhere,
    /// The ball around the origin.
    Ball {
        /// Its radius, half of the diameter D.
        radius: f64,
    },
}

impl Domain {
    /// Moves `point` to the nearest point of the set.
    pub fn project(self, point: &mut Vector) {
        if let Self::Ball { radius } = self {
            let norm = point.norm();
            if norm > radius {
                point.scale(radius / norm);
            }
        }
    }
}

/// The server's optimiser.
///
/// ```
/// use phalanx_robust::{
///     Vector,
///     describe::{Described, ParameterError},
///     state::Stateful,
///     step::{Domain, Step, StepRule},
/// };
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// Steps of one length at every coordinate, against the aggregate's sign: x_{t+1} = Proj( x_t - lr sign(aggregate) ).
/// #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct SignDescent {
///     /// Length of a step at each coordinate.
///     #[schemars(extend("exclusiveMinimum" = 0.0))]
///     lr: f64,
/// }
///
/// impl Default for SignDescent {
///     fn default() -> Self {
///         Self { lr: 0.01 }
///     }
/// }
///
/// impl Described for SignDescent {
///     const NAME: &'static str = "sign-descent";
///     const SOURCE: &'static str = "an example, after Bernstein et al., 2018";
/// }
///
/// impl StepRule for SignDescent {
///     fn build(&self, _: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
///         ParameterError::positive("lr", self.lr)?;
///         Ok(Box::new(Descent { lr: self.lr, domain }))
///     }
/// }
///
/// #[derive(Clone)]
/// struct Descent {
///     lr: f64,
///     domain: Domain,
/// }
///
/// /// It remembers nothing: x is the server's.
/// impl Stateful for Descent {}
///
/// impl Step for Descent {
///     fn step(&mut self, _: u64, x: &mut Vector, aggregate: &Vector) {
///         x.axpy(-self.lr, &aggregate.signum());
///         self.domain.project(x);
///     }
/// }
///
/// let (rule, mut x) = (SignDescent { lr: 0.5 }, Vector::from(vec![1.0, 1.0, 1.0]));
/// let aggregate = Vector::from(vec![300.0, -0.1, 0.0]);
/// let mut step = rule.build(&x, Domain::Everywhere).unwrap();
/// step.step(1, &mut x, &aggregate);
/// assert_eq!(x.to_f64(), [0.5, 1.5, 1.0]);
///
/// let mut bound = rule.build(&x, Domain::Ball { radius: 1.0 }).unwrap();
/// bound.step(2, &mut x, &aggregate);
/// assert!((x.norm() - 1.0).abs() < 1e-12, "{}", x.norm());
/// ```
pub trait Step: DynClone + Stateful + Send {
    /// Told once by whoever makes it for a run, as an experiment does: the seed. One that draws random numbers takes a stream for each round
    /// from it, such as `seed.stream("step", 0, "noise", round)`.
    fn place(&mut self, seed: Seed) {
        let _ = seed;
    }

    /// Moves on: `x` is the query point x_t of `round` t (from 1), and becomes x_{t+1}. Only then is it looked at whether
    /// `aggregate` is finite; if not, the run ends, and nobody sees the point.
    fn step(&mut self, round: u64, x: &mut Vector, aggregate: &Vector);
}

dyn_clone::clone_trait_object!(Step);

/// A step as configured.
pub trait StepRule: Described {
    /// Makes the server's optimiser, which starts at `start` and stays in `domain`.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError>;
}

/// Takes every step that it is shown, built in or from outside.
pub trait StepVisitor {
    /// Called once for each.
    fn visit<S: StepRule>(&mut self);
}

/// The steps built in.
pub fn built_in(v: &mut impl StepVisitor) {
    v.visit::<Sgd>();
    v.visit::<AnytimeSgd>();
    v.visit::<Adam>();
    v.visit::<Yogi>();
    v.visit::<Adagrad>();
}

/// A learning rate, its schedule and a weight decay that can be used.
fn check_rates(lr: f64, weight_decay: f64, schedule: &Schedule) -> Result<(), ParameterError> {
    ParameterError::positive("lr", lr)?;
    ParameterError::not_negative("weight_decay", weight_decay)?;
    schedule.check().map_err(|error| error.inside("schedule"))
}
