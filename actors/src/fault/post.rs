//! The way from a worker's reply to the barrier. The aggregator's floor hands
//! every submission to `Post::carry`, which applies the faults that strike it
//! and offers what comes of it, message by message; at the end of a round
//! `Post::close` decides who was in time. A pure state machine like the
//! barrier: no clock, no actors.
//!
//! What becomes of one worker's messages does not depend on those of others,
//! and who is in time is decided by virtual time, ties by lot: so the order of
//! real arrival changes nothing. A flood is carried one message at a time and
//! never stored.

use std::sync::Arc;

use phalanx_robust::random::Seed;
use rand::RngExt;

use super::{Attendance, Closing, Downtime, Faults, Incident, Traffic, What, traffic::overtake, trip::Trip};
use crate::{barrier::Barrier, error::Reason, messages::Submission, settings::Settings};

/// The post of a run.
#[derive(Debug)]
pub(crate) struct Post {
    faults: Faults,
    downtime: Downtime,
    /// All that a post remembers.
    pub attendance: Attendance,
    closing: Closing,
    seed: Seed,
    round: u64,
    traffic: Traffic,
    incidents: Vec<Incident>,
    /// When each submission taken in arrived, where time matters.
    arrivals: Vec<(f64, usize)>,
    /// Whether somebody was waited for in vain.
    in_vain: bool,
}

/// What the post tells of a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub traffic: Traffic,
    /// By worker id.
    pub incidents: Vec<Incident>,
    /// Virtual time at which the round closed; none where time does not matter.
    pub seconds: Option<f64>,
}

impl Post {
    /// The post of a run with these `workers`, whose ids ascend.
    pub fn new(settings: &Settings, workers: Arc<Vec<usize>>) -> Self {
        Self {
            faults: settings.faults.clone(),
            downtime: Downtime::default(),
            attendance: Attendance::new(settings, workers),
            closing: settings.closing,
            seed: settings.seed,
            round: 0,
            traffic: Traffic::default(),
            incidents: Vec::new(),
            arrivals: Vec::new(),
            in_vain: false,
        }
    }

