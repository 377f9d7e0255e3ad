//! Whole runs on a GPU: the same bits each time, resumed or not, and near those on the CPU.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Place;

fn phalanx() -> Command {
    Command::new(env!("CARGO_BIN_EXE_phalanx"))
}

/// The arguments of a run into the folder `out`.
fn arguments(place: &Place, out: &str, sets: &[&str]) -> Vec<String> {
    let out = place.path().join(out).display().to_string();
    let mut all: Vec<String> = ["run", &place.experiment, "--quiet", "--out", &out].map(Into::into).to_vec();
    all.extend(sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
    all
}

/// Runs, and returns the folder of the run.
fn run(place: &Place, out: &str, sets: &[&str]) -> PathBuf {
    let done = phalanx().args(arguments(place, out, sets)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().into()
}

fn rounds(folder: &Path) -> String {
    fs::read_to_string(folder.join("rounds.csv")).unwrap()
}

/// The column of that name.
fn column(folder: &Path, name: &str) -> Vec<f64> {
    let table = rounds(folder);
    let mut lines = table.lines();
    let at = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

const GPU: &str = "machine.device=cuda:0";

#[test]
fn a_run_gives_the_same_bits_each_time() {
    let Some(place) = Place::new() else { return };
    for sets in [
        &[GPU, "rounds=60"] as &[&str],
        &[GPU, "rounds=30", "workers.0.batch_size=64", "attackers.0.batch_size=64"],
        &[GPU, "rounds=30", "task.precision=bf16"],
        &[GPU, "rounds=30", "task.model=cnn-mnist", "machine.threads=1"],
    ] {
        let [one, two] = ["one", "two"].map(|out| run(&place, out, sets));
        assert_eq!(rounds(&one), rounds(&two), "{sets:?}");
        let evaluations = |run: &Path| fs::read(run.join("evaluations.csv")).unwrap();
        assert_eq!(evaluations(&one), evaluations(&two), "{sets:?}");
    }
}

#[test]
fn a_run_is_near_that_on_the_cpu() {
    let Some(place) = Place::new() else { return };
    // Rounding grows from round to round; TF32 would be off by more in the first one.
    for (precision, rounds, bound) in [("f64", "rounds=20", 1e-9), ("f32", "rounds=1", 1e-6)] {
        let precision = format!("task.precision={precision}");
        let gpu = run(&place, "gpu", &[GPU, &precision, rounds]);
        let cpu = run(&place, "cpu", &["machine.device=cpu", &precision, rounds]);
        for name in ["honest_loss", "aggregate_norm", "honest_variance"] {
            let pairs = column(&gpu, name).into_iter().zip(column(&cpu, name));
            let off = pairs.map(|(g, c)| ((g - c) / c).abs()).fold(0.0, f64::max);
            println!("{precision}: {name} is off by {off:.1e} at most");
            assert!(off < bound, "{precision}: {name} is off by {off}");
        }
    }
}

#[test]
fn a_run_beyond_the_memory_of_the_gpu_is_refused() {
    let Some(place) = Place::new() else { return };
    let sets = [GPU, "task.model=resnet18", "workers.0.count=10000"];
    let done = phalanx().args(arguments(&place, "large", &sets)).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("GB are on the GPU") && !said.contains("machine.state"), "{said}");
}

#[test]
fn a_stopped_run_goes_on_as_if_it_had_not_been() {
    let Some(place) = Place::new() else { return };
    let sets = [GPU, "rounds=600", "evaluation.every=0"];
    let whole = run(&place, "whole", &sets);
    let mut child =
        phalanx().args(arguments(&place, "stopped", &sets)).stdout(Stdio::null()).spawn().unwrap();
    let out = place.path().join("stopped");
    let stopped = wait_for_rounds(&out);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it was stopped");
    let done = phalanx().args(["resume", &stopped.display().to_string(), "--quiet"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(rounds(&whole), rounds(&stopped));
}

/// The folder of the only run below `out`, once it has some rounds.
fn wait_for_rounds(out: &Path) -> PathBuf {
    let began = Instant::now();
    let only = |folder: &Path| fs::read_dir(folder).ok()?.next()?.ok().map(|entry| entry.path());
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "no rounds");
        thread::sleep(Duration::from_millis(20));
        let Some(run) = only(out).and_then(|name| only(&name)) else { continue };
        if fs::read_to_string(run.join("rounds.csv")).is_ok_and(|table| table.lines().count() > 20) {
            return run;
        }
    }
}
