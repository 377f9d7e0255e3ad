//! The synchronous barrier of a round: a pure state machine. The aggregator
//! hosts it and tells it what arrived; it decides what counts. It knows
//! neither actors nor the clock: that a deadline has passed is the host's to say.
//!
//! Whatever the order of arrival, what leaves the barrier is ordered by worker id.

use std::{error::Error, fmt, sync::Arc};

use phalanx_robust::Vector;

use crate::{error::Reason, messages::Submission};

/// A submission that the barrier does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No worker of that id is expected.
    UnknownWorker {
        /// Who sent it.
        worker: usize,
    },
    /// The worker has submitted already, or was given up.
    Duplicate {
        /// Who sent it.
        worker: usize,
        /// The open round.
        round: u64,
    },
    /// It belongs to another round.
    WrongRound {
        /// Who sent it.
        worker: usize,
        /// The round it belongs to.
        found: u64,
        /// The open round.
        open: u64,
    },
    /// No round is open.
    NotOpen {
        /// Who sent it.
        worker: usize,
    },
    /// Its vector has another length, format or place than the round's.
    WrongKind {
        /// Who sent it.
        worker: usize,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
}

impl Rejection {
    /// Whose submission it was.
    pub fn worker(&self) -> usize {
        match self {
            Self::UnknownWorker { worker }
            | Self::Duplicate { worker, .. }
            | Self::WrongRound { worker, .. }
            | Self::NotOpen { worker }
            | Self::WrongKind { worker, .. } => *worker,
        }
    }

    /// The message, in which the worker is called `who`.
    pub(crate) fn said_of(&self, who: &str) -> String {
        match self {
            Self::UnknownWorker { .. } => format!("{who} is not expected"),
            Self::Duplicate { round, .. } => format!("{who} has no place left in round {round}"),
            Self::WrongRound { found, open, .. } => {
                format!("{who} submits to round {found}, but round {open} is open")
            }
            Self::NotOpen { .. } => format!("{who} submits, but no round is open"),
            Self::WrongKind { found, expected, .. } => {
                format!("{who} submits {found}, but {expected} are wanted")
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said_of(&format!("worker {}", self.worker())))
    }
}

impl Error for Rejection {}

/// What leaves the barrier.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The round.
    pub round: u64,
    /// The submissions, by worker id.
    pub submissions: Vec<Submission>,
    /// Those given up, by worker id, and why.
    pub absences: Vec<(usize, Reason)>,
    /// Those nothing was heard of, ascending.
    pub missing: Vec<usize>,
    /// Those for whom an earlier submission stands among `submissions`, ascending, and its round. The barrier
    /// itself has none; see `understudy`.
    pub stood_in: Vec<(usize, u64)>,
}

/// What is known of one worker in the open round.
#[derive(Clone, Debug)]
enum Slot {
    Missing,
    In(Submission),
    Absent(Box<Reason>),
}

/// The barrier: one slot for each worker of the round.
#[derive(Clone, Debug)]
pub struct Barrier {
    ids: Arc<Vec<usize>>,
    slots: Vec<Slot>,
    missing: usize,
    round: Option<u64>,
    shape: Vector,
}

impl Barrier {
    /// A barrier, not open yet, for vectors of the kind of `shape`.
    pub fn new(shape: Vector) -> Self {
        Self { ids: Arc::default(), slots: Vec::new(), missing: 0, round: None, shape }
    }

    /// Opens `round` for these workers, whose ids ascend; what was in the barrier is forgotten.
    pub fn open(&mut self, round: u64, workers: Arc<Vec<usize>>) {
        debug_assert!(workers.is_sorted_by(|a, b| a < b), "ids ascend");
        self.slots.clear();
        self.slots.resize(workers.len(), Slot::Missing);
        self.missing = workers.len();
        self.ids = workers;
        self.round = Some(round);
    }

    /// The workers that the open round, or the one closed last, was opened for.
    pub fn workers(&self) -> &[usize] {
        &self.ids
    }

    /// Takes a submission in.
    ///
    /// # Errors
    /// [`Rejection`]; the barrier is then as it was before.
    pub fn offer(&mut self, submission: Submission) -> Result<(), Rejection> {
        let length = submission.vector.len();
        self.offer_as(length, submission)
    }

