//! Workers that die, fall silent or never ask the learner.

use phalanx_actors::{
    Deadlines, Policy, Reason, RunError, Settings, Workers,
    learner::{Draw, Sampler},
    messages::{Fault, Reply},
};

use phalanx_robust::{
    Vector,
    attack::Knowledge,
    estimator::{Estimator, Gradients, Points},
    state::Stateful,
};

use crate::stage::*;

/// Panics when it draws its second batch.
struct Fatal(Noise);

impl Sampler for Fatal {
    fn draw(&mut self, round: u64) -> Draw {
        assert!(round < 2, "no second batch");
        self.0.draw(round)
    }
}

fn with_fatal_worker(policy: Policy) -> Played {
    let mut members = members(4..5);
    members[0].sampler = Box::new(Fatal(Noise(4)));
    play(four_honest(settings(policy)).seat(4..5, Workers(members)))
}

#[test]
fn a_worker_that_panics_ends_the_run_by_name() {
    let played = with_fatal_worker(Policy::Fail);
    let expected = RunError::Workers {
        round: 2,
        workers: vec![4],
        reason: Box::new(Reason::Panicked("no second batch".to_owned())),
    };
    assert_eq!(played.end.unwrap_err(), expected);
    assert_eq!(played.rounds.len(), 1);
}

#[test]
fn a_worker_that_panics_is_dropped_and_stays_reported() {
    let played = with_fatal_worker(Policy::Drop);
    let later = "died in round 2";
    assert_eq!(played.absences(4), ["", "panicked: no second batch", later, later, later]);
    assert!(played.rounds.iter().all(|round| round.workers.len() == 5));
    assert_eq!(played.rounds[2].gradients, 4);
    assert_eq!(played.end.unwrap().rounds, 5);
}

/// Five workers in one actor, of which the one in the middle panics at its second batch.
fn with_fatal_worker_among_others(policy: Policy) -> Played {
    let mut members = members(0..5);
    members[2].sampler = Box::new(Fatal(Noise(2)));
    play(cast(Settings { block: 5, ..settings(policy) }).seat(0..5, Workers(members)))
}

#[test]
fn a_panic_is_its_workers_own_though_others_share_its_actor() {
    assert_eq!(
        with_fatal_worker_among_others(Policy::Fail).error(),
        "round 2: worker 2 panicked: no second batch"
    );
    let played = with_fatal_worker_among_others(Policy::Drop);
    let later = "died in round 2";
    assert_eq!(played.absences(2), ["", "panicked: no second batch", later, later, later]);
    assert!(played.rounds[1].phases.round < SHORT, "the learner does not wait for it");
    for other in [0, 1, 3, 4] {
        assert!(played.absences(other).iter().all(String::is_empty));
    }
    assert_eq!(played.rounds.iter().map(|round| round.gradients).collect::<Vec<_>>(), [5, 4, 4, 4, 4]);
}

fn silent_from_round_two(learns: bool, policy: Policy) -> Played {
    let silent = Scripted::new(|id, query| match query.round {
        1 => Box::pin(async move { Ok(Reply::Submitted(zero(id, 1))) }),
        _ => never(),
    });
    let silent = if learns { silent.learning() } else { silent };
    play(four_honest(impatient(policy)).seat(4..5, silent))
}

#[test]
fn a_silent_worker_ends_the_run_by_name() {
    let played = silent_from_round_two(false, Policy::Fail);
    assert_eq!(played.error(), "round 2: worker 4 stayed silent for 200ms");
}

#[test]
fn a_silent_worker_is_dropped_for_good() {
    let played = silent_from_round_two(false, Policy::Drop);
    assert_eq!(
        played.absences(4)[..3],
        ["", "stayed silent for 200ms", "stayed silent for 200ms in round 2"]
    );
    assert!(played.rounds[2].phases.round < SHORT, "it is not waited for again");
    assert_eq!(played.end.unwrap().rounds, 5);
}

