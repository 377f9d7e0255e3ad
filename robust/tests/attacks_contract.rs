//! What holds for every built-in attack: what it may look at, that its memory
//! is data, that the order of the honest vectors does not matter.

#![expect(clippy::unwrap_used, reason = "a test")]

mod attacks_stage;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use attacks_stage::{Stage, assert_close, normal};
use phalanx_robust::{
    Pass, Size, Vector, Watch,
    attack::{
        Alie, AntiCge, AntiLasa, Attack, AttackError, AttackRule, AttackVisitor, Choice, Constant, Drift,
        Fang, Gaussian, HybridSparse, Ipm, Knowledge, LabelFlip, Mimic, OptAlie, OptIpm, Replayed, Rop,
        SingleCoordinate, Stale, Target, View, built_in,
    },
    describe::{ParameterError, Preset},
    state::Stateful,
};

/// Applies one check to every built-in attack under every preset.
struct Each<F>(F);

impl<F: FnMut(&'static str, Box<dyn Attack>)> AttackVisitor for Each<F> {
    fn visit<A: AttackRule>(&mut self) {
        for preset in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
            self.0(A::NAME, A::preset(preset).build(Size::new(13, 4)).unwrap());
        }
    }
}

fn each(check: impl FnMut(&'static str, Box<dyn Attack>)) {
    built_in(&mut Each(check));
}

fn stage() -> Stage {
    Stage { last: vec![0.1; 20], ..Stage::new(normal(4, 9, 20, 1.0, 0.4), 4) }
}

#[test]
fn the_list_is_complete_and_its_names_are_kebab_case() {
    let mut names = Vec::new();
    each(|name, _| names.push(name));
    names.dedup();
    assert_eq!(names.len(), 24);
    let kebab = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    assert!(names.iter().all(|name| kebab(name)), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 24, "a name is taken twice");
}

/// Whether there was a pass for the Gram matrix.
#[derive(Debug, Default)]
struct Pairs(AtomicBool);

impl Watch for Pairs {
    fn began(&self, pass: Pass) {
        self.0.fetch_or(pass == Pass::Gram, Ordering::Relaxed);
    }

    fn ended(&self, _: Pass) {}
}

#[test]
fn attacks_that_need_no_pairs_make_no_gram_matrix() {
    let mut with = BTreeSet::new();
    each(|name, mut attack| {
        let pairs = Arc::<Pairs>::default();
        Stage { watch: Some(pairs.clone()), ..stage() }.play(attack.as_mut(), 1);
        assert!(attack.needs_pairs() || !pairs.0.load(Ordering::Relaxed), "{name}");
        if attack.needs_pairs() {
            with.insert(name);
        }
    });
    assert_eq!(with, BTreeSet::from(["min-max", "min-sum"]));
    let krum = stage().build(&Fang { target: Target::Krum, ..Fang::default() });
    assert!(krum.needs_pairs());
}

#[test]
fn what_an_attack_holds_is_known_before() {
    let mut with = BTreeSet::new();
    let mut count = |name: &'static str, mut attack: Box<dyn Attack>| {
        let vectors = |attack: &dyn Attack| attack.state().vectors.len() as u64;
        let all = (1..=12).map(|round| {
            stage().play(attack.as_mut(), round);
            vectors(attack.as_ref())
        });
        let most = all.max().unwrap();
        assert_eq!(most, attack.holds(4, 12), "{name}");
        assert!(attack.holds(4, 5) <= attack.holds(4, 12), "{name}");
        if most > 0 {
            with.insert(name);
        }
    };
    each(&mut count);
    count("mimic", stage().build(&Mimic { choice: Choice::Variance, ..Mimic::default() }));
    count("stale", stage().build(&Stale { of: Replayed::HonestMean, rounds: 3 }));
    assert_eq!(with, BTreeSet::from(["drift", "hybrid-sparse", "mimic", "stale"]));
}

#[test]
fn every_attack_declares_what_it_looks_at() {
    let stage = stage();
    each(|name, mut attack| {
        let sent = stage.try_play(attack.as_mut(), 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sent.len(), 4, "{name}");
        assert!(sent.iter().all(|v| v.len() == 20), "{name}");
    });
    assert_eq!(Ipm::usual_knowledge(), Some(Knowledge::Honest));
    assert_eq!(OptIpm::usual_knowledge(), Some(Knowledge::Defence));
    assert_eq!(LabelFlip::usual_knowledge(), Some(Knowledge::Own));
    assert_eq!(Gaussian::usual_knowledge(), Some(Knowledge::Blind));
}

/// Declares one thing and looks at another.
#[derive(Clone)]
struct Liar {
    declared: Knowledge,
    wanted: Knowledge,
    follows: bool,
}

impl Stateful for Liar {}

impl Attack for Liar {
    fn knowledge(&self) -> Knowledge {
        self.declared
    }

    fn follows_protocol(&self) -> bool {
        self.follows
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        match self.wanted {
            Knowledge::Blind => {}
            Knowledge::Own => drop(view.own()?.len()),
            Knowledge::Honest => drop(view.honest()?.m()),
            Knowledge::Defence => drop(view.outcome(&view.filled(1.0))?),
        }
        Ok(view.filled(0.0))
    }
}

#[test]
fn a_view_holds_no_more_than_was_declared() {
    let levels = [Knowledge::Blind, Knowledge::Own, Knowledge::Honest, Knowledge::Defence];
    for declared in levels {
        for wanted in levels {
            let result = stage().try_play(&mut Liar { declared, wanted, follows: true }, 1);
            if wanted <= declared {
                assert!(result.is_ok(), "{declared:?} {wanted:?}");
            } else {
                assert_eq!(result, Err(AttackError::Knowledge { wanted, declared }));
            }
        }
    }
    let bystander = &mut Liar { declared: Knowledge::Own, wanted: Knowledge::Own, follows: false };
    assert_eq!(stage().try_play(bystander, 1), Err(AttackError::NoOwnVectors));
}