    /// [`offer`](Self::offer) of a submission that says its vector has `length` coordinates. Another number than it has
    /// is refused, so that nobody needs to make a vector to try its length.
    pub(crate) fn offer_as(&mut self, length: usize, submission: Submission) -> Result<(), Rejection> {
        let at = self.vacant(submission.worker)?;
        let (worker, found) = (submission.worker, submission.round);
        if let Some(open) = self.round.filter(|open| *open != found) {
            return Err(Rejection::WrongRound { worker, found, open });
        }
        let vector = &submission.vector;
        if length != vector.len() || !vector.is_like(&self.shape) {
            let said = || format!("{length} coordinates of {}", vector.dtype());
            let found = if length == vector.len() { vector.kind() } else { said() };
            let expected = self.shape.kind();
            return Err(Rejection::WrongKind { worker, found, expected });
        }
        self.fill(at, Slot::In(submission));
        Ok(())
    }

    /// Gives a worker up for the open round.
    ///
    /// # Errors
    /// [`Rejection`] if its place is taken, or there is none.
    pub fn absent(&mut self, worker: usize, reason: Reason) -> Result<(), Rejection> {
        let at = self.vacant(worker)?;
        self.fill(at, Slot::Absent(Box::new(reason)));
        Ok(())
    }

    /// Takes the submission of `worker` out again, if there is one: it is absent after all.
    pub fn retract(&mut self, worker: usize, reason: Reason) {
        if let Ok(at) = self.ids.binary_search(&worker)
            && matches!(self.slots[at], Slot::In(_))
        {
            self.slots[at] = Slot::Absent(Box::new(reason));
        }
    }

    /// How many workers nothing is known of yet.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Whether nothing is known of this worker yet.
    pub fn is_missing(&self, worker: usize) -> bool {
        self.vacant(worker).is_ok()
    }

    /// The submissions so far, by worker id.
    pub fn submissions(&self) -> impl Iterator<Item = &Submission> {
        self.slots
            .iter()
            .filter_map(|slot| if let Slot::In(submission) = slot { Some(submission) } else { None })
    }

    /// Closes the round and hands out what came in. Every expected worker is in exactly one list.
    pub fn close(&mut self) -> Outcome {
        let mut outcome = Outcome {
            round: self.round.take().unwrap_or(0),
            submissions: Vec::with_capacity(self.slots.len()),
            absences: Vec::new(),
            missing: Vec::new(),
            stood_in: Vec::new(),
        };
        for (&id, slot) in self.ids.iter().zip(&mut self.slots) {
            match std::mem::replace(slot, Slot::Missing) {
                Slot::In(submission) => outcome.submissions.push(submission),
                Slot::Absent(reason) => outcome.absences.push((id, *reason)),
                Slot::Missing => outcome.missing.push(id),
            }
        }
        outcome
    }

    fn vacant(&self, worker: usize) -> Result<usize, Rejection> {
        let round = self.round.ok_or(Rejection::NotOpen { worker })?;
        let at = self.ids.binary_search(&worker).map_err(|_| Rejection::UnknownWorker { worker })?;
        match self.slots[at] {
            Slot::Missing => Ok(at),
            Slot::In(_) | Slot::Absent(_) => Err(Rejection::Duplicate { worker, round }),
        }
    }