    /// Whether virtual time matters: there are faults.
    pub fn is_timed(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Begins a round; says who is down in it, ascending, and whether they keep what they remember.
    pub fn open(&mut self, round: u64) -> Vec<(usize, bool)> {
        self.round = round;
        self.traffic = Traffic::default();
        self.incidents.clear();
        self.arrivals.clear();
        self.in_vain = false;
        self.attendance.open(&self.faults, round);
        self.downtime.of(&self.faults, self.seed, round)
    }

    /// Notes that `worker` is down.
    pub fn down(&mut self, worker: usize) {
        self.incidents.push(Incident { worker, faults: vec!["crash"], ..Incident::default() });
    }

    /// Notes that `worker` begins anew.
    pub fn restarted(&mut self, worker: usize) {
        self.incidents.push(Incident { worker, restarted: true, ..Incident::default() });
    }

    /// Notes that a worker was waited for until the deadline.
    pub fn waited_in_vain(&mut self) {
        self.in_vain = true;
    }

    /// Carries the submission of `sender` to the barrier.
    ///
    /// # Errors
    /// Why nothing of it was taken in.
    pub fn carry(
        &mut self,
        barrier: &mut Barrier,
        sender: usize,
        submission: Submission,
    ) -> Result<(), Reason> {
        let round = self.round;
        let struck: Vec<What> =
            self.faults.striking(self.seed, sender, round).map(|(_, what)| *what).collect();
        let stale = self.stale(&struck, sender);
        let seconds = self.seconds(sender);
        let mut trip = Trip::new(sender, barrier);
        for (round, messages) in stale {
            // It is refused by its round, and counted.
            let _ = trip.all(Submission { round, ..submission.clone() }, messages);
        }
        let result = self.main(&mut trip, &struck, seconds, submission);
        let Trip { traffic, rejection, .. } = trip;
        self.traffic.add(traffic);
        if result.is_ok() && self.is_timed() {
            self.arrivals.push((seconds, sender));
        }
        if !struck.is_empty() || traffic.rejected > 0 {
            let faults = struck.iter().map(What::name).collect();
            let seconds = self.is_timed().then_some(seconds);
            let incident = Incident { worker: sender, faults, seconds, traffic, rejection, restarted: false };
            self.incidents.push(incident);
        }
        result
    }

    /// Carries the messages of this round: one, or as many as the faults make of it.
    fn main(
        &mut self,
        trip: &mut Trip<'_>,
        struck: &[What],
        seconds: f64,
        mut submission: Submission,
    ) -> Result<(), Reason> {
        struck.iter().for_each(|what| what.damage(&mut submission));
        let own = submission.vector.len();
        trip.length = struck.iter().rev().find_map(|what| what.length(own));
        let messages = messages(struck);
        if let Some(reason) = struck.iter().find_map(What::lost) {
            self.in_vain = true;
            let arrives =
                matches!(reason, Reason::Overtaken { rounds } if self.attendance.after(rounds, trip.sender));
            if !arrives {
                trip.traffic.add(Traffic { sent: messages, lost: messages, ..Traffic::default() });
            }
            return Err(reason);
        }
        if seconds > self.closing.deadline {
            self.in_vain = true;
            trip.traffic.add(Traffic { sent: messages, late: messages, ..Traffic::default() });
            return Err(Reason::Late { seconds, deadline: self.closing.deadline });
        }
        trip.all(submission, messages)
    }

    /// The old submissions of `worker` that arrive in this round: of which rounds, and how often.
    fn stale(&self, struck: &[What], worker: usize) -> Vec<(u64, u64)> {
        let round = self.round;
        let replayed = struck.iter().filter_map(|what| match *what {
            What::Replay { age } if self.attendance.sent_before(age, worker) => Some((round - age, 1)),
            _ => None,
        });
        let overtaken = self.faults.0.iter().enumerate().filter_map(|(at, table)| match table.what {
            What::OutOfOrder { rounds } if self.attendance.sent_before(rounds, worker) => {
                let sent = round - rounds;
                let then = || self.faults.striking(self.seed, worker, sent);
                // Of several that kept it from its round, the first has the say.
                let (first, _) = then().find(|(_, what)| what.lost().is_some())?;
                (first == at).then(|| (sent, messages(then().map(|(_, what)| what))))
            }
            _ => None,
        });
        replayed.chain(overtaken).collect()
    }

    fn seconds(&self, worker: usize) -> f64 {
        self.faults.seconds(self.seed, worker, self.round)
    }

    /// When the submission of a worker that has not answered yet will arrive, if in time.
    fn expected(&self, worker: usize) -> Option<f64> {
        let mut struck = self.faults.striking(self.seed, worker, self.round);
        let seconds = self.seconds(worker);
        let arrives = seconds <= self.closing.deadline && struck.all(|(_, what)| what.lost().is_none());
        arrives.then_some(seconds)
    }

    /// Whether `worker`, whose submission is in the barrier, is among the first if all of `waiting` submit.
    pub fn first(&self, waiting: &[usize]) -> impl Fn(usize) -> bool + use<> {
        let expected = waiting.iter().filter_map(|&worker| Some((self.expected(worker)?, worker)));
        let mut all: Vec<(f64, usize)> = Vec::new();
        if self.closing.quorum.is_some() {
            all.extend(self.arrivals.iter().copied().chain(expected));
        }
        let late = self.closing.beyond(all, |worker| self.lot(worker));
        move |worker| !is_among(&late, worker)
    }

    /// What orders arrivals at one time.
    fn lot(&self, worker: usize) -> u64 {
        self.seed.stream("fault", worker as u64, "tie", self.round).random()
    }

    /// Ends the round: takes out of the barrier who came behind the quorum, and says what happened.
    pub fn close(&mut self, barrier: &mut Barrier) -> Bill {
        let late = self.closing.beyond(self.arrivals.clone(), |worker| self.lot(worker));
        for &(seconds, worker) in &late {
            barrier.retract(worker, Reason::Overtime { seconds });
            self.traffic.too_late();
        }
        let mut incidents = std::mem::take(&mut self.incidents);
        overtake(&mut incidents, &late);
        let in_time = self.arrivals.iter().filter(|(_, worker)| !is_among(&late, *worker));
        let seconds = self.closing.seconds(in_time.map(|(seconds, _)| *seconds), self.in_vain);
        Bill { traffic: self.traffic, incidents, seconds: self.is_timed().then_some(seconds) }
    }
}

/// Whether `worker` is among those who are `late`, whose ids ascend.
fn is_among(late: &[(f64, usize)], worker: usize) -> bool {
    late.binary_search_by_key(&worker, |(_, worker)| *worker).is_ok()
}

/// How many messages these faults make of a submission.
fn messages<'a>(struck: impl IntoIterator<Item = &'a What>) -> u64 {
    struck.into_iter().fold(1, |messages, what| what.multiplied(messages))
}
