//! What a round allocates once everything is warm, and what a worker that
//! waits for its turn holds. A program of its own, for its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test may unwrap")]

mod null_cast;

use std::sync::Mutex;

use null_cast::{Counting, Mark, Marks, members, rounds};
use phalanx_actors::{Attackers, Faults, Scheme, Settings, What, When, Workers, fault::Table};
use phalanx_robust::{
    Size,
    attack::{Alie, AttackRule},
    estimator::{Momentum, Sgd},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Tests of one program share its allocator, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

const ROUNDS: u64 = 24;
const D: usize = 50;

/// The marks of a cast of `m` workers, a quarter of them attackers, all with momentum.
fn played(m: usize) -> Vec<Mark> {
    let settings = Settings { rounds: ROUNDS, threads: 2, f: m / 4, ..Settings::default() };
    let (honest, marks) = (m - m / 4, Marks::of(&ALLOCATOR, ROUNDS));
    let attack = Alie { z: Some(1.0), ..Alie::default() }.build(Size::new(m, m / 4)).unwrap();
    let scheme = Scheme { name: "alie".into(), group: 0, attack, classes: 0 };
    let attackers = Attackers { scheme, members: members(m / 4, &Momentum::default()) };
    let workers = Workers(members(honest, &Momentum::default()));
    let cast = null_cast::cast(D, settings).seat(0..honest, workers).seat(honest..m, attackers);
    cast.observe(marks.clone()).run().unwrap();
    marks.take()
}

/// Allocations in a round, once the first ones are over.
fn allocations(m: usize) -> f64 {
    rounds(&played(m)[4..]).1
}

#[test]
fn allocations_of_a_round_do_not_grow_with_the_workers() {
    let _turn = TURN.lock().unwrap();
    // Both casts have as many actors, so that a single allocation a worker would tell.
    let (few, many) = (allocations(640), allocations(6_400));
    assert!(many < few + 64.0, "{few} allocations with 640 workers, {many} with 6400");
    // Here the number of actors differs too, by eight.
    let (few, many) = (allocations(200), allocations(400));
    assert!(many < few + 180.0, "{few} allocations with 200 workers, {many} with 400");
}

#[test]
fn a_flood_is_never_stored() {
    let _turn = TURN.lock().unwrap();
    let flooded = |messages: u64| {
        let what = What::Flood { messages };
        let faults = Faults::new(vec![Table { workers: vec![3], when: When::ALWAYS, what }]);
        let marks = Marks::of(&ALLOCATOR, ROUNDS);
        let settings = Settings { rounds: ROUNDS, threads: 2, faults, ..Settings::default() };
        let cast = null_cast::cast(D, settings).seat(0..17, Workers(members(17, &Sgd::default())));
        cast.observe(marks.clone()).run().unwrap();
        let marks = marks.take();
        (rounds(&marks[4..]).1, marks[marks.len() - 1].live)
    };
    let ((few, small), (many, large)) = (flooded(2), flooded(200_000));
    assert!(many < few + 16.0, "{few} allocations in a round of 2 messages, {many} of 200,000");
    assert!((large - small).abs() < 65_536, "{small} bytes held after 2 messages, {large} after 200,000");
}

#[test]
fn a_waiting_worker_holds_less_than_two_kilobytes() {
    let _turn = TURN.lock().unwrap();
    let live = |m: usize| {
        let marks = Marks::of(&ALLOCATOR, 3);
        let cast = null_cast::cast(D, Settings { rounds: 3, threads: 2, ..Settings::default() });
        let cast = cast.seat(0..m, Workers(members(m, &Sgd::default()))).observe(marks.clone());
        cast.run().unwrap();
        marks.take()[2].live as f64
    };
    let each = (live(20_000) - live(10_000)) / 10_000.0;
    assert!(each < 2_000.0, "{each} bytes a worker");
}
