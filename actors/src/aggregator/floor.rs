//! The workers of a run as the aggregator sees them: it asks them, waits for
//! them, and decides by the policy about those who do not answer.

mod memory;

use std::{
    collections::{BTreeMap, HashSet},
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::MailboxError;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant as Clock, sleep, timeout};

use super::record::honest;
use crate::{
    barrier::{Barrier, Outcome},
    cohort::cohort,
    error::{Part, Reason, RunError},
    learner::{Job, LearnerError, Query, Sampler},
    messages::{
        Called, Close, Expect, Exposed, Fault, LearnerSeat, Open, Reply, Reveal, Seat, Submission, Tally,
        Withdraw,
    },
    settings::{Deadlines, Policy, Settings},
};
use phalanx_robust::{Vector, attack::Knowledge, estimator::Points, random::Seed};

/// What an actor's mailbox gave for a message.
type Heard = Result<Result<Reply, Fault>, MailboxError>;

/// The seats and the barrier before them.
pub(super) struct Floor {
    seats: Vec<Seat>,
    learner: LearnerSeat,
    root: Option<Box<dyn Sampler>>,
    policy: Policy,
    deadlines: Deadlines,
    barrier: Barrier,
    seed: Seed,
    /// How many are called in a round, if not all.
    cohort: Option<usize>,
    round: u64,
    /// Workers that are not asked any more, since when and why.
    gone: BTreeMap<usize, (u64, Reason)>,
    /// Everyone.
    all: Arc<Vec<usize>>,
    /// Who is asked, and who of them asks the learner; kept while everyone takes part and nobody is lost.
    roll: Option<Roll>,
    /// Attackers that wait for phase two.
    waiting: Vec<usize>,
}

/// Who takes part in a round.
#[derive(Clone)]
struct Roll {
    called: Arc<Vec<usize>>,
    askers: Arc<Vec<usize>>,
}

/// What phase one took.
pub(super) struct PhaseOne {
    pub tally: Tally,
    pub elapsed: Duration,
}

impl Floor {
    /// The floor of these seats, which have ascending ids; vectors are of the kind of `shape`.
    pub fn new(
        seats: Vec<Seat>,
        learner: LearnerSeat,
        root: Option<Box<dyn Sampler>>,
        settings: &Settings,
        shape: Vector,
    ) -> Self {
        Self {
            all: Arc::new(seats.iter().flat_map(|seat| seat.ids.clone()).collect()),
            barrier: Barrier::new(shape),
            seats,
            learner,
            root,
            policy: settings.policy,
            deadlines: settings.deadlines,
            seed: settings.seed,
            cohort: settings.cohort,
            round: 0,
            gone: BTreeMap::new(),
            roll: None,
            waiting: Vec::new(),
        }
    }

    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// The workers of the round, asked or gone.
    pub fn workers(&self) -> &[usize] {
        self.barrier.workers()
    }

    /// Phase one: opens the round and waits until every worker has submitted, waits for phase two, or is given up.
    pub async fn phase_one(&mut self, query: &Arc<Query>) -> Result<PhaseOne, RunError> {
        let started = Instant::now();
        let Roll { called, askers } = self.open(query.round);
        let expect = Expect { query: query.clone(), workers: askers, root: self.root_job() };
        self.of_learner(self.learner.expect.send(expect)).await?;
        let mut calls: FuturesUnordered<_> = by_seat(&self.seats, &called)
            .map(|(at, workers)| {
                let open = Open { query: query.clone(), workers: workers.clone() };
                heard(workers, self.seats[at].open.send(open))
            })
            .collect();
        let mut tally = None;
        let mut patience = pin!(sleep(self.deadlines.worker));
        while self.barrier.missing() > self.waiting.len() {
            tokio::select! {
                biased;
                call = calls.next() => match call {
                    Some((workers, reply)) => self.replied(&workers, reply).await?,
                    None => break,
                },
                () = &mut patience => {
                    if tally.is_some() {
                        self.give_up(self.outstanding(), Reason::Silent(self.deadlines.worker))?;
                        break;
                    }
                    tally = Some(self.too_late_to_ask().await?);
                    patience.as_mut().reset(Clock::now() + self.deadlines.worker);
                }
            }
        }
        let tally = match tally {
            Some(tally) => tally,
            None => self.close_desk().await?,
        };
        match tally.error.clone() {
            Some(error) => Err(RunError::Learner { round: self.round, error }),
            None => Ok(PhaseOne { tally, elapsed: started.elapsed() }),
        }
    }

