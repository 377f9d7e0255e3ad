//! Runs evaluations one after another on threads of their own, which give way
//! to the rounds: they take what of the cores rounds leave, and all of it where
//! a round waits for an evaluation, or the last round is over.

use std::{sync::Arc, time::Instant};

use actix::{Actor, Context, Handler, Message};
use phalanx_robust::contained;
use rayon::ThreadPool;

use crate::learner::{Evaluation, EvaluationTask, LearnerError};

/// Learner to evaluator: run this.
#[derive(Message)]
#[rtype(result = "Result<Evaluation, LearnerError>")]
pub struct Run(pub EvaluationTask);

/// How much below the rounds evaluations stand, in steps of niceness: a core that both want is theirs for a tenth.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// How many threads evaluate beside so many that compute. Where they cannot give way it is one.
pub fn threads(compute: usize) -> usize {
    if cfg!(target_os = "linux") { compute } else { 1 }
}

/// Lets the calling thread stand behind those of the rounds. On Linux alone niceness is a thread's own.
pub fn give_way() {
    // Without it results are the same, so that a system that refuses is no error.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
}

/// The evaluator actor. `pool` is what parallel code inside an evaluation runs in: one of its own,
/// for in the run's pool it would stand in the way of rounds.
pub struct Evaluator {
    /// [`threads`] that [`give_way`].
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
