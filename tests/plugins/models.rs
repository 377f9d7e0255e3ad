//! A model from outside with a layer that goes wrong: in the passes of a round, or in an evaluation.

use phalanx::{
    Program,
    learner::torch::{Layer, Model, ModelError, ModelRule, Pass, Shape, layer},
    results::{Status, read::RunRecord},
};
use phalanx_robust::describe::Described;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

use crate::{Way, has_failed, panics, run};

/// Logistic regression with a saboteur behind it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Saboteur {
    /// In which way it goes wrong.
    way: Way,
    /// In evaluations; else where gradients are computed.
    evaluating: bool,
}

impl Described for Saboteur {
    const NAME: &'static str = "saboteur";
    const SOURCE: &'static str = "a test";
}

impl ModelRule for Saboteur {
    fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
        let layers: Vec<Box<dyn Layer>> =
            vec![Box::new(layer::Flatten), Box::new(layer::Linear { out: classes }), Box::new(self.clone())];
        Model::new(input, classes, layers)
    }
}

impl Layer for Saboteur {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        if self.evaluating == pass.is_training() {
            return Ok(x);
        }
        match self.way {
            Way::Panic => panic!("sabotage"),
            Way::Hang => loop {
                std::thread::park();
            },
            // One class more than there are: no operation that follows would mind.
            Way::Length => Tensor::f_cat(&[&x, &x.f_narrow(2, 0, 1)?], 2),
            Way::Nan => x.f_mul_scalar(f64::NAN),
        }
    }
}

const EXPERIMENT: &str = r#"
name = "sabotage"
rounds = 5

[task]
dataset = "digits"

[aggregator]
rule = ["cwmed"]

[[workers]]
count = 4
batch_size = 2

[evaluation]
every = 1

[machine]
threads = 2
"#;

/// The run with such a model, and what becomes of it.
fn sabotaged(way: &str, evaluating: bool, then: impl FnOnce(phalanx::experiment::RunOutcome)) {
    let out = tempfile::tempdir().unwrap();
    let program = Program::new().model::<Saboteur>();
    let mut sets = vec![format!("task.model={{saboteur={{way=\"{way}\", evaluating={evaluating}}}}}")];
    if way == "hang" {
        sets.extend(["deadline", "learner"].map(|who| format!("barrier.{who}_seconds=2")));
    }
    then(run(&program, EXPERIMENT, out.path(), sets));
}

/// How many rounds there are before it fails depends on when the evaluation ends, which runs beside them.
fn fails(way: &str, evaluating: bool, said: &[&str]) {
    sabotaged(way, evaluating, |outcome| {
        let rounds = has_failed(outcome, "task.model", said);
        assert!(evaluating || rounds == 0, "{way}: {rounds}");
    });
}

/// Panics as it is made.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Stillborn {}

impl Described for Stillborn {
    const NAME: &'static str = "stillborn";
    const SOURCE: &'static str = "a test";
}

impl ModelRule for Stillborn {
    fn build(&self, _: [usize; 3], _: usize) -> Result<Model, ModelError> {
        panic!("not today")
    }
}

#[test]
fn a_model_that_panics_as_it_is_made_is_refused_by_its_key() {
    panics(&Program::new().model::<Stillborn>(), EXPERIMENT, "task.model", "stillborn", "task.model");
}

#[test]
fn a_model_that_goes_wrong_in_a_round_ends_the_run() {
    fails("panic", false, &["round 1: the model panicked: sabotage"]);
    fails(
        "length",
        false,
        &["round 1: the model failed", "Saboteur", "gives [4, 2, 11] where [4, 2, 10] is wanted"],
    );
    fails("nan", false, &["round 1: none of the 4 vectors is finite"]);
    fails("hang", false, &["round 1: the learner did not answer within 2s"]);
}

#[test]
fn a_model_that_goes_wrong_in_an_evaluation_ends_the_run() {
    let at = "evaluation after round 0: ";
    fails("panic", true, &[at, "the model panicked: sabotage"]);
    fails("length", true, &[at, "the model failed", "Saboteur", "[1, 128, 11] where [1, 128, 10] is wanted"]);
    fails("hang", true, &["the evaluation did not answer within 2s"]);
}

#[test]
fn an_evaluation_of_nan_is_a_result() {
    sabotaged("nan", true, |outcome| {
        assert_eq!(outcome.summary.status, Status::Completed, "{:?}", outcome.summary.error);
        assert_eq!((outcome.summary.test_loss, outcome.summary.rounds), (None, 5));
        let read = RunRecord::read(outcome.folder.path()).unwrap();
        assert_eq!((read.evaluations.get("test_loss"), read.evaluations.len()), (None, 6));
    });
}
