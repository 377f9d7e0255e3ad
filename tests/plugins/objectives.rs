//! Objectives from outside: those that are learned, those that are not what their rule tells, those that go wrong in a
//! round, and one that is too large to be drawn.

use std::sync::Arc;

use phalanx::{
    Program,
    config::load,
    experiment::Plan,
    learner::convex::{Objective, ObjectiveError, ObjectiveRule, Sampled},
    results::Status,
};
use phalanx_actors::learner::{Draw, LearnerError};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EXPERIMENT, Way, has_failed, refusal, run};

/// f(x) = 1/2 |x|^2 from a point of ones, without noise; or what it is told to be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Saboteur {
    /// Number of parameters.
    dim: usize,
    /// Number of classes of its samples, which is twice that of workers.
    classes: usize,
    /// What it tells to hold.
    gigabytes: u64,
    /// In which way what is drawn is another thing.
    drawn: Drawn,
    /// In which way it goes wrong in a round.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<Way>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Drawn {
    #[default]
    Rightly,
    Never,
    Start,
    Optimum,
    Infinite,
    Labelled,
    Unlabelled,
    Words,
}

impl Default for Saboteur {
    fn default() -> Self {
        Self { dim: 30, classes: 0, gigabytes: 0, drawn: Drawn::Rightly, way: None }
    }
}

impl Described for Saboteur {
    const NAME: &'static str = "saboteur";
    const SOURCE: &'static str = "a test";
}

impl ObjectiveRule for Saboteur {
    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::unless(self.dim != 13, "dim", self.dim, "another number")
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn holds(&self) -> u64 {
        self.gigabytes * 1_000_000_000
    }

    fn build(&self, _: Seed) -> Result<Arc<dyn Objective>, ObjectiveError> {
        let (mut start, mut optimum) = (vec![1.0; self.dim], vec![0.0; self.dim]);
        let mut classes = self.classes;
        match self.drawn {
            Drawn::Rightly => {}
            Drawn::Never => panic!("it is drawn"),
            Drawn::Start => start.push(1.0),
            Drawn::Optimum => drop(optimum.pop()),
            Drawn::Infinite => start[1] = f64::INFINITY,
            Drawn::Labelled => classes += 1,
            Drawn::Unlabelled => classes = 0,
            Drawn::Words => return Err(ObjectiveError::Other("its file is gone".to_owned())),
        }
        let labels = (classes > 0).then(|| Arc::new((0..16).map(|at| (at % classes) as u8).collect()));
        Ok(Arc::new(Valley { start, optimum, labels, way: self.way }))
    }
}

struct Valley {
    start: Vec<f64>,
    optimum: Vec<f64>,
    labels: Option<Arc<Vec<u8>>>,
    way: Option<Way>,
}

impl Objective for Valley {
    fn start(&self) -> &[f64] {
        &self.start
    }

    fn optimum(&self) -> &[f64] {
        &self.optimum
    }

    fn value(&self, x: &[f64]) -> f64 {
        x.iter().map(|value| 0.5 * value * value).sum()
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        x.to_vec()
    }

    fn sampled(&self, x: &[f64], _: usize, draw: &Draw) -> Result<Sampled, LearnerError> {
        assert_eq!(draw.indices.is_empty(), self.labels.is_none());
        let gradient = match self.way {
            None => x.to_vec(),
            Some(Way::Panic) => panic!("sabotage"),
            Some(Way::Hang) => loop {
                std::thread::park();
            },
            Some(Way::Length) => x[1..].to_vec(),
            Some(Way::Nan) => vec![f64::NAN; x.len()],
        };
        Ok(Sampled { gradient, loss: self.value(x), accuracy: f64::NAN })
    }

    fn labels(&self) -> Option<&Arc<Vec<u8>>> {
        self.labels.as_ref()
    }
}

fn program() -> Program {
    Program::new().objective::<Saboteur>()
}

fn set(parameters: &str) -> String {
    format!("task.objective={{saboteur={{{parameters}}}}}")
}

#[test]
fn an_objective_from_outside_is_learned() {
    for classes in [0, 2] {
        let out = tempfile::tempdir().unwrap();
        let sets = ["aggregator.rule=['mean']", "aggregator.step={sgd={lr=0.1}}", "attackers.0.count=0"];
        let mut sets = sets.map(str::to_owned).to_vec();
        sets.extend(["task.precision=f64".to_owned(), set(&format!("classes={classes}"))]);
        let outcome = run(&program(), EXPERIMENT, out.path(), sets);
        let summary = outcome.summary;
        assert_eq!((summary.status, summary.error, summary.rounds), (Status::Completed, None, 5));
        // Each of five steps leaves nine tenths of each of thirty coordinates.
        let gap = 15.0 * 0.9f64.powi(10);
        assert!((summary.gap.unwrap() - gap).abs() < 1e-12, "{:?}, not {gap}", summary.gap);
    }
}

