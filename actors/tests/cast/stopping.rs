//! A run that is asked to end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use phalanx_actors::{
    Cast, Deadlines, Evaluation, Job, Keeper, Learned, Learner, LearnerError, Observer, Policy, Query,
    RoundReport, Settings, Snapshot, Stopper, Workers, learner::EvaluationTask,
};
use phalanx_robust::{
    Vector,
    state::{State, Stateful},
};

use crate::stage::*;

struct StopAt(u64, Stopper);

impl Observer for StopAt {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        if report.round == self.0 {
            self.1.stop();
        }
        Ok(())
    }
}

#[test]
fn a_run_that_is_asked_to_stop_ends_after_the_round_in_hand() {
    let cast = four_honest(Settings { rounds: 1_000_000, ..settings(Policy::Fail) });
    let stopper = cast.stopper();
    let played = play(cast.observe(StopAt(3, stopper)));
    let end = played.end.unwrap();
    assert_eq!((end.rounds, end.interrupted), (3, true));
    assert_eq!(end.evaluation.unwrap().round, 3, "the last point is evaluated");
}

#[test]
fn a_stop_in_the_last_round_interrupts_nothing() {
    let cast = four_honest(settings(Policy::Fail));
    let stopper = cast.stopper();
    let end = play(cast.observe(StopAt(5, stopper))).end.unwrap();
    assert_eq!((end.rounds, end.interrupted), (5, false));
}

#[test]
fn a_run_may_be_stopped_before_it_begins() {
    let cast = four_honest(settings(Policy::Fail));
    cast.stopper().stop();
    let end = play(cast).end.unwrap();
    assert_eq!((end.rounds, end.interrupted), (0, true));
}

/// A quadratic whose evaluations take until a snapshot is kept; `remembers` a number or nothing.
struct Slow {
    kept: Arc<AtomicBool>,
    remembers: bool,
}

impl Stateful for Slow {
    fn state(&self) -> State {
        let number = self.remembers.then(|| ("number".to_owned(), 7.into()));
        State { values: number.into_iter().collect(), ..State::default() }
    }
}

impl Learner for Slow {
    fn start(&self) -> Vector {
        Quadratic { d: D }.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        Quadratic { d: D }.gradients(query, jobs)
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        let (kept, loss) = (self.kept.clone(), point.norm());
        Box::new(move || {
            while !kept.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(Evaluation { loss, ..Evaluation::unknown(round) })
        })
    }
}

/// Keeps the last snapshot and lets evaluations end.
#[derive(Clone, Default)]
struct Release {
    kept: Arc<AtomicBool>,
    snapshot: Arc<Mutex<Option<Snapshot>>>,
}

impl Keeper for Release {
    fn wants(&mut self, _: u64) -> bool {
        false
    }

    fn keep(&mut self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap() = Some(snapshot);
        self.kept.store(true, Ordering::SeqCst);
    }

    fn cannot(&mut self, _: u64, reason: &str) {
        panic!("{reason}");
    }
}

/// A run of eight rounds, each of which is evaluated, with a learner whose evaluations wait for `release`.
fn evaluated(release: &Release, remembers: bool, deadline: Duration) -> Cast {
    let deadlines = Deadlines { evaluation: deadline, ..Deadlines::default() };
    let settings = Settings { rounds: 8, evaluate_every: 1, deadlines, ..settings(Policy::Fail) };
    let learner = Slow { kept: release.kept.clone(), remembers };
    Cast::new(settings, Box::new(learner), median(), descent()).seat(0..4, Workers(members(0..4)))
}

/// Two evaluations are under way when the second round has been told, so that the third waits for one of them.
#[test]
fn evaluations_under_way_do_not_hold_up_the_snapshot_of_a_run_that_ends() {
    let release = Release::default();
    let cast = evaluated(&release, false, Duration::from_secs(60)).keep(release.clone());
    let stopper = cast.stopper();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stopper.stop();
    });
    let played = play(cast);
    stopping.join().unwrap();
    assert!(played.end.unwrap().interrupted);
    let snapshot = release.snapshot.lock().unwrap().clone().unwrap();
    assert_eq!(snapshot.round, 2);
    let rest = play(evaluated(&release, false, Duration::from_secs(60)).resume(snapshot));
    assert!(
        rest.evaluations.iter().map(|evaluation| evaluation.round).eq(0..=8),
        "none had been told before"
    );
    let whole = play(evaluated(&release, false, Duration::from_secs(60)));
    let losses = |played: &Played| played.evaluations.iter().map(|e| e.loss.to_bits()).collect::<Vec<_>>();
    assert_eq!(losses(&rest), losses(&whole));
}

/// What it remembers now is not what the evaluation was asked of.
#[test]
fn evaluations_of_a_learner_with_memory_come_before_the_snapshot() {
    let release = Release::default();
    let cast = evaluated(&release, true, SHORT).keep(release.clone());
    cast.stopper().stop();
    let error = play(cast).error();
    assert_eq!(error, "round 0: the evaluation did not answer within 200ms");
    assert!(release.snapshot.lock().unwrap().is_none());
}
