//! Components and observers from outside in runs that keep checkpoints: they are asked what they remember, on the thread
//! that runs the rounds. And observers that do harm to what a run writes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use phalanx::{
    Program, checkpoint,
    experiment::{Plan, PlanError, RunOutcome},
    results::{RunFolder, Status},
};
use phalanx_actors::{Observer, RoundReport};
use phalanx_robust::state::{State, StateError};

use super::*;

/// Panics as it is asked what it remembers, in the third round.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Forgetful {
    #[serde(skip)]
    rounds: u64,
}

impl Forgetful {
    fn remember(&self) -> State {
        assert!(self.rounds < 3, "what was it");
        State::default()
    }
}

impl Described for Forgetful {
    const NAME: &'static str = "forgetful";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Forgetful {
    fn state(&self) -> State {
        self.remember()
    }
}

impl Rule for Forgetful {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Aggregator for Forgetful {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        self.rounds += 1;
        Ok(Aggregate::vector(batch.mean()))
    }
}

impl StepRule for Forgetful {
    fn build(&self, _: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Step for Forgetful {
    fn step(&mut self, _: u64, _: &mut Vector, _: &Vector) {
        self.rounds += 1;
    }
}

impl Observer for Forgetful {
    fn round(&mut self, _: &RoundReport) -> Result<(), String> {
        self.rounds += 1;
        Ok(())
    }

    fn state(&self) -> Option<(&'static str, State)> {
        Some(("forgetful", self.remember()))
    }
}

/// Runs the experiment under `sets`, with a checkpoint after every round, in the folder `run` below `out`.
fn run(out: &Path, sets: &[&str], observer: Option<Box<dyn Observer>>) -> RunOutcome {
    let file = out.join("memory.toml");
    fs::write(&file, EXPERIMENT).unwrap();
    let program = Program::new().rule::<Forgetful>().step::<Forgetful>();
    let sets: Vec<String> =
        ["checkpoint.every_rounds=1"].iter().chain(sets).map(|&set| set.to_owned()).collect();
    let plan = Plan::read(program.registry(), &file, &sets, None).unwrap();
    plan.run_in(RunFolder::exactly(&out.join("run")).unwrap(), observer.into_iter().collect()).unwrap()
}

/// The run fails in these words.
fn says(sets: &[&str], observer: Option<Box<dyn Observer>>, said: &str) {
    let out = tempfile::tempdir().unwrap();
    let summary = run(out.path(), sets, observer).summary;
    assert_eq!((summary.status, summary.rounds), (Status::Failed, 3), "{:?}", summary.error);
    assert_eq!(summary.error.unwrap(), said);
    let read = phalanx::results::read::RunRecord::read(&out.path().join("run")).unwrap();
    assert_eq!(read.summary.unwrap().error.unwrap(), said);
}

#[test]
fn who_panics_as_it_is_asked_what_it_remembers_is_named() {
    let rule = "round 3: the aggregation rule died: what was it; aggregator.rule is forgetful";
    says(&["aggregator.rule=['forgetful']"], None, rule);
    let step = "round 3: the server's step died: what was it; aggregator.step is forgetful";
    says(&["aggregator.step=forgetful"], None, step);
    let observer = Box::new(Forgetful::default());
    says(&[], Some(observer), "round 3: an observer died: what was it");
}

/// Panics as the plan asks how much it will remember.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Boundless {}

impl Described for Boundless {
    const NAME: &'static str = "boundless";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Boundless {
    fn holds(&self, _: usize, _: u64) -> u64 {
        panic!("not today")
    }
}

impl Rule for Boundless {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }
}

impl Aggregator for Boundless {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(batch.mean()))
    }
}

impl StepRule for Boundless {
    fn build(&self, _: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Step for Boundless {
    fn step(&mut self, _: u64, _: &mut Vector, _: &Vector) {}
}

impl AttackRule for Boundless {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Boundless {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(view.last_aggregate))
    }
}

#[test]
fn who_panics_as_it_is_asked_what_it_will_remember_is_refused_by_its_key() {
    let program = Program::new().rule::<Boundless>().step::<Boundless>().attack::<Boundless>();
    for (key, value, at) in
        [(RULE, "['boundless']", RULE), (STEP, "boundless", STEP), (ATTACK, "boundless", "attackers.0")]
    {
        panics(&program, EXPERIMENT, key, value, at);
    }
}

/// After the last round, harms the run's folder.
struct Vandal(PathBuf, fn(&Path));

impl Observer for Vandal {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        if report.round == 5 {
            (self.1)(&self.0);
        }
        Ok(())
    }
}

