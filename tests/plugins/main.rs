//! Components from outside that go wrong, in runs made from TOML: an attack, a rule, an estimator and a step that panic,
//! never end, or make vectors of another length or of NaN, and models whose layers do. Each is contained: the run ends
//! by itself, in words that name what went wrong, and its folder can be read. Objectives, partitions and data sets from
//! outside that are not what they should be are refused before anything runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod classes;
mod contracts;
mod datasets;
mod memory;
#[cfg(feature = "torch")]
mod models;
mod objectives;
mod partitions;

use std::path::Path;

use phalanx::{
    Program,
    experiment::{Plan, RunOutcome},
    results::Status,
};
use phalanx_robust::{
    Batch, Layout, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Layer, Rule, RuleError},
    attack::{Attack, AttackError, AttackRule, Knowledge, View},
    describe::{Described, ParameterError},
    estimator::{Estimator, EstimatorRule, Gradients, Points},
    state::Stateful,
    step::{Domain, Step, StepRule},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which way a component goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Panic,
    Hang,
    Length,
    Nan,
}

/// Goes wrong, as whatever it is used.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Saboteur {
    /// In which way.
    way: Way,
}

impl Saboteur {
    /// A vector in the place of one like `shape`, if there is one at all.
    fn vector(&self, shape: &Vector) -> Vector {
        match self.way {
            Way::Panic => panic!("sabotage"),
            Way::Hang => loop {
                std::thread::park();
            },
            Way::Length => Vector::from(vec![0f32; 3]),
            Way::Nan => shape.scaled(f64::NAN),
        }
    }
}

impl Described for Saboteur {
    const NAME: &'static str = "saboteur";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Saboteur {}

impl AttackRule for Saboteur {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Saboteur {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&self.vector(view.last_aggregate)))
    }
}

impl Rule for Saboteur {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Aggregator for Saboteur {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(self.vector(&batch.row(0))))
    }
}

impl EstimatorRule for Saboteur {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Estimator for Saboteur {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        // The plan tries an estimator out at round 1, to see what memory it takes.
        if round < 3 { gradients.current } else { self.vector(&gradients.current) }
    }
}

