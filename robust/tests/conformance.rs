//! What the framework relies on: every built-in keeps it, and each promise has a component that breaks it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rules_by_name;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
};

use phalanx_robust::{
    Batch, Map, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Fldetector, Layer, PreAggregator, Rule, RuleError},
    attack::{
        self, Attack, AttackError, AttackRule, AttackVisitor, Choice, HybridSparse, Knowledge, Mimic,
        Replayed, Saliency, Scope, Stale, View,
    },
    describe::Preset,
    estimator::{self, Estimator, EstimatorRule, EstimatorVisitor, Gradients, Points},
    state::{State, StateError, Stateful},
    testing::{Broken, Promise, conform_attack, conform_estimator, conform_rule},
};
use rand::RngExt;
use rules_by_name::layers;

const SIZE: Size = Size { m: 13, f: 2 };

/// It scores its last rows by few neighbours, so that two that are each other's tie, and their order decides.
const TIED_BY_NATURE: &str = "bulyan";

#[test]
fn every_rule_keeps_its_promises() {
    let (mut names, mut tied) = (BTreeSet::new(), false);
    for (name, layer) in layers() {
        match conform_rule(|| layer.clone(), SIZE) {
            Err(Broken { promise: Promise::Order, .. }) if name == TIED_BY_NATURE => tied = true,
            kept => kept.unwrap_or_else(|broken| panic!("{name}: {broken}")),
        }
        names.insert(name);
    }
    assert!(tied && names.len() == 46, "{names:?}");
    let judging = Fldetector { window: 1, references: 3 };
    conform_rule(|| judging.build().unwrap(), SIZE).unwrap();
}

struct Attacks(BTreeSet<&'static str>);

impl AttackVisitor for Attacks {
    fn visit<A: AttackRule>(&mut self) {
        for preset in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
            conforms(A::NAME, &A::preset(preset));
        }
        self.0.insert(A::NAME);
    }
}

fn conforms(name: &str, attack: &impl AttackRule) {
    let size = Size::new(13, 4);
    conform_attack(|| attack.build(size).unwrap(), size).unwrap_or_else(|broken| panic!("{name}: {broken}"));
}

#[test]
fn every_attack_keeps_its_promises() {
    let mut attacks = Attacks(BTreeSet::new());
    attack::built_in(&mut attacks);
    assert_eq!(attacks.0.len(), 24);
    conforms("mimic variance", &Mimic { choice: Choice::Variance, warm_up: 6, ..Mimic::default() });
    conforms("mimic variance, short", &Mimic { choice: Choice::Variance, warm_up: 2, ..Mimic::default() });
    let drawn = HybridSparse { saliency: Saliency::Random, scope: Scope::Global, ..HybridSparse::default() };
    conforms("hybrid-sparse, drawn", &drawn);
    conforms("stale 2", &Stale { rounds: 2, ..Stale::default() });
    conforms("stale mean", &Stale { rounds: 3, of: Replayed::HonestMean });
}

struct Estimators(BTreeSet<&'static str>);

impl EstimatorVisitor for Estimators {
    fn visit<E: EstimatorRule>(&mut self) {
        for preset in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
            let kept = conform_estimator(|| E::preset(preset).build().unwrap());
            kept.unwrap_or_else(|broken| panic!("{}: {broken}", E::NAME));
        }
        self.0.insert(E::NAME);
    }
}

#[test]
fn every_estimator_keeps_its_promises() {
    let mut estimators = Estimators(BTreeSet::new());
    estimator::built_in(&mut estimators);
    assert_eq!(estimators.0, BTreeSet::from(["momentum", "sgd", "storm"]));
}

/// Which promise a component breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sin {
    /// None: the sinner is nearly the mean.
    None,
    Fails,
    Panics,
    PanicsWhenAsked,
    Counts,
    /// Looks at the number of threads.
    Threads,
    Shortens,
    Nan,
    /// Remembers what it does not tell.
    Hides,
    /// Tells a number that JSON has no word for.
    TellsNan,
    Hoards,
    NeverForgets,
    Gram,
    Distances,
    FirstRow,
    /// Takes a row that is not finite as one of zeros.
    Patches,
    /// Says that it works coordinate by coordinate, and does not.
    Mixes,
    Peeks,
    Labels,
    /// Wants predictions that there are not.
    Targets,
}

