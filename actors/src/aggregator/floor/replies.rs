//! What actors answer, taken in worker by worker.

use super::{Floor, Heard};
use crate::{
    error::{Reason, RunError},
    learner::LearnerError,
    messages::{Called, Fault, Reply, Submission, Withdraw},
};

impl Floor {
    /// Takes in what an actor says in phase one for its `workers`.
    pub(super) async fn replied(&mut self, workers: &Called, reply: Heard) -> Result<(), RunError> {
        let round = self.round;
        let failed = match reply {
            Ok(Err(Fault::NoLearner)) => return Err(self.learner_died()),
            Ok(Err(Fault::Learner(error))) if !matches!(error, LearnerError::Refused(_)) => {
                return Err(RunError::Learner { round, error });
            }
            Ok(Ok(Reply::Waiting)) => {
                workers.iter().try_for_each(|&worker| self.answered(worker, Reply::Waiting))?;
                false
            }
            reply => self.parts(workers, reply)?,
        };
        if failed && self.seat(workers[0]).learns {
            // Whoever of them has not asked the learner will not do so any more, and the others need not wait.
            let withdraw = Withdraw { round, workers: workers.clone() };
            self.of_learner(self.learner.withdraw.send(withdraw)).await?;
        }
        Ok(())
    }

    /// Takes in what an actor says in phase two for its `workers`.
    pub(super) fn forged(&mut self, workers: &Called, reply: Heard) -> Result<(), RunError> {
        self.parts(workers, reply)?;
        let waiting = std::mem::take(&mut self.waiting);
        self.give_up(waiting, Fault::Custom("still waits in phase two".to_owned()).into())
    }

    /// Takes in the answers of `workers`, one by one; says whether one of them failed.
    fn parts(&mut self, workers: &Called, reply: Heard) -> Result<bool, RunError> {
        let parts = match reply {
            Ok(Ok(Reply::Several(parts))) if parts.len() == workers.len() => parts,
            Ok(Ok(Reply::Several(parts))) => {
                let words = format!("its actor answers {} of {} workers", parts.len(), workers.len());
                return self.lost(workers, Fault::Custom(words).into());
            }
            Ok(Ok(one)) if workers.len() == 1 => vec![Ok(one)],
            Ok(Ok(_)) => {
                let words = format!("its actor answers one of {} workers", workers.len());
                return self.lost(workers, Fault::Custom(words).into());
            }
            Ok(Err(fault)) => return self.lost(workers, fault.into()),
            Err(_) => return self.lost(workers, Reason::Died),
        };
        let mut failed = false;
        for (&worker, part) in workers.iter().zip(parts) {
            match part {
                Ok(reply) => self.answered(worker, reply)?,
                Err(fault) => failed |= self.lost(&[worker], fault.into())?,
            }
        }
        Ok(failed)
    }

    /// Takes in what one worker says, unless it was given up before.
    fn answered(&mut self, worker: usize, reply: Reply) -> Result<(), RunError> {
        if !self.barrier.is_missing(worker) {
            return Ok(());
        }
        match reply {
            Reply::Submitted(submission) => self.submitted(worker, submission),
            Reply::Waiting if self.seat(worker).attacker.is_some() => {
                self.waiting.push(worker);
                Ok(())
            }
            Reply::Waiting => self.give_up(vec![worker], Reason::NoAttacker),
            Reply::Several(_) => {
                let words = "its actor answers it as several workers".to_owned();
                self.give_up(vec![worker], Fault::Custom(words).into())
            }
        }
    }

    fn submitted(&mut self, worker: usize, submission: Submission) -> Result<(), RunError> {
        match self.post.carry(&mut self.barrier, worker, submission) {
            Ok(()) => Ok(()),
            Err(reason) => self.give_up(vec![worker], reason),
        }
    }

    /// Gives up those of `workers` that were not given up before; says whether there are any.
    pub(super) fn lost(&mut self, workers: &[usize], reason: Reason) -> Result<bool, RunError> {
        let lost: Vec<usize> =
            workers.iter().copied().filter(|&worker| self.barrier.is_missing(worker)).collect();
        let any = !lost.is_empty();
        self.give_up(lost, reason)?;
        Ok(any)
    }
}
