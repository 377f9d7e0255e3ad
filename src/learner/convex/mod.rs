//! Convex tasks with a known optimum, the setting of the theory: least squares
//! and logistic regression on the host, without libtorch.
//!
//! An objective is a config struct with [`ObjectiveRule`]; [`ConvexLearner`]
//! lets the cast learn it. A new one is one file here and one line of [`built_in`].

mod geometry;
mod learner;
mod least_squares;
mod logistic_regression;
mod newton;

use std::sync::Arc;

use phalanx_actors::learner::{Draw, LearnerError};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
    step::Domain,
};

pub use learner::ConvexLearner;
pub use least_squares::LeastSquares;
pub use logistic_regression::LogisticRegression;
pub use newton::NewtonError;

/// An objective as configured.
pub trait ObjectiveRule: Described {
    /// Draws the objective, and finds its optimum.
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
    /// Number of parameters, d.
    fn dim(&self) -> usize;

    /// Where the run starts, x_1.
    fn start(&self) -> &[f64];

    /// The minimiser x*, which lies in the domain.
    fn optimum(&self) -> &[f64];

    /// The convex set K of the problem.
    fn domain(&self) -> Domain;

    /// A constant L such that every f(.; z) is L-smooth; if the noise is unbounded, one for f.
    fn smoothness(&self) -> f64;

    /// f(x).
    fn value(&self, x: &[f64]) -> f64;

    /// f(x) - f(x*).
    fn gap(&self, x: &[f64]) -> f64 {
        self.value(x) - self.value(self.optimum())
    }

    /// The gradient of f at x.
    fn gradient(&self, x: &[f64]) -> Vec<f64>;

    /// The gradient of the batch that `draw` names, at x: the same batch and the same noise at every point.
    ///
    /// # Errors
    /// [`LearnerError::Sample`] if the draw, which `worker` made, names samples that are not there.
    fn sampled(&self, x: &[f64], worker: usize, draw: &Draw) -> Result<Sampled, LearnerError>;

    /// Labels of the samples that the workers draw from; none for an objective that makes its own noise.
    fn labels(&self) -> Option<&Arc<Vec<u8>>> {
        None
    }

    /// Number of classes of the labels; 0 without labels.
    fn classes(&self) -> usize {
        0
    }

    /// Fraction of all samples that x classifies as labelled; NaN without classes.
    fn accuracy(&self, x: &[f64]) -> f64 {
        let _ = x;
        f64::NAN
    }
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
