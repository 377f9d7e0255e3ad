//! Convex tasks with a known optimum, the setting of the theory: least squares
//! and logistic regression on the host, without libtorch.
//!
//! An objective is a config struct with [`ObjectiveRule`]; [`ConvexLearner`]
//! lets the cast learn it. A new one is one file here and one line of [`built_in`].

mod drawn;
mod geometry;
mod learner;
mod least_squares;
mod logistic_regression;
mod newton;
mod rotation;

use std::sync::Arc;

use phalanx_actors::learner::{Draw, LearnerError};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
    step::Domain,
};

pub use drawn::draw;
pub use learner::ConvexLearner;
pub use least_squares::LeastSquares;
pub use logistic_regression::LogisticRegression;
pub use newton::NewtonError;

/// An objective as configured.
///
/// ```
/// use std::sync::Arc;
///
/// use phalanx::{
///     Program,
///     learner::convex::{Objective, ObjectiveError, ObjectiveRule, Sampled},
/// };
/// use phalanx_actors::learner::{Draw, LearnerError};
/// use phalanx_robust::{describe::Described, random::Seed};
/// use rand::RngExt;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// The valley f(x) = 1/2 ‖x‖², whose gradients are scaled by a random number from 0 to 2.
/// #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Valley {
///     /// Number of parameters.
///     dim: usize,
/// }
///
/// impl Described for Valley {
///     const NAME: &'static str = "valley";
///     const SOURCE: &'static str = "an example";
/// }
///
/// impl ObjectiveRule for Valley {
///     fn dim(&self) -> usize {
///         self.dim
///     }
///
///     fn build(&self, _: Seed) -> Result<Arc<dyn Objective>, ObjectiveError> {
///         Ok(Arc::new(Drawn { start: vec![1.0; self.dim], optimum: vec![0.0; self.dim] }))
///     }
/// }
///
/// struct Drawn {
///     start: Vec<f64>,
///     optimum: Vec<f64>,
/// }
///
/// impl Objective for Drawn {
///     fn start(&self) -> &[f64] {
///         &self.start
///     }
///
///     fn optimum(&self) -> &[f64] {
///         &self.optimum
///     }
///
///     fn value(&self, x: &[f64]) -> f64 {
///         x.iter().map(|value| 0.5 * value * value).sum()
///     }
///
///     fn gradient(&self, x: &[f64]) -> Vec<f64> {
///         x.to_vec()
///     }
///
///     fn sampled(&self, x: &[f64], _: usize, draw: &Draw) -> Result<Sampled, LearnerError> {
///         let scale = draw.rng.clone().random_range(0.0..2.0);
///         let gradient = x.iter().map(|value| scale * value).collect();
///         Ok(Sampled { gradient, loss: scale * self.value(x), accuracy: f64::NAN })
///     }
/// }
///
/// let program = Program::new().objective::<Valley>();
/// # let _ = program;
/// ```
pub trait ObjectiveRule: Described {
    /// Whether the parameters can be used, as far as they tell by themselves. Asked first, and the sizes only if they can.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn check(&self) -> Result<(), ParameterError> {
        Ok(())
    }

    /// Number of parameters, d.
    fn dim(&self) -> usize;

    /// Number of classes of the samples that workers draw from; 0 for an objective that makes its own noise.
    fn classes(&self) -> usize {
        0
    }

    /// Bytes of memory that the objective will take: a run that cannot fit is refused before anything is drawn. Without
    /// a word of the rule, those of the start and the optimum.
    fn holds(&self) -> u64 {
        vectors(2, self.dim())
    }

    /// Draws the objective, and finds its optimum. Random numbers are those of streams of `seed`.
    ///
    /// # Errors
    /// [`ObjectiveError`].
    fn build(&self, seed: Seed) -> Result<Arc<dyn Objective>, ObjectiveError>;
}

