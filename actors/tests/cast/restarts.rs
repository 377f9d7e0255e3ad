//! Who comes back after a crash or a panic, and with what memory.

use phalanx_actors::{
    Cast, Faults, Member, Policy, RoundReport, Settings, What, When, Workers,
    fault::Table,
    learner::{Draw, Sampler},
};
use phalanx_robust::{
    Vector,
    attack::{Attack, AttackError, Knowledge, View},
    estimator::Sgd as Plain,
    state::Stateful,
    step::{Domain, Sgd, StepRule},
};

use crate::{resuming::Shelf, stage::*};

/// The norms of a lone worker's vectors where hardly a step is made, by its estimator and its crash in rounds 3 and 4.
fn norms(members: Vec<Member>, remembers: Option<bool>) -> Vec<f64> {
    let crash = |remembers| Table {
        workers: vec![0],
        when: When::within(3, 4),
        what: What::Crash { rounds: 0, remembers },
    };
    let faults = Faults::new(remembers.map(crash).into_iter().collect());
    let settings = Settings { rounds: 6, f: 0, faults, ..settings(Policy::Drop) };
    let start = Vector::zeros(D, phalanx_robust::Dtype::F32);
    let step = Sgd { lr: 1e-9, ..Sgd::default() }.build(&start, Domain::Everywhere).unwrap();
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), median(), step);
    let played = play(cast.seat(0..1, Workers(members)));
    played.rounds.iter().map(|round| round.aggregate_norm).collect()
}

fn plain() -> Vec<Member> {
    vec![Member { sampler: Box::new(Noise(0)), estimator: Box::new(Plain {}) }]
}

#[test]
fn a_crashed_worker_comes_back_with_its_memory_or_without() {
    let gradient = norms(plain(), None);
    for members in [|| members(0..1), || storm_members(0..1)] {
        let (kept, lost) = (norms(members(), Some(true)), norms(members(), Some(false)));
        assert!(kept[2].is_nan() && kept[3].is_nan() && lost[3].is_nan(), "nobody is there");
        assert_eq!(kept[..2], lost[..2]);
        assert!((lost[4] - gradient[4]).abs() < 1e-6, "a first vector is the gradient itself");
    }
    let kept = norms(members(0..1), Some(true));
    assert!((kept[4] - gradient[4]).abs() > 1e-4, "momentum goes on: {kept:?} {gradient:?}");
}

/// Panics when it draws the batches of these rounds.
struct Fatal(Noise, Vec<u64>);

impl Sampler for Fatal {
    fn draw(&mut self, round: u64) -> Draw {
        assert!(!self.1.contains(&round), "no batch");
        self.0.draw(round)
    }
}

/// Worker 4 of five panics in these rounds.
fn panicking(rounds: &[u64], settings: Settings) -> Cast {
    let mut members = members(4..5);
    members[0].sampler = Box::new(Fatal(Noise(4), rounds.to_vec()));
    four_honest(settings).seat(4..5, Workers(members))
}

fn with_panics(rounds: &[u64], settings: Settings) -> Played {
    play(panicking(rounds, settings))
}

#[test]
fn a_worker_that_panics_begins_anew_as_often_as_it_may() {
    for policy in [Policy::Fail, Policy::Drop, Policy::Reuse] {
        let played = with_panics(&[2], Settings { restarts: 1, ..settings(policy) });
        assert_eq!(played.absences(4), ["", "panicked: no batch", "", "", ""]);
        let anew: Vec<usize> = played.rounds.iter().map(|round| round.incidents.len()).collect();
        assert_eq!(anew, [0, 0, 1, 0, 0]);
        assert!(played.rounds[2].incidents[0].restarted);
        assert_eq!(played.end.unwrap().rounds, 5);
    }
    let twice = |policy| with_panics(&[2, 4], Settings { restarts: 1, ..settings(policy) });
    assert_eq!(twice(Policy::Fail).error(), "round 4: worker 4 panicked: no batch");
    assert_eq!(
        twice(Policy::Drop).absences(4),
        ["", "panicked: no batch", "", "panicked: no batch", "died in round 4"]
    );
}

/// How many messages of worker 4 are refused in each round.
fn refused(played: &Played) -> Vec<u64> {
    let of_worker = |round: &RoundReport| -> u64 {
        round.incidents.iter().filter(|incident| incident.worker == 4).map(|i| i.traffic.rejected).sum()
    };
    played.rounds.iter().map(of_worker).collect()
}

#[test]
fn what_a_worker_did_not_send_before_it_began_anew_is_not_heard_of_later() {
    let strikes = |what, when| Table { workers: vec![4], when, what };
    let faults = Faults::new(vec![
        strikes(What::Replay { age: 1 }, When::ALWAYS),
        strikes(What::Replay { age: 2 }, When::ALWAYS),
        strikes(What::OutOfOrder { rounds: 2 }, When::within(2, 2)),
    ]);
    let settings = Settings { restarts: 1, faults, ..settings(Policy::Drop) };
    let shelf = Shelf::default();
    let whole = play(panicking(&[2], settings.clone()).keep(shelf.clone()));
    // In round 3 there is nothing one round old, and in round 4 nothing two rounds old.
    assert_eq!(refused(&whole), [0, 0, 1, 1, 2]);
    for snapshot in shelf.snapshots.lock().unwrap().clone() {
        let at = snapshot.round as usize;
        let rest = play(panicking(&[2], settings.clone()).resume(snapshot));
        assert_eq!(refused(&rest), refused(&whole)[at..], "from round {at}");
    }
}

#[test]
fn what_an_attack_did_not_make_is_not_replayed() {
    let faults =
        Faults::new(vec![Table { workers: vec![4], when: When::ALWAYS, what: What::Replay { age: 1 } }]);
    let settings = Settings { restarts: 1, faults, ..settings(Policy::Drop) };
    let nervous = Box::new(Nervous::default());
    let played = play(four_honest(settings).seat(4..5, attackers(4..5, "nervous", nervous)));
    assert_eq!(refused(&played), [0, 0, 0, 1, 1]);
}

/// Panics the second time that it forges.
#[derive(Clone, Default)]
struct Nervous(u64);

impl Stateful for Nervous {}

impl Attack for Nervous {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        self.0 += 1;
        assert!(self.0 != 2, "stage fright");
        Ok(view.members.iter().map(|_| Vector::zeros(D, phalanx_robust::Dtype::F32)).collect())
    }
}

#[test]
fn an_attack_that_panics_begins_anew() {
    let play = |restarts| {
        let settings = Settings { restarts, ..settings(Policy::Drop) };
        let nervous = Box::new(Nervous::default());
        let played = play(four_honest(settings).seat(4..6, attackers(4..6, "nervous", nervous)));
        let there = |round: &RoundReport| round.workers[4].absence.is_none();
        played.rounds.iter().map(there).collect::<Vec<bool>>()
    };
    assert_eq!(play(0), [true, false, false, false, false]);
    assert_eq!(play(1), [true, false, true, true, true]);
}