    /// Whether attackers wait for phase two.
    pub fn awaits_phase_two(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many vectors the barrier will hold if all attackers submit.
    pub fn present(&self) -> usize {
        self.barrier.submissions().count() + self.waiting.len()
    }

    /// The highest knowledge among those who wait for phase two.
    pub fn knowledge(&self) -> Knowledge {
        let of =
            |&worker: &usize| self.seat(worker).attacker.as_ref().map_or(Knowledge::Blind, |a| a.knowledge);
        self.waiting.iter().map(of).max().unwrap_or(Knowledge::Blind)
    }

    /// Ids and vectors of the honest workers that have submitted.
    pub fn honest(&self) -> (Vec<usize>, Vec<Vector>) {
        honest(&self.seats, self.barrier.submissions()).map(|s| (s.worker, s.vector.clone())).unzip()
    }

    /// Phase two: shows every waiting attacker what its knowledge allows, and takes its vector in.
    /// `exposed` makes what a knowledge is shown.
    pub async fn phase_two(&mut self, exposed: impl Fn(Knowledge) -> Arc<Exposed>) -> Result<(), RunError> {
        self.waiting.sort_unstable();
        let waiting = Arc::new(std::mem::take(&mut self.waiting));
        let mut calls: FuturesUnordered<_> = by_seat(&self.seats, &waiting)
            .filter_map(|(at, workers)| {
                let attacker = self.seats[at].attacker.as_ref()?;
                let reveal = Reveal { exposed: exposed(attacker.knowledge), workers: workers.clone() };
                Some(heard(workers, attacker.reveal.send(reveal)))
            })
            .collect();
        let mut patience = pin!(sleep(self.deadlines.attack));
        loop {
            tokio::select! {
                biased;
                call = calls.next() => match call {
                    Some((workers, reply)) => self.forged(&workers, reply)?,
                    None => return Ok(()),
                },
                () = &mut patience => {
                    return self.give_up(self.outstanding(), Reason::Silent(self.deadlines.attack));
                }
            }
        }
    }

    /// Hands out what came in.
    pub fn close(&mut self) -> Outcome {
        self.barrier.close()
    }

    /// Opens the barrier of `round`, and says who is to be asked.
    fn open(&mut self, round: u64) -> Roll {
        self.round = round;
        self.waiting.clear();
        let Some(size) = self.cohort else {
            self.barrier.open(round, self.all.clone());
            self.miss_the_gone();
            let roll = self.roll.take().unwrap_or_else(|| self.call(&self.all));
            return self.roll.insert(roll).clone();
        };
        let workers = Arc::new(cohort(self.seed, round, &self.all, size));
        self.barrier.open(round, workers.clone());
        self.miss_the_gone();
        self.call(&workers)
    }

    /// The job of the server's own in this round.
    fn root_job(&mut self) -> Option<Job> {
        let draw = self.root.as_mut()?.draw(self.round);
        let worker = self.seats.last().map_or(0, |seat| seat.ids.end);
        Some(Job { worker, draw, points: Points::Current })
    }

    /// Those of the round's workers that are gone are absent from the start.
    fn miss_the_gone(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        for worker in self.workers().to_vec() {
            if let Some((since, reason)) = self.gone.get(&worker) {
                let reason = Reason::Gone { since: *since, reason: Box::new(reason.clone()) };
                let fresh = self.barrier.absent(worker, reason);
                debug_assert!(fresh.is_ok(), "the barrier was just opened");
            }
        }
    }

    /// Those of `workers` that are there.
    fn call(&self, workers: &[usize]) -> Roll {
        let called: Vec<usize> =
            workers.iter().copied().filter(|worker| !self.gone.contains_key(worker)).collect();
        let askers = called.iter().copied().filter(|&worker| self.seat(worker).learns).collect();
        Roll { called: Arc::new(called), askers: Arc::new(askers) }
    }

    /// The seat of a worker of this floor.
    fn seat(&self, worker: usize) -> &Seat {
        &self.seats[seat_of(&self.seats, worker)]
    }

    /// Takes in what an actor says in phase one for its `workers`.
    async fn replied(&mut self, workers: &Called, reply: Heard) -> Result<(), RunError> {
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
    fn forged(&mut self, workers: &Called, reply: Heard) -> Result<(), RunError> {
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
        if submission.worker != worker {
            return self.give_up(vec![worker], Reason::Impostor(submission.worker));
        }
        match self.barrier.offer(submission) {
            Ok(()) => Ok(()),
            Err(rejection) => self.give_up(vec![worker], rejection.into()),
        }
    }

    /// Gives up those of `workers` that were not given up before; says whether there are any.
    fn lost(&mut self, workers: &[usize], reason: Reason) -> Result<bool, RunError> {
        let lost: Vec<usize> =
            workers.iter().copied().filter(|&worker| self.barrier.is_missing(worker)).collect();
        let any = !lost.is_empty();
        self.give_up(lost, reason)?;
        Ok(any)
    }

    /// The first deadline has passed. Those who have asked the learner get another one.
    async fn too_late_to_ask(&mut self) -> Result<Tally, RunError> {
        let tally = self.close_desk().await?;
        let (unasked, rest): (Vec<_>, Vec<_>) =
            self.outstanding().into_iter().partition(|worker| tally.missing.binary_search(worker).is_ok());
        let silent = rest.into_iter().filter(|&worker| !self.seat(worker).learns).collect();
        self.give_up(unasked, Reason::Unasked(self.deadlines.worker))?;
        self.give_up(silent, Reason::Silent(self.deadlines.worker))?;
        Ok(tally)
    }

    async fn close_desk(&self) -> Result<Tally, RunError> {
        self.of_learner(self.learner.close.send(Close { round: self.round })).await
    }

    /// Waits for the learner, but not for ever.
    async fn of_learner<T>(
        &self,
        call: impl Future<Output = Result<T, MailboxError>>,
    ) -> Result<T, RunError> {
        let (round, deadline) = (self.round, self.deadlines.learner);
        match timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|_| self.learner_died()),
            Err(_) => Err(RunError::Stuck { round, part: Part::Learner, deadline }),
        }
    }

