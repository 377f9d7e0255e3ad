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

use super::{Attendance, Downtime, Faults, What};
use crate::{
    barrier::{Barrier, Rejection},
    error::Reason,
    messages::Submission,
    settings::Settings,
};

/// When a round closes, in virtual time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closing {
    /// The round closes with so many vectors, those that arrive first; none: with all.
    pub quorum: Option<usize>,
    /// Virtual seconds after which nobody is waited for.
    pub deadline: f64,
}

impl Default for Closing {
    /// With all vectors, or after a minute.
    fn default() -> Self {
        Self { quorum: None, deadline: 60.0 }
    }
}

/// What became of messages. `sent` is the sum of the others. A message out of order is counted in the round in which it
/// arrives, or as lost in its own if there is none in which it will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent to the barrier.
    pub sent: u64,
    /// Taken in, and given to the rule.
    pub accepted: u64,
    /// Refused by the barrier.
    pub rejected: u64,
    /// Arrived behind the deadline or the quorum.
    pub late: u64,
    /// Never arrived.
    pub lost: u64,
}

impl Traffic {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.late += other.late;
        self.lost += other.lost;
    }

    /// One message that was taken in turns out to be late.
    fn too_late(&mut self) {
        (self.accepted, self.late) = (self.accepted.saturating_sub(1), self.late + 1);
    }
}

/// What happened to one worker in a round, if anything did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incident {
    /// Id of the worker.
    pub worker: usize,
    /// Names of the faults that struck it, in the order of the tables.
    pub faults: Vec<&'static str>,
    /// Virtual time at which its submission arrives, if it sent one.
    pub seconds: Option<f64>,
    /// What became of its messages.
    pub traffic: Traffic,
    /// Why a message of it was rejected, for the first of them.
    pub rejection: Option<Reason>,
    /// Whether it began anew in this round.
    pub restarted: bool,
}

/// The post of a run.
#[derive(Debug)]
pub(crate) struct Post {
    faults: Faults,
    downtime: Downtime,
    attendance: Attendance,
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

    /// Notes that `worker` takes part and sends nothing.
    pub fn unsent(&mut self, worker: usize) {
        self.attendance.unsent(worker);
    }

    /// Who sent something in which rounds, which is all that a post remembers.
    pub fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    /// The same, to be restored.
    pub fn attendance_mut(&mut self) -> &mut Attendance {
        &mut self.attendance
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
        let mut trip = Trip { sender, barrier, length: None, traffic: Traffic::default(), rejection: None };
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
        struck.iter().for_each(|what| damage(what, &mut submission));
        let own = submission.vector.len();
        trip.length = struck.iter().rev().find_map(|what| match what {
            What::WrongLength { length } => Some(length.unwrap_or(own + 1)),
            _ => None,
        });
        let messages = messages(struck);
        if let Some(reason) = struck.iter().find_map(lost) {
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
                let (first, _) = then().find(|(_, what)| lost(what).is_some())?;
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
        let arrives = seconds <= self.closing.deadline && struck.all(|(_, what)| lost(what).is_none());
        arrives.then_some(seconds)
    }

    /// Whether `worker`, whose submission is in the barrier, is among the first if all of `waiting` submit.
    pub fn first(&self, waiting: &[usize]) -> impl Fn(usize) -> bool + use<> {
        let expected = waiting.iter().filter_map(|&worker| Some((self.expected(worker)?, worker)));
        let mut all: Vec<(f64, usize)> = Vec::new();
        if self.closing.quorum.is_some() {
            all.extend(self.arrivals.iter().copied().chain(expected));
        }
        let late = self.beyond(all);
        move |worker| late.binary_search_by_key(&worker, |(_, worker)| *worker).is_err()
    }

    /// What orders arrivals at one time: their ids would favour the honest workers, who have the lowest.
    fn lot(&self, worker: usize) -> u64 {
        self.seed.stream("fault", worker as u64, "tie", self.round).random()
    }

    /// Those of `arrivals` that come when the quorum is reached already, by worker id.
    fn beyond(&self, mut arrivals: Vec<(f64, usize)>) -> Vec<(f64, usize)> {
        let quorum = self.closing.quorum.unwrap_or(usize::MAX);
        if arrivals.len() <= quorum {
            return Vec::new();
        }
        arrivals.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (last, next) = (arrivals[quorum.saturating_sub(1)].0, arrivals[quorum].0);
        if last == next {
            let first = arrivals.partition_point(|(seconds, _)| *seconds < last);
            let tied = arrivals[first..].partition_point(|(seconds, _)| *seconds == last);
            arrivals[first..first + tied].sort_by_cached_key(|&(_, worker)| self.lot(worker));
        }
        let mut late = arrivals.split_off(quorum);
        late.sort_unstable_by_key(|(_, worker)| *worker);
        late
    }

    /// Ends the round: takes out of the barrier who came behind the quorum, and says what happened.
    pub fn close(&mut self, barrier: &mut Barrier) -> Bill {
        let quorum = self.closing.quorum;
        let late = self.beyond(self.arrivals.clone());
        for &(seconds, worker) in &late {
            barrier.retract(worker, Reason::Overtime { seconds });
            self.traffic.too_late();
        }
        let mut incidents = std::mem::take(&mut self.incidents);
        overtake(&mut incidents, &late);
        let is_late = |worker: usize| late.binary_search_by_key(&worker, |(_, worker)| *worker).is_ok();
        let in_time = self.arrivals.iter().filter(|(_, worker)| !is_late(*worker));
        let (count, last) = in_time.fold((0, 0f64), |(count, last), (time, _)| (count + 1, last.max(*time)));
        let waits = self.in_vain && quorum.is_none_or(|quorum| count < quorum);
        let seconds = if waits { self.closing.deadline } else { last };
        Bill { traffic: self.traffic, incidents, seconds: self.is_timed().then_some(seconds) }
    }
}

/// Notes in `incidents`, which are then ordered by worker, that a message of each of `late`, whose ids ascend, came behind
/// the quorum.
fn overtake(incidents: &mut Vec<Incident>, late: &[(f64, usize)]) {
    incidents.sort_by_key(|incident| incident.worker);
    let known = incidents.len();
    for &(seconds, worker) in late {
        let first = incidents[..known].partition_point(|incident| incident.worker < worker);
        let mut own = incidents[first..known].iter_mut().take_while(|incident| incident.worker == worker);
        match own.find(|incident| !incident.restarted) {
            Some(incident) => incident.traffic.too_late(),
            None => incidents.push(Incident {
                worker,
                seconds: Some(seconds),
                traffic: Traffic { sent: 1, late: 1, ..Traffic::default() },
                ..Incident::default()
            }),
        }
    }
    incidents.sort_by_key(|incident| incident.worker);
}

/// The messages of one sender in a round.
struct Trip<'a> {
    sender: usize,
    barrier: &'a mut Barrier,
    /// The length that its vectors are said to have, if a fault says so.
    length: Option<usize>,
    traffic: Traffic,
    /// Why the first of those rejected was.
    rejection: Option<Reason>,
}

