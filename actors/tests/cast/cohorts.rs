//! Rounds in which a part of the cast takes part.

use std::collections::BTreeMap;

use phalanx_actors::{Cast, Member, Policy, RoundReport, Settings, Workers};
use phalanx_robust::{
    Dtype, Size, Vector,
    attack::{AttackRule, Ipm, Nan, SignFlip},
    estimator::Sgd as Plain,
    step::{Domain, Sgd, StepRule},
};

use crate::stage::*;

/// Four of six honest workers and two attackers that follow the protocol.
fn four_of_eight(settings: Settings) -> Played {
    let settings = Settings { cohort: Some(4), ..settings };
    let attack = SignFlip::default().build(Size::new(4, 1)).unwrap();
    let cast = cast(settings).seat(0..6, Workers(members(0..6)));
    play(cast.seat(6..8, attackers(6..8, "sign-flip", attack)))
}

#[test]
fn a_round_calls_its_cohort_and_reports_nobody_else() {
    let played = four_of_eight(Settings { rounds: 40, ..settings(Policy::Fail) });
    let mut called = BTreeMap::<usize, usize>::new();
    for round in &played.rounds {
        assert_eq!((round.workers.len(), round.gradients), (4, 4));
        assert!(round.workers.iter().all(|worker| worker.absence.is_none() && worker.distance.is_some()));
        assert!(round.workers.is_sorted_by_key(|worker| worker.worker));
        assert!(round.workers.iter().all(|worker| worker.honest == (worker.worker < 6)));
        round.workers.iter().for_each(|worker| *called.entry(worker.worker).or_default() += 1);
    }
    assert_eq!(called.len(), 8, "everyone has its turn in forty rounds: {called:?}");
    assert_eq!(called.values().sum::<usize>(), 160);
    assert_eq!(played.end.unwrap().rounds, 40);
}

#[test]
fn a_cohort_of_attackers_alone_ends_no_run() {
    let settings = Settings { rounds: 40, cohort: Some(2), f: 0, ..settings(Policy::Fail) };
    let ipm = Ipm::default().build(Size::new(2, 1)).unwrap();
    let nan = Nan {}.build(Size::new(2, 1)).unwrap();
    for (name, attack) in [("ipm", ipm), ("nan", nan)] {
        let cast = cast(settings.clone()).seat(0..3, Workers(members(0..3)));
        let played = play(cast.seat(3..5, attackers(3..5, name, attack)));
        let alone = |round: &&RoundReport| round.workers.iter().all(|worker| !worker.honest);
        let alone: Vec<&RoundReport> = played.rounds.iter().filter(alone).collect();
        assert!(
            !alone.is_empty() && alone.iter().all(|round| round.skipped || round.aggregate_norm == 0.0),
            "{name}"
        );
        assert!(alone.iter().all(|round| round.skipped == (name == "nan")), "{name}");
        assert_eq!(played.end.unwrap().rounds, 40);
    }
}

#[test]
fn threads_and_actors_change_no_bit() {
    let points = |threads, block| {
        let settings = Settings { rounds: 12, threads, block, ..settings(Policy::Fail) };
        let played = four_of_eight(settings);
        played.point().into_iter().map(f64::to_bits).collect::<Vec<u64>>()
    };
    let reference = points(1, 1);
    assert_eq!(points(2, 1), reference);
    assert_eq!(points(2, 5), reference);
}

#[test]
fn a_worker_that_is_lost_is_absent_when_its_turn_comes() {
    let silent = Scripted::new(|_, _| never());
    let settings = Settings { rounds: 20, cohort: Some(4), ..impatient(Policy::Drop) };
    let played = play(four_honest(settings).seat(4..5, silent));
    let reasons: Vec<String> = played
        .rounds
        .iter()
        .flat_map(|round| &round.workers)
        .filter_map(|worker| Some(worker.absence.as_ref()?.to_string()))
        .collect();
    assert_eq!(reasons[0], "stayed silent for 200ms");
    assert!(
        reasons.len() > 1 && reasons[1..].iter().all(|r| r.starts_with("stayed silent for 200ms in round"))
    );
    let times_called =
        played.rounds.iter().filter(|round| round.workers.iter().any(|w| w.worker == 4)).count();
    assert_eq!(reasons.len(), times_called, "a round that does not call it does not miss it");
}

#[test]
fn momentum_waits_for_the_next_turn() {
    // One worker a round, and hardly a step, so that every gradient is -1 plus noise from -0.1 to 0.1 in each
    // coordinate. A worker's momentum moves by a tenth of g - m, whose norm is at most 0.2 √5, from one of its rounds
    // to the next; a plain gradient jumps further.
    let settings = Settings { rounds: 40, cohort: Some(1), f: 0, ..settings(Policy::Fail) };
    let jumps = |members: Vec<Member>| {
        let start = Vector::zeros(D, Dtype::F32);
        let step = Sgd { lr: 1e-9, ..Sgd::default() }.build(&start, Domain::Everywhere).unwrap();
        let cast = Cast::new(settings.clone(), Box::new(Quadratic { d: D }), median(), step);
        let played = play(cast.seat(0..3, Workers(members)));
        let norm = |worker| {
            let rounds = played.rounds.iter().filter(move |round| round.workers[0].worker == worker);
            rounds.map(|round| round.aggregate_norm).collect::<Vec<f64>>()
        };
        let jump = |norms: Vec<f64>| norms.windows(2).map(|p| (p[1] - p[0]).abs()).fold(0.0, f64::max);
        (0..3).map(|worker| jump(norm(worker))).collect::<Vec<f64>>()
    };
    let bound = 0.1 * 0.2 * 5f64.sqrt();
    let moving = jumps(members(0..3));
    assert!(moving.iter().all(|&jump| 0.0 < jump && jump <= bound), "{moving:?}");
    let plain = (0..3).map(|id| Member { sampler: Box::new(Noise(id)), estimator: Box::new(Plain {}) });
    assert!(
        jumps(plain.collect()).iter().all(|&jump| jump > bound),
        "the plain gradient tells the difference"
    );
}