#[test]
fn what_is_not_what_its_rule_tells_is_refused_by_name() {
    for (parameters, told) in [
        ("dim=13, drawn='never'", "saboteur.dim: 13 is given; another number"),
        ("dim=0", "saboteur: it has no parameters"),
        ("drawn='never'", "saboteur: it panicked: it is drawn"),
        ("drawn='start'", "saboteur: its start has 31 coordinates; its rule tells of 30"),
        ("drawn='optimum'", "saboteur: its optimum has 29 coordinates; its rule tells of 30"),
        ("drawn='infinite'", "saboteur: its start is not finite"),
        ("drawn='labelled'", "saboteur: its labels are of 1 classes; its rule tells of 0"),
        ("classes=3, drawn='labelled'", "saboteur: its labels are of 4 classes; its rule tells of 3"),
        ("classes=3, drawn='unlabelled'", "saboteur: its labels are of 0 classes; its rule tells of 3"),
        ("drawn='words'", "saboteur: its file is gone"),
    ] {
        let said = refusal(&program(), EXPERIMENT, &[set(parameters)]);
        assert!(said.contains(&format!("task.objective.{told}")), "{parameters}: {said}");
    }
}

#[test]
fn classes_are_counted_only_where_they_can_be() {
    for (parameters, told) in [
        ("classes=0", "the task has no classes; false is accepted"),
        ("classes=2", "the objective `saboteur` does not tell what a point predicts; false is accepted"),
        ("classes=1001, drawn='never'", "the task has 1001 classes; pairs of at most 1000 are counted"),
    ] {
        let sets =
            [set(parameters), "evaluation.per_class=true".to_owned(), "attackers.0.count=0".to_owned()];
        let said = refusal(&program(), EXPERIMENT, &sets);
        assert!(said.ends_with(&format!("evaluation.per_class: {told}")), "{parameters}: {said}");
    }
}

#[test]
fn an_objective_that_goes_wrong_in_a_round_ends_the_run() {
    for (way, told) in [
        ("panic", "round 1: the model panicked: sabotage"),
        ("length", "round 1: the model failed: a gradient of 29 coordinates, expected 30"),
        ("nan", "round 1: none of the 7 vectors is finite"),
        ("hang", "round 1: the learner did not answer within 2s"),
    ] {
        let out = tempfile::tempdir().unwrap();
        let patience = ["deadline", "learner"].map(|who| format!("barrier.{who}_seconds=2"));
        let mut sets = vec![set(&format!("way='{way}'"))];
        sets.extend(patience.into_iter().filter(|_| way == "hang"));
        let outcome = run(&program(), EXPERIMENT, out.path(), sets);
        assert_eq!(has_failed(outcome, "task.objective", &[told]), 0, "{way}");
    }
}

#[test]
fn an_objective_that_cannot_fit_is_refused_before_it_is_drawn() {
    let allowed = "machine.memory_gb=1".to_owned();
    let both = ["1.0 GB are allowed by machine.memory_gb", "of 30 numbers of 4 bytes, the objective 3.0 GB"];
    let outside = refusal(&program(), EXPERIMENT, &[set("gigabytes=3, drawn='never'"), allowed.clone()]);
    both.iter().for_each(|part| assert!(outside.contains(part), "{outside}"));
    assert!(outside.contains("the run needs about 3.0 GB"), "{outside}");
    // Six vectors of 800 MB.
    let rotated = "task.objective={least-squares={dim=100000000, rotated=true}}".to_owned();
    let said = refusal(&program(), EXPERIMENT, &[rotated, allowed.clone()]);
    assert!(said.contains("of 100000000 numbers of 4 bytes, the objective 4.8 GB"), "{said}");
    // What is wrong by itself is said first, with its key.
    let wrong = "task.objective={least-squares={dim=100000001, radius=0.0}}".to_owned();
    let said = refusal(&program(), EXPERIMENT, &[wrong, allowed.clone()]);
    assert!(said.contains("task.objective.least-squares.dim: 100000001 is given"), "{said}");
    let radius = "task.objective={least-squares={dim=100000000, radius=0.0}}".to_owned();
    let said = refusal(&program(), EXPERIMENT, &[radius, allowed]);
    assert!(said.contains("task.objective.least-squares.radius: 0 is given"), "{said}");
}

#[test]
fn for_a_hash_nothing_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hashed.toml");
    std::fs::write(&file, EXPERIMENT).unwrap();
    let hash = |parameters: &str| {
        let (_, layers) = load(&file, &[set(parameters)]).unwrap();
        Plan::digest(program().registry(), layers, None).unwrap()
    };
    assert_ne!(hash("drawn='never'"), hash("drawn='never', dim=31"));
}
