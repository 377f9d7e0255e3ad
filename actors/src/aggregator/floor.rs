//! The workers of a run as the aggregator sees them: it asks them in two phases and waits for them.
//!
//! Who takes part is in `roll`, what is made of answers in `replies`, what of those who give none in `absence`, what
//! is known before it closes in `exposure`, and what lasts from round to round in `memory`.

mod absence;
mod exposure;
mod memory;
mod replies;
mod roll;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::MailboxError;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant as Clock, sleep, timeout};

use self::roll::{Roll, by_seat, seat_of};
use crate::{
    barrier::{Barrier, Outcome},
    busy::Busy,
    contain::of_part,
    error::{Part, Reason, RunError},
    fault::{Bill, Post},
    learner::{Job, Query, Sampler},
    messages::{Called, Close, Expect, Exposed, Fault, LearnerSeat, Open, Reply, Reveal, Root, Seat, Tally},
    probed::Probes,
    revival::Revivals,
    settings::{Deadlines, Policy, Settings},
    understudy::Understudies,
};
use phalanx_robust::{Vector, attack::Knowledge, estimator::Points, random::Seed};

/// What an actor's mailbox gave for a message.
type Heard = Result<Result<Reply, Fault>, MailboxError>;

/// The seats and the barrier before them.
pub(super) struct Floor {
    seats: Vec<Seat>,
    busy: Busy,
    learner: LearnerSeat,
    root: Option<Own>,
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

/// Data of the server's own, and what it needs of them in a round.
pub(super) struct Own {
    pub sampler: Box<dyn Sampler>,
    /// Whether the gradient.
    pub gradient: bool,
    /// Whether who tells losses.
    pub judge: bool,
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
        root: Option<Own>,
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
        let expect = Expect { query: query.clone(), workers: askers, root: self.root()? };
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

    /// Hands out what came in and what stands in for the rest, and tells what happened on the way.
    pub fn close(&mut self) -> (Outcome, Bill) {
        let bill = self.post.close(&mut self.barrier);
        let mut outcome = self.barrier.close();
        if self.policy == Policy::Reuse {
            self.understudies.fill(&mut outcome);
        }
        (outcome, bill)
    }

    /// What the server asks for itself in this round.
    fn root(&mut self) -> Result<Option<Root>, RunError> {
        let Some(Own { sampler, gradient, judge }) = &mut self.root else { return Ok(None) };
        let draw = of_part(self.round, Part::Root, || sampler.draw(self.round))?;
        let worker = self.seats.last().map_or(0, |seat| seat.ids.end);
        let job = Job { worker, draw, points: Points::Current, root: true };
        Ok(Some(Root { job, gradient: *gradient, judge: *judge }))
    }

    /// The seat of a worker of this floor.
    fn seat(&self, worker: usize) -> &Seat {
        &self.seats[seat_of(&self.seats, worker)]
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
}

/// A call, and who was called.
async fn heard<T>(workers: Called, call: impl Future<Output = T>) -> (Called, T) {
    (workers, call.await)
}