impl StepRule for Saboteur {
    fn build(&self, _: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Step for Saboteur {
    fn step(&mut self, _: u64, x: &mut Vector, aggregate: &Vector) {
        *x = self.vector(aggregate);
    }
}

const EXPERIMENT: &str = r#"
name = "sabotage"
rounds = 5

[task]
objective = { least-squares = { dim = 30 } }

[aggregator]
rule = ["cwmed"]

[[workers]]
count = 4

[[workers]]
count = 1

[[attackers]]
count = 2
attack = "ipm"

[machine]
threads = 2
"#;

const ATTACK: &str = "attackers.0.attack";
const ESTIMATOR: &str = "workers.1.estimator";
const RULE: &str = "aggregator.rule";
const STEP: &str = "aggregator.step";

/// The deadline of the component at `key`.
fn patience(key: &str) -> &'static str {
    match key {
        ATTACK => "attack_seconds",
        ESTIMATOR => "deadline_seconds",
        _ => "rule_seconds",
    }
}

/// Runs `experiment` under `sets` in the folder `out`.
fn run(program: &Program, experiment: &str, out: &Path, mut sets: Vec<String>) -> RunOutcome {
    let file = out.join("sabotage.toml");
    std::fs::write(&file, experiment).unwrap();
    sets.push(format!("machine.out={}", toml::Value::from(out.display().to_string())));
    Plan::read(program.registry(), &file, &sets, None).unwrap().run(Vec::new()).unwrap()
}

/// Runs the experiment with a saboteur at `key`.
fn sabotaged(out: &Path, key: &str, way: &str, absence: &str) -> RunOutcome {
    let program = Program::new();
    let program = program.attack::<Saboteur>().rule::<Saboteur>().estimator::<Saboteur>().step::<Saboteur>();
    let saboteur = format!("{{saboteur={{way=\"{way}\"}}}}");
    let value = if key == RULE { format!("[{saboteur}]") } else { saboteur };
    let mut sets = vec![format!("{key}={value}"), format!("barrier.absence={absence}")];
    if way == "hang" {
        sets.push(format!("barrier.{}=2", patience(key)));
    }
    run(&program, EXPERIMENT, out, sets)
}

/// The run has failed in words that contain `said` and name the saboteur at `key`, and its folder can be read. Says how
/// many rounds it has.
fn has_failed(outcome: RunOutcome, key: &str, said: &[&str]) -> u64 {
    let error = outcome.summary.error.unwrap_or_else(|| panic!("{said:?} is not said"));
    assert_eq!(outcome.summary.status, Status::Failed, "{error}");
    for part in said.iter().copied().chain([format!("; {key} is saboteur").as_str()]) {
        assert!(error.contains(part), "no {part} in {error}");
    }
    let read = phalanx::results::read::RunRecord::read(outcome.folder.path()).unwrap();
    assert_eq!(read.summary.unwrap().error, Some(error));
    outcome.summary.rounds
}

/// A run that fails does so in `round`.
fn fails(key: &str, way: &str, round: u64, said: &str) {
    let out = tempfile::tempdir().unwrap();
    let outcome = sabotaged(out.path(), key, way, "fail");
    assert_eq!(has_failed(outcome, key, &[&format!("round {round}: "), said]), round - 1, "{key} {way}");
}

/// The run goes on without the saboteurs, and says of its last round how many were set aside or absent.
fn goes_on(key: &str, way: &str, column: &str, number: f64) {
    let out = tempfile::tempdir().unwrap();
    let outcome = sabotaged(out.path(), key, way, "drop");
    assert_eq!(outcome.summary.status, Status::Completed, "{key} {way}: {:?}", outcome.summary.error);
    let read = phalanx::results::read::RunRecord::read(outcome.folder.path()).unwrap();
    let counts = read.rounds.get(column).unwrap();
    assert_eq!(counts.last(), Some(&number), "{key} {way}: {column} {counts:?}");
}

#[test]
fn an_attack_that_goes_wrong_ends_the_run() {
    fails(ATTACK, "panic", 1, "worker 5 failed: the attack saboteur: it panicked: sabotage");
    fails(ATTACK, "length", 1, "submits 3 coordinates of f32"); // worker 5 or 6, whose comes first
    fails(ATTACK, "hang", 1, "workers 5, 6 stayed silent for 2s");
}

#[test]
fn an_attack_that_goes_wrong_is_left_out() {
    goes_on(ATTACK, "panic", "absent", 2.0);
    goes_on(ATTACK, "length", "absent", 2.0);
    goes_on(ATTACK, "hang", "absent", 2.0);
    goes_on(ATTACK, "nan", "set_aside", 2.0);
}

#[test]
fn an_estimator_that_goes_wrong_ends_the_run() {
    fails(ESTIMATOR, "panic", 3, "worker 4 panicked: sabotage");
    fails(ESTIMATOR, "length", 3, "worker 4 was rejected: it submits 3 coordinates of f32");
    fails(ESTIMATOR, "hang", 3, "worker 4 stayed silent for 2s");
}

#[test]
fn an_estimator_that_goes_wrong_is_left_out() {
    goes_on(ESTIMATOR, "panic", "absent", 1.0);
    goes_on(ESTIMATOR, "length", "absent", 1.0);
    // The attackers, who send a multiple of the honest mean, leave it out.
    goes_on(ESTIMATOR, "nan", "set_aside", 1.0);
}

#[test]
fn a_rule_that_goes_wrong_ends_the_run() {
    fails(RULE, "panic", 1, "the aggregation rule died: sabotage");
    fails(RULE, "length", 1, "the rule makes a vector of 3 coordinates");
    fails(RULE, "nan", 1, "the rule makes a vector that is not finite");
    fails(RULE, "hang", 1, "the aggregation rule did not answer within 2s");
}

/// The attack is the first to see it.
#[test]
fn a_rule_that_goes_wrong_as_an_attack_tries_it_is_named() {
    let tried = |way, attack, said: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let sets = [
            format!("{RULE}=[{{saboteur={{way='{way}'}}}}]"),
            format!("{ATTACK}={attack}"),
            "barrier.attack_seconds=2".to_owned(),
            "barrier.rule_seconds=2".to_owned(),
        ];
        let outcome = run(&Program::new().rule::<Saboteur>(), EXPERIMENT, out.path(), sets.to_vec());
        assert_eq!(has_failed(outcome, RULE, said), 0, "{way} {attack}");
    };
    tried(
        "length",
        "opt-alie",
        &["round 1: worker ", " failed: the attack opt-alie", "a vector of 3 coordinates"],
    );
    for attack in ["opt-alie", "opt-ipm", "{single-coordinate={evaluations=9}}"] {
        // of whichever of the two attackers says so first
        tried("panic", attack, &["round 1: worker ", " failed: the attack", "the rule panicked: sabotage"]);
    }
    tried("hang", "opt-ipm", &["round 1: the aggregation rule did not answer within 2s"]);
}

