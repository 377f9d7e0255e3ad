//! Whole runs: the run folder, and the same bits from the same seed.

use std::{collections::HashMap, fs, path::Path};

use serde_json::json;

use crate::harness::{self, Program, experiment};

/// `rounds.csv` and `evaluations.csv`, with their headings.
fn rounds(folder: &Path) -> String {
    ["rounds.csv", "evaluations.csv"].map(|name| fs::read_to_string(folder.join(name)).unwrap()).concat()
}

fn same_bits(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", text);
    let run = |threads: &str| Program::folder(&[&file, "--threads", threads], folder.path());
    let (one, two, again) = (run("1"), run("2"), run("2"));
    assert!(rounds(&one).lines().count() >= 10);
    assert_eq!(rounds(&one), rounds(&two), "one thread and two threads differ");
    assert_eq!(rounds(&two), rounds(&again), "two runs differ");
    let parameters = |folder: &Path| fs::read(folder.join("parameters.safetensors")).unwrap();
    assert_eq!(parameters(&one), parameters(&two));
    assert_eq!(parameters(&two), parameters(&again));
    let seeded = Program::folder(&[&file, "--set", "seed=99"], folder.path());
    assert_ne!(rounds(&one), rounds(&seeded), "the seed changes nothing");
}

#[test]
fn a_convex_task_gives_the_same_bits() {
    same_bits(harness::CONVEX);
}

#[cfg(feature = "torch")]
#[test]
fn a_torch_model_gives_the_same_bits() {
    same_bits(&torch_model(12, "f32"));
    same_bits(&torch_model(12, "bf16"));
}

/// A small network in place of the convex task.
#[cfg(feature = "torch")]
fn torch_model(rounds: u64, precision: &str) -> String {
    let task =
        format!("dataset = \"digits\"\nmodel = \"simple-cnn\"\nclip = 2.0\nprecision = \"{precision}\"");
    harness::CONVEX
        .replace("objective = { least-squares = { dim = 30 } }", &task)
        .replace("rounds = 40", &format!("rounds = {rounds}"))
        .replace("attack = \"ipm\"", "attack = \"sign-flip\"")
}

#[test]
fn the_run_folder_holds_what_a_review_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let run = Program::folder(&[&file], folder.path());
    assert!(run.starts_with(folder.path().join("convex")));
    for name in [
        "config.toml",
        "run.json",
        "rounds.csv",
        "evaluations.csv",
        "timings.csv",
        "summary.json",
        "parameters.safetensors",
    ] {
        assert!(run.join(name).is_file(), "{name} is missing");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["status"], "completed");
    assert_eq!(summary["rounds"], 40);
    let evaluations = fs::read_to_string(run.join("evaluations.csv")).unwrap();
    let at: Vec<&str> = evaluations.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(at, ["0", "10", "20", "30", "40"]);
}

