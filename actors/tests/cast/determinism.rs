//! Same settings, same bits: whatever the threads and the order of arrival.

use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient, ResponseFuture, clock::sleep};
use phalanx_actors::{
    Cast, Evaluation, Place, Policy, RoundReport, Seating, Settings, Workers,
    messages::{Fault, Open, Reply, Seat},
    report::Phases,
};
use phalanx_robust::{
    Size,
    aggregation::{Ctma, Cwmed, Defence, Rule},
    attack::{Alie, AttackRule, Gaussian, LabelFlip},
    random::{Seed, Stream},
};
use rand::RngExt;

use crate::stage::*;

/// Delays the messages to the workers that it seats, each by a random time: the order of arrival changes
/// in every round.
struct Delayed<S> {
    seating: S,
    rng: Stream,
}

struct Delay {
    rng: Stream,
    open: Recipient<Open>,
}

impl Actor for Delay {
    type Context = Context<Self>;
}

impl Handler<Open> for Delay {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, open: Open, _: &mut Self::Context) -> Self::Result {
        let (delay, worker) = (Duration::from_millis(self.rng.random_range(0..4)), self.open.clone());
        Box::pin(async move {
            sleep(delay).await;
            worker.send(open).await.expect("the worker lives")
        })
    }
}

impl<S: Seating + 'static> Seating for Delayed<S> {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let mut rng = self.rng;
        let seats = Box::new(self.seating).seat(place)?;
        let delayed = |seat: Seat| {
            let (rng, open) = (Seed(rng.random()).stream("delay", 0, "", 0), seat.open);
            let delay = Delay::start_in_arbiter(&place.arbiter(seat.ids.start), move |_| Delay { rng, open });
            Seat { open: delay.recipient(), ..seat }
        };
        Ok(seats.into_iter().map(delayed).collect())
    }
}

fn full_cast(settings: Settings, delays: Option<u64>) -> Cast {
    let size = Size::new(13, 5);
    let layers = vec![Ctma::default().build().unwrap(), Cwmed::default().build().unwrap()];
    let defence = Defence::new(layers).unwrap();
    let settings = Settings { rounds: 12, f: 5, evaluate_every: 3, ..settings };
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), defence, anytime());
    let honest = Workers(storm_members(0..8));
    let labels = attackers(8..10, "label-flip", LabelFlip::default().build(size).unwrap());
    let alie = attackers(10..12, "alie", Alie { z: Some(1.0), ..Alie::default() }.build(size).unwrap());
    let noise = attackers(12..13, "gaussian", Gaussian::default().build(size).unwrap());
    match delays {
        None => cast.seat(0..8, honest).seat(8..10, labels).seat(10..12, alie).seat(12..13, noise),
        Some(seed) => {
            let rng = || Seed(seed).stream("delays", 0, "", 0);
            cast.seat(10..12, Delayed { seating: alie, rng: rng() })
                .seat(0..8, Delayed { seating: honest, rng: rng() })
                .seat(12..13, noise)
                .seat(8..10, Delayed { seating: labels, rng: rng() })
        }
    }
}

/// Everything but the times, exactly.
pub fn bits(played: &Played) -> (Vec<u64>, String, String) {
    let timeless = |round: &RoundReport| RoundReport { phases: Phases::default(), ..round.clone() };
    let rounds: Vec<RoundReport> = played.rounds.iter().map(timeless).collect();
    let timeless = |evaluation: &Evaluation| Evaluation { took: Duration::ZERO, ..evaluation.clone() };
    let evaluations: Vec<Evaluation> = played.evaluations.iter().map(timeless).collect();
    let point = played.point().into_iter().map(f64::to_bits).collect();
    (point, format!("{rounds:?}"), format!("{evaluations:?}"))
}

#[test]
fn threads_actors_and_order_of_arrival_change_no_bit() {
    let run =
        |threads, delays| bits(&play(full_cast(Settings { threads, ..settings(Policy::Fail) }, delays)));
    let reference = run(1, None);
    assert_eq!(run(1, None), reference, "run again");
    assert_eq!(run(2, None), reference, "with two threads");
    for block in [1, 3, 100] {
        let settings = Settings { threads: 2, block, ..settings(Policy::Fail) };
        assert_eq!(bits(&play(full_cast(settings, None))), reference, "with {block} workers an actor");
    }
    for seed in 0..4 {
        assert_eq!(run(2, Some(seed)), reference, "with delays of seed {seed}");
    }
}

#[test]
fn the_seed_matters_to_the_attackers() {
    let run = |seed| bits(&play(full_cast(Settings { seed: Seed(seed), ..settings(Policy::Fail) }, None)));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn honest_workers_reach_the_optimum() {
    let settings = Settings { rounds: 60, ..settings(Policy::Fail) };
    let played = play(four_honest(settings));
    assert!(played.point().iter().all(|x| (x - 1.0).abs() < 0.1), "{:?}", played.point());
    let end = played.end.unwrap();
    assert!(!end.interrupted && end.rounds == 60 && end.evaluation.unwrap().gap < 0.02);
}

#[test]
fn a_thousand_workers_meet() {
    let settings = Settings { rounds: 3, threads: 2, ..settings(Policy::Fail) };
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), median(), descent());
    let played = play(cast.seat(0..1000, Workers(members(0..1000))));
    assert_eq!(played.end.unwrap().rounds, 3);
    assert!(played.rounds.iter().all(|round| round.gradients == 1000));
}
