//! Workers that remember in a file, or in half precision.

use std::{fs, path::Path};

use crate::harness::{self, Program, experiment};

/// 32 workers with momentum and 8 attackers, of whom 20 take part in a round.
fn cohorts() -> String {
    let text =
        harness::CONVEX.replace("count = 9\nestimator = \"storm\"", "count = 32\nestimator = \"momentum\"");
    format!("{text}\n[participation]\ncohort = 20\n")
}

fn bytes(folder: &Path) -> [Vec<u8>; 2] {
    ["rounds.csv", "parameters.safetensors"].map(|name| fs::read(folder.join(name)).unwrap())
}

#[test]
fn a_file_changes_no_bit_and_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("scratch");
    let file = experiment(folder.path(), "experiment.toml", &cohorts());
    let run = |sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        Program::folder(&[&[file.as_str()], &sets[..]].concat(), folder.path())
    };
    let place = format!("machine.scratch='{}'", scratch.display());
    let (memory, filed) = (run(&[]), run(&["machine.state=file", &place]));
    assert_eq!(bytes(&memory), bytes(&filed));
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "the file has no name");
    assert!(fs::read_to_string(filed.join("config.toml")).unwrap().contains("state = \"file\""));
    assert_eq!(harness::hash(&memory), harness::hash(&filed), "it is no part of the experiment");
    let rounded = run(&["task.state=bf16"]);
    assert_ne!(bytes(&memory), bytes(&rounded));
    assert_eq!(bytes(&rounded), bytes(&run(&["task.state=bf16", "machine.state=file"])));
}

#[test]
fn a_run_that_memory_cannot_hold_goes_into_a_file_if_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &cohorts());
    // The momenta of 2000 workers take 240 kB; those of a cohort, gradients and pairs 15 kB. 100 kB are allowed.
    let narrow = [
        "--set",
        "workers.0.count=2000",
        "--set",
        "attackers.0.count=500",
        "--set",
        "machine.memory_gb=0.0001",
    ];
    let error = Program::fails(&[&["check", file.as_str()], &narrow[..]].concat());
    assert!(
        error.contains("machine.memory_gb") && error.contains("machine.state = \"file\" puts"),
        "{error}"
    );
    for state in ["auto", "file"] {
        let set = format!("machine.state={state}");
        let done = Program::run(&[&["check", file.as_str(), "--set", &set], &narrow[..]].concat());
        assert_eq!(done.status, 0, "{state}: {}", done.stderr);
    }
    let error = Program::fails(&["check", &file, "--set", "machine.state=disk"]);
    assert!(error.contains("machine.state") && error.contains("disk"), "{error}");
    let nowhere = ["run", &file, "--set", "machine.state=file", "--set", "machine.scratch='/proc/nowhere'"];
    let error = Program::fails(&nowhere);
    assert!(error.contains("/proc/nowhere") && error.contains("for what workers remember"), "{error}");
}
