//! Every order in which messages can reach the learner's desk and the barrier,
//! one after the other: a model checker (shuttle) runs each model below once
//! for every schedule of its threads. Built by `make deep-test` alone.
//!
//! A model is an actor's mailbox: threads send, one thread takes the messages
//! one by one, as actix does, and checks what must hold whatever the order.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use phalanx_robust::{Vector, estimator::Points, random::Seed};
use shuttle::{Config, Runner, scheduler::DfsScheduler, sync::mpsc::channel, thread::spawn};

use crate::{
    barrier::Barrier,
    desk::Desk,
    error::Reason,
    learner::{Draw, Job, Query},
    messages::Submission,
};

const ROUND: u64 = 3;

/// Runs `host` on the messages of `senders` in every order that keeps each sender's own.
fn in_every_order<M: Clone + Debug + Send + Sync + 'static>(
    senders: &[&[M]],
    host: impl Fn(Vec<M>) + Send + Sync + 'static,
) {
    let expected = orders(senders.iter().map(|messages| messages.len()));
    let senders: Vec<Vec<M>> = senders.iter().map(|messages| messages.to_vec()).collect();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let found = seen.clone();
    let model = move || {
        let (mailbox, arrivals) = channel();
        let threads = senders.clone().into_iter().map(|messages| {
            let mailbox = mailbox.clone();
            spawn(move || messages.into_iter().for_each(|message| mailbox.send(message).unwrap()))
        });
        let threads: Vec<_> = threads.collect();
        drop(mailbox);
        let arrived: Vec<M> = arrivals.iter().collect();
        found.lock().unwrap().insert(format!("{arrived:?}"));
        host(arrived);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    };
    let schedules = Runner::new(DfsScheduler::new(None, false), Config::new()).run(model);
    println!("{schedules} schedules, {expected} orders of arrival");
    assert_eq!(seen.lock().unwrap().len(), expected);
}

/// In how many orders such numbers of messages can arrive, each sender's in its own order.
fn orders(counts: impl Iterator<Item = usize>) -> usize {
    let join = |(all, ways): (usize, usize), count| {
        (1..=count).fold((all, ways), |(all, ways), i| (all + 1, ways * (all + 1) / i))
    };
    counts.fold((0, 1), join).1
}

/// What reaches the learner.
#[derive(Clone, Debug)]
enum ToDesk {
    /// A sender asks for these workers, and says that it does without those.
    Ask(Vec<usize>, Vec<usize>),
    Withdraw(Vec<usize>),
    Close,
}

fn job(worker: usize) -> Job {
    let rng = Seed(1).stream("worker", worker as u64, "noise", ROUND);
    Job { worker, draw: Draw { indices: vec![], labels: vec![], rng }, points: Points::Current, root: false }
}

/// The desk as the learner's actor serves it, and what came of every message.
struct Served {
    desk: Desk<usize>,
    /// For each sender that was answered: its workers. A sender is known by its first worker.
    answered: Vec<(usize, Vec<usize>)>,
    refused: Vec<usize>,
    missing: Vec<usize>,
    batches: usize,
}

impl Served {
    fn new(workers: usize) -> Self {
        let mut desk = Desk::new();
        let query = Query { round: ROUND, current: Vector::from(vec![0f32]), previous: None };
        desk.expect(Arc::new(query), Arc::new((0..workers).collect()));
        Self { desk, answered: Vec::new(), refused: Vec::new(), missing: Vec::new(), batches: 0 }
    }

    fn hear(&mut self, message: ToDesk) {
        let complete = match message {
            ToDesk::Ask(workers, without) => {
                let jobs = workers.iter().map(|&worker| job(worker)).collect();
                let asked = self.desk.ask(ROUND, jobs, &without, workers[0]);
                asked.unwrap_or_else(|(_, sender)| {
                    self.refused.push(sender);
                    false
                })
            }
            ToDesk::Withdraw(workers) => self.desk.withdraw(ROUND, &workers),
            ToDesk::Close => {
                self.missing = self.desk.close(ROUND);
                true
            }
        };
        if let Some(order) = complete.then(|| self.desk.take()).flatten() {
            let workers: Vec<usize> = order.jobs.iter().map(|job| job.worker).collect();
            assert!(workers.is_sorted_by(|a, b| a < b), "jobs leave by worker id");
            self.answered.extend(order.deal(workers));
            self.batches += 1;
        }
    }