/// A component with a sin, and with the number of its rounds as its memory.
#[derive(Clone)]
struct Sinner {
    sin: Sin,
    rounds: u32,
    kept: Vec<Vector>,
}

impl Sinner {
    fn new(sin: Sin) -> Self {
        Self { sin, rounds: 0, kept: Vec::new() }
    }

    /// What it makes of the mean in a round.
    fn made(&mut self, mean: Vector) -> Vector {
        self.rounds += 1;
        match self.sin {
            Sin::Panics => panic!("sin"),
            Sin::Shortens => Vector::from(vec![0.5]),
            Sin::Nan => mean.scaled(f64::NAN),
            Sin::Counts => {
                static CALLS: AtomicU32 = AtomicU32::new(0);
                mean.scaled(f64::from(CALLS.fetch_add(1, Ordering::Relaxed)))
            }
            Sin::Mixes => mean.scaled(mean.dot(&mean)),
            Sin::Threads => mean.scaled(rayon::current_num_threads() as f64),
            Sin::Hoards => {
                self.kept.push(mean.clone());
                mean
            }
            _ => mean.scaled(f64::from(self.rounds)),
        }
    }
}

impl Stateful for Sinner {
    fn state(&self) -> State {
        let mut state = State::default();
        let rounds = if self.sin == Sin::TellsNan { f64::NAN.into() } else { self.rounds.into() };
        if self.sin != Sin::Hides {
            state.values.insert("rounds".to_owned(), rounds);
        }
        state.vectors =
            self.kept.iter().enumerate().map(|(at, v)| (format!("kept.{at}"), v.clone())).collect();
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if self.sin != Sin::Hides {
            self.rounds = state.value("sinner", "rounds")?;
        }
        self.kept = state.vectors.values().cloned().collect();
        Ok(())
    }

    fn forget(&mut self) -> Result<(), StateError> {
        if self.sin != Sin::NeverForgets {
            *self = Self::new(self.sin);
        }
        Ok(())
    }
}

impl Aggregator for Sinner {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        assert!(self.sin != Sin::PanicsWhenAsked || size.f < 9, "sin");
        RuleError::minority("sinner", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        if self.sin == Sin::Fails {
            return Err(RuleError::Failed { rule: "sinner".into(), message: "sin".into() });
        }
        if self.sin == Sin::FirstRow {
            let mut coefficients = vec![0.0; batch.m()];
            coefficients[0] = 1.0;
            return Ok(Aggregate::span(coefficients));
        }
        if self.sin == Sin::Gram {
            batch.gram()?;
        }
        if self.sin != Sin::Patches {
            batch.require_finite()?;
        }
        let patched = |row: Vector| if row.is_finite() { row } else { row.zeros_like() };
        let rows: Vec<Vector> = batch.to_rows().into_iter().map(patched).collect();
        let mean = Batch::new(&rows)?.mean();
        let mut found = Aggregate::vector(self.made(mean));
        found.distances = (self.sin == Sin::Distances).then(|| vec![1.0; batch.m()]);
        Ok(found)
    }

    fn is_coordinate_wise(&self) -> bool {
        self.sin == Sin::Mixes
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}

impl Attack for Sinner {
    fn knowledge(&self) -> Knowledge {
        if self.sin == Sin::Peeks { Knowledge::Own } else { Knowledge::Honest }
    }

    fn follows_protocol(&self) -> bool {
        true
    }

    fn poison(&self, _: u64, labels: &mut [i64], classes: i64) {
        if self.sin == Sin::Labels {
            labels.iter_mut().for_each(|label| *label = classes - *label);
        }
    }

    fn target_class(&self, _: u64, label: i64, classes: i64) -> i64 {
        if self.sin == Sin::Targets { classes } else { label }
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        if self.sin == Sin::Fails {
            return Err(AttackError::Failed("sin".into()));
        }
        if self.sin == Sin::Gram {
            view.honest()?.gram().map_err(RuleError::from)?;
        }
        let mean = view.honest()?.mean();
        Ok(view.everyone(&self.made(mean)))
    }
}

impl Estimator for Sinner {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
        self.made(gradients.current)
    }
}

