//! Who holds which data: what `data show` says, and what a run makes of it.

use std::fs;

use crate::harness::{self, Program, experiment};

/// Logistic regression has samples with two labels, and needs no libtorch.
fn logistic() -> String {
    harness::CONVEX
        .replace("least-squares = { dim = 30 }", "logistic-regression = { dim = 5, samples = 400 }")
        .replace("attack = \"ipm\"", "attack = \"label-flip\"")
}

/// The cells of every line that begins with a worker's id.
fn shown(arguments: &[&str]) -> Vec<Vec<String>> {
    let done = Program::run(&[&["data", "show"], arguments].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
    let lines = done.stdout.lines().map(|line| line.split_whitespace().map(str::to_owned).collect());
    lines.filter(|cells: &Vec<String>| cells[0].parse::<usize>().is_ok()).collect()
}

#[test]
fn data_show_counts_every_sample_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &logistic());
    let rows = shown(&[&file, "--set", "task.partition=extreme"]);
    assert_eq!(rows.len(), 17);
    let samples: usize = rows.iter().map(|row| row[2].parse::<usize>().unwrap()).sum();
    assert_eq!(samples, 400);
    assert_eq!((rows[0][1].as_str(), rows[16][1].as_str()), ("honest", "attacker"));
    // Sorted by label: the first worker holds zeros alone, the last ones alone.
    assert_eq!((rows[0][4].as_str(), rows[16][3].as_str()), ("·", "·"));
}

#[test]
fn data_show_draws_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &logistic());
    let (svg, png) = (folder.path().join("who.svg"), folder.path().join("who.png"));
    for out in [&svg, &png] {
        let out = out.display().to_string();
        let rows = shown(&[&file, "--set", "task.partition=extreme", "-o", &out]);
        assert_eq!(rows.len(), 17);
    }
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.contains("dealt by extreme") && svg.contains("16 attacker: 23"), "{svg}");
    assert!(fs::read(png).unwrap().starts_with(b"\x89PNG"));
    let error = Program::fails(&["data", "show", &file, "-o", "who.pdf"]);
    assert!(error.contains("who.pdf: a picture ends in .svg or .png"), "{error}");
}

/// What a user looks for who was told that somebody holds nothing.
#[test]
fn a_deal_that_leaves_workers_without_samples_is_shown_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &logistic());
    let sets = ["--set", "preset=byzfl", "--set", "task.partition={dirichlet={alpha=0.001}}"];
    let rows = shown(&[&[file.as_str()], &sets[..]].concat());
    let without = rows.iter().find(|row| row[2] == "0").map(|row| row[0].clone()).unwrap();
    let error = Program::fails(&[&["check", file.as_str()], &sets[..]].concat());
    assert!(error.contains(&format!("worker {without} holds no sample")), "{error}");
}

#[test]
fn honest_holders_lend_to_attackers() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &logistic());
    let arguments = [file.as_str(), "--set", "task.holders=honest", "--set", "task.partition=dirichlet"];
    let rows = shown(&arguments);
    let honest: usize = rows[..9].iter().map(|row| row[2].parse::<usize>().unwrap()).sum();
    assert_eq!(honest, 400);
    assert_eq!(rows[9][1..4], ["attacker,", "as", "0"]);
    let run = |set: &str| {
        Program::folder(&[&file, "--set", set, "--set", "task.partition=dirichlet"], folder.path())
    };
    let rounds = |set: &str| fs::read_to_string(run(set).join("rounds.csv")).unwrap();
    assert_ne!(rounds("task.holders=honest"), rounds("task.holders=all"));
}

#[test]
fn what_cannot_be_dealt_names_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &logistic());
    for (set, told) in [
        (
            "task.partition={dirichlet={alpha=-1.0}}",
            "task.partition.dirichlet.alpha: -1 is given; a number above 0",
        ),
        ("task.partition={dirichlet={min_size=400}}", "no more than an even share"),
        (
            "task.partition={quantity={sizes={dirichlet={alpha=0.0}}}}",
            "task.partition.quantity.sizes.dirichlet.alpha: 0 is given; a number above 0",
        ),
        ("task.partition=dirichlett", "did you mean `dirichlet`?"),
        ("task.validation=10", "task.validation: an objective has no samples to hold out"),
    ] {
        let error = Program::fails(&["check", &file, "--set", set]);
        assert!(error.contains(told), "{set}: {error}");
    }
    let sets = ["--set", "task.holders=honest", "--set", "task.partition=shared-stream"];
    let error = Program::fails(&[&["check", file.as_str()], &sets[..]].concat());
    assert!(error.contains("task.holders: all workers draw from one stream"), "{error}");
    let noise = experiment(folder.path(), "noise.toml", harness::CONVEX);
    let error = Program::fails(&["data", "show", &noise]);
    assert!(error.contains("there are no samples to hold"), "{error}");
}

#[cfg(feature = "torch")]
#[test]
fn a_validation_set_is_measured_beside_the_test_set() {
    let folder = tempfile::tempdir().unwrap();
    let task =
        "dataset = \"digits\"\nmodel = \"logistic\"\nvalidation = 137\npartition = \"gamma-similarity\"";
    let text = harness::CONVEX.replace("objective = { least-squares = { dim = 30 } }", task);
    let file = experiment(folder.path(), "experiment.toml", &text);
    let run = Program::folder(&[&file], folder.path());
    let mut reader = csv::Reader::from_path(run.join("evaluations.csv")).unwrap();
    let heading = reader.headers().unwrap().clone();
    let column = heading.iter().position(|name| name == "validation_accuracy").unwrap();
    for row in reader.records() {
        // A fraction of 137 samples.
        let right = 137.0 * row.unwrap()[column].parse::<f64>().unwrap();
        assert!((right - right.round()).abs() < 1e-9 && right <= 137.0, "{right}");
    }
    let done = Program::run(&["data", "show", &file]);
    let held = done.stdout.lines().find(|line| line.starts_with("validation")).unwrap();
    assert_eq!(held.split_whitespace().nth(1), Some("137"));
    let none = Program::folder(&[&file, "--set", "task.validation=0"], folder.path());
    let table = fs::read_to_string(none.join("evaluations.csv")).unwrap();
    assert!(table.lines().skip(1).all(|line| line.ends_with(",,,")), "{table}");
    let error = Program::fails(&["check", &file, "--set", "task.validation=1437"]);
    assert!(error.contains("task.validation: 1437 of 1437 training samples"), "{error}");
}
