//! FedAvg from the command line: what is sent, counted and refused.

use std::{fs, path::Path};

use crate::harness::{CONVEX, Program, experiment};

/// Three workers walk on a quadratic without noise; the rule is the mean and the server steps by 1.
const FEDAVG: &str = r#"
name = "fedavg"
rounds = 3

[task]
objective = { least-squares = { dim = 8, sigma = 0.0 } }
precision = "f64"
local_steps = 4
local_lr = 0.2

[aggregator]
step = { sgd = { lr = 1.0 } }

[[workers]]
count = 3
"#;

fn column(folder: &Path, table: &str, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(folder.join(table)).unwrap();
    let at = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
    reader.records().map(|row| row.unwrap()[at].parse().unwrap()).collect()
}

#[test]
fn without_noise_the_server_goes_where_the_workers_went() {
    let folder = tempfile::tempdir().unwrap();
    let local = experiment(folder.path(), "local.toml", &(FEDAVG.to_owned() + "[evaluation]\nevery = 1\n"));
    let run = Program::folder(&[&local], folder.path());
    // Twelve rounds of plain steps of 0.2 pass through the same points.
    let plain = FEDAVG.replace("rounds = 3", "rounds = 12").replace("lr = 1.0", "lr = 0.2");
    let plain = plain.replace("local_steps = 4\nlocal_lr = 0.2\n", "") + "[evaluation]\nevery = 4\n";
    let plain = Program::folder(&[&experiment(folder.path(), "plain.toml", &plain)], folder.path());
    let gaps = column(&run, "evaluations.csv", "gap");
    assert_eq!(gaps.len(), 4);
    for (local, plain) in gaps.iter().zip(column(&plain, "evaluations.csv", "gap")) {
        assert!((local - plain).abs() <= 1e-12 * plain, "{local} is not {plain}");
    }
    assert_eq!(column(&run, "rounds.csv", "gradients"), [12.0, 24.0, 36.0]);
}

#[test]
fn attackers_forge_differences() {
    let folder = tempfile::tempdir().unwrap();
    let honest = experiment(folder.path(), "honest.toml", FEDAVG);
    let attackers = "[[attackers]]\ncount = 1\nattack = { ipm = { epsilon = 0.5 } }\n";
    let attacked = experiment(folder.path(), "attacked.toml", &(FEDAVG.to_owned() + attackers));
    let norm =
        |file: &str| column(&Program::folder(&[file], folder.path()), "rounds.csv", "aggregate_norm")[0];
    // (3 d - 0.5 d) / 4 of the difference d that all honest workers make.
    let (honest, attacked) = (norm(&honest), norm(&attacked));
    assert!((attacked - 2.5 / 4.0 * honest).abs() < 1e-12 * honest, "{attacked} beside {honest}");
}

#[test]
fn one_step_of_length_one_changes_no_bit_and_threads_change_none_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", CONVEX);
    let rounds = |more: &[&str]| {
        let run = Program::folder(&[&[file.as_str()], more].concat(), folder.path());
        fs::read_to_string(run.join("rounds.csv")).unwrap()
    };
    assert_eq!(rounds(&[]), rounds(&["--set", "task.local_lr=1"]));
    let walking = ["--set", "task.local_lr=0.1", "--set", "task.local_steps=3", "--threads"];
    let [one, two] = ["1", "2"].map(|threads| rounds(&[&walking[..], &[threads]].concat()));
    assert_eq!(one, two);
    assert_ne!(one, rounds(&[]));
}

#[test]
fn a_check_says_how_workers_walk() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", CONVEX);
    let said = |sets: &[&str]| Program::run(&[&["check", file.as_str()], sets].concat()).stdout;
    assert!(!said(&[]).contains("local step"));
    let one = said(&["--set", "task.local_lr=0.1"]);
    assert!(one.contains(" in 1 local step of 0.1"), "{one}");
    let three = said(&["--set", "task.local_lr=0.1", "--set", "task.local_steps=3"]);
    assert!(three.contains(" in 3 local steps of 0.1"), "{three}");
}

#[test]
fn steps_that_cannot_be_walked_name_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", CONVEX);
    for (set, told) in [
        ("task.local_steps=0", "task.local_steps: 0 is given; 1 (off) to 100000 steps are accepted"),
        ("task.local_steps=2", "task.local_lr: 2 local steps need the length of one"),
        ("task.local_lr=-1.0", "task.local_lr: -1 is given; a positive number is accepted"),
        (
            "task.local_schedule={cosine={rounds=9}}",
            "task.local_schedule: without `task.local_lr` there is nothing",
        ),
        (
            "task.local_proximal=-1.0",
            "task.local_proximal: -1 is given; 0 (off) or a positive number is accepted",
        ),
        ("task.local_proximal=0.1", "task.local_proximal: it acts from the second local step on"),
        ("task.local_lr=nan", "task.local_lr: found \"nan\""),
    ] {
        let error = Program::fails(&["check", &file, "--set", set]);
        assert!(error.contains(told), "{set}: {error}");
    }
}
