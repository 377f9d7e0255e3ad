//! Faults of the experiment, under every policy, against aggregates by hand.
//!
//! Worker w of five submits the number 10 t + w in every coordinate of round t, and the rule is the mean: so 22 in
//! round 2, 21.5 without worker 4, and 20 where the 14 of its round 1 stands in for it.

use phalanx_actors::{
    Cast, Closing, Delay, Faults, Policy, Reason, RoundReport, Settings, Traffic, What, When, Workers,
    fault::Table, messages::Reply,
};
use phalanx_robust::{
    Vector,
    aggregation::{Defence, Mean},
};

use crate::stage::*;

/// Three rounds of five workers, under faults.
fn numbers(settings: Settings) -> Cast {
    let step = descent();
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), Defence::base(Mean::default()), step);
    (0..5).fold(cast, |cast, id| {
        let worker = Scripted::answering(|id, query| {
            let vector = Vector::from(vec![10.0 * query.round as f32 + id as f32; D]);
            Ok(Reply::Submitted(phalanx_actors::messages::Submission { vector, ..zero(id, query.round) }))
        });
        cast.seat(id..id + 1, worker)
    })
}

fn under(policy: Policy, tables: Vec<Table>) -> Settings {
    Settings { rounds: 3, f: 2, faults: Faults::new(tables), ..settings(policy) }
}

fn table(workers: &[usize], when: When, what: What) -> Table {
    Table { workers: workers.to_vec(), when, what }
}

/// What strikes worker 4 in round 2.
fn second(what: What) -> Vec<Table> {
    vec![table(&[4], When::within(2, 2), what)]
}

impl Played {
    /// The aggregate of each round, which is the same in every coordinate.
    fn aggregates(&self) -> Vec<f64> {
        let mean = |norm: f64| (1e4 * norm / (D as f64).sqrt()).round() / 1e4;
        self.rounds.iter().map(|round| mean(round.aggregate_norm)).collect()
    }
}

fn constant(seconds: f64) -> What {
    What::Delay(Delay::constant(seconds).unwrap())
}

/// Faults by which worker 4 is absent in round 2, and what is said of it.
fn absences() -> Vec<(What, &'static str)> {
    vec![
        (What::Crash { rounds: 0, remembers: true }, "is down"),
        (What::Silence, "was not heard of"),
        (What::OutOfOrder { rounds: 1 }, "was not heard of; its submission is 1 round late"),
        (constant(60.5), "is late: its submission takes 60.500 s, the deadline is 60 s"),
        (
            What::WrongLength { length: None },
            "was rejected: it submits 6 coordinates of f32, but 5 coordinates of f32 are wanted",
        ),
        (
            What::WrongLength { length: Some(0) },
            "was rejected: it submits 0 coordinates of f32, but 5 coordinates of f32 are wanted",
        ),
        // No memory is large enough for such a vector, and none is asked for.
        (
            What::WrongLength { length: Some(usize::MAX) },
            "was rejected: it submits 18446744073709551615 coordinates of f32, but 5 coordinates of f32 are wanted",
        ),
        (What::WrongRound { by: 7 }, "was rejected: it submits to round 9, but round 2 is open"),
        (What::Impostor { of: None }, "submitted in the name of worker 5"),
        (What::Impostor { of: Some(1) }, "submitted in the name of worker 1"),
    ]
}

#[test]
fn what_makes_a_worker_absent_follows_the_policy() {
    for (what, reason) in absences() {
        let played = play(numbers(under(Policy::Fail, second(what))));
        assert_eq!(played.error(), format!("round 2: worker 4 {reason}"));
        for (policy, second_round) in [(Policy::Drop, 21.5), (Policy::Recompute, 21.5), (Policy::Reuse, 20.0)]
        {
            let played = play(numbers(under(policy, second(what))));
            assert_eq!(played.aggregates(), [12.0, second_round, 32.0], "{what:?} under {policy:?}");
            assert_eq!(played.absences(4), ["", reason, ""]);
            let stood_in = played.rounds[1].workers[4].stood_in;
            assert_eq!(stood_in, (policy == Policy::Reuse).then_some(1));
            assert_eq!(played.rounds[1].incidents[0].faults, [what.name()]);
        }
    }
}

