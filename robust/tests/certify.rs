//! The search for the worst input: on every rule, on chains, and on a rule from outside.

mod rules_by_name;

use phalanx_robust::{
    Batch, ColumnRule, Median, Size, Vector,
    aggregation::{
        Aggregate, Aggregator, Context, Defence, Layer, Meaning, RuleError, pairwise_coefficient,
        robustness_coefficient,
    },
    attack::{self, Attack, AttackError, AttackRule, AttackVisitor, FirstRound, Knowledge, View},
    certify::{Certify, Worst},
    random::Seed,
    state::Stateful,
};
use rules_by_name::{chain, layers};

const SIZE: Size = Size { m: 11, f: 2 };

struct Attacks(Vec<(String, Box<dyn Attack>)>);

impl AttackVisitor for Attacks {
    fn visit<A: AttackRule>(&mut self) {
        self.0.extend(A::default().build(SIZE).ok().map(|attack| (A::NAME.to_owned(), attack)));
    }
}

fn worst(defence: &Defence, budget: u32) -> Worst {
    search(defence, budget).expect("an input with a finite result")
}

fn search(defence: &Defence, budget: u32) -> Result<Worst, Option<RuleError>> {
    let mut attacks = Attacks(Vec::new());
    attack::built_in(&mut attacks);
    let meaning = defence.bound(SIZE).map_or(Meaning::Kappa, |bound| bound.meaning);
    Certify { defence: defence.clone(), size: SIZE, d: 3, budget, meaning, seed: Seed(1) }.search(&attacks.0)
}

/// The coefficient of the worst input, computed again from its rows.
fn again(defence: &Defence, worst: &Worst) -> f64 {
    let rng = Seed(1).stream("rule", 0, "aggregate", 1);
    let context = Context { reference: worst.reference.clone(), ..Context::new(SIZE.f, rng) };
    let found = defence.clone().aggregate_in(&worst.rows, context);
    let output = found.expect("what the search found").output;
    let honest: Vec<usize> = (0..SIZE.honest()).collect();
    match defence.bound(SIZE).map(|bound| bound.meaning) {
        Some(Meaning::C) => pairwise_coefficient(&worst.rows, &honest, &output),
        _ => robustness_coefficient(&worst.rows, &honest, &output),
    }
}

/// Without Byzantine rows there is nothing to move, and the search ends with what it began with.
#[test]
fn without_byzantine_rows_the_search_ends() {
    let defence = chain(&["cwmed"]);
    let size = Size::new(5, 0);
    let task = Certify { defence, size, d: 3, budget: 50, meaning: Meaning::Kappa, seed: Seed(1) };
    let worst = task.search(&[]).expect("an input with a finite result");
    assert!(worst.tried < 50 && worst.coefficient.is_finite(), "{worst:?}");
}

fn check(name: &str, defence: &Defence) {
    let worst = worst(defence, 250);
    assert!(worst.coefficient > 0.0 && worst.coefficient.is_finite(), "{name}: {}", worst.coefficient);
    assert_eq!(worst.rows.len(), SIZE.m);
    assert_eq!((worst.failed, &worst.failure), (0, &None), "{name}");
    assert!(worst.tried <= 250 && worst.tried > 200, "{name}: {}", worst.tried);
    assert_eq!(again(defence, &worst), worst.coefficient, "{name}: the saved rows do not do it");
    if let Some(bound) = defence.bound(SIZE) {
        let most = bound.coefficient;
        assert!(worst.coefficient <= most, "{name}: {} beyond {most}", worst.coefficient);
    }
}

#[test]
fn every_base_rule_has_a_worst_input_within_its_bound() {
    let mut tried = 0;
    for (name, layer) in layers() {
        if !matches!(layer, Layer::Base(_)) || ["zeno", "skymask"].contains(&name) {
            continue;
        }
        let defence = Defence::new(vec![layer]).unwrap();
        check(name, &defence);
        tried += 1;
    }
    assert_eq!(tried, 35);
}

#[test]
fn chains_stay_within_their_bounds() {
    let chains: [&[&str]; 10] = [
        &["ctma", "cwmed"],
        &["ctma", "nnm", "cwmed"],
        &["nnm", "cwtm"],
        &["nnm", "krum"],
        &["bucketing", "geometric-median"],
        &["clipping", "mean"],
        &["arc", "nnm", "cwmed"],
        &["weighted-ctma", "weighted-cwmed"],
        &["ctma", "bucketing", "cwtm"],
        &["gas", "cwmed"],
    ];
    let bounded = chains.iter().filter(|names| chain(names).bound(SIZE).is_some()).count();
    assert!(bounded >= 3);
    chains.iter().for_each(|names| check(&names.join(","), &chain(names)));
}

#[test]
fn the_same_seed_finds_the_same_input_and_a_larger_budget_none_that_is_weaker() {
    let defence = chain(&["cwmed"]);
    let (short, same, long) = (worst(&defence, 300), worst(&defence, 300), worst(&defence, 1500));
    assert_eq!((short.coefficient, &short.start), (same.coefficient, &same.start));
    assert!(long.coefficient >= short.coefficient);
    assert!(long.coefficient > 0.2, "the median can be moved by half a deviation: {}", long.coefficient);
}

