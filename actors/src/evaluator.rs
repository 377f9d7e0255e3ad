//! Runs evaluations one after another on a thread of its own, so that they
//! cost a round no more than one core.

use std::{sync::Arc, time::Instant};

use actix::{Actor, Context, Handler, Message};
use rayon::ThreadPool;

use crate::{
    contain::contained,
    learner::{Evaluation, EvaluationTask, LearnerError},
};

/// Learner to evaluator: run this.
#[derive(Message)]
#[rtype(result = "Result<Evaluation, LearnerError>")]
pub struct Run(pub EvaluationTask);

/// The evaluator actor. `pool` is what parallel code inside an evaluation runs in: one of its own,
/// for in the run's pool it would stand in the way of rounds.
pub struct Evaluator {
    /// One thread.
    pub pool: Arc<ThreadPool>,
}

impl Actor for Evaluator {
    type Context = Context<Self>;
}

impl Handler<Run> for Evaluator {
    type Result = Result<Evaluation, LearnerError>;

    fn handle(&mut self, Run(task): Run, _: &mut Self::Context) -> Self::Result {
        let started = Instant::now();
        let evaluation = contained(|| self.pool.install(task))
            .unwrap_or_else(|message| Err(LearnerError::Panicked(message)))?;
        Ok(Evaluation { took: started.elapsed(), ..evaluation })
    }
}
