//! Learners that fail, panic, hang or miscount.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use phalanx_actors::{
    Cast, Deadlines, Job, Learned, Learner, LearnerError, Policy, Query, RunError, Settings, Workers,
    error::Part,
    learner::{EvaluationTask, Refusal},
    messages::{Ask, Fault, Reply, Seat},
    seating::{Place, Seating},
};
use phalanx_robust::{Vector, state::Stateful};

use crate::stage::*;

type Gradients = fn(&Query, &[Job]) -> Result<Vec<Learned>, LearnerError>;

/// Does something else from round 2.
struct Failing(Gradients);

impl Stateful for Failing {}

impl Learner for Failing {
    fn start(&self) -> Vector {
        Quadratic { d: D }.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        if query.round < 2 { Quadratic { d: D }.gradients(query, jobs) } else { (self.0)(query, jobs) }
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        Quadratic { d: D }.evaluation(round, point)
    }
}

fn with(gradients: Gradients, settings: Settings) -> RunError {
    let cast = Cast::new(settings, Box::new(Failing(gradients)), median(), descent());
    let played = play(cast.seat(0..4, Workers(members(0..4))));
    assert_eq!(played.rounds.len(), 1);
    played.end.unwrap_err()
}

/// The learner is no part of the experiment: the policy for absent workers does not cover it.
fn ends_the_run(gradients: Gradients, error: LearnerError) {
    for policy in [Policy::Fail, Policy::Drop] {
        assert_eq!(with(gradients, settings(policy)), RunError::Learner { round: 2, error: error.clone() });
    }
}

#[test]
fn a_learner_that_fails_ends_the_run() {
    ends_the_run(
        |_, _| Err(LearnerError::Model("out of memory".to_owned())),
        LearnerError::Model("out of memory".to_owned()),
    );
}

#[test]
fn a_learner_that_panics_ends_the_run_with_its_words() {
    ends_the_run(|_, _| panic!("singular"), LearnerError::Panicked("singular".to_owned()));
}

/// Panics as it is asked to be evaluated after round 2, and notes whether it is called once more.
struct Blind {
    broken: bool,
    called_again: Arc<AtomicBool>,
}

impl Blind {
    fn called(&self) {
        self.called_again.fetch_or(self.broken, Ordering::Relaxed);
    }
}

impl Stateful for Blind {}

impl Learner for Blind {
    fn start(&self) -> Vector {
        Quadratic { d: D }.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.called();
        Quadratic { d: D }.gradients(query, jobs)
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        self.called();
        self.broken = round == 2;
        assert!(!self.broken, "no eyes");
        Quadratic { d: D }.evaluation(round, point)
    }
}

#[test]
fn a_learner_that_panicked_in_an_evaluation_is_not_called_again() {
    let called_again = Arc::new(AtomicBool::new(false));
    let learner = Box::new(Blind { broken: false, called_again: called_again.clone() });
    let settings = Settings { evaluate_every: 1, ..settings(Policy::Drop) };
    let cast = Cast::new(settings, learner, median(), descent()).seat(0..4, Workers(members(0..4)));
    let error = play(cast).end.unwrap_err().to_string();
    assert!(error.contains("no eyes"), "{error}");
    assert!(!called_again.load(Ordering::Relaxed));
}

#[test]
fn a_learner_that_miscounts_ends_the_run() {
    ends_the_run(
        |query, jobs| Ok(jobs[1..].iter().map(|job| learned(query, job)).collect()),
        LearnerError::Count { jobs: 4, answers: 3 },
    );
}

#[test]
fn a_learner_that_hangs_ends_the_run() {
    let deadlines = Deadlines { learner: SHORT, ..impatient(Policy::Drop).deadlines };
    let hang: Gradients = |_, _| loop {
        std::thread::park();
    };
    let error = with(hang, Settings { deadlines, ..settings(Policy::Drop) });
    assert_eq!(error, RunError::Stuck { round: 2, part: Part::Learner, deadline: SHORT });
}

#[test]
fn a_learner_may_take_longer_than_the_workers_deadline() {
    let slow: Gradients = |query, jobs| {
        std::thread::sleep(SHORT + Duration::from_millis(50));
        Ok(jobs.iter().map(|job| learned(query, job)).collect())
    };
    let settings = Settings { rounds: 2, ..impatient(Policy::Fail) };
    let cast = Cast::new(settings, Box::new(Failing(slow)), median(), descent());
    let played = play(cast.seat(0..4, Workers(members(0..4))));
    assert_eq!(played.end.unwrap().rounds, 2);
    assert!(played.rounds[1].phases.gradient > SHORT);
}

/// Asks the learner twice, and for a round that is over; says what it was told.
struct Insistent;

impl Seating for Insistent {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let learner = place.learner.clone();
        let worker = Scripted::new(move |id, query| {
            let learner = learner.clone();
            Box::pin(async move {
                let mut draw = Noise(id);
                let job = |round| {
                    let draw = phalanx_actors::learner::Sampler::draw(&mut draw, round);
                    Job { worker: id, draw, points: phalanx_robust::estimator::Points::Current, root: false }
                };
                let mut ask = {
                    let mut job = job;
                    move |round| learner.send(Ask::one(round, job(round)))
                };
                let (round, first) = (query.round, ask(query.round));
                let refused = |answer: Result<Result<Vec<Learned>, _>, _>| answer.unwrap().unwrap_err();
                let again = refused(ask(round).await);
                let late = refused(ask(round - 1).await);
                first.await.unwrap()?;
                assert_eq!(again, Refusal::Again { worker: id, round }.into());
                assert_eq!(late, Refusal::WrongRound { worker: id, round: round - 1 }.into());
                Ok::<_, Fault>(Reply::Submitted(zero(id, round)))
            })
        });
        Box::new(worker.learning()).seat(place)
    }
}

#[test]
fn a_job_that_is_not_expected_is_refused_and_harms_no_one() {
    let played = play(four_honest(settings(Policy::Fail)).seat(4..5, Insistent));
    assert!(played.absences(4).iter().all(String::is_empty), "{:?}", played.absences(4));
    assert_eq!(played.end.unwrap().rounds, 5);
}
