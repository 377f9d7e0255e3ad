//! Faults and the order of things: the same bits at any number of threads and in any order of arrival, and every
//! message accounted for.

use std::time::Duration;

use actix::clock::sleep;
use phalanx_actors::{
    Closing, Delay, Faults, Policy, RoundReport, Settings, Traffic, What, When, WorkerReport, Workers,
    error::Reason,
    fault::Table,
    messages::{Reply, Submission},
    report::Phases,
};
use phalanx_robust::{
    Size, Vector,
    attack::{Alie, AttackRule},
    random::Seed,
};
use proptest::prelude::*;
use rand::RngExt;

use crate::stage::*;

/// Something of everything, over seven honest workers and two attackers.
fn everything() -> Faults {
    let often = |probability| When { probability, ..When::ALWAYS };
    let all: Vec<usize> = (0..9).collect();
    let table = |workers: &[usize], when, what| Table { workers: workers.to_vec(), when, what };
    Faults::new(vec![
        table(&all, When::ALWAYS, What::Delay(Delay::exponential(0.1, 0.4).unwrap())),
        table(&[1], When::within(3, 4), What::Crash { rounds: 0, remembers: false }),
        table(&[2, 3], often(0.1), What::Crash { rounds: 2, remembers: true }),
        table(&all, often(0.1), What::Silence),
        table(&all, often(0.1), What::Duplicate { copies: 2 }),
        table(&all, often(0.1), What::Replay { age: 1 }),
        table(&all, often(0.1), What::OutOfOrder { rounds: 2 }),
        table(&[0, 8], often(0.2), What::WrongLength { length: Some(3) }),
        table(&[4], often(0.2), What::WrongRound { by: -1 }),
        table(&[5], often(0.1), What::Nan),
        table(&[6], often(0.2), What::Impostor { of: None }),
        table(&[7], often(0.3), What::Flood { messages: 50 }),
    ])
}

fn hard(policy: Policy, quorum: Option<usize>) -> Settings {
    let closing = Closing { quorum, deadline: 1.2 };
    Settings { rounds: 12, f: 2, faults: everything(), closing, ..settings(policy) }
}

/// Seven honest workers and two attackers that see the honest vectors.
fn hard_run(settings: Settings) -> Played {
    let attack = Alie { z: Some(1.0), ..Alie::default() }.build(Size::new(9, 2)).unwrap();
    let cast = cast(settings).seat(0..7, Workers(members(0..7)));
    play(cast.seat(7..9, attackers(7..9, "alie", attack)))
}

/// All that may not depend on threads, with every NaN the same.
fn told(rounds: &[RoundReport]) -> Vec<String> {
    let timeless = |round: &RoundReport| RoundReport { phases: Phases::default(), ..round.clone() };
    rounds.iter().map(|round| format!("{:?}", timeless(round))).collect()
}

#[test]
fn threads_and_actors_change_nothing_of_what_faults_do() {
    for (policy, quorum) in [(Policy::Drop, None), (Policy::Recompute, Some(6)), (Policy::Reuse, Some(6))] {
        let play = |threads, block| {
            let played = hard_run(Settings { threads, block, ..hard(policy, quorum) });
            (told(&played.rounds), played.point().into_iter().map(f64::to_bits).collect::<Vec<_>>())
        };
        let reference = play(1, 1);
        assert_eq!(reference.0.len(), 12);
        assert_eq!(play(2, 1), reference, "{policy:?}");
        assert_eq!(play(2, 4), reference, "{policy:?}");
        let other = hard_run(Settings { seed: Seed(4), ..hard(policy, quorum) });
        assert_ne!(told(&other.rounds), reference.0, "the seed decides");
    }
}

#[test]
fn the_order_of_real_arrival_changes_nothing_of_what_faults_do() {
    let play_in = |order: u64| {
        let cast = (0..9).fold(cast(hard(Policy::Reuse, Some(5))), |cast, id| {
            let mut rng = Seed(order).stream("order", id as u64, "", 0);
            let worker = Scripted::new(move |id, query| {
                let wait = Duration::from_millis(rng.random_range(0..5));
                let vector = Vector::from(vec![(id + 1) as f32 * query.round as f32; D]);
                let reply = Reply::Submitted(Submission { vector, ..zero(id, query.round) });
                Box::pin(async move {
                    sleep(wait).await;
                    Ok(reply)
                })
            });
            cast.seat(id..id + 1, worker)
        });
        told(&play(cast).rounds)
    };
    let reference = play_in(1);
    assert_eq!(reference.len(), 12);
    assert_eq!(play_in(2), reference);
    assert_eq!(play_in(3), reference);
}

