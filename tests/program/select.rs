//! Choosing hyper-parameters from the folder of a sweep.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::harness::Program;

/// (lr, attack, seed, validation accuracy, test accuracy)
const CELLS: [(f64, &str, i64, f64, f64); 8] = [
    (0.1, "ipm", 1, 0.90, 0.5),
    (0.1, "ipm", 2, 0.92, 0.5),
    (0.1, "alie", 1, 0.40, 0.9), // the worst of 0.1: 0.42
    (0.1, "alie", 2, 0.44, 0.9),
    (0.2, "ipm", 1, 0.70, 0.6), // the worst of 0.2: 0.65
    (0.2, "ipm", 2, 0.60, 0.8),
    (0.2, "alie", 1, 0.75, 0.3),
    (0.2, "alie", 2, 0.71, 0.1),
];

const KEYS: [&str; 3] = ["aggregator.step.sgd.lr", "attackers.0.attack", "seed"];

/// What a run under `attack` leaves of its configuration.
fn config(attack: &str) -> String {
    format!(
        "[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n[[attackers]]\ncount = 2\nattack = '{attack}'\n"
    )
}

fn sweep(folder: &Path, columns: &str) {
    let mut cells = Vec::new();
    for (index, (lr, attack, seed, validation, test)) in CELLS.iter().enumerate() {
        let run = folder.join(format!("cell{index}"));
        fs::create_dir_all(&run).unwrap();
        // Of six evaluations the last two count, as in a report; the others say the contrary.
        let early = format!("{},{}", 1.0 - validation, 1.0 - test);
        let early: String = (0..4).map(|round| format!("{round},{early}\n")).collect();
        let late = [-0.02, 0.02].map(|off| format!("9,{},{}\n", validation + off, test + off)).concat();
        let rows = format!("round,{columns}\n{early}{late}");
        fs::write(run.join("evaluations.csv"), rows).unwrap();
        fs::write(run.join("config.toml"), config(attack)).unwrap();
        cells.push(json!({
            "index": index, "hash": format!("cell{index}"), "folder": format!("cell{index}"),
            "assignments": {KEYS[0]: lr, KEYS[1]: attack, KEYS[2]: seed}, "status": "completed",
            "seconds": 1.0, "test_accuracy": test, "gap": null, "error": null,
        }));
    }
    let manifest = json!({
        "name": "synthetic", "file": "sweep.toml", "phalanx": "0", "commit": "", "digest": "",
        "keys": KEYS, "cells": cells,
    });
    fs::write(folder.join("sweep.json"), manifest.to_string()).unwrap();
}

#[test]
fn the_worst_attack_on_the_validation_set_decides() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    let path = folder.path().display().to_string();
    let done = Program::run(&["select", &path, "--over", KEYS[0], "--json"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let choices: Value = serde_json::from_str(&done.stdout).unwrap();
    let choice = &choices[0];
    assert_eq!(choice["chosen"][KEYS[0]], 0.2);
    assert_eq!(choice["worst_attack"][KEYS[1]], "ipm");
    let close = |key: &str, value: f64| (choice[key].as_f64().unwrap() - value).abs() < 1e-12;
    assert!(close("validation_accuracy", 0.65) && close("test_accuracy", 0.7), "{choice}");
    assert!(close("lowest_test_accuracy", 0.2), "{choice}");
    // Of two seeds, 12.7062 times half of what they differ by.
    let half = choice["validation_accuracy_half"].as_f64().unwrap();
    assert!((half - 12.7062 * 0.05).abs() < 1e-5 && choice["seeds"] == 2, "{choice}");
    let table = Program::run(&["select", &path, "--over", KEYS[0]]).stdout;
    assert!(table.contains("65.00 ± 63.53 %") && table.contains("70.00 ± 127.06 %"), "{table}");
    assert!(table.contains("attackers.0.attack=\"ipm\""), "{table}");
    assert!(table.lines().next().unwrap().ends_with("seeds  candidates"), "{table}");
}

/// The cells under `ipm` are those in which nobody attacks.
#[test]
fn where_nobody_attacks_there_is_no_worst_attack() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    let leave = |attack: &str, text: &str| {
        let cells = CELLS.iter().enumerate().filter(|(_, cell)| cell.1 == attack);
        cells.for_each(|(at, _)| {
            fs::write(folder.path().join(format!("cell{at}/config.toml")), text).unwrap()
        });
    };
    let path = folder.path().display().to_string();
    let choice = || {
        let done = Program::run(&["select", &path, "--over", KEYS[0], "--json"]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        serde_json::from_str::<Value>(&done.stdout).unwrap()[0].clone()
    };
    leave("ipm", &config("none"));
    let chosen = choice();
    assert_eq!(chosen["chosen"][KEYS[0]], 0.2);
    assert_eq!(chosen["worst_attack"][KEYS[1]], "alie", "0.2 has less without attackers");
    leave("alie", &config("alie").replace("count = 2", "count = 0"));
    assert_eq!(choice()["worst_attack"], json!({}));
    let table = Program::run(&["select", &path, "--over", KEYS[0]]).stdout;
    assert!(table.lines().nth(1).unwrap().contains("  –  "), "{table}");
}

#[test]
fn a_seed_is_not_chosen_by_its_result() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    let path = folder.path().display().to_string();
    let over = format!("{},seed", KEYS[0]);
    let said = Program::fails(&["select", &path, "--over", &over]);
    assert!(said.contains("--over seed: a seed is no hyper-parameter"), "{said}");
    let said = Program::fails(&["select", &path, "--over", KEYS[0], "--worst", "seed"]);
    assert!(said.contains("--worst seed: a seed is no adversary"), "{said}");
}