impl Trip<'_> {
    /// Offers a message so many times.
    ///
    /// # Errors
    /// Why none of them was taken in.
    fn all(&mut self, submission: Submission, messages: u64) -> Result<(), Reason> {
        let first = self.offer(submission.clone());
        (1..messages).for_each(|_| drop(self.offer(submission.clone())));
        first
    }

    fn offer(&mut self, submission: Submission) -> Result<(), Reason> {
        self.traffic.sent += 1;
        let taken = match submission.worker == self.sender {
            true => {
                let length = self.length.unwrap_or(submission.vector.len());
                self.barrier.offer_as(length, submission).map_err(|rejection: Rejection| rejection.into())
            }
            false => Err(Reason::Impostor(submission.worker)),
        };
        match &taken {
            Ok(()) => self.traffic.accepted += 1,
            Err(reason) => {
                self.traffic.rejected += 1;
                self.rejection.get_or_insert_with(|| reason.clone());
            }
        }
        taken
    }
}

/// How many messages these faults make of a submission.
fn messages<'a>(struck: impl IntoIterator<Item = &'a What>) -> u64 {
    struck.into_iter().fold(1, |messages, what| match what {
        What::Duplicate { copies } => messages.saturating_add(*copies),
        What::Flood { messages: flood } => messages.max(*flood),
        _ => messages,
    })
}

/// Why nothing arrives under this fault, if so.
fn lost(what: &What) -> Option<Reason> {
    match what {
        What::Silence => Some(Reason::Lost),
        What::OutOfOrder { rounds } => Some(Reason::Overtaken { rounds: *rounds }),
        _ => None,
    }
}

/// What a fault makes of the submission itself.
fn damage(what: &What, submission: &mut Submission) {
    let vector = &submission.vector;
    let filled = |value: f64| vector.like(&vec![value; vector.len()]);
    match what {
        What::Nan => submission.vector = filled(f64::NAN),
        What::Inf => submission.vector = filled(f64::INFINITY),
        What::WrongRound { by } => submission.round = submission.round.saturating_add_signed(*by),
        What::Impostor { of } => submission.worker = of.unwrap_or(submission.worker + 1),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Incident, Traffic, overtake};

    /// By the definition: for each who is late the first of its incidents that is no new beginning, or a new one.
    fn one_by_one(mut incidents: Vec<Incident>, late: &[(f64, usize)]) -> Vec<Incident> {
        for &(seconds, worker) in late {
            match incidents.iter_mut().find(|incident| incident.worker == worker && !incident.restarted) {
                Some(incident) => incident.traffic.too_late(),
                None => incidents.push(Incident {
                    worker,
                    seconds: Some(seconds),
                    traffic: Traffic { sent: 1, late: 1, ..Traffic::default() },
                    ..Incident::default()
                }),
            }
        }
        incidents.sort_by_key(|incident| incident.worker);
        incidents
    }

    proptest! {
        #[test]
        fn who_is_late_is_noted_where_it_has_an_incident(
            known in prop::collection::vec((0..20usize, any::<bool>(), 1..5u64), 0..30),
            late in prop::collection::btree_map(0..20usize, 0..9u32, 0..20),
        ) {
            let known: Vec<Incident> = known
                .into_iter()
                .map(|(worker, restarted, sent)| {
                    let traffic = Traffic { sent, accepted: sent, ..Traffic::default() };
                    Incident { worker, restarted, traffic, ..Incident::default() }
                })
                .collect();
            let late: Vec<(f64, usize)> =
                late.into_iter().map(|(worker, seconds)| (f64::from(seconds), worker)).collect();
            let mut noted = known.clone();
            overtake(&mut noted, &late);
            prop_assert_eq!(noted, one_by_one(known, &late));
        }
    }
}
