//! Evaluations beside the rounds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use phalanx_actors::{
    Cast, Deadlines, Evaluation, Job, Learned, Learner, LearnerError, Policy, Query, RunError, Settings,
    Workers, error::Part, learner::EvaluationTask, messages::Reply,
};
use phalanx_robust::{
    Vector,
    state::{State, Stateful},
};

use crate::stage::*;

/// A quadratic whose evaluations do what they are told.
struct Evaluating<F>(F);

impl<F> Stateful for Evaluating<F> {
    fn state(&self) -> State {
        let values = [("buffers".to_owned(), 7.into())].into();
        State { values, ..State::default() }
    }
}

impl<F: Fn(u64) -> Result<f64, LearnerError> + Send + Sync + Clone + 'static> Learner for Evaluating<F> {
    fn start(&self) -> Vector {
        Quadratic { d: D }.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        Quadratic { d: D }.gradients(query, jobs)
    }

    fn evaluation(&mut self, round: u64, _: &Vector) -> EvaluationTask {
        let evaluate = self.0.clone();
        Box::new(move || {
            let loss = evaluate(round)?;
            Ok(Evaluation { loss, ..Evaluation::unknown(round) })
        })
    }
}

fn with(
    settings: Settings,
    evaluate: impl Fn(u64) -> Result<f64, LearnerError> + Send + Sync + Clone + 'static,
) -> Played {
    let cast = Cast::new(settings, Box::new(Evaluating(evaluate)), median(), descent());
    play(cast.seat(0..3, Workers(members(0..3))))
}

#[test]
fn points_are_evaluated_first_last_and_every_so_often_in_order() {
    let rounds = |rounds, evaluate_every| {
        let settings = Settings { rounds, evaluate_every, ..settings(Policy::Fail) };
        let played = with(settings, |round| Ok(round as f64));
        let told = |evaluation: Evaluation| (evaluation.round, evaluation.loss);
        assert_eq!(played.end.unwrap().evaluation.map(told), played.evaluations.last().cloned().map(told));
        played.evaluations.iter().map(|evaluation| evaluation.round).collect::<Vec<_>>()
    };
    assert_eq!(rounds(7, 3), [0, 3, 6, 7]);
    assert_eq!(rounds(6, 3), [0, 3, 6]);
    assert_eq!(rounds(4, 0), [0, 4]);
    assert_eq!(rounds(0, 1), [0]);
}

#[test]
fn a_slow_evaluation_runs_beside_the_rounds_until_two_are_waiting() {
    let (evaluated, started) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counter, begun) = (evaluated.clone(), started.clone());
    let settings = Settings { rounds: 6, evaluate_every: 1, ..settings(Policy::Fail) };
    let played = with(settings, move |_| {
        let ahead = begun.fetch_add(1, Ordering::SeqCst) - counter.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(10));
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(ahead as f64)
    });
    assert!(played.evaluations.iter().all(|evaluation| evaluation.loss == 0.0), "one after another");
    assert!(played.evaluations.iter().map(|evaluation| evaluation.round).eq(0..=6));
    assert_eq!(evaluated.load(Ordering::SeqCst), 7);
}

/// The niceness of the calling thread (field 19 of its line in proc(5), 17 after the name).
#[cfg(target_os = "linux")]
fn niceness() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    line.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn evaluations_have_as_many_threads_as_rounds_and_give_way_to_them() {
    let settings = Settings { threads: 3, ..settings(Policy::Fail) };
    let told = |evaluate: fn() -> f64| {
        let played = with(settings.clone(), move |_| Ok(evaluate()));
        played.evaluations.iter().map(|evaluation| evaluation.loss).collect::<Vec<_>>()
    };
    assert_eq!(told(niceness), [(niceness() + 10.0).min(19.0); 2], "the first and the last");
    assert_eq!(told(|| rayon::current_num_threads() as f64), [3.0; 2]);
}

#[test]
fn an_evaluation_that_fails_ends_the_run() {
    let settings = Settings { evaluate_every: 2, ..settings(Policy::Drop) };
    let model = |text: &str| LearnerError::Model(text.to_owned());
    let played =
        with(settings.clone(), move |round| if round == 2 { Err(model("no memory")) } else { Ok(0.0) });
    assert_eq!(played.error(), "evaluation after round 2: the model failed: no memory");
    let played = with(settings, |round| if round == 4 { panic!("no data") } else { Ok(0.0) });
    assert_eq!(played.error(), "evaluation after round 4: the model panicked: no data");
}

/// What is told of a run that fails does not depend on how fast evaluations are.
#[test]
fn evaluations_under_way_are_told_when_a_run_fails() {
    let settings = Settings { evaluate_every: 1, ..settings(Policy::Fail) };
    let evaluate = |round| {
        std::thread::sleep(Duration::from_millis(30));
        Ok(round as f64)
    };
    let cast = Cast::new(settings, Box::new(Evaluating(evaluate)), median(), descent());
    let seat = Scripted::answering(|id, query| match query.round {
        3 => panic!("over"),
        round => Ok(Reply::Submitted(zero(id, round))),
    });
    let played = play(cast.seat(0..2, Workers(members(0..2))).seat(2..3, seat));
    assert!(played.error().contains("round 3"), "{}", played.error());
    assert!(played.evaluations.iter().map(|evaluation| evaluation.round).eq(0..=2));
}

#[test]
fn an_evaluation_that_hangs_ends_the_run() {
    let deadlines = Deadlines { evaluation: SHORT, ..Deadlines::default() };
    let settings = Settings { deadlines, ..settings(Policy::Fail) };
    let played = with(settings, |round| {
        loop {
            if round == 0 {
                return Ok(0.0);
            }
            std::thread::park();
        }
    });
    let expected = RunError::Stuck { round: 5, part: Part::Evaluation, deadline: SHORT };
    assert_eq!(played.end.unwrap_err(), expected);
    assert_eq!(played.rounds.len(), 5);
}

#[test]
fn the_learners_memory_comes_with_the_end() {
    let end = with(settings(Policy::Fail), |_| Ok(0.0)).end.unwrap();
    assert_eq!(end.learner.value::<u64>("the model", "buffers"), Ok(7));
}
