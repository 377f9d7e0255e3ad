//! Where the learner gathers the jobs of a round until all expected workers
//! have asked: a pure state machine, like the barrier. The learner actor hosts
//! it; `T` is whatever it needs to answer a job.

use std::sync::Arc;

use crate::learner::{Job, Query};

/// A job that the learner does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The worker is not expected to ask in this round.
    #[error("worker {worker} is not expected to ask the learner in round {round}")]
    Unexpected {
        /// Who asked.
        worker: usize,
        /// The round.
        round: u64,
    },
    /// The worker asked again, or too late.
    #[error("worker {worker} asks the learner twice or too late in round {round}")]
    Again {
        /// Who asked.
        worker: usize,
        /// The round.
        round: u64,
    },
    /// The job is of a round that is not open.
    #[error("worker {worker} asks the learner for round {round}, which is not open")]
    WrongRound {
        /// Who asked.
        worker: usize,
        /// The round it asked for.
        round: u64,
    },
}

/// One expected worker.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Expected,
    /// It asked, with the others of this number.
    Asked(usize),
    Done,
}

/// The jobs of a round, ready to be computed, and who asked.
pub(crate) struct Order<T> {
    pub query: Arc<Query>,
    /// By worker id.
    pub jobs: Vec<Job>,
    /// For each job, the place of its sender in `tokens`.
    senders: Vec<usize>,
    /// For each sender, how many jobs it has.
    tokens: Vec<(T, usize)>,
}

/// The desk.
pub(crate) struct Desk<T> {
    query: Option<Arc<Query>>,
    workers: Arc<Vec<usize>>,
    places: Vec<Place>,
    asks: Vec<(Vec<Job>, T)>,
    expected: usize,
}

impl<T> Desk<T> {
    pub fn new() -> Self {
        Self { query: None, workers: Arc::default(), places: Vec::new(), asks: Vec::new(), expected: 0 }
    }

    /// Opens a round for `workers`, whose ids ascend.
    pub fn expect(&mut self, query: Arc<Query>, workers: Arc<Vec<usize>>) {
        debug_assert!(workers.is_sorted(), "ids ascend");
        self.query = Some(query);
        self.expected = workers.len();
        self.places.clear();
        self.places.resize(workers.len(), Place::Expected);
        self.asks.clear();
        self.workers = workers;
    }

    /// Takes the jobs of one sender in, all or none, and does without some of its workers; answers
    /// whether the others were waiting for these alone. Refused jobs' token comes back.
    pub fn ask(
        &mut self,
        round: u64,
        jobs: Vec<Job>,
        without: &[usize],
        token: T,
    ) -> Result<bool, (Refusal, T)> {
        if let Some(refusal) = self.refusal(round, &jobs) {
            return Err((refusal, token));
        }
        for job in &jobs {
            if let Ok(at) = self.vacant(round, job.worker) {
                self.places[at] = Place::Asked(self.asks.len());
                self.expected -= 1;
            }
        }
        self.asks.push((jobs, token));
        self.strike(round, without);
        Ok(self.expected == 0)
    }

    /// Why not all of these jobs can be taken in.
    fn refusal(&self, round: u64, jobs: &[Job]) -> Option<Refusal> {
        let refused = jobs.iter().find_map(|job| self.vacant(round, job.worker).err());
        let again = |pair: &[Job]| pair[0].worker >= pair[1].worker;
        let unsorted = || jobs.windows(2).find(|pair| again(pair));
        refused.or_else(|| unsorted().map(|pair| Refusal::Again { worker: pair[1].worker, round }))
    }

    /// No longer expects `workers`; answers whether the others were waiting for these alone.
    pub fn withdraw(&mut self, round: u64, workers: &[usize]) -> bool {
        self.strike(round, workers) && self.expected == 0
    }

    /// Whether any of `workers` was still expected.
    fn strike(&mut self, round: u64, workers: &[usize]) -> bool {
        let before = self.expected;
        for &worker in workers {
            if let Ok(at) = self.vacant(round, worker) {
                self.places[at] = Place::Done;
                self.expected -= 1;
            }
        }
        self.expected < before
    }

    /// No longer expects anyone in `round`; answers who has not asked.
    pub fn close(&mut self, round: u64) -> Vec<usize> {
        if self.query.as_ref().is_none_or(|query| query.round != round) {
            return Vec::new();
        }
        let mut missing = Vec::new();
        for (&worker, place) in self.workers.iter().zip(&mut self.places) {
            if *place == Place::Expected {
                *place = Place::Done;
                missing.push(worker);
            }
        }
        self.expected = 0;
        missing
    }

    /// Takes the jobs that are in, by worker id; none if there are none.
    pub fn take(&mut self) -> Option<Order<T>> {
        let query = self.query.clone()?;
        let (mut asked, mut tokens) = (Vec::with_capacity(self.asks.len()), Vec::new());
        for (jobs, token) in self.asks.drain(..) {
            tokens.push((token, jobs.len()));
            asked.push(jobs.into_iter());
        }
        let all = tokens.iter().map(|(_, count)| count).sum();
        let (mut jobs, mut senders) = (Vec::with_capacity(all), Vec::with_capacity(all));
        for place in &mut self.places {
            if let Place::Asked(sender) = *place {
                *place = Place::Done;
                // Every sender's jobs ascend, so that its next one is this place's.
                jobs.extend(asked[sender].next());
                senders.push(sender);
            }
        }
        (!jobs.is_empty()).then_some(Order { query, jobs, senders, tokens })
    }

