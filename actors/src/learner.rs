//! The learner contract: the only door to a model. In a synchronous round all
//! workers stand at the same point, so a learner is handed the jobs of all of
//! them at once and may answer them in one fused pass.

use std::{sync::Arc, time::Duration};

use phalanx_robust::{
    Vector,
    aggregation::Judge,
    estimator::{Gradients, Points},
    random::Stream,
    state::Stateful,
};

use crate::confusion::Confusion;
pub use crate::desk::Refusal;

/// The query points of a round.
#[derive(Clone, Debug)]
pub struct Query {
    /// The round t, from 1.
    pub round: u64,
    /// x_t.
    pub current: Vector,
    /// x_{t-1}; none in the first round.
    pub previous: Option<Vector>,
}

/// The samples that a worker drew for a round.
#[derive(Clone, Debug)]
pub struct Draw {
    /// Positions of the samples in the training set; empty where the task draws its own noise.
    pub indices: Vec<usize>,
    /// The samples' labels, possibly poisoned; as long as `indices`.
    pub labels: Vec<i64>,
    /// Random numbers of this batch (augmentation, noise); the same at every point.
    pub rng: Stream,
}

/// Where a worker's batches come from: its own shard and stream.
pub trait Sampler: Send {
    /// The batch of `round` (from 1). A function of the round alone, so that nothing needs saving.
    fn draw(&mut self, round: u64) -> Draw;
}

/// What one worker asks of the learner.
#[derive(Clone, Debug)]
pub struct Job {
    /// Id of the worker; of the server one behind the last.
    pub worker: usize,
    /// Its batch.
    pub draw: Draw,
    /// The points at which it needs the gradient.
    pub points: Points,
    /// Whether it is the server's own, on its root set: no worker's gradient, and nothing that a learner remembers.
    pub root: bool,
}

/// What one worker gets.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Gradients of the batch's mean loss, clipped as the task says. `previous` is there if the job
    /// asked for it and the query holds x_{t-1}.
    pub gradients: Gradients,
    /// Mean loss of the batch at x_t.
    pub loss: f64,
    /// Fraction of the batch that x_t classifies as labelled; NaN for a task without classes.
    pub accuracy: f64,
}

/// How good a point is on held-out data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The round after which it was taken; 0 is the initial point.
    pub round: u64,
    /// Mean loss; for a convex task the objective value.
    pub loss: f64,
    /// Fraction classified rightly, for a convex task of the samples that workers train on; NaN without classes.
    pub accuracy: f64,
    /// f(x) - f(x*), where the optimum is known; NaN otherwise.
    pub gap: f64,
    /// Mean loss on training data held out for choosing parameters; NaN where none is.
    pub validation_loss: f64,
    /// Fraction of that data classified rightly; NaN where none is held out.
    pub validation_accuracy: f64,
    /// What was taken for what, of the samples that `accuracy` is of; none where it is not counted.
    pub confusion: Option<Arc<Confusion>>,
    /// Fraction of those that attacks want to be predicted as another class that is; NaN where it is not counted, or none
    /// wants that.
    pub attack_success: f64,
    /// How long it took, off the critical path; the evaluator fills it in.
    pub took: Duration,
}

impl Evaluation {
    /// After `round`, with nothing known: every number is NaN.
    pub const fn unknown(round: u64) -> Self {
        let nan = f64::NAN;
        Self {
            round,
            loss: nan,
            accuracy: nan,
            gap: nan,
            validation_loss: nan,
            validation_accuracy: nan,
            confusion: None,
            attack_success: nan,
            took: Duration::ZERO,
        }
    }
}

/// A learner that could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnerError {
    /// The model or its library failed.
    #[error("the model failed: {0}")]
    Model(String),
    /// A job asks for samples that are not there.
    #[error("worker {worker} asks for sample {index} of {len}")]
    Sample {
        /// Who asked.
        worker: usize,
        /// Which sample.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// The learner does not take the job.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The learner answered another number of jobs than it was given.
    #[error("the model answered {answers} of {jobs} jobs")]
    Count {
        /// How many it was given.
        jobs: usize,
        /// How many it answered.
        answers: usize,
    },
    /// What an attack wants of the classes cannot be told.
    #[error("{0}")]
    Targets(String),
    /// The learner panicked, with this message; it is not called again.
    #[error("the model panicked: {0}")]
    Panicked(String),
}

/// An evaluation to be run off the critical path: it owns a snapshot of all it needs.
pub type EvaluationTask = Box<dyn FnOnce() -> Result<Evaluation, LearnerError> + Send>;

/// The model and its data, as the cast sees them.
///
/// Implementations must answer the same bits for the same jobs at any number
/// of threads; jobs come ordered by worker id.
pub trait Learner: Stateful + Send {
    /// The initial point x_1.
    fn start(&self) -> Vector;

    /// Answers the jobs of one round, in their order.
    ///
    /// # Errors
    /// [`LearnerError`].
    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError>;

    /// Who tells the loss of the batch of `job`, which is the server's own, at any point: of the model as it stands now,
    /// with nothing in it that is drawn. It owns all that it needs.
    ///
    /// # Errors
    /// [`LearnerError`], as a rule that it cannot be told.
    fn judge(&mut self, job: &Job) -> Result<Arc<dyn Judge>, LearnerError> {
        let _ = job;
        Err(LearnerError::Model("it tells no losses at points of the server's choice".to_owned()))
    }

    /// How many gradients of one batch stand behind each one that it answers with; more than one where workers take
    /// local steps.
    fn effort(&self) -> u64 {
        1
    }

    /// The evaluation of `point` as it stands after `round`.
    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask;
}