#[test]
fn a_memory_of_another_component_is_refused() {
    let empty = Default::default();
    assert!(Mimic::default().build(Size::new(13, 4)).unwrap().restore(&empty).is_err());
    assert!(Stale::default().build(Size::new(13, 4)).unwrap().restore(&empty).is_err());
}

#[test]
fn the_order_of_the_honest_vectors_does_not_matter() {
    let straight = stage();
    let mut reversed = stage();
    reversed.honest.reverse();
    each(|name, attack| {
        // Mimic copies a place in the order; NaN is not equal to itself.
        if ["mimic", "nan", "inf"].contains(&name) {
            return;
        }
        let a = straight.play(attack.clone().as_mut(), 1);
        let b = reversed.play(attack.clone().as_mut(), 1);
        a.iter().zip(&b).for_each(|(x, y)| assert_close(x, y, 1e-9));
    });
}

#[test]
fn single_and_double_precision_agree() {
    let (double, single) = (stage(), Stage { single: true, ..stage() });
    each(|name, attack| {
        if ["nan", "inf"].contains(&name) {
            return;
        }
        let a = double.play(attack.clone().as_mut(), 1);
        let b = single.play(attack.clone().as_mut(), 1);
        // The searches may come to rest on another of two equally good points.
        let tolerance = if name.starts_with("opt") || name.starts_with("single") { 1e-3 } else { 1e-5 };
        a.iter().zip(&b).for_each(|(x, y)| assert_close(y, x, tolerance));
    });
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    fn refused(rule: impl AttackRule) -> String {
        rule.build(Size::new(13, 4)).map(|_| ()).unwrap_err().parameter.into_owned()
    }
    assert_eq!(refused(Ipm { epsilon: f64::NAN }), "epsilon");
    assert_eq!(refused(Alie { z: Some(f64::INFINITY), ..Alie::default() }), "z");
    assert_eq!(refused(Alie { ddof: 2, ..Alie::default() }), "ddof");
    assert_eq!(refused(OptIpm { ratio: 1.0, ..OptIpm::default() }), "ratio");
    assert_eq!(refused(OptIpm { step: 0.0, ..OptIpm::default() }), "step");
    assert_eq!(refused(OptAlie { evaluations: 0, ..OptAlie::default() }), "evaluations");
    assert_eq!(refused(LabelFlip { target: -1, ..LabelFlip::default() }), "target");
    assert_eq!(refused(Gaussian { std: -1.0, ..Gaussian::default() }), "std");
    assert_eq!(refused(Constant { value: f64::NAN }), "value");
    assert_eq!(refused(Mimic { warm_up: 0, ..Mimic::default() }), "warm_up");
    assert_eq!(refused(Stale { rounds: 0, ..Stale::default() }), "rounds");
    assert_eq!(refused(Drift { rate: -1.0, ..Drift::default() }), "rate");
    assert_eq!(refused(Fang { b: 1.0, ..Fang::default() }), "b");
    assert_eq!(refused(Fang { threshold: 0.0, ..Fang::default() }), "threshold");
    assert_eq!(refused(Rop { pi: 1.5, ..Rop::default() }), "pi");
    assert_eq!(refused(HybridSparse { part: 1.5, ..HybridSparse::default() }), "part");
    assert_eq!(refused(HybridSparse { hidden: true, z: Some(1.0), ..HybridSparse::default() }), "z");
    assert_eq!(refused(HybridSparse { scale: f64::NAN, ..HybridSparse::default() }), "scale");
    assert_eq!(refused(AntiLasa { wide: -0.1, ..AntiLasa::default() }), "wide");
    assert_eq!(refused(AntiCge { margin: 0.0 }), "margin");
    assert_eq!(refused(SingleCoordinate { start: 0.0, ..SingleCoordinate::default() }), "start");
    let error: ParameterError = OptAlie::default().build(Size::new(4, 3)).map(|_| ()).unwrap_err();
    assert_eq!(error.parameter, "start");
    let beyond = SingleCoordinate { coordinate: 20, ..SingleCoordinate::default() };
    let sent = stage().try_play(stage().build(&beyond).as_mut(), 1);
    assert!(matches!(sent, Err(AttackError::Failed(_))));
}

#[test]
fn unknown_keys_and_values_are_refused() {
    let parse = serde_json::from_str::<Alie>;
    assert_eq!(parse(r#"{"z": 1.5, "sign": "plus"}"#).unwrap().z, Some(1.5));
    assert!(parse(r#"{"zed": 1.5}"#).is_err());
    assert!(parse(r#"{"sign": "Plus"}"#).is_err());
    assert!(serde_json::from_str::<LabelFlip>(r#"{"map": "all-to-one"}"#).is_ok());
    assert!(serde_json::from_str::<Mimic>(r#"{"warm_up": 5}"#).is_ok());
}

#[cfg(feature = "torch")]
#[test]
fn tensors_and_host_vectors_agree() {
    use attacks_stage::Place;
    let (host, torch) = (stage(), Stage { place: Place::Torch, ..stage() });
    each(|name, attack| {
        if ["nan", "inf"].contains(&name) {
            return;
        }
        let a = host.play(attack.clone().as_mut(), 1);
        let b = torch.play(attack.clone().as_mut(), 1);
        a.iter().zip(&b).for_each(|(x, y)| assert_close(y, x, 1e-9));
    });
}