    fn vacant(&self, round: u64, worker: usize) -> Result<usize, Refusal> {
        if self.query.as_ref().is_none_or(|query| query.round != round) {
            return Err(Refusal::WrongRound { worker, round });
        }
        let at = self.workers.binary_search(&worker).map_err(|_| Refusal::Unexpected { worker, round })?;
        match self.places[at] {
            Place::Expected => Ok(at),
            Place::Asked(_) | Place::Done => Err(Refusal::Again { worker, round }),
        }
    }
}

impl<T> Order<T> {
    /// Gives every sender the answers to its jobs; `answers` are in the order of the jobs.
    pub fn deal<A>(self, answers: impl IntoIterator<Item = A>) -> impl Iterator<Item = (T, Vec<A>)> {
        let mut dealt: Vec<(T, Vec<A>)> =
            self.tokens.into_iter().map(|(token, count)| (token, Vec::with_capacity(count))).collect();
        for (sender, answer) in self.senders.into_iter().zip(answers) {
            dealt[sender].1.push(answer);
        }
        dealt.into_iter()
    }

    /// The senders.
    pub fn tokens(self) -> impl Iterator<Item = T> {
        self.tokens.into_iter().map(|(token, _)| token)
    }
}

#[cfg(test)]
mod tests {
    use phalanx_robust::{Vector, estimator::Points, random::Seed};
    use proptest::prelude::*;

    use super::*;
    use crate::learner::Draw;

    fn desk(workers: usize) -> Desk<usize> {
        let mut desk = Desk::new();
        let current = Vector::from(vec![0f32]);
        let query = Query { round: 2, current, previous: None };
        desk.expect(Arc::new(query), Arc::new((0..workers).collect()));
        desk
    }

    fn job(worker: usize) -> Job {
        let rng = Seed(1).stream("worker", worker as u64, "noise", 2);
        Job {
            worker,
            draw: Draw { indices: vec![], labels: vec![], rng },
            points: Points::Current,
            root: false,
        }
    }

    fn ask(desk: &mut Desk<usize>, round: u64, workers: &[usize]) -> Result<bool, Refusal> {
        let jobs = workers.iter().map(|&worker| job(worker)).collect();
        desk.ask(round, jobs, &[], workers[0]).map_err(|(refusal, _)| refusal)
    }

    /// Who is answered, with the workers of each.
    fn taken(desk: &mut Desk<usize>) -> Vec<(usize, Vec<usize>)> {
        let order = desk.take().unwrap();
        let workers: Vec<usize> = order.jobs.iter().map(|job| job.worker).collect();
        order.deal(workers).collect()
    }

    #[test]
    fn a_job_is_taken_once_from_an_expected_worker_in_the_open_round() {
        let mut desk = desk(2);
        assert_eq!(ask(&mut desk, 1, &[0]), Err(Refusal::WrongRound { worker: 0, round: 1 }));
        assert_eq!(ask(&mut desk, 2, &[7]), Err(Refusal::Unexpected { worker: 7, round: 2 }));
        assert_eq!(ask(&mut desk, 2, &[1]), Ok(false));
        assert_eq!(ask(&mut desk, 2, &[1]), Err(Refusal::Again { worker: 1, round: 2 }));
        assert_eq!(ask(&mut desk, 2, &[0]), Ok(true));
        assert_eq!(taken(&mut desk), [(1, vec![1]), (0, vec![0])]);
        assert_eq!(ask(&mut desk, 2, &[0]), Err(Refusal::Again { worker: 0, round: 2 }));
    }

    #[test]
    fn the_jobs_of_one_sender_are_taken_all_or_none() {
        let mut desk = desk(4);
        assert_eq!(ask(&mut desk, 2, &[1, 7]), Err(Refusal::Unexpected { worker: 7, round: 2 }));
        assert_eq!(ask(&mut desk, 2, &[2, 1]), Err(Refusal::Again { worker: 1, round: 2 }));
        assert_eq!(ask(&mut desk, 2, &[1, 1]), Err(Refusal::Again { worker: 1, round: 2 }));
        assert_eq!(ask(&mut desk, 2, &[1, 2]), Ok(false));
        assert!(desk.ask(2, vec![job(3)], &[0, 2], 3).unwrap(), "done without worker 0");
        assert_eq!(taken(&mut desk), [(1, vec![1, 2]), (3, vec![3])]);
    }

    #[test]
    fn those_who_never_ask_do_not_hold_the_others() {
        let mut first = desk(3);
        ask(&mut first, 2, &[2]).unwrap();
        assert_eq!(first.close(2), [0, 1]);
        assert_eq!(taken(&mut first), [(2, vec![2])]);
        assert!(ask(&mut first, 2, &[0]).is_err());

        let mut second = desk(4);
        assert!(!second.withdraw(2, &[0]));
        ask(&mut second, 2, &[2]).unwrap();
        assert!(!second.withdraw(2, &[0]), "the second time tells nothing");
        assert!(second.withdraw(2, &[1, 3]));
        assert_eq!(taken(&mut second), [(2, vec![2])]);
        assert!(desk(3).close(1).is_empty(), "another round");
    }

    proptest! {
        #[test]
        fn jobs_leave_by_worker_id(senders in prop::collection::vec(0..6usize, 20)) {
            let mut desk = desk(20);
            let mut left = 20;
            for sender in 0..6 {
                let workers: Vec<usize> = (0..20).filter(|&worker| senders[worker] == sender).collect();
                left -= workers.len();
                let jobs = workers.iter().map(|&worker| job(worker)).collect();
                prop_assert_eq!(desk.ask(2, jobs, &[], sender).unwrap(), left == 0);
            }
            let order = desk.take().unwrap();
            prop_assert!(order.jobs.iter().map(|job| job.worker).eq(0..20));
            for (sender, workers) in order.deal(0..20usize) {
                prop_assert!(workers.is_sorted() && workers.iter().all(|&worker| senders[worker] == sender));
            }
        }
    }
}