/// What `rounds.csv` says of all together follows from what `workers.csv` says of each.
#[test]
fn every_worker_has_a_row_if_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let fewer = harness::CONVEX.replace("count = 8", "count = 7");
    let silent = "[[faults]]\nfault = 'silence'\nworkers = [2]\nfrom = 20\n[barrier]\nabsence = 'drop'\n";
    let file = experiment(folder.path(), "experiment.toml", &format!("{fewer}{silent}"));
    let run = |sets: &[&str]| Program::folder(&[&[file.as_str(), "--set"], sets].concat(), folder.path());
    let told = run(&["record.workers_every=10", "--threads", "1"]);
    let table = |name: &str| -> Vec<HashMap<String, String>> {
        csv::Reader::from_path(told.join(name)).unwrap().deserialize().map(Result::unwrap).collect()
    };
    let (rounds, workers) = (table("rounds.csv"), table("workers.csv"));
    let number = |row: &HashMap<String, String>, column: &str| row[column].parse::<f64>().ok();
    assert_eq!(workers.len(), 4 * 16);
    for (at, cast) in [10, 20, 30, 40].into_iter().zip(workers.chunks(16)) {
        assert!(cast.iter().all(|row| row["round"] == at.to_string()));
        assert!(cast.iter().enumerate().all(|(id, row)| row["worker"] == id.to_string()));
        let of = |role: &str, column: &str| -> Vec<f64> {
            cast.iter().filter(|row| row["role"] == role).filter_map(|row| number(row, column)).collect()
        };
        let round = &rounds[at - 1];
        let (honest, byzantine) = (of("honest", "weight"), of("byzantine", "weight"));
        let (sum, all) = (byzantine.iter().sum::<f64>(), honest.iter().chain(&byzantine).sum::<f64>());
        assert!((sum / all - number(round, "byzantine_weight").unwrap()).abs() < 1e-12);
        let losses = of("honest", "loss");
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!((mean - number(round, "honest_loss").unwrap()).abs() < 1e-12 * mean.abs());
        let there = if at < 20 { 16 } else { 15 };
        assert_eq!(cast.iter().filter(|row| row["outcome"] == "accepted").count(), there);
        assert_eq!(cast.iter().filter(|row| number(row, "distance").is_some()).count(), there);
        assert_eq!(cast[2]["outcome"], if at < 20 { "accepted" } else { "absent" });
    }
    let untold = run(&["record.workers_every=0"]);
    assert!(!untold.join("workers.csv").exists());
    assert_eq!(harness::hash(&told), harness::hash(&untold), "what is written changes no result");
}

/// What `run.json` of a run says of what computed.
fn computation(file: &str, sets: &[&str], out: &Path) -> serde_json::Value {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let run = Program::folder(&[file].into_iter().chain(sets).collect::<Vec<_>>(), out);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    json["computation"].clone()
}

#[test]
fn a_convex_run_records_its_precision() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let found = computation(&file, &["task.precision=f64"], folder.path());
    assert_eq!(found, json!({ "way": null, "tiles": {}, "precision": "f64", "device": "cpu" }));
}

#[cfg(feature = "torch")]
#[test]
fn what_computed_is_recorded_as_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &torch_model(1, "f32"));
    let of = |sets: &[&str]| computation(&file, sets, folder.path());
    let told = |way: &str, tiles: serde_json::Value, precision: &str| json!({ "way": way, "tiles": tiles, "precision": precision, "device": "cpu" });
    let batch = "workers.0.batch_size=3";
    assert_eq!(of(&[batch, "task.precision=f64"]), told("kernels", json!({ "3": 1 }), "f64"));
    // A sample of digits is 1.39 MFLOP, forward and twice as much backward: 600 MFLOP are 144 workers of three samples.
    assert_eq!(of(&[batch, "task.way=torch"]), told("torch", json!({ "3": 144 }), "f32"));
    let two_sizes = [batch, "attackers.0.batch_size=50", "task.way=torch", "task.tile=5"];
    assert_eq!(of(&two_sizes), told("torch", json!({ "3": 5, "50": 5 }), "f32"));
    assert_eq!(of(&[batch, "task.precision=bf16"]), told("torch", json!({ "3": 144 }), "bf16"));
    let refusal = Program::fails(&["check", &file, "--set", "task.tile=5"]);
    assert!(refusal.contains("task.tile") && refusal.contains("the kernels take one"), "{refusal}");
}

#[test]
fn the_resolved_configuration_runs_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let first = Program::folder(&[&file, "--set", "preset=dahan"], folder.path());
    let resolved = first.join("config.toml").display().to_string();
    let second = Program::folder(&[&resolved], folder.path());
    assert_eq!(rounds(&first), rounds(&second));
    assert_eq!(harness::hash(&first), harness::hash(&second), "the same configuration has another hash");
}