/// Runs the experiment, whose folder is harmed.
fn vandalised(out: &Path, harm: fn(&Path)) -> RunOutcome {
    run(out, &["checkpoint.every_rounds=0"], Some(Box::new(Vandal(out.join("run"), harm))))
}

#[test]
fn a_run_whose_rounds_cannot_be_read_counts_nothing_and_says_so() {
    let out = tempfile::tempdir().unwrap();
    let summary =
        vandalised(out.path(), |run| fs::write(run.join("rounds.csv"), "round,absent\n1,many\n").unwrap())
            .summary;
    let error = summary.error.unwrap();
    assert!(error.contains("rounds.csv:2: column absent: `many` is no number"), "{error}");
    assert_eq!((summary.status, summary.barrier), (Status::Failed, None));
    let told = fs::read_to_string(out.path().join("run/summary.json")).unwrap();
    assert!(told.contains("\"failed\"") && told.contains("rounds.csv:2"), "{told}");
}

#[test]
fn a_run_whose_checkpoints_cannot_be_removed_is_complete_all_the_same() {
    let out = tempfile::tempdir().unwrap();
    let outcome =
        vandalised(out.path(), |run| fs::write(run.join("checkpoints"), "a file in the way").unwrap());
    assert_eq!((outcome.summary.status, outcome.summary.error), (Status::Completed, None));
    assert!(out.path().join("run/checkpoints").is_file());
    let told = fs::read_to_string(out.path().join("run/summary.json")).unwrap();
    assert!(told.contains("\"completed\""), "{told}");
}

/// Remembers something, and does not take it back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Stubborn {
    /// Whether it panics as it is asked to.
    panics: bool,
}

impl Described for Stubborn {
    const NAME: &'static str = "stubborn";
    const SOURCE: &'static str = "a test";
}

impl Stateful for Stubborn {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert("n".to_owned(), 1.into());
        state
    }

    fn restore(&mut self, _: &State) -> Result<(), StateError> {
        assert!(!self.panics, "never");
        Err(StateError::Unusable { component: Self::NAME, entry: "n".to_owned() })
    }
}

impl StepRule for Stubborn {
    fn build(&self, _: &Vector, _: Domain) -> Result<Box<dyn Step>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Step for Stubborn {
    fn step(&mut self, _: u64, _: &mut Vector, _: &Vector) {}
}

impl AttackRule for Stubborn {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Attack for Stubborn {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(view.last_aggregate))
    }
}

/// Fails after the fourth round.
struct Full;

impl Observer for Full {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        if report.round == 4 { Err("the disk is full".to_owned()) } else { Ok(()) }
    }
}

/// The files below `folder` with what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => drop(all.insert(path.clone(), fs::read(path).unwrap())),
        }
    }
    all
}

/// Its summary, tables and checkpoints.
#[test]
fn a_run_that_cannot_go_on_is_left_as_it_was() {
    let program = Program::new().step::<Stubborn>().attack::<Stubborn>();
    let refuses = "has an unusable `n`; ";
    for (set, words) in [
        ("aggregator.step='stubborn'", [refuses, "aggregator.step is stubborn"]),
        ("aggregator.step={stubborn={panics=true}}", ["never; ", "aggregator.step is stubborn"]),
        ("attackers.0.attack='stubborn'", [refuses, "attackers.0.attack is stubborn"]),
        (
            "attackers.0.attack={stubborn={panics=true}}",
            ["panicked: never; ", "attackers.0.attack is stubborn"],
        ),
    ] {
        let out = tempfile::tempdir().unwrap();
        let (file, path) = (out.path().join("memory.toml"), out.path().join("run"));
        fs::write(&file, EXPERIMENT).unwrap();
        let sets = ["checkpoint.every_rounds=2", set].map(str::to_owned);
        let plan = || Plan::read(program.registry(), &file, &sets, None).unwrap();
        let failed = plan().run_in(RunFolder::exactly(&path).unwrap(), vec![Box::new(Full)]).unwrap();
        assert_eq!(failed.summary.rounds, 4, "{set}: {:?}", failed.summary.error);
        let before = contents(&path);
        let found = checkpoint::newest(&path).unwrap();
        let error = plan().resume_in(failed.folder, found, Vec::new()).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, PlanError::Restore { round: 2, .. }), "{set}: {message}");
        words.iter().for_each(|word| assert!(message.contains(word), "{set}: {message}"));
        assert_eq!(contents(&path), before, "{set}");
    }
}