    /// Every sender is answered once, with its own workers, or refused once.
    fn check(&self, asks: &[(usize, Vec<usize>)]) {
        let mut senders: Vec<usize> = self.answered.iter().map(|(sender, _)| *sender).collect();
        senders.extend(&self.refused);
        senders.sort_unstable();
        assert!(senders.iter().eq(asks.iter().map(|(sender, _)| sender)), "{senders:?}");
        assert!(self.answered.iter().all(|answer| asks.contains(answer)), "{:?}", self.answered);
    }
}

#[test]
fn whoever_asks_is_answered_once_and_all_together() {
    let ask = |workers: &[usize], without: &[usize]| ToDesk::Ask(workers.to_vec(), without.to_vec());
    let senders = [vec![ask(&[0, 2], &[])], vec![ask(&[1], &[4])], vec![ask(&[3], &[])]];
    in_every_order(&senders.each_ref().map(Vec::as_slice), |messages| {
        let mut served = Served::new(5);
        messages.into_iter().for_each(|message| served.hear(message));
        served.check(&[(0, vec![0, 2]), (1, vec![1]), (3, vec![3])]);
        assert_eq!((served.batches, served.refused.len()), (1, 0), "one fused pass");
    });
}

#[test]
fn a_worker_given_up_holds_nobody_and_a_closed_desk_names_who_has_not_asked() {
    let ask = |workers: &[usize]| ToDesk::Ask(workers.to_vec(), vec![]);
    let senders = [vec![ask(&[0, 1])], vec![ask(&[2])], vec![ToDesk::Withdraw(vec![3]), ToDesk::Close]];
    in_every_order(&senders.each_ref().map(Vec::as_slice), |messages| {
        let mut served = Served::new(4);
        messages.into_iter().for_each(|message| served.hear(message));
        served.check(&[(0, vec![0, 1]), (2, vec![2])]);
        let refused: BTreeSet<usize> = served
            .refused
            .iter()
            .flat_map(|&sender| if sender == 0 { vec![0, 1] } else { vec![2] })
            .collect();
        assert!(served.missing.iter().eq(&refused), "who asked too late is named as missing, nobody else");
    });
}

/// What reaches the aggregator.
#[derive(Clone, Debug)]
enum ToBarrier {
    Submit { worker: usize, round: u64 },
    GiveUp(usize),
}

#[test]
fn every_submission_is_accepted_or_rejected_and_every_worker_is_in_one_list() {
    let submit = |worker: usize, round: u64| ToBarrier::Submit { worker, round };
    let senders =
        [vec![submit(0, ROUND), submit(0, ROUND)], vec![submit(1, ROUND - 1)], vec![ToBarrier::GiveUp(0)]];
    in_every_order(&senders.each_ref().map(Vec::as_slice), |messages| {
        let mut barrier = Barrier::new(Vector::from(vec![0f32; 2]));
        barrier.open(ROUND, Arc::new((0..3).collect()));
        let (mut accepted, mut rejected) = (0, 0);
        for message in messages {
            match message {
                ToBarrier::Submit { worker, round } => {
                    let vector = Vector::from(vec![worker as f32; 2]);
                    let submission = Submission { worker, round, vector, loss: None, accuracy: None };
                    let taken = barrier.offer(submission).is_ok();
                    if taken { accepted += 1 } else { rejected += 1 }
                }
                ToBarrier::GiveUp(worker) => drop(barrier.absent(worker, Reason::Died)),
            }
        }
        let outcome = barrier.close();
        assert_eq!((accepted + rejected, outcome.submissions.len()), (3, accepted));
        assert!(outcome.submissions.is_sorted_by_key(|submission| submission.worker));
        let submitted = outcome.submissions.iter().map(|submission| submission.worker);
        let absent = outcome.absences.iter().map(|(worker, _)| *worker);
        let mut all: Vec<usize> = submitted.chain(absent).chain(outcome.missing).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    });
}