    fn fill(&mut self, at: usize, slot: Slot) {
        self.slots[at] = slot;
        self.missing -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const D: usize = 3;

    fn barrier(ids: impl IntoIterator<Item = usize>) -> Barrier {
        let mut barrier = Barrier::new(Vector::from(vec![0f32; D]));
        barrier.open(4, Arc::new(ids.into_iter().collect()));
        barrier
    }

    fn submission(worker: usize) -> Submission {
        let vector = Vector::from(vec![worker as f32; D]);
        Submission { worker, round: 4, vector, loss: None, accuracy: None }
    }

    #[test]
    fn what_does_not_belong_is_rejected_and_leaves_no_trace() {
        let mut barrier = barrier([2, 5]);
        let stranger = Rejection::UnknownWorker { worker: 3 };
        assert_eq!(barrier.offer(submission(3)), Err(stranger));
        let late = Submission { round: 3, ..submission(2) };
        assert_eq!(barrier.offer(late), Err(Rejection::WrongRound { worker: 2, found: 3, open: 4 }));
        for vector in [Vector::from(vec![0f32; D + 1]), Vector::from(vec![0f64; D])] {
            let odd = Submission { vector, ..submission(2) };
            assert!(matches!(barrier.offer(odd), Err(Rejection::WrongKind { worker: 2, .. })));
        }
        assert_eq!(barrier.missing(), 2);
        barrier.offer(submission(2)).unwrap();
        assert_eq!(barrier.offer(submission(2)), Err(Rejection::Duplicate { worker: 2, round: 4 }));
        assert_eq!(barrier.absent(2, Reason::Died), Err(Rejection::Duplicate { worker: 2, round: 4 }));
        barrier.absent(5, Reason::Died).unwrap();
        assert_eq!(barrier.missing(), 0);
    }

    #[test]
    fn a_closed_barrier_takes_nothing_until_it_is_opened_again() {
        let mut barrier = barrier([1]);
        barrier.offer(submission(1)).unwrap();
        assert_eq!(barrier.close().submissions.len(), 1);
        assert_eq!(barrier.offer(submission(1)), Err(Rejection::NotOpen { worker: 1 }));
        barrier.open(4, Arc::new(vec![1]));
        assert_eq!(barrier.missing(), 1);
        barrier.offer(submission(1)).unwrap();
    }

    #[test]
    fn a_submission_may_be_taken_out_again() {
        let mut barrier = barrier([1, 2]);
        barrier.offer(submission(1)).unwrap();
        barrier.retract(1, Reason::Overtime { seconds: 2.0 });
        barrier.retract(2, Reason::Lost);
        barrier.retract(3, Reason::Lost);
        assert!(barrier.offer(submission(1)).is_err(), "its place stays taken");
        let outcome = barrier.close();
        assert_eq!(outcome.absences, [(1, Reason::Overtime { seconds: 2.0 })]);
        assert_eq!(outcome.missing, [2], "who has not submitted is not given up");
    }

    #[test]
    fn the_message_says_what_was_wrong_with_a_vector() {
        let odd = Submission { vector: Vector::from(vec![0f64; 5]), ..submission(1) };
        let error = barrier([1]).offer(odd).unwrap_err();
        assert_eq!(
            error.to_string(),
            "worker 1 submits 5 coordinates of f64, but 3 coordinates of f32 are wanted"
        );
    }

    /// What happens to a worker in a round.
    #[derive(Clone, Debug)]
    enum Event {
        Submits(usize),
        IsGivenUp(usize),
        Repeats(usize),
    }

    fn events() -> impl Strategy<Value = (Vec<Event>, Vec<Event>, usize)> {
        prop::collection::vec(0..3usize, 1..40).prop_flat_map(|fates| {
            let first: Vec<Event> = fates
                .iter()
                .enumerate()
                .filter_map(|(worker, fate)| match fate {
                    0 => Some(Event::Submits(worker)),
                    1 => Some(Event::IsGivenUp(worker)),
                    _ => None,
                })
                .collect();
            let workers = fates.len();
            (Just(first.clone()).prop_shuffle(), Just(first).prop_shuffle(), Just(workers))
        })
    }

    fn play(events: &[Event], workers: usize) -> Outcome {
        let mut barrier = barrier(0..workers);
        for event in events {
            match *event {
                Event::Submits(worker) => barrier.offer(submission(worker)).unwrap(),
                Event::IsGivenUp(worker) => barrier.absent(worker, Reason::Died).unwrap(),
                Event::Repeats(worker) => assert!(barrier.offer(submission(worker)).is_err()),
            }
        }
        assert_eq!(barrier.missing(), workers - barrier.submissions().count() - given_up(events));
        barrier.close()
    }

    fn given_up(events: &[Event]) -> usize {
        events.iter().filter(|event| matches!(event, Event::IsGivenUp(_))).count()
    }

    fn ids(outcome: &Outcome) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let submitted = outcome.submissions.iter().map(|s| s.worker).collect();
        let absent = outcome.absences.iter().map(|(id, _)| *id).collect();
        (submitted, absent, outcome.missing.clone())
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter((one, other, workers) in events()) {
            let (one, other) = (play(&one, workers), play(&other, workers));
            prop_assert_eq!(ids(&one), ids(&other));
            for (a, b) in one.submissions.iter().zip(&other.submissions) {
                prop_assert_eq!(a.vector.to_f64(), b.vector.to_f64());
            }
        }

        #[test]
        fn every_worker_is_in_exactly_one_list((mut events, _, workers) in events()) {
            events.extend((0..workers).filter_map(|worker| {
                events.iter().any(|e| matches!(e, Event::Submits(w) if *w == worker)).then_some(Event::Repeats(worker))
            }).collect::<Vec<_>>());
            let (submitted, absent, missing) = ids(&play(&events, workers));
            for list in [&submitted, &absent, &missing] {
                prop_assert!(list.is_sorted());
            }
            let mut all = [submitted, absent, missing].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..workers).collect::<Vec<_>>());
        }
    }
}