#[test]
fn a_worker_that_never_asks_the_learner_does_not_hold_the_others() {
    let played = silent_from_round_two(true, Policy::Fail);
    assert_eq!(played.error(), "round 2: worker 4 did not ask the learner within 200ms");
    // In round 1 it submitted without asking, which costs the round a deadline, but is no absence.
    assert!(played.rounds[0].phases.round >= SHORT);
    assert_eq!(played.absences(4), [""]);

    let played = silent_from_round_two(true, Policy::Drop);
    assert_eq!(played.absences(4)[1], "did not ask the learner within 200ms");
    assert_eq!(played.end.unwrap().rounds, 5);
}

#[test]
fn a_worker_that_says_it_failed_is_asked_again() {
    let moody = |policy| {
        let moody = Scripted::answering(|id, query| match query.round {
            2 => Err(Fault::Custom("no mood".to_owned())),
            round => Ok(Reply::Submitted(zero(id, round))),
        });
        play(four_honest(settings(policy)).seat(4..5, moody))
    };
    assert_eq!(moody(Policy::Fail).error(), "round 2: worker 4 failed: no mood");
    assert_eq!(moody(Policy::Drop).absences(4), ["", "failed: no mood", "", "", ""]);
}

#[test]
fn a_worker_that_blocks_its_thread_ends_the_run_and_is_left_behind() {
    let stuck = Scripted::answering(|_, _| {
        loop {
            std::thread::park();
        }
    });
    // On a busy machine an honest worker may be at work for as long as it is short.
    let patience = 10 * SHORT;
    let deadlines = Deadlines { worker: patience, ..Deadlines::default() };
    let played = play(four_honest(Settings { deadlines, ..settings(Policy::Fail) }).seat(4..5, stuck));
    // Its arbiter hosts all workers here, so that some of the others may be silent too.
    let Err(RunError::Workers { round: 1, workers, reason }) = played.end else { panic!("{:?}", played.end) };
    assert!(workers.contains(&4));
    assert_eq!(*reason, Reason::Silent(patience));
}

/// Never ends its second update.
#[derive(Clone)]
struct Endless;

impl Stateful for Endless {}

impl Estimator for Endless {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        if round == 1 {
            return gradients.current;
        }
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_worker_that_never_ends_is_named_and_not_those_who_share_its_actor() {
    let mut members = members(0..5);
    members[2].estimator = Box::new(Endless);
    let settings = Settings { block: 5, ..impatient(Policy::Fail) };
    let played = play(cast(settings).seat(0..5, Workers(members)));
    assert_eq!(played.error(), "round 2: worker 2 stayed silent for 200ms");
}

#[test]
fn an_attacker_from_outside_that_really_sleeps_ends_the_run_by_name_or_is_done_without() {
    let play = |policy| {
        let sleeper = Scripted::attacker(Knowledge::Blind, |id, reveal| {
            std::thread::sleep(5 * SHORT);
            Box::pin(async move { Ok(Reply::Submitted(zero(id, reveal.exposed.round))) })
        });
        play(four_honest(Settings { rounds: 1, ..impatient(policy) }).seat(4..5, sleeper))
    };
    let started = std::time::Instant::now();
    assert_eq!(play(Policy::Fail).error(), "round 1: worker 4 stayed silent for 200ms");
    let played = play(Policy::Drop);
    assert_eq!(played.absences(4), ["stayed silent for 200ms"]);
    assert!(played.absences(0)[0].is_empty() && played.end.is_ok());
    assert!(started.elapsed() < 20 * SHORT, "nobody waits for it");
}

#[test]
fn the_run_ends_with_the_numbers_when_too_few_are_left() {
    let settings = Settings { f: 2, ..impatient(Policy::Drop) };
    let silent = Scripted::new(|_, _| never());
    let played = play(four_honest(settings).seat(4..5, silent));
    assert_eq!(
        played.error(),
        "round 1: cwmed needs m > 2f, which m = 4, f = 2 does not meet; 4 of 5 workers submitted"
    );
}
