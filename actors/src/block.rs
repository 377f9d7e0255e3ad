//! The workers that one actor hosts, and their common way through phase one:
//! they draw their batches, ask the learner with one message, and make their
//! vectors from its answer. So a round costs a message an actor, not a worker.
//!
//! What a worker's own code does stays with that worker: its panic is caught,
//! and the others go on. Only a worker that never ends takes its actor with it, and is named by [`Busy`].

use actix::{MailboxError, Recipient, dev::RecipientRequest};
use futures_util::future::OptionFuture;
use phalanx_robust::{
    contained,
    state::{State, StateError},
};

use crate::{
    busy::Busy,
    learner::{Draw, Job, Learned, LearnerError, Query},
    messages::{Ask, Fault, Reply, Submission},
    snapshot,
    worker::Protocol,
};

/// What the learner's mailbox gave for an [`Ask`]; none where nobody asked.
pub type Answer = Option<Result<Result<Vec<Learned>, LearnerError>, MailboxError>>;

/// Workers with consecutive ids.
pub struct Block {
    first: usize,
    members: Vec<Protocol>,
    learner: Recipient<Ask>,
    busy: Busy,
    /// Those that could not ask in the open round, ascending, and why.
    failed: Vec<(usize, Fault)>,
}

impl Block {
    /// The workers `first`, `first + 1`, …, who ask at `learner`.
    pub fn new(first: usize, members: Vec<Protocol>, learner: Recipient<Ask>, busy: Busy) -> Self {
        Self { first, members, learner, busy, failed: Vec::new() }
    }

    /// Lets `workers` begin anew. Whoever cannot fails in the round that begins.
    pub fn forget(&mut self, workers: &[usize]) {
        self.failed.clear();
        for &worker in workers {
            let forgotten = member(&mut self.members, self.first, worker).and_then(|member| {
                let failed = |error: StateError| Fault::Custom(format!("cannot begin anew: {error}"));
                contained(|| member.forget()).map_err(Fault::Panicked)?.map_err(failed)
            });
            self.failed.extend(forgotten.err().map(|fault| (worker, fault)));
        }
    }

    /// Asks the learner for the gradients of `workers`, after [`Block::forget`]. `poison` sees every batch before.
    pub fn ask(
        &mut self,
        query: &Query,
        workers: &[usize],
        mut poison: impl FnMut(&mut Draw) -> Result<(), Fault>,
    ) -> OptionFuture<RecipientRequest<Ask>> {
        let mut jobs = Vec::with_capacity(workers.len());
        let mut stuck = std::mem::take(&mut self.failed).into_iter().peekable();
        for &worker in workers {
            let unable = stuck.next_if(|(id, _)| *id == worker).map(|(_, fault)| fault);
            match unable.map_or_else(|| self.job(query, worker, &mut poison), Err) {
                Ok(job) => jobs.push(job),
                Err(fault) => self.failed.push((worker, fault)),
            }
        }
        let without = self.failed.iter().map(|(worker, _)| *worker).collect();
        let round = query.round;
        (!jobs.is_empty()).then(|| self.learner.send(Ask { round, jobs, without })).into()
    }

    fn job(
        &mut self,
        query: &Query,
        worker: usize,
        poison: &mut impl FnMut(&mut Draw) -> Result<(), Fault>,
    ) -> Result<Job, Fault> {
        let member = member(&mut self.members, self.first, worker)?;
        let mut job = self.busy.with(worker, || contained(|| member.job(query))).map_err(Fault::Panicked)?;
        poison(&mut job.draw)?;
        Ok(job)
    }

    /// What each of `workers` answers, in their order, once the learner has: `reply` makes it of the vector.
    ///
    /// # Errors
    /// [`Fault::Learner`] or [`Fault::NoLearner`], which concern all of them.
    pub fn replies(
        &mut self,
        round: u64,
        workers: &[usize],
        answer: Answer,
        mut reply: impl FnMut(Submission) -> Reply,
    ) -> Result<Reply, Fault> {
        let learned = match answer {
            Some(answer) => answer.map_err(|_| Fault::NoLearner)??,
            None => Vec::new(),
        };
        let mut failed = std::mem::take(&mut self.failed).into_iter().peekable();
        let mut learned = learned.into_iter();
        let one = |&worker: &usize| {
            if let Some((_, fault)) = failed.next_if(|(id, _)| *id == worker) {
                return Err(fault);
            }
            let learned = learned.next().ok_or(Fault::NoLearner)?;
            let member = member(&mut self.members, self.first, worker)?;
            let vector = self.busy.with(worker, || contained(|| member.learned(round, learned)));
            vector.map(&mut reply).map_err(Fault::Panicked)
        };
        Ok(Reply::Several(workers.iter().map(one).collect()))
    }

    /// What its workers remember, by the names of their parts in a snapshot.
    ///
    /// # Errors
    /// [`Fault::Panicked`] if a worker's own code does, or [`Fault::Custom`] if it would not take it back.
    pub fn memories(&self) -> Result<Vec<(String, State)>, Fault> {
        let one = |member: &Protocol| {
            let told = contained(|| member.state()).map_err(Fault::Panicked)?;
            let unfit =
                |error| Fault::Custom(format!("worker {} would not take it back: {error}", member.id()));
            Ok((snapshot::worker(member.id()), told.map_err(unfit)?))
        };
        self.members.iter().map(one).collect()
    }
}

/// The one of `members`, whose ids begin at `first`, who is `worker`.
fn member(members: &mut [Protocol], first: usize, worker: usize) -> Result<&mut Protocol, Fault> {
    let member = worker.checked_sub(first).and_then(|at| members.get_mut(at));
    member.ok_or_else(|| Fault::Custom(format!("worker {worker} is not hosted here")))
}
