//! A server with a root set: whose samples it is made of, and what it is good for.

use std::{fs, path::Path};

use crate::harness::{Program, experiment};

const TRUSTING: &str = r#"
name = "trusting"
seed = 3
rounds = 60

[task]
dataset = "digits"
model = "logistic"
root = 100

[aggregator]
rule = ["fltrust"]
step = { sgd = { lr = 0.5 } }

[[workers]]
count = 9
batch_size = 8

[[attackers]]
count = 8
attack = "opt-ipm"

[evaluation]
every = 0
"#;

fn accuracy(folder: &Path) -> f64 {
    let text = fs::read_to_string(folder.join("summary.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["test_accuracy"].as_f64().unwrap()
}

#[test]
fn the_root_set_decides_between_learning_and_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "trusting.toml", TRUSTING);
    let run = |sets: &[&str]| Program::folder(&[&[file.as_str()], sets].concat(), folder.path());
    let trusting = run(&["--threads", "1"]);
    assert!(accuracy(&trusting) > 0.8, "{}", accuracy(&trusting));
    let mean = accuracy(&run(&["--set", "aggregator.rule=['mean']"]));
    assert!(mean < 0.5, "{mean}");
    let rounds = |folder: &Path| fs::read_to_string(folder.join("rounds.csv")).unwrap();
    assert_eq!(rounds(&trusting), rounds(&run(&["--threads", "2"])), "threads change nothing");
    assert_ne!(rounds(&trusting), rounds(&run(&["--set", "task.root_batch=10"])));
}

/// Nor does a server that tries every step on its own data (Xie, Koyejo & Gupta, 2019).
#[test]
fn steps_that_are_tried_need_no_majority_of_honest_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "trusting.toml", TRUSTING);
    let zeno = [file.as_str(), "--set", "aggregator.rule=['zeno']", "--set", "attackers.0.attack=sign-flip"];
    let run = |sets: &[&str]| Program::folder(&[&zeno[..], sets].concat(), folder.path());
    let most = ["--set", "attackers.0.count=16", "--set", "task.root_batch=20"];
    let trying = run(&[&most[..], &["--threads", "1"]].concat());
    assert!(accuracy(&trying) > 0.8, "{}", accuracy(&trying));
    let rounds = |folder: &Path| fs::read_to_string(folder.join("rounds.csv")).unwrap();
    let again = run(&[&most[..], &["--threads", "2"]].concat());
    assert_eq!(rounds(&trying), rounds(&again), "threads change nothing");
    let probed = run(&["--set", "attackers.0.attack=opt-ipm", "--set", "rounds=5"]);
    assert!(accuracy(&probed).is_finite());
}

/// Nor does one that learns masks on its own data (Yan et al., 2024).
#[test]
fn masks_that_are_learned_need_no_majority_of_honest_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "trusting.toml", TRUSTING);
    let masked =
        [file.as_str(), "--set", "aggregator.rule=['skymask']", "--set", "attackers.0.attack=sign-flip"];
    let run = |sets: &[&str]| Program::folder(&[&masked[..], sets].concat(), folder.path());
    let learned = run(&["--set", "attackers.0.count=12", "--threads", "1"]);
    assert!(accuracy(&learned) > 0.8, "{}", accuracy(&learned));
    let rounds = |folder: &Path| fs::read_to_string(folder.join("rounds.csv")).unwrap();
    let again = run(&["--set", "attackers.0.count=12", "--threads", "2"]);
    assert_eq!(rounds(&learned), rounds(&again), "threads change nothing");
    let probed = run(&["--set", "attackers.0.attack=opt-ipm", "--set", "rounds=2"]);
    assert!(accuracy(&probed).is_finite());
}

/// The server needs no honest majority, only data of its own (Cao et al., 2021).
#[test]
fn trust_needs_no_majority_of_honest_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "trusting.toml", TRUSTING);
    let run = |sets: &[&str]| {
        let most = ["--set", "attackers.0.count=16", "--set", "attackers.0.attack=sign-flip"];
        accuracy(&Program::folder(&[&[file.as_str()], &most[..], sets].concat(), folder.path()))
    };
    let (trusting, mean) = (run(&[]), run(&["--set", "aggregator.rule=['mean']"]));
    assert!(trusting > 0.8, "{trusting}");
    assert!(mean < 0.3, "{mean}");
}

#[test]
fn nobody_is_dealt_what_the_server_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "trusting.toml", TRUSTING);
    let done = Program::run(&["data", "show", &file, "--set", "task.validation=37"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let samples = |name: &str| {
        let line = done.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().find_map(|cell| cell.parse::<usize>().ok()).unwrap()
    };
    assert_eq!((samples("training"), samples("validation"), samples("root")), (1300, 37, 100));
    let error = Program::fails(&["check", &file, "--set", "task.root=1437"]);
    assert!(error.contains("task.root: 1437 of 1437 training samples cannot be held out"), "{error}");
    let walking = ["--set", "task.local_lr=0.1", "--set", "task.local_steps=3"];
    let error = Program::fails(&[&["check", file.as_str()], &walking[..]].concat());
    assert!(error.contains("task.root_batch: the server walks too: its 100 samples must make 3"), "{error}");
    let done =
        Program::run(&[&["check", file.as_str(), "--set", "task.root_batch=99"], &walking[..]].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
    let error = Program::fails(&["check", &file, "--set", "task.root_batch=101"]);
    assert!(error.contains("task.root_batch: a batch of 101 from the 100 samples"), "{error}");
}
