//! `phalanx bench`: figures that fit together, and nothing left behind.

use std::fs;

use serde_json::Value;

use crate::harness::{CONVEX, Program, experiment};

#[test]
fn the_figures_fit_together_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", CONVEX);
    let out = format!("machine.out='{}'", folder.path().display());
    let done = Program::run(&["bench", &file, "--json", "--rounds", "30", "--threads", "1", "--set", &out]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let figures: Value = serde_json::from_str(&done.stdout).unwrap();
    let number = |pointer: &str| figures.pointer(pointer).and_then(Value::as_f64).unwrap();
    assert_eq!((number("/rounds"), number("/threads")), (30.0, 1.0));
    assert_eq!(figures["computation"]["precision"], "f32");
    let median = number("/round/median_seconds");
    assert!(number("/round/p10_seconds") <= median && median <= number("/round/p90_seconds"));
    assert!((number("/rounds_per_second") * median - 1.0).abs() < 1e-9);
    // Nine workers at two points each.
    assert!((number("/gradients_per_second") * median - 18.0).abs() < 1e-6);
    // Seventeen vectors of 30 single-precision numbers.
    assert_eq!(number("/aggregation/work"), 17.0 * 30.0 * 4.0);
    let phases = figures["phases"].as_array().unwrap();
    let names: Vec<&str> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gradient", "wait", "attack", "aggregate", "step", "other"]);
    assert!(phases.iter().all(|phase| (0.0..=1.0).contains(&phase["share"].as_f64().unwrap())));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something lies beside the experiment");
}

/// A vector has 98 pages of 4 KiB, and a round asks for dozens of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_round_uses_the_memory_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &CONVEX.replace("dim = 30 ", "dim = 100000 "));
    let done = Program::run(&["bench", &file, "--json", "--rounds", "20"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let figures: Value = serde_json::from_str(&done.stdout).unwrap();
    let pages = figures["pages_per_round"].as_f64().unwrap();
    assert!(pages < 98.0, "{pages} pages");
}

#[cfg(feature = "torch")]
#[test]
fn a_model_is_held_against_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let task = "dataset = \"digits\"\nmodel = \"simple-cnn\"";
    let text = CONVEX.replace("objective = { least-squares = { dim = 30 } }", task);
    let file = experiment(folder.path(), "experiment.toml", &text);
    let done = Program::run(&["bench", &file, "--rounds", "3", "--warm-up", "1"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    for word in [
        "gradient ",
        "aggregate ",
        "evaluate ",
        "GFLOP/s",
        "GB/s",
        "3 rounds measured",
        "f32 on cpu by kernels",
    ] {
        assert!(done.stdout.contains(word), "{word} is missing in\n{}", done.stdout);
    }
}

#[test]
fn what_cannot_run_is_refused_with_the_status_of_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", CONVEX);
    assert!(Program::fails(&["bench", &file, "--rounds", "0"]).contains("--rounds"));
    assert!(Program::fails(&["bench", "nowhere.toml"]).contains("nowhere.toml"));
}