    fn learner_died(&self) -> RunError {
        RunError::Died { round: self.round, part: Part::Learner, message: String::new() }
    }

    /// Those from whom nothing has been heard.
    fn outstanding(&self) -> Vec<usize> {
        let waiting: HashSet<usize> = self.waiting.iter().copied().collect();
        let silent = |worker: &usize| !waiting.contains(worker) && self.barrier.is_missing(*worker);
        self.workers().iter().copied().filter(silent).collect()
    }

    /// Does without these workers in this round, if the policy allows it.
    fn give_up(&mut self, lost: Vec<usize>, reason: Reason) -> Result<(), RunError> {
        if lost.is_empty() {
            return Ok(());
        }
        if self.policy == Policy::Fail {
            return Err(RunError::Workers { round: self.round, workers: lost, reason: Box::new(reason) });
        }
        for worker in lost {
            // A worker whose place is taken already keeps what is known of it.
            let _ = self.barrier.absent(worker, reason.clone());
            if reason.is_final() {
                self.gone.insert(worker, (self.round, reason.clone()));
                self.roll = None;
            }
        }
        Ok(())
    }
}

/// Where the seat of `worker` is; seats have ascending ids.
fn seat_of(seats: &[Seat], worker: usize) -> usize {
    seats.partition_point(|seat| seat.ids.end <= worker)
}

/// The workers `called` by seat; their ids ascend.
fn by_seat<'a>(
    seats: &'a [Seat],
    called: &'a Arc<Vec<usize>>,
) -> impl Iterator<Item = (usize, Called)> + use<'a> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        let at = seat_of(seats, *called.get(start)?);
        next += called[start..].partition_point(|worker| seats[at].ids.contains(worker)).max(1);
        Some((at, Called::new(called, start..next)))
    })
}

/// A call, and who was called.
async fn heard<T>(workers: Called, call: impl Future<Output = T>) -> (Called, T) {
    (workers, call.await)
}