#[test]
fn what_only_troubles_the_barrier_changes_no_aggregate_under_any_policy() {
    let troubles = [
        (What::Duplicate { copies: 3 }, 3, "it has no place left in round 2"),
        (What::Flood { messages: 1_000 }, 999, "it has no place left in round 2"),
        (What::Replay { age: 1 }, 1, "it submits to round 1, but round 2 is open"),
    ];
    for (what, rejected, reason) in troubles {
        for policy in [Policy::Fail, Policy::Drop, Policy::Recompute, Policy::Reuse] {
            let played = play(numbers(under(policy, second(what))));
            assert_eq!(played.aggregates(), [12.0, 22.0, 32.0]);
            let incident = &played.rounds[1].incidents[0];
            assert_eq!(
                (incident.worker, incident.traffic.accepted, incident.traffic.rejected),
                (4, 1, rejected)
            );
            let words = incident.rejection.as_ref().unwrap().to_string();
            assert_eq!(words, format!("was rejected: {reason}"));
            assert!(played.rounds[0].incidents.is_empty() && played.rounds[2].incidents.is_empty());
        }
    }
}

#[test]
fn vectors_that_are_not_finite_are_set_aside_under_any_policy() {
    for what in [What::Nan, What::Inf] {
        for policy in [Policy::Fail, Policy::Drop, Policy::Reuse] {
            let played = play(numbers(under(policy, second(what))));
            assert_eq!(played.aggregates(), [12.0, 21.5, 32.0]);
            assert!(played.rounds[1].workers[4].set_aside);
            // The rule is told of one Byzantine vector less, for it is given one less.
            assert_eq!(played.rounds.iter().map(|round| round.f).collect::<Vec<_>>(), [2, 1, 2]);
        }
    }
}

#[test]
fn a_submission_out_of_order_is_refused_when_it_arrives() {
    let played = play(numbers(under(Policy::Drop, second(What::OutOfOrder { rounds: 1 }))));
    let late = &played.rounds[2].incidents[0];
    assert_eq!((late.worker, late.traffic.sent, late.traffic.rejected), (4, 2, 1));
    let words = late.rejection.as_ref().unwrap().to_string();
    assert_eq!(words, "was rejected: it submits to round 2, but round 3 is open");
}

/// What became of the submission of `worker`, if the round called it and it was up: it counted, or why not.
fn fate(round: &RoundReport, worker: usize) -> Option<Option<Reason>> {
    let called = round.workers.iter().find(|report| report.worker == worker)?;
    Some(called.absence.clone()).filter(|absence| *absence != Some(Reason::Crashed))
}

/// How many messages a round makes of the submission of `worker`.
fn copies(round: &RoundReport, worker: usize) -> u64 {
    if names(round, worker).contains(&"duplicate") { 3 } else { 1 }
}

/// The faults that struck `worker`.
fn names(round: &RoundReport, worker: usize) -> Vec<&'static str> {
    let incident = round.incidents.iter().find(|incident| incident.worker == worker);
    incident.map_or_else(Vec::new, |incident| incident.faults.clone())
}