/// An objective that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// A value out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The optimum could not be found.
    #[error("the optimum could not be found: {0}")]
    Optimum(#[from] NewtonError),
    /// There is nothing to learn.
    #[error("it has no parameters")]
    Empty,
    /// A point of another length than the rule tells.
    #[error("its {part} has {found} coordinates; its rule tells of {dim}")]
    Length {
        /// Which point.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The number of parameters that is told.
        dim: usize,
    },
    /// A point that nothing can start from, or come to.
    #[error("its {part} is not finite")]
    NotFinite {
        /// Which point.
        part: &'static str,
    },
    /// Other labels than the rule tells.
    #[error("its labels are of {found} classes; its rule tells of {classes}")]
    Classes {
        /// One more than the largest label; 0 without labels.
        found: usize,
        /// The number of classes that is told.
        classes: usize,
    },
    /// What an objective from outside says of itself.
    #[error("{0}")]
    Other(String),
}

/// Is shown every built-in objective.
pub trait ObjectiveVisitor {
    /// Called once for each.
    fn visit<O: ObjectiveRule>(&mut self);
}

/// The objectives built in.
pub fn built_in(v: &mut impl ObjectiveVisitor) {
    v.visit::<LeastSquares>();
    v.visit::<LogisticRegression>();
}

/// One worker's gradient at one point.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// The stochastic gradient, of length d.
    pub gradient: Vec<f64>,
    /// The batch's loss at the same point.
    pub loss: f64,
    /// Fraction of the batch that the point classifies as labelled; NaN without classes.
    pub accuracy: f64,
}

/// A convex function f with a known minimiser. All arithmetic is in f64.
pub trait Objective: Send + Sync {
    /// Where the run starts, x_1; as long as the rule's `dim`.
    fn start(&self) -> &[f64];

    /// The minimiser x*, which lies in the domain.
    fn optimum(&self) -> &[f64];

    /// The convex set K of the problem.
    fn domain(&self) -> Domain {
        Domain::Everywhere
    }

    /// f(x).
    fn value(&self, x: &[f64]) -> f64;

    /// f(x) - f(x*).
    fn gap(&self, x: &[f64]) -> f64 {
        self.value(x) - self.value(self.optimum())
    }

    /// The gradient of f at x. Rounds do not ask for it.
    fn gradient(&self, x: &[f64]) -> Vec<f64>;

    /// The gradient of the batch that `draw` names, at x: the same batch and the same noise at every point.
    ///
    /// # Errors
    /// [`LearnerError::Sample`] if the draw, which `worker` made, names samples that are not there.
    fn sampled(&self, x: &[f64], worker: usize, draw: &Draw) -> Result<Sampled, LearnerError>;

    /// Labels of the samples that the workers draw from, below the rule's number of classes; none for an objective that
    /// makes its own noise.
    fn labels(&self) -> Option<&Arc<Vec<u8>>> {
        None
    }

    /// The class that x predicts of each sample of `labels`; none, as here, for an objective that makes its own noise, and
    /// for one of which `evaluation.per_class` cannot be had. With it the accuracy of an evaluation is that of these.
    fn predictions(&self, x: &[f64]) -> Option<Vec<u8>> {
        let _ = x;
        None
    }

    /// Fraction of all samples that x classifies as labelled; NaN without predictions.
    fn accuracy(&self, x: &[f64]) -> f64 {
        let Some((labels, predictions)) = self.labels().zip(self.predictions(x)) else { return f64::NAN };
        let right = labels.iter().zip(&predictions).filter(|(label, predicted)| label == predicted);
        fraction(right.count() as u64, labels.len() as u64)
    }
}

/// Bytes of `count` vectors of `dim` numbers.
fn vectors(count: u64, dim: usize) -> u64 {
    count.saturating_mul(dim as u64).saturating_mul(size_of::<f64>() as u64)
}

/// Part of all samples.
fn fraction(right: u64, samples: u64) -> f64 {
    right as f64 * (1.0 / samples as f64)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// a ← a + c · b.
fn axpy(a: &mut [f64], c: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += c * b);
}
