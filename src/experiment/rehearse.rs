//! Runs a plan without a run folder, for those who measure it, and says what
//! a round consists of.

use phalanx_actors::{LearnerError, Observer, RunEnd, RunError, Stopper, learner::EvaluationTask};

use super::{Plan, PlanError};

/// A rehearsal that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A parameter that only now turns out to be unusable.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The learner cannot evaluate.
    #[error("the evaluation failed: {0}")]
    Evaluation(#[from] LearnerError),
}

/// What a model's gradient costs, and what the machine can do at best.
pub struct Arithmetic {
    /// Floating-point operations of one sample's gradient.
    pub flops: u64,
    /// Floating-point operations in a second that so many threads reach at multiplying matrices, on the
    /// same device and in the same number format; none if that fails.
    pub peak: Box<dyn Fn(usize) -> Option<f64>>,
}

impl Plan {
    /// Runs until the observer, which is given the handle for it, stops it. Nothing is written.
    ///
    /// # Errors
    /// [`RehearsalError::Plan`] and [`RehearsalError::Run`].
    pub fn rehearse<O: Observer + 'static>(
        mut self,
        observer: impl FnOnce(Stopper) -> O,
    ) -> Result<RunEnd, RehearsalError> {
        self.config.rounds = u64::MAX;
        let cast = self.cast()?;
        let observer = observer(cast.stopper());
        Ok(cast.observe(observer).run()?)
    }

    /// The evaluation of the initial point, to be run and timed by the caller.
    pub fn evaluation(&mut self) -> EvaluationTask {
        let start = self.workload.learner.start();
        self.workload.learner.evaluation(0, &start)
    }

    /// Takes what is known of the model's arithmetic; nothing for a convex objective.
    pub fn take_arithmetic(&mut self) -> Option<Arithmetic> {
        self.workload.arithmetic.take()
    }

    /// The batch size of every worker, by id.
    pub fn batch_sizes(&self) -> Vec<usize> {
        super::workload::batches(&self.groups)
    }

    /// Rounds between evaluations; 0 for none but the first and the last.
    pub fn evaluate_every(&self) -> u64 {
        self.config.evaluation.every
    }
}
