//! The workers of a run as the aggregator sees them: it asks them, waits for
//! them, and decides by the policy about those who do not answer.

mod memory;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
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
    busy::Busy,
    cohort::cohort,
    contain::of_part,
    error::{Part, Reason, RunError},
    fault::post::{Bill, Post},
    learner::{Job, LearnerError, Query, Sampler},
    messages::{
        Called, Close, Expect, Exposed, Fault, LearnerSeat, Open, Reply, Reveal, Seat, Submission, Tally,
        Withdraw,
    },
    probed::Probes,
    revival::Revivals,
    settings::{Deadlines, Policy, Settings},
    understudy::Understudies,
};
use phalanx_robust::{Size, Vector, attack::Knowledge, estimator::Points, random::Seed};

/// What an actor's mailbox gave for a message.
type Heard = Result<Result<Reply, Fault>, MailboxError>;

/// The seats and the barrier before them.
pub(super) struct Floor {
    seats: Vec<Seat>,
    busy: Busy,
    learner: LearnerSeat,
    root: Option<Box<dyn Sampler>>,
    policy: Policy,
    deadlines: Deadlines,
    barrier: Barrier,
    seed: Seed,
    /// How many Byzantine workers the server is told of in a full round.
    f: usize,
    /// How many are called in a round, if not all.
    cohort: Option<usize>,
    /// How many vectors close a round, if not all.
    quorum: Option<usize>,
    round: u64,
    /// Workers that are not asked any more, since when and why.
    gone: BTreeMap<usize, (u64, Reason)>,
    /// What carries submissions to the barrier.
    post: Post,
    /// Who begins anew.
    revivals: Revivals,
    /// What stands in for the absent, under [`Policy::Reuse`].
    understudies: Understudies,
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
        busy: Busy,
        learner: LearnerSeat,
        root: Option<Box<dyn Sampler>>,
        settings: &Settings,
        shape: Vector,
    ) -> Self {
        let all: Arc<Vec<usize>> = Arc::new(seats.iter().flat_map(|seat| seat.ids.clone()).collect());
        Self {
            barrier: Barrier::new(shape),
            seats,
            busy,
            learner,
            root,
            policy: settings.policy,
            deadlines: settings.deadlines,
            seed: settings.seed,
            f: settings.f,
            cohort: settings.cohort,
            quorum: settings.closing.quorum,
            round: 0,
            gone: BTreeMap::new(),
            post: Post::new(settings, all.clone()),
            all,
            revivals: Revivals::new(settings.restarts),
            understudies: Understudies::default(),
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
        let Roll { called, askers } = self.open(query.round)?;
        let expect = Expect { query: query.clone(), workers: askers, root: self.root_job()? };
        self.of_learner(self.learner.expect.send(expect)).await?;
        let calls: FuturesUnordered<_> = by_seat(&self.seats, &called)
            .map(|(at, workers)| {
                let anew = self.revivals.of(&workers);
                let open = Open { query: query.clone(), workers: workers.clone(), anew };
                heard(workers, self.seats[at].open.send(open))
            })
            .collect();
        self.begun_anew(&called);
        let tally = self.gather(calls).await?;
        match tally.error.clone() {
            Some(error) => Err(RunError::Learner { round: self.round, error }),
            None => Ok(PhaseOne { tally, elapsed: started.elapsed() }),
        }
    }

    /// Takes in what is answered to `calls`, until nobody is waited for any more; tells what the learner did.
    async fn gather(
        &mut self,
        mut calls: FuturesUnordered<impl Future<Output = (Called, Heard)>>,
    ) -> Result<Tally, RunError> {
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
                        self.wait_no_more(self.outstanding(), Reason::Silent(self.deadlines.worker))?;
                        break;
                    }
                    tally = Some(self.too_late_to_ask().await?);
                    patience.as_mut().reset(Clock::now() + self.deadlines.worker);
                }
            }
        }
        match tally {
            Some(tally) => Ok(tally),
            None => self.close_desk().await,
        }
    }

    /// Whether attackers wait for phase two.
    pub fn awaits_phase_two(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many vectors the rule will be given if all attackers submit, old ones aside.
    pub fn present(&self) -> usize {
        let all = self.barrier.submissions().count() + self.waiting.len();
        all.min(self.quorum.unwrap_or(usize::MAX))
    }

    /// How many Byzantine workers the server is told to withstand among `present` of the round's workers.
    pub fn byzantine(&self, present: usize) -> usize {
        let Size { f, .. } = match self.policy {
            Policy::Recompute => Size::new(self.workers().len(), self.f).part(present),
            Policy::Fail | Policy::Drop | Policy::Reuse => Size::new(present, self.f),
        };
        f
    }

    /// The highest knowledge among those who wait for phase two.
    pub fn knowledge(&self) -> Knowledge {
        let of =
            |&worker: &usize| self.seat(worker).attacker.as_ref().map_or(Knowledge::Blind, |a| a.knowledge);
        self.waiting.iter().map(of).max().unwrap_or(Knowledge::Blind)
    }

    /// Ids and vectors of the honest workers that have submitted, in time for the quorum.
    pub fn honest(&self) -> (Vec<usize>, Vec<Vector>) {
        let first = self.post.first(&self.waiting);
        let in_time = honest(&self.seats, self.barrier.submissions()).filter(|s| first(s.worker));
        in_time.map(|s| (s.worker, s.vector.clone())).unzip()
    }

    /// The old vectors that will stand in, by id, for workers of the round who neither wait nor have submitted in time.
    pub fn standing_in(&self) -> Vec<(usize, Vector)> {
        if self.policy != Policy::Reuse {
            return Vec::new();
        }
        let first = self.post.first(&self.waiting);
        let submitted =
            self.barrier.submissions().map(|submission| submission.worker).filter(|&id| first(id));
        let here: BTreeSet<usize> = submitted.chain(self.waiting.iter().copied()).collect();
        let absent = self.workers().iter().copied().filter(|id| !here.contains(id));
        absent.filter_map(|id| Some((id, self.understudies.of(id)?.clone()))).collect()
    }

    /// Phase two: shows every waiting attacker what its knowledge allows, and takes its vector in.
    /// `exposed` makes what a knowledge is shown; `probes` are the calls of the rule that is in it.
    pub async fn phase_two(
        &mut self,
        exposed: impl Fn(Knowledge) -> Arc<Exposed>,
        probes: &Probes,
    ) -> Result<(), RunError> {
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
                    self.rule_answers(probes).await?;
                    return self.give_up(self.outstanding(), Reason::Silent(self.deadlines.attack));
                }
            }
        }
    }

    /// Whether it is the rule that attackers wait for: it has as long for them as for the server.
    async fn rule_answers(&self, probes: &Probes) -> Result<(), RunError> {
        let (round, deadline) = (self.round, self.deadlines.rule);
        let stuck = |_| RunError::Stuck { round, part: Part::Rule, deadline };
        timeout(deadline, probes.end()).await.map_err(stuck)
    }

    /// Hands out what came in and what stands in for the rest, and tells what happened on the way.
    pub fn close(&mut self) -> (Outcome, Bill) {
        let bill = self.post.close(&mut self.barrier);
        let mut outcome = self.barrier.close();
        if self.policy == Policy::Reuse {
            self.understudies.fill(&mut outcome);
        }
        (outcome, bill)
    }

    /// Opens the barrier of `round`, and says who is to be asked.
    fn open(&mut self, round: u64) -> Result<Roll, RunError> {
        self.round = round;
        self.waiting.clear();
        let workers = match self.cohort {
            Some(size) => Arc::new(cohort(self.seed, round, &self.all, size)),
            None => self.all.clone(),
        };
        self.barrier.open(round, workers.clone());
        self.miss_the_gone();
        let anyone_down = self.miss_the_crashed()?;
        if self.cohort.is_some() || anyone_down {
            return Ok(self.call(&workers));
        }
        let roll = self.roll.take().unwrap_or_else(|| self.call(&workers));
        Ok(self.roll.insert(roll).clone())
    }

    /// Those of the round's workers that are down are absent from the start; says whether there are any.
    fn miss_the_crashed(&mut self) -> Result<bool, RunError> {
        let down = self.post.open(self.round);
        self.revivals.lose(down.iter().filter(|(_, remembers)| !remembers).map(|(worker, _)| *worker));
        let missed = down.iter().map(|(worker, _)| *worker).filter(|&worker| self.barrier.is_missing(worker));
        let missed: Vec<usize> = missed.collect();
        missed.iter().for_each(|&worker| self.post.down(worker));
        let anyone = !missed.is_empty();
        self.give_up(missed, Reason::Crashed)?;
        Ok(anyone)
    }

    /// Those of `called` that were to begin anew have been told.
    fn begun_anew(&mut self, called: &[usize]) {
        let anew = self.revivals.of(called);
        anew.iter().for_each(|&worker| self.post.restarted(worker));
        self.revivals.told(&anew);
    }

    /// The job of the server's own in this round.
    fn root_job(&mut self) -> Result<Option<Job>, RunError> {
        let Some(root) = &mut self.root else { return Ok(None) };
        let draw = of_part(self.round, Part::Root, || root.draw(self.round))?;
        let worker = self.seats.last().map_or(0, |seat| seat.ids.end);
        Ok(Some(Job { worker, draw, points: Points::Current }))
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
            workers.iter().copied().filter(|&worker| self.barrier.is_missing(worker)).collect();
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
        match self.post.carry(&mut self.barrier, worker, submission) {
            Ok(()) => Ok(()),
            Err(reason) => self.give_up(vec![worker], reason),
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
        self.wait_no_more(unasked, Reason::Unasked(self.deadlines.worker))?;
        self.wait_no_more(silent, Reason::Silent(self.deadlines.worker))?;
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

    /// Gives up those whose deadline has passed. Those whose own code still runs come first, so that a run that ends by
    /// this does so in their name, not in that of those behind them on the same thread.
    fn wait_no_more(&mut self, late: Vec<usize>, reason: Reason) -> Result<(), RunError> {
        let (busy, behind) = late.into_iter().partition(|&worker| self.busy.is(worker));
        self.give_up(busy, reason.clone())?;
        self.give_up(behind, reason)
    }

    /// Does without these workers in this round, if the policy allows it.
    fn give_up(&mut self, lost: Vec<usize>, reason: Reason) -> Result<(), RunError> {
        if reason.is_unsent() {
            lost.iter().for_each(|&worker| self.post.unsent(worker));
        }
        let (again, lost): (Vec<_>, Vec<_>) =
            lost.into_iter().partition(|&worker| reason.is_panic() && self.revivals.spend(worker));
        for worker in again {
            let _ = self.barrier.absent(worker, reason.clone());
        }
        if self.policy == Policy::Fail && !lost.is_empty() {
            return Err(RunError::Workers { round: self.round, workers: lost, reason: Box::new(reason) });
        }
        for worker in lost {
            // A worker whose place is taken already keeps what is known of it.
            let _ = self.barrier.absent(worker, reason.clone());
            if reason.is_silence() {
                self.post.waited_in_vain();
            }
            if reason.is_final() {
                self.gone.insert(worker, (self.round, reason.remembered()));
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
