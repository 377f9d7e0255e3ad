//! What is counted by class among components from outside: an attack with a target of its own, or with one that is none,
//! and an objective that does not say what it predicts.

use phalanx::{Program, results::Columns, results::Status};

use super::*;

/// Sends zeros, and wants samples of class 0 to be predicted as another class.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Covetous {
    /// As which.
    target: i64,
    /// It panics as it is asked from this round on, if that is not 0.
    panics: u64,
}

impl Described for Covetous {
    const NAME: &'static str = "covetous";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Covetous {}

impl AttackRule for Covetous {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Covetous {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn target_class(&self, round: u64, label: i64, _: i64) -> i64 {
        assert!(self.panics == 0 || round < self.panics, "sabotage");
        if label == 0 { self.target } else { label }
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&view.last_aggregate.zeros_like()))
    }
}

fn program() -> Program {
    Program::new().attack::<Covetous>()
}

/// Of two classes.
fn counted() -> String {
    EXPERIMENT.replace("least-squares = { dim = 30 }", "logistic-regression = {}")
        + "[evaluation]\nevery = 1\nper_class = true\n"
}

#[test]
fn an_attack_from_outside_has_its_success() {
    let out = tempfile::tempdir().unwrap();
    let outcome =
        run(&program(), &counted(), out.path(), vec![format!("{ATTACK}={{covetous={{target=1}}}}")]);
    assert_eq!((outcome.summary.status, outcome.summary.error), (Status::Completed, None));
    let table = |name: &str| Columns::read(&outcome.folder.path().join(name)).unwrap();
    let (evaluations, classes) = (table("evaluations.csv"), table("classes.csv"));
    let (success, recalls) = (evaluations.get("attack_success").unwrap(), classes.get("recall").unwrap());
    // What of class 0 is not predicted rightly is predicted as class 1.
    assert_eq!(success.len(), 6);
    success.iter().zip(recalls.chunks(2)).for_each(|(success, recalls)| {
        assert!((success + recalls[0] - 1.0).abs() < 1e-12, "{success} {recalls:?}");
    });
}

#[test]
fn a_target_is_a_class_of_the_task() {
    for (covetous, said) in [
        ("target=2", "it wants samples of class 0 to be taken for 2 of 2 classes"),
        ("target=-1", "it wants samples of class 0 to be taken for -1 of 2 classes"),
        ("panics=1", "it panicked as it was asked what it wants of classes: sabotage"),
    ] {
        let error = refusal(&program(), &counted(), &[format!("{ATTACK}={{covetous={{{covetous}}}}}")]);
        assert!(error.ends_with(&format!("attackers.0.attack.covetous: {said}")), "{error}");
    }
}

/// It is the attack that is named, not the model that was evaluated.
#[test]
fn an_attack_that_panics_as_it_is_asked_later_ends_the_run_by_name() {
    let out = tempfile::tempdir().unwrap();
    let outcome =
        run(&program(), &counted(), out.path(), vec![format!("{ATTACK}={{covetous={{panics=4}}}}")]);
    let said = "evaluation after round 4: attackers.0.attack.covetous: it panicked as it was asked what it wants of \
                classes: sabotage";
    assert_eq!(outcome.summary.error.as_deref(), Some(said));
}