/// The sin that is found of each of these, if it is the promise that it is told with.
fn found(kept: impl Fn(Sin) -> Result<(), Broken>, sins: &[(Sin, Promise)]) {
    kept(Sin::None).unwrap_or_else(|broken| panic!("without sin: {broken}"));
    for (sin, promise) in sins {
        let broken = kept(*sin).err().unwrap_or_else(|| panic!("{sin:?} is not found"));
        assert_eq!(broken.promise, *promise, "{sin:?}: {broken}");
        let told = broken.to_string();
        assert!(told.contains(&promise.to_string()) && told.contains(&broken.input), "{told}");
        assert_eq!(broken.vectors.is_empty(), *sin == Sin::PanicsWhenAsked, "{sin:?}: {broken}");
    }
}

#[test]
fn a_rule_that_breaks_a_promise_is_found() {
    let kept = |sin| conform_rule(|| Layer::Base(Box::new(Sinner::new(sin))), SIZE);
    found(
        kept,
        &[
            (Sin::Fails, Promise::Works),
            (Sin::Panics, Promise::NoPanic),
            (Sin::PanicsWhenAsked, Promise::NoPanic),
            (Sin::Counts, Promise::SameBits),
            (Sin::Threads, Promise::SameBits),
            (Sin::Shortens, Promise::Fits),
            (Sin::Nan, Promise::Finite),
            (Sin::Hides, Promise::Memory),
            (Sin::TellsNan, Promise::Memory),
            (Sin::Hoards, Promise::Holds),
            (Sin::Gram, Promise::Pairs),
            (Sin::Distances, Promise::Distances),
            (Sin::FirstRow, Promise::Order),
            (Sin::Patches, Promise::SetAside),
            (Sin::Mixes, Promise::Pieces),
        ],
    );
}

#[test]
fn an_attack_that_breaks_a_promise_is_found() {
    let kept = |sin| conform_attack(|| Box::new(Sinner::new(sin)), SIZE);
    found(
        kept,
        &[
            (Sin::Fails, Promise::Works),
            (Sin::Panics, Promise::NoPanic),
            (Sin::Counts, Promise::SameBits),
            (Sin::Threads, Promise::SameBits),
            (Sin::Shortens, Promise::Fits),
            (Sin::Hides, Promise::Memory),
            (Sin::TellsNan, Promise::Memory),
            (Sin::Hoards, Promise::Holds),
            (Sin::NeverForgets, Promise::Forgets),
            (Sin::Gram, Promise::Pairs),
            (Sin::Peeks, Promise::Declared),
            (Sin::Labels, Promise::Labels),
            (Sin::Targets, Promise::Labels),
        ],
    );
}

#[test]
fn an_estimator_that_breaks_a_promise_is_found() {
    let kept = |sin| conform_estimator(|| Box::new(Sinner::new(sin)));
    found(
        kept,
        &[
            (Sin::Panics, Promise::NoPanic),
            (Sin::Counts, Promise::SameBits),
            (Sin::Threads, Promise::SameBits),
            (Sin::Shortens, Promise::Fits),
            (Sin::Nan, Promise::Finite),
            (Sin::Hides, Promise::Memory),
            (Sin::TellsNan, Promise::Memory),
            (Sin::Hoards, Promise::Holds),
            (Sin::NeverForgets, Promise::Forgets),
        ],
    );
}

#[test]
fn a_number_without_a_word_in_json_is_named() {
    let broken = conform_estimator(|| Box::new(Sinner::new(Sin::TellsNan))).unwrap_err();
    let said = "the saved state of sinner has an unusable `rounds`; `rounds` holds null, which is what JSON has for NaN";
    assert!(broken.found.starts_with(said), "{broken}");
}

/// Takes one row alone, drawn or the same always.
#[derive(Clone)]
struct One {
    draws: bool,
}

impl Stateful for One {}

impl PreAggregator for One {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        RuleError::minority("one", size)?;
        Ok(Size::new(1, 0))
    }

    fn weights(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Map, RuleError> {
        batch.require_finite()?;
        let at = if self.draws { context.rng.random_range(0..batch.m()) } else { 0 };
        Ok(Map::means([[at].as_slice()], batch.m()))
    }
}

#[test]
fn where_rows_are_drawn_their_order_matters() {
    let of = |draws| conform_rule(|| Layer::Pre(Box::new(One { draws })), SIZE);
    of(true).unwrap();
    assert_eq!(of(false).unwrap_err().promise, Promise::Order);
}