/// Fails, and says what it was told of.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Told {
    #[serde(skip)]
    tensors: Vec<(String, usize)>,
}

impl Described for Told {
    const NAME: &'static str = "told";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Told {}

impl AttackRule for Told {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Told {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn know_layout(&mut self, layout: &Layout) {
        self.tensors = layout.blocks().iter().map(|block| (block.name.clone(), block.range.len())).collect();
    }

    fn forge(&mut self, _: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Err(AttackError::Failed(format!("told of {:?}", self.tensors)))
    }
}

#[test]
fn an_attack_is_told_where_the_tensors_lie() {
    let out = tempfile::tempdir().unwrap();
    let outcome =
        run(&Program::new().attack::<Told>(), EXPERIMENT, out.path(), vec![format!("{ATTACK}=told")]);
    let error = outcome.summary.error.unwrap();
    assert!(error.contains(r#"told of [("all", 30)]"#), "{error}");
}

/// Panics as it is made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Stillborn {}

impl Described for Stillborn {
    const NAME: &'static str = "stillborn";
    const SOURCE: &'static str = "a test";
}

impl AttackRule for Stillborn {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        panic!("not today")
    }
}

impl Rule for Stillborn {
    fn build(&self) -> Result<Layer, ParameterError> {
        panic!("not today")
    }
}

impl EstimatorRule for Stillborn {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        panic!("not today")
    }
}

impl StepRule for Stillborn {
    fn build(&self, _: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        panic!("not today")
    }
}

/// Panics as the plan tries it out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Unsteady {}

impl Described for Unsteady {
    const NAME: &'static str = "unsteady";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Unsteady {}

impl Rule for Unsteady {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Aggregator for Unsteady {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        panic!("not today")
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(batch.mean()))
    }
}

impl EstimatorRule for Unsteady {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Estimator for Unsteady {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, _: Gradients) -> Vector {
        panic!("not today")
    }
}

/// Why the plan of `experiment` under `sets` is refused.
fn refusal(program: &Program, experiment: &str, sets: &[String]) -> String {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("refused.toml");
    std::fs::write(&file, experiment).unwrap();
    let planned = Plan::read(program.registry(), &file, sets, None);
    planned.err().unwrap_or_else(|| panic!("{sets:?} is not refused")).to_string()
}

/// The plan of `experiment` with `value` at `key` is refused for the panic of what is at `at`.
fn panics(program: &Program, experiment: &str, key: &str, value: &str, at: &str) {
    let error = refusal(program, experiment, &[format!("{key}={value}")]);
    assert!(error.contains(&format!("{at}: it panicked: not today")), "{key}={value}: {error}");
}

#[test]
fn what_panics_as_it_is_made_is_refused_by_its_key() {
    let program = Program::new();
    let program =
        program.attack::<Stillborn>().rule::<Stillborn>().estimator::<Stillborn>().step::<Stillborn>();
    for key in [ATTACK, ESTIMATOR, STEP] {
        panics(&program, EXPERIMENT, key, "stillborn", key);
    }
    panics(&program, EXPERIMENT, RULE, "['stillborn']", "aggregator.rule.0");
}

#[test]
fn what_panics_as_it_is_tried_out_is_refused_by_its_key() {
    let program = Program::new().rule::<Unsteady>().estimator::<Unsteady>();
    panics(&program, EXPERIMENT, RULE, "['unsteady']", RULE);
    panics(&program, EXPERIMENT, ESTIMATOR, "unsteady", ESTIMATOR);
}

#[test]
fn a_step_that_goes_wrong_ends_the_run() {
    fails(STEP, "panic", 1, "the server's step died: sabotage");
    fails(STEP, "length", 1, "the server's step makes 3 coordinates of f32");
    fails(STEP, "nan", 1, "the server's step makes a point that is not finite; ");
    fails(STEP, "hang", 1, "the server's step did not answer within 2s");
}
