//! What a plan asks of components from outside, and what they may count on: vectors as long as those of the run, streams
//! of random numbers of their own, parameters that are what was written, and a name for whoever breaks a promise.

use std::fs;

use phalanx::{Program, results::Status};
use phalanx_robust::{Map, aggregation::PreAggregator, random::Seed};
use rand::RngExt;

use super::*;

/// Made for vectors of at least so many coordinates: a step, and an estimator that adds noise of its own. And a
/// pre-aggregator that makes fewer vectors than it says, and an attack that labels samples as there is no class.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Odd {
    /// A number of coordinates.
    k: usize,
    /// A share, at which nobody looks.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
    #[serde(skip)]
    place: Option<(usize, Seed)>,
}

impl Default for Odd {
    fn default() -> Self {
        Self { k: 5, share: 1.0, place: None }
    }
}

impl Described for Odd {
    const NAME: &'static str = "odd";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Odd {}

impl StepRule for Odd {
    fn build(&self, start: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        ParameterError::unless(self.k <= start.len(), "k", self.k, "no more than coordinates")?;
        Ok(Box::new(self.clone()))
    }
}

impl Step for Odd {
    fn step(&mut self, _: u64, x: &mut Vector, aggregate: &Vector) {
        x.axpy(-0.01, aggregate);
    }
}

impl EstimatorRule for Odd {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Estimator for Odd {
    fn place(&mut self, worker: usize, seed: Seed) {
        self.place = Some((worker, seed));
    }

    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        let (worker, seed) = self.place.unwrap();
        let mut values = gradients.current.to_f64();
        values[self.k] += seed.stream("estimator", worker as u64, "noise", round).random::<f64>();
        gradients.current.like(&values)
    }
}

impl Rule for Odd {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Pre(Box::new(self.clone())))
    }
}

impl PreAggregator for Odd {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        Ok(size)
    }

    fn weights(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Map, RuleError> {
        Ok(Map::from_rows(batch.m(), [[(0, 1.0)]]))
    }
}

impl AttackRule for Odd {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Odd {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Own
    }

    fn follows_protocol(&self) -> bool {
        true
    }

    fn poison(&self, _: u64, labels: &mut [i64], _: i64) {
        labels.fill(1000);
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.own()?.to_vec())
    }
}

/// Panics as it is asked what it needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Shy {}

impl Described for Shy {
    const NAME: &'static str = "shy";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Shy {}

impl Rule for Shy {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Aggregator for Shy {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(batch.mean()))
    }

    fn needs_reference(&self) -> bool {
        panic!("not today")
    }
}

fn program() -> Program {
    let program = Program::new().rule::<Odd>().rule::<Shy>();
    program.attack::<Odd>().estimator::<Odd>().step::<Odd>()
}

/// The bytes of `rounds.csv` of a run under `sets`, which is completed.
fn rounds(sets: &[&str]) -> Vec<u8> {
    let out = tempfile::tempdir().unwrap();
    let outcome = run(&program(), EXPERIMENT, out.path(), sets.iter().map(ToString::to_string).collect());
    assert_eq!(outcome.summary.status, Status::Completed, "{:?}", outcome.summary.error);
    fs::read(outcome.folder.path().join("rounds.csv")).unwrap()
}

#[test]
fn what_a_plan_tries_is_as_long_as_the_vectors_of_the_run() {
    rounds(&["aggregator.step={odd={k=30}}", "workers.1.estimator={odd={k=29}}"]);
    let error = refusal(&program(), EXPERIMENT, &["aggregator.step={odd={k=31}}".to_owned()]);
    assert!(error.contains("aggregator.step.odd.k: 31 is given; no more than coordinates"), "{error}");
    let error = refusal(&program(), EXPERIMENT, &["workers.1.estimator={odd={k=30}}".to_owned()]);
    assert!(error.contains("workers.1.estimator: it panicked: index out of bounds"), "{error}");
}

#[test]
fn an_estimator_draws_from_the_seed_of_the_run() {
    let odd = "workers.0.estimator=odd";
    let first = rounds(&[odd, "machine.threads=1"]);
    assert_eq!(first, rounds(&[odd, "machine.threads=2"]));
    assert_eq!(
        first,
        rounds(&[odd, "machine.state=file"]),
        "it is told its place where it is kept in a file"
    );
    assert_ne!(first, rounds(&[odd, "seed=2"]));
    assert_ne!(first, rounds(&[]));
}

#[test]
fn a_pre_aggregator_makes_as_many_vectors_as_it_says() {
    let out = tempfile::tempdir().unwrap();
    let outcome = run(&program(), EXPERIMENT, out.path(), vec![format!("{RULE}=['odd', 'cwmed']")]);
    let error = outcome.summary.error.unwrap();
    let said = "a pre-aggregator makes 1 vector of 7, where it said 7 of the 7 that there are";
    assert!(error.contains(said) && error.ends_with("aggregator.rule is odd > cwmed"), "{error}");
}

#[test]
fn an_attack_labels_samples_as_there_are_classes() {
    let out = tempfile::tempdir().unwrap();
    let labelled = EXPERIMENT.replace("least-squares = { dim = 30 }", "logistic-regression = {}");
    let outcome = run(&program(), &labelled, out.path(), vec![format!("{ATTACK}=odd")]);
    let error = outcome.summary.error.unwrap();
    let said = "the attack odd: it labels a sample 1000 of 2 classes; attackers.0.attack is odd";
    assert!(error.contains(said), "{error}");
}

#[test]
fn a_key_that_nobody_knows_is_refused_though_the_component_would_pass_over_it() {
    let error = refusal(&program(), EXPERIMENT, &["aggregator.step={odd={kk=3}}".to_owned()]);
    assert!(error.contains("aggregator.step: unknown key `kk`"), "{error}");
}

#[test]
fn what_panics_as_it_is_asked_what_it_needs_is_refused_by_its_key() {
    panics(&program(), EXPERIMENT, RULE, "['shy']", RULE);
}

#[test]
fn a_range_that_is_declared_is_held_before_the_component_is_made() {
    for (key, value, at) in [
        (RULE, "[{odd={share=1.5}}, 'cwmed']", "aggregator.rule.0.odd.share"),
        (STEP, "{odd={share=1.5}}", "aggregator.step.odd.share"),
        (ATTACK, "{odd={share=1.5}}", "attackers.0.attack.odd.share"),
        (
            ATTACK,
            "{switching={schedule=[{from=1, attack={odd={share=1.5}}}]}}",
            "attackers.0.attack.switching.schedule.0.attack.odd.share",
        ),
        (ESTIMATOR, "{odd={share=1.5}}", "workers.1.estimator.odd.share"),
    ] {
        let error = refusal(&program(), EXPERIMENT, &[format!("{key}={value}")]);
        assert!(error.ends_with(&format!("{at}: 1.5 is given; a number from 0 to 1")), "{error}");
    }
    rounds(&["aggregator.step={odd={share=0.0}}"]);
}