/// The median of 11 of which 5 are far away is the honest value farthest out: where all honest ones but one are equal, 5 times
/// their variance away from their mean, which no search that leaves honest vectors where they are comes to.
#[test]
fn honest_vectors_are_found_that_are_worst_for_a_median() {
    let size = Size::new(11, 5);
    let defence = chain(&["cwmed"]);
    let task = Certify { defence, size, d: 1, budget: 2000, meaning: Meaning::Kappa, seed: Seed(1) };
    let coefficient = task.search(&[]).unwrap().coefficient;
    assert!((4.999..5.001).contains(&coefficient), "{coefficient}");
}

/// Nothing bounds what such rules make of honest vectors that are near to each other and far from the origin.
#[test]
fn rules_that_go_by_the_origin_are_found_out() {
    for rule in ["sign-majority", "norm-clipping", "cge", "centered-clipping", "fools-gold", "fedseca"] {
        let found = worst(&chain(&[rule]), 250).coefficient;
        assert!(found > 1e6, "{rule}: {found}");
    }
}

#[test]
fn a_mean_is_moved_as_far_as_the_search_goes() {
    assert!(worst(&chain(&["mean"]), 400).coefficient > 1e4);
}

/// A rule from outside, by what it makes of a batch.
#[derive(Clone)]
struct Outside(fn(&Batch<'_>) -> Result<Vector, RuleError>);

impl Stateful for Outside {}

impl Aggregator for Outside {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, "outside", "m > 0", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        self.0(batch).map(Aggregate::vector)
    }
}

#[test]
fn a_rule_from_outside_is_searched_like_any() {
    let last = Outside(|batch| Ok(batch.row(batch.m() - 1)));
    assert!(worst(&Defence::base(last), 400).coefficient > 1e4);
}

#[test]
fn fltrust_is_searched_beside_a_vector_that_deviates_as_an_honest_one_does() {
    let defence = chain(&["fltrust"]);
    let Worst { rows, reference, coefficient, .. } = worst(&defence, 400);
    let honest: Vec<Vec<f64>> = rows[..SIZE.honest()].iter().map(Vector::to_f64).collect();
    let centre: Vec<f64> =
        (0..3).map(|j| honest.iter().map(|row| row[j]).sum::<f64>() / honest.len() as f64).collect();
    let far = |row: &[f64]| row.iter().zip(&centre).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let variance = honest.iter().map(|row| far(row)).sum::<f64>() / honest.len() as f64;
    let own = reference.expect("the rule needs one").to_f64();
    assert!(far(&own) > 0.0 && far(&own) < 9.0 * variance, "three deviations: {} of {variance}", far(&own));
    // The output is a mean of vectors as long as the server's own.
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let limit = (norm(&own) + norm(&centre)).powi(2) / variance;
    assert!(coefficient > 0.0 && coefficient <= limit, "{coefficient} of at most {limit}");
}

#[test]
fn inputs_that_a_rule_fails_on_are_counted() {
    let fragile = Outside(|batch| {
        let median = batch.columns(&ColumnRule::Median(Median::Midpoint), false)?.output;
        let long = batch.norms2()?.iter().any(|&norm2| norm2 > 1e4);
        Ok(if long { median.scaled(f64::NAN) } else { median })
    });
    let found = worst(&Defence::base(fragile), 400);
    assert!(found.failed > 0 && found.failed < found.tried, "{} of {}", found.failed, found.tried);
    assert_eq!(found.failure, Some(RuleError::NotFinite));
}

#[test]
fn a_rule_that_fails_on_all_inputs_says_how() {
    let short = Outside(|_| Ok(vec![0f64; 1].into()));
    let failure = search(&Defence::base(short), 9).unwrap_err();
    assert_eq!(
        failure,
        Some(RuleError::Unlike {
            found: "1 coordinates of f64".into(),
            expected: "3 coordinates of f64".into()
        })
    );
}

/// Panics, or tries what the server would make of zeros.
#[derive(Clone)]
struct Brash {
    probes: bool,
}

impl Stateful for Brash {}

impl Attack for Brash {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Defence
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        assert!(self.probes, "brash");
        view.outcome(&view.filled(0.0))?;
        Ok(view.filled(1e3))
    }
}

#[test]
fn an_attack_that_panics_is_named_and_the_rule_is_not_blamed_for_it() {
    let task =
        |defence| Certify { defence, size: SIZE, d: 3, budget: 99, meaning: Meaning::Kappa, seed: Seed(1) };
    let brash = |name: &str, probes| (name.to_owned(), Box::new(Brash { probes }) as Box<dyn Attack>);
    let attacks = [brash("loud", false), brash("quiet", true)];
    let found = task(chain(&["cwmed"])).search(&attacks).unwrap();
    assert_eq!((found.panicked, found.failed), ([("loud".to_owned(), "brash".to_owned())].into(), 0));

    let sabotage = Outside(|_| panic!("sabotage"));
    let stage = FirstRound {
        defence: &Defence::base(sabotage),
        honest: &vec![Vector::from(vec![1.0; 3]); 9],
        own: None,
        reference: None,
        point: None,
        size: SIZE,
        seed: Seed(1),
    };
    let tried = stage.forge(&mut Brash { probes: true });
    let said = AttackError::Probe(RuleError::Panicked("sabotage".to_owned()));
    assert_eq!(tried.unwrap_err(), said);
}
