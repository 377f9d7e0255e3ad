//! Attacks at work, and attacks that panic, miscount, hang or look at more than they declare.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use phalanx_actors::{Cast, Policy, Settings, Workers, messages::Reply};
use phalanx_robust::{
    Batch, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, RuleError},
    attack::{
        Alie, Attack, AttackError, AttackRule, Ipm, Knowledge, LabelFlip, NoAttack, OptIpm, SignFlip, View,
    },
    state::Stateful,
};
use rand::RngExt;

use crate::stage::*;

type Forge = fn(&View<'_>) -> Result<Vec<Vector>, AttackError>;

/// An attack made of its parts.
#[derive(Clone)]
struct Made {
    knowledge: Knowledge,
    follows: bool,
    poison: fn(&mut [i64]),
    forge: Forge,
}

impl Stateful for Made {}

impl Attack for Made {
    fn knowledge(&self) -> Knowledge {
        self.knowledge
    }

    fn follows_protocol(&self) -> bool {
        self.follows
    }

    fn poison(&self, _: u64, labels: &mut [i64], classes: i64) {
        assert_eq!(classes, 2);
        (self.poison)(labels);
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        (self.forge)(view)
    }
}

fn made(knowledge: Knowledge, forge: Forge) -> Made {
    Made { knowledge, follows: false, poison: |_| (), forge }
}

fn with(policy: Policy, attack: Made) -> Played {
    play(four_honest(settings(policy)).seat(4..6, attackers(4..6, "made", Box::new(attack))))
}

/// Under `fail` the error names the attack; under `drop` both members are absent in every round.
fn fails(attack: Made, message: &str) {
    let reason = format!("failed: the attack made: {message}");
    assert!(with(Policy::Fail, attack.clone()).error().ends_with(&reason));
    let played = with(Policy::Drop, attack);
    for member in [4, 5] {
        assert_eq!(played.absences(member), vec![reason.clone(); 5]);
    }
    assert_eq!(played.end.unwrap().rounds, 5);
}

#[test]
fn an_attack_that_panics_is_contained_and_named() {
    fails(made(Knowledge::Blind, |_| panic!("over")), "it panicked: over");
}

#[test]
fn an_attack_that_panics_while_poisoning_is_contained_and_named() {
    let attack = Made {
        follows: true,
        poison: |_| panic!("bad label"),
        ..made(Knowledge::Own, |view| Ok(view.own()?.to_vec()))
    };
    fails(attack, "it panicked: bad label");
}

#[test]
fn a_wrong_number_of_vectors_is_an_error_that_names_the_attack() {
    fails(made(Knowledge::Blind, |view| Ok(vec![view.shape.clone(); 3])), "it made 3 vectors for 2 workers");
}

#[test]
fn an_attack_sees_no_more_than_it_declares() {
    fails(
        made(Knowledge::Own, |view| view.honest().map(|honest| view.everyone(&honest.mean()))),
        "the attack looks at honest knowledge but declares own",
    );
    fails(
        made(Knowledge::Honest, |view| view.defence().map(|_| view.filled(0.0))),
        "the attack looks at defence knowledge but declares honest",
    );
    fails(
        made(Knowledge::Own, |view| Ok(view.own()?.to_vec())),
        "the attack looks at its workers' own vectors, but does not follow the protocol",
    );
}

#[test]
fn a_wrong_length_from_an_attack_is_rejected() {
    let played =
        with(Policy::Drop, made(Knowledge::Blind, |view| Ok(view.everyone(&Vector::from(vec![0f32; 2])))));
    assert!(played.absences(5)[0].starts_with("was rejected: it submits 2 coordinates"));
}

#[test]
fn an_attack_that_never_ends_is_left_behind() {
    let hang = made(Knowledge::Blind, |_| {
        loop {
            std::thread::park();
        }
    });
    let group = attackers(4..6, "made", Box::new(hang));
    let error = play(four_honest(impatient(Policy::Fail)).seat(4..6, group)).error();
    assert_eq!(error, "round 1: workers 4, 5 stayed silent for 200ms");
}

#[test]
fn an_attack_sees_all_that_it_declares() {
    // With everything in view, the attackers submit what the server would compute if they sent zero, and the
    // last aggregate as round 1 has it.
    let attack = made(Knowledge::Defence, |view| {
        let honest = view.honest()?;
        assert_eq!((honest.m(), honest.d()), (4, D));
        assert_eq!((view.members, view.size), (&[4, 5][..], Size::new(6, 1)));
        assert_eq!(view.last_aggregate.norm() == 0.0, view.round == 1);
        let zeros = view.filled(0.0);
        let answer = view.defence()?.aggregate(view.members, &zeros)?;
        Ok(vec![answer, view.shape.clone()])
    });
    let played = with(Policy::Fail, attack);
    assert_eq!(played.end.as_ref().unwrap().rounds, 5);
    for round in &played.rounds {
        assert!(round.workers[4].distance.unwrap() < round.workers[5].distance.unwrap());
    }
}

#[test]
fn built_in_attacks_run_through_their_phases() {
    let size = Size::new(6, 2);
    let attacks: [(&str, Box<dyn Attack>); 5] = [
        ("none", NoAttack::default().build(size).unwrap()),
        ("sign-flip", SignFlip::default().build(size).unwrap()),
        ("label-flip", LabelFlip::default().build(size).unwrap()),
        ("ipm", Ipm::default().build(size).unwrap()),
        ("alie", Alie { z: Some(1.0), ..Alie::default() }.build(size).unwrap()),
    ];
    for (name, attack) in attacks {
        let follows = attack.follows_protocol();
        let played = play(four_honest(settings(Policy::Fail)).seat(4..6, attackers(4..6, name, attack)));
        let last = played.rounds.last().unwrap();
        assert_eq!(last.gradients, if follows { 6 } else { 4 }, "{name}");
        assert_eq!(last.workers[4].loss.is_some(), follows, "{name}");
        assert!(last.honest_distance.is_finite() && last.honest_variance > 0.0, "{name}");
        assert!(last.workers.iter().filter(|w| w.honest).count() == 4, "{name}");
        assert!(played.end.is_ok(), "{name}");
    }
}

#[test]
fn attackers_of_one_actor_fall_one_by_one() {
    static POISONED: AtomicUsize = AtomicUsize::new(0);
    let attack = Made {
        follows: true,
        poison: |_| assert!(POISONED.fetch_add(1, Ordering::Relaxed) != 4, "the fifth batch"),
        ..made(Knowledge::Own, |view| Ok(view.own()?.to_vec()))
    };
    let settings = Settings { block: 3, ..settings(Policy::Drop) };
    let played = play(four_honest(settings).seat(4..7, attackers(4..7, "made", Box::new(attack))));
    // Two batches into round 2 the attack breaks down, and with it the adversary for good.
    let why = "failed: the attack made: it panicked: the fifth batch";
    assert_eq!(played.absences(5)[..3], ["", why, why]);
    assert_eq!(played.rounds.iter().map(|round| round.gradients).collect::<Vec<_>>(), [7, 5, 4, 4, 4]);
    assert_eq!(played.end.unwrap().rounds, 5);
}

#[test]
fn two_groups_collude_apart() {
    let constant = |value: fn() -> f64| -> Box<dyn Attack> {
        match value() {
            1.0 => Box::new(made(Knowledge::Blind, |view| Ok(view.filled(1.0)))),
            _ => Box::new(made(Knowledge::Honest, |view| {
                assert_eq!(view.honest()?.m(), 4, "attackers are not among the honest");
                assert_eq!(view.members, [5]);
                Ok(view.filled(2.0))
            })),
        }
    };
    let cast = cast(settings(Policy::Fail))
        .seat(4..5, attackers(4..5, "one", constant(|| 1.0)))
        .seat(0..4, Workers(members(0..4)))
        .seat(5..6, attackers(5..6, "two", constant(|| 2.0)));
    let played = play(cast);
    let round = &played.rounds[0];
    assert!(round.workers.iter().map(|w| w.worker).eq(0..6));
    assert!(round.workers[4].distance < round.workers[5].distance);
    assert!(played.end.is_ok());
}

#[test]
fn an_attacker_that_dies_in_phase_two_is_an_absence() {
    let dying = |policy| {
        let attacker = Scripted::attacker(Knowledge::Blind, |id, reveal| {
            assert!(reveal.exposed.round < 3, "attacker {id} falls");
            let submission = zero(id, reveal.exposed.round);
            Box::pin(async { Ok(Reply::Submitted(submission)) })
        });
        play(four_honest(settings(policy)).seat(4..5, attacker))
    };
    assert_eq!(dying(Policy::Fail).error(), "round 3: worker 4 died");
    assert_eq!(dying(Policy::Drop).absences(4), ["", "", "died", "died in round 3", "died in round 3"]);
}

/// A mean that draws a random number in every call, and all of these.
#[derive(Clone, Default)]
struct Drawing(Arc<Mutex<Vec<u64>>>);

impl Stateful for Drawing {}

impl Aggregator for Drawing {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        self.0.lock().unwrap().push(context.rng.random());
        Ok(Aggregate::span(vec![1.0 / batch.m() as f64; batch.m()]))
    }
}

/// What is proven of a rule that draws is proven of attackers who do not know what it draws.
#[test]
fn probes_draw_the_same_numbers_and_the_server_others() {
    let drawing = Drawing::default();
    let rule = Defence::base(drawing.clone());
    let cast = Cast::new(settings(Policy::Fail), Box::new(Quadratic { d: D }), rule, descent());
    let group = attackers(4..6, "opt-ipm", OptIpm::default().build(Size::new(6, 2)).unwrap());
    play(cast.seat(0..4, Workers(members(0..4))).seat(4..6, group)).end.unwrap();
    let calls = drawing.0.lock().unwrap().clone();
    let rounds: Vec<&[u64]> = calls.chunk_by(|a, b| a == b).collect();
    assert!(
        rounds.len() == 10 && rounds.iter().enumerate().all(|(i, same)| (same.len() > 1) == (i % 2 == 0))
    );
}