#[test]
fn who_took_no_part_is_not_heard_of_later_and_every_message_counts_once() {
    let often = |what| table(&[0, 1, 2, 3, 4], When { probability: 0.2, ..When::ALWAYS }, what);
    let tables = vec![
        often(What::Crash { rounds: 2, remembers: true }),
        often(What::Silence),
        often(What::OutOfOrder { rounds: 2 }),
        often(What::OutOfOrder { rounds: 5 }),
        often(What::Duplicate { copies: 2 }),
        often(What::Replay { age: 3 }),
    ];
    for cohort in [None, Some(3)] {
        let settings = Settings { rounds: 300, cohort, ..under(Policy::Drop, tables.clone()) };
        let rounds = play(numbers(settings)).rounds;
        let at = |round: u64| rounds.get(usize::try_from(round).ok()?.checked_sub(1)?);
        let (mut late, mut replayed, mut lost_late) = (0, 0, 0);
        for (round, worker) in rounds.iter().flat_map(|round| (0..5).map(move |worker| (round, worker))) {
            let Some(own) = fate(round, worker) else { continue };
            let before = |age: u64| round.round.checked_sub(age).and_then(at);
            let mut expected = Traffic::default();
            for age in [2, 5] {
                let sent = before(age)
                    .filter(|sent| fate(sent, worker) == Some(Some(Reason::Overtaken { rounds: age })));
                expected.rejected += sent.map_or(0, |sent| copies(sent, worker));
            }
            late += expected.rejected;
            let replays = names(round, worker).contains(&"replay")
                && before(3).is_some_and(|sent| fate(sent, worker).is_some());
            (expected.rejected, replayed) =
                (expected.rejected + u64::from(replays), replayed + u64::from(replays));
            match own {
                None => {
                    expected.accepted = 1;
                    expected.rejected += copies(round, worker) - 1;
                }
                Some(Reason::Overtaken { rounds })
                    if at(round.round + rounds).is_some_and(|then| fate(then, worker).is_some()) => {}
                Some(reason) => {
                    expected.lost = copies(round, worker);
                    lost_late += u64::from(matches!(reason, Reason::Overtaken { .. }));
                }
            }
            expected.sent = expected.accepted + expected.rejected + expected.lost;
            let incident = round.incidents.iter().find(|incident| incident.worker == worker);
            let plain = Traffic { sent: 1, accepted: 1, ..Traffic::default() };
            let found = incident.map_or(plain, |incident| incident.traffic);
            assert_eq!(found, expected, "worker {worker} in round {}", round.round);
        }
        assert!(late > 20 && replayed > 20 && lost_late > 5, "{late}, {replayed}, {lost_late}");
    }
}

#[test]
fn f_is_recomputed_as_the_share_of_those_present() {
    let three = vec![table(&[1, 2, 3], When::within(2, 2), What::Silence)];
    let told = |policy| {
        let played = play(numbers(under(policy, three.clone())));
        played.rounds.iter().map(|round| round.f).collect::<Vec<_>>()
    };
    // 2 of 5 is at most 4/5 of 2, rounded up.
    assert_eq!(told(Policy::Recompute), [2, 1, 2]);
    assert_eq!(told(Policy::Drop), [2, 2, 2]);
}

#[test]
fn the_quorum_is_the_fastest_by_virtual_time_with_ties_by_lot() {
    let seconds = [0.5, 0.1, 0.3, 0.3, 0.2];
    let delays = seconds.iter().enumerate().map(|(id, &s)| table(&[id], When::ALWAYS, constant(s)));
    let closing = Closing { quorum: Some(3), ..Closing::default() };
    for policy in [Policy::Fail, Policy::Drop] {
        let settings = Settings { closing, rounds: 40, ..under(policy, delays.clone().collect()) };
        let played = play(numbers(settings));
        assert!(played.rounds.iter().all(|round| round.virtual_seconds == Some(0.3)));
        assert!(played.absences(0).iter().all(|why| why == "came behind the quorum, after 0.500 s"));
        assert!([1, 4].iter().all(|&worker| played.absences(worker).iter().all(String::is_empty)));
        assert_eq!(played.rounds[0].traffic.late, 2);
        // Workers 1 and 4, and of 2 and 3, which are as fast, now the one and now the other.
        let sums = played.aggregates();
        let third = |round: usize| 3.0 * sums[round - 1] - 30.0 * round as f64 - 5.0;
        let thirds: Vec<f64> = (1..=40).map(|round| third(round).round()).collect();
        assert!(thirds.iter().all(|id| [2.0, 3.0].contains(id)), "{thirds:?}");
        let lower = thirds.iter().filter(|id| **id == 2.0).count();
        assert!(
            (8..=32).contains(&lower),
            "{lower} of 40: a fair coin stays within 8 and 32 but once in 10,000"
        );
        let ahead = |round: &RoundReport| round.workers[3].absence.is_none();
        assert_eq!(
            thirds.iter().map(|id| *id == 3.0).collect::<Vec<_>>(),
            played.rounds.iter().map(ahead).collect::<Vec<_>>()
        );
    }
}