/// Groups that are swept whole are studied one by one unless they are named as the adversary's.
#[test]
fn attackers_that_are_swept_whole_are_no_attack_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    let manifest = folder.path().join("sweep.json");
    let whole = fs::read_to_string(&manifest).unwrap().replace(KEYS[1], "attackers");
    fs::write(&manifest, whole).unwrap();
    let path = folder.path().display().to_string();
    let done = Program::run(&["select", &path, "--over", KEYS[0], "--json"]);
    assert!(done.stderr.contains("each value of attackers has a choice of its own"), "{}", done.stderr);
    assert!(done.stderr.contains("--worst attackers takes the worst"), "{}", done.stderr);
    let choices: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(choices.as_array().unwrap().len(), 2);
    let done = Program::run(&["select", &path, "--over", KEYS[0], "--worst", "attackers", "--json"]);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    let choices: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&choices[0]["chosen"][KEYS[0]], choices.as_array().unwrap().len()), (&json!(0.2), 1));
}

#[test]
fn a_tie_is_told() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    for cell in 0..CELLS.len() {
        let rows = "round,validation_accuracy,test_accuracy\n9,0.5,0.5\n";
        fs::write(folder.path().join(format!("cell{cell}/evaluations.csv")), rows).unwrap();
    }
    let done = Program::run(&["select", &folder.path().display().to_string(), "--over", KEYS[0]]);
    let tie =
        "warning: aggregator.step.sgd.lr=0.2 does as well as aggregator.step.sgd.lr=0.1, which comes first";
    assert!(done.status == 0 && done.stderr.contains(tie), "{}", done.stderr);
}

#[test]
fn a_key_that_is_named_twice_is_one_column() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "validation_accuracy,test_accuracy");
    let path = folder.path().display().to_string();
    let table = |over: &str, worst: &str| {
        let done = Program::run(&["select", &path, "--over", over, "--worst", worst]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        done.stdout
    };
    let once = table(KEYS[0], KEYS[1]);
    assert_eq!(once.matches(KEYS[0]).count(), 1, "{once}");
    let twice = |key: &str| format!("{key},{key}");
    assert_eq!(table(&twice(KEYS[0]), &twice(KEYS[1])), once);
}

#[test]
fn without_a_validation_set_nothing_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), "test_loss,test_accuracy");
    let path = folder.path().display().to_string();
    let message = Program::fails(&["select", &path, "--over", KEYS[0]]);
    assert!(message.contains("[task] validation = N"), "{message}");
    let message = Program::fails(&["select", &path, "--over", "task.clip"]);
    assert!(message.contains("task.clip is not swept"), "{message}");
    let nothing = folder.path().join("cell0").display().to_string();
    assert!(Program::fails(&["select", &nothing, "--over", KEYS[0]]).contains("there is no sweep.json"));
}