#[test]
fn a_chain_may_be_a_string() {
    let folder = tempfile::tempdir().unwrap();
    let listed = experiment(folder.path(), "listed.toml", harness::CONVEX);
    let text = harness::CONVEX.replace(r#"["ctma", "cwmed"]"#, r#""ctma, cwmed""#);
    assert_ne!(text, harness::CONVEX);
    let written = experiment(folder.path(), "written.toml", &text);
    let expected = Program::folder(&[&listed], folder.path());
    let config = |run: &Path| fs::read_to_string(run.join("config.toml")).unwrap();
    for arguments in [vec![written.as_str()], vec![listed.as_str(), "--set", "aggregator.rule=ctma,cwmed"]] {
        let run = Program::folder(&arguments, folder.path());
        assert_eq!(config(&run), config(&expected));
        assert_eq!(rounds(&run), rounds(&expected));
    }
}

#[test]
fn a_mean_is_broken_where_a_robust_rule_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let gap = |rule: &str| {
        let sets = format!("aggregator.rule=[{rule}]");
        let run =
            Program::folder(&[&file, "--set", &sets, "--set", "attackers.0.attack=gaussian"], folder.path());
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
        summary["gap"].as_f64().unwrap()
    };
    let (mean, robust) = (gap("'mean'"), gap("'ctma','cwmed'"));
    assert!(mean > 2.0 * robust, "gap with mean {mean}, with ctma {robust}");
}

#[test]
fn vectors_that_are_not_finite_are_set_aside_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let run = Program::folder(&[&file, "--set", "attackers.0.attack=nan"], folder.path());
    let mut reader = csv::Reader::from_path(run.join("rounds.csv")).unwrap();
    let column = reader.headers().unwrap().iter().position(|name| name == "set_aside").unwrap();
    assert!(reader.records().all(|row| &row.unwrap()[column] == "8"));
}

/// The rule sets the vector aside; attacks deviate from the others, and what is measured is measured on them.
#[test]
fn an_honest_vector_that_is_not_finite_disarms_no_attack() {
    let folder = tempfile::tempdir().unwrap();
    let fault = "[[faults]]\nfault = \"nan\"\nworkers = [0]\nfrom = 2\nuntil = 3\n";
    let file = experiment(folder.path(), "experiment.toml", &format!("{}\n{fault}", harness::CONVEX));
    let attacks = [
        "alie",
        "anti-cge",
        "anti-lasa",
        "drift",
        "foe",
        "hybrid-sparse",
        "ipm",
        "mimic",
        "min-max",
        "min-sum",
        "opt-alie",
        "opt-ipm",
        "rop",
        "single-coordinate",
        "{mimic={choice='variance'}}",
        "{fang={target='krum'}}",
        "{fang={target='cwmed'}}",
        "{sign-flip={of='honest-mean'}}",
        "{stale={of='honest-mean',rounds=3}}",
    ];
    for attack in attacks {
        let set = format!("attackers.0.attack={attack}");
        let run = Program::folder(&[&file, "--set", &set, "--set", "rounds=8"], folder.path());
        let mut reader = csv::Reader::from_path(run.join("rounds.csv")).unwrap();
        let column = |name: &str| reader.headers().unwrap().iter().position(|found| found == name).unwrap();
        let [aside, distance] = ["set_aside", "honest_distance"].map(column);
        for (round, row) in (1..).zip(reader.records()) {
            let row = row.unwrap();
            assert_eq!(
                &row[aside],
                if (2..=3).contains(&round) { "1" } else { "0" },
                "{attack}, round {round}"
            );
            assert!(row[distance].parse::<f64>().unwrap().is_finite(), "{attack}, round {round}");
        }
    }
}

#[test]
fn a_schedule_of_attacks_switches() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let run = |attack: &str| {
        let set = format!("attackers.0.attack={attack}");
        rounds(&Program::folder(&[&file, "--set", &set], folder.path()))
    };
    let switched = run("{switching={schedule=[{from=1,attack='ipm'},{from=20,attack='nan'}]}}");
    let plain = run("ipm");
    let head = |text: &str| text.lines().take(20).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&switched), head(&plain));
    assert_ne!(switched.lines().nth(20), plain.lines().nth(20));
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, "a file in the way").unwrap();
    let message = Program::fails(&["run", &file, "--quiet", "--out", &blocked.display().to_string()]);
    assert!(message.contains("blocked"), "{message}");
}