/// Nothing of the experiment strikes anybody in round 1, but for the quorum.
#[test]
fn a_round_that_the_quorum_leaves_too_small_is_skipped() {
    let closing = Closing { quorum: Some(2), ..Closing::default() };
    let tables = vec![table(&[4], When::within(2, 3), constant(0.1))];
    let settings = Settings { closing, f: 1, ..under(Policy::Reuse, tables) };
    let honest = Cast::new(settings, Box::new(Quadratic { d: D }), median(), descent());
    let played = play(honest.seat(0..5, Workers(members(0..5))));
    let skipped: Vec<bool> = played.rounds.iter().map(|round| round.skipped).collect();
    assert_eq!(skipped, [true, false, false], "from round 2 on old vectors stand in");
    let late = |round: &RoundReport| round.incidents.iter().map(|i| i.traffic.late).sum::<u64>();
    assert!(played.rounds.iter().all(|round| round.traffic.late == 3 && late(round) == 3));
    let timed = |round: &RoundReport| round.incidents.iter().all(|i| i.seconds.is_some());
    assert!(played.rounds.iter().all(timed));
    let vectors = |round: &RoundReport| [round.bytes, round.sent_bytes].map(|bytes| bytes / (4 * D as u64));
    assert!(played.rounds.iter().all(|round| vectors(round) == [2, 5]), "those too late were sent as well");
    assert_eq!(played.end.unwrap().rounds, 3);
}

#[test]
fn a_round_costs_what_its_last_vector_takes_or_the_deadline() {
    let delays = |deadline, more: Vec<Table>| {
        let tables = [vec![table(&[0, 3], When::ALWAYS, constant(1.5))], more].concat();
        let closing = Closing { quorum: None, deadline };
        let played = play(numbers(Settings { closing, ..under(Policy::Drop, tables) }));
        played.rounds.iter().map(|round| round.virtual_seconds.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(delays(9.0, vec![]), [1.5; 3]);
    assert_eq!(delays(9.0, second(What::Silence)), [1.5, 9.0, 1.5], "silence costs the deadline");
    assert_eq!(delays(9.0, second(What::Crash { rounds: 0, remembers: true })), [1.5; 3], "a crash is known");
    assert_eq!(delays(9.0, second(constant(20.0))), [1.5, 9.0, 1.5]);
    assert_eq!(delays(1.0, vec![]), [1.0; 3]);
}

#[test]
fn real_time_really_passes() {
    let slow = vec![table(&[0], When::ALWAYS, constant(0.08))];
    let started = std::time::Instant::now();
    let played = play(numbers(Settings { real_time: true, ..under(Policy::Fail, slow.clone()) }));
    assert!(started.elapsed().as_secs_f64() >= 3.0 * 0.08);
    assert_eq!(played.aggregates(), play(numbers(under(Policy::Fail, slow))).aggregates());
}

#[test]
fn a_round_that_faults_leave_too_small_makes_no_step_and_the_run_goes_on() {
    let silence = |workers: &[usize]| Faults::new(vec![table(workers, When::within(2, 4), What::Silence)]);
    let skipped = |workers: &[usize]| {
        let settings = Settings { faults: silence(workers), ..settings(Policy::Drop) };
        let played = play(four_honest(settings));
        played.rounds.iter().map(|round| round.skipped).collect::<Vec<bool>>()
    };
    // A median withstands one of three, and not one of two.
    assert_eq!(skipped(&[3]), [false; 5]);
    assert_eq!(skipped(&[2, 3]), [false, true, true, true, false]);
}

#[test]
fn nobody_left_is_a_round_without_a_step() {
    let all = vec![table(&[0, 1, 2, 3, 4], When::within(2, 2), What::Crash { rounds: 0, remembers: true })];
    let played = play(numbers(under(Policy::Drop, all)));
    let skipped: Vec<bool> = played.rounds.iter().map(|round| round.skipped).collect();
    assert_eq!(skipped, [false, true, false]);
    assert_eq!(played.rounds[1].traffic.sent, 0);
    let expected = -0.2 * (12.0 + 32.0);
    assert!(played.point().iter().all(|x| (x - expected).abs() < 1e-4), "{:?}", played.point());
}