/// That all numbers of a round add up, and how many messages were sent.
fn balance(round: &RoundReport) -> u64 {
    let whole = |t: &Traffic| t.accepted + t.rejected + t.late + t.lost;
    assert_eq!(round.traffic.sent, whole(&round.traffic), "round {}", round.round);
    let absent = round.workers.iter().filter(|worker| worker.absence.is_some()).count() as u64;
    assert_eq!(round.traffic.accepted + absent, round.workers.len() as u64, "round {}", round.round);
    // An attack that sees too few honest vectors forges nothing, and sends nothing.
    let spoke = |worker: &WorkerReport| !matches!(worker.absence, Some(Reason::Fault(_)));
    let struck = round.incidents.iter().filter(|incident| !incident.restarted).count();
    let plain = round.workers.iter().filter(|worker| spoke(worker)).count() - struck;
    let in_incidents: u64 = round.incidents.iter().map(|incident| incident.traffic.sent).sum();
    for incident in &round.incidents {
        assert_eq!(incident.traffic.sent, whole(&incident.traffic), "{incident:?}");
    }
    // Whom nothing happened to has sent one message.
    assert_eq!(round.traffic.sent, in_incidents + plain as u64, "round {}", round.round);
    round.traffic.sent
}

#[test]
fn every_message_of_a_hard_run_is_accounted_for() {
    for quorum in [None, Some(6)] {
        let played = hard_run(hard(Policy::Reuse, quorum));
        let sent: u64 = played.rounds.iter().map(balance).sum();
        assert!(sent > 9 * 12, "{sent} messages, floods among them");
        assert!(played.rounds.iter().any(|round| round.traffic.late > 0));
        assert!(played.rounds.iter().any(|round| round.traffic.lost > 0));
        assert!(played.rounds.iter().any(|round| round.traffic.rejected > 49));
    }
}

#[test]
fn nothing_happens_to_whom_a_round_does_not_call() {
    for (policy, quorum) in [(Policy::Drop, None), (Policy::Recompute, Some(4)), (Policy::Reuse, Some(4))] {
        let play = |threads, block| {
            let settings = Settings { rounds: 40, cohort: Some(5), threads, block, ..hard(policy, quorum) };
            hard_run(settings).rounds
        };
        let rounds = play(1, 1);
        assert_eq!(rounds.len(), 40);
        for round in &rounds {
            let called: Vec<usize> = round.workers.iter().map(|worker| worker.worker).collect();
            assert_eq!(called.len(), 5);
            assert!(round.incidents.iter().all(|incident| called.contains(&incident.worker)), "{round:?}");
            balance(round);
        }
        let names: Vec<&str> =
            rounds.iter().flat_map(|r| &r.incidents).flat_map(|i| i.faults.iter().copied()).collect();
        assert!(["crash", "silence", "out-of-order"].iter().all(|name| names.contains(name)), "{names:?}");
        assert_eq!(told(&play(2, 1)), told(&rounds), "{policy:?}");
        assert_eq!(told(&play(2, 4)), told(&rounds), "{policy:?}");
    }
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        (0..4u64, any::<bool>()).prop_map(|(rounds, remembers)| What::Crash { rounds, remembers }),
        (0.0..3.0f64).prop_map(|seconds| What::Delay(Delay::constant(seconds).unwrap())),
        Just(What::Silence),
        (0..4u64).prop_map(|copies| What::Duplicate { copies }),
        (1..4u64).prop_map(|age| What::Replay { age }),
        (1..4u64).prop_map(|rounds| What::OutOfOrder { rounds }),
        prop::option::of(0..9usize).prop_map(|length| What::WrongLength { length }),
        (-3..3i64).prop_map(|by| What::WrongRound { by }),
        Just(What::Nan),
        Just(What::Inf),
        prop::option::of(0..9usize).prop_map(|of| What::Impostor { of }),
        (1..9u64).prop_map(|messages| What::Flood { messages }),
    ]
}

fn tables() -> impl Strategy<Value = Vec<Table>> {
    let when = (1..4u64, 1..9u64, 1..3u64, 0.0..1.3f64).prop_map(|(from, until, every, probability)| When {
        from,
        until,
        every,
        probability,
    });
    let workers = prop::collection::btree_set(0..5usize, 1..5).prop_map(|ids| ids.into_iter().collect());
    let table = (workers, when, what()).prop_map(|(workers, when, what)| Table { workers, when, what });
    prop::collection::vec(table, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_faults_under_any_policy_leave_a_run_that_ends_and_adds_up(
        tables in tables(),
        policy in prop::sample::select(vec![Policy::Drop, Policy::Recompute, Policy::Reuse]),
        quorum in prop::option::of(3..5usize),
    ) {
        let closing = Closing { quorum, deadline: 2.0 };
        let settings = Settings { rounds: 5, f: 1, faults: Faults::new(tables), closing, ..settings(policy) };
        let played = play(cast(settings).seat(0..5, Workers(members(0..5))));
        let sent: Vec<u64> = played.rounds.iter().map(balance).collect();
        prop_assert_eq!(sent.len(), 5);
        let seconds = played.rounds.iter().map(|round| round.virtual_seconds.unwrap());
        prop_assert!(seconds.into_iter().all(|s| (0.0..=2.0).contains(&s)));
        prop_assert!(played.point().iter().all(|x| x.is_finite()));
    }
}
