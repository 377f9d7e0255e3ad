//! Several experiments of one call.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use crate::harness::{CONVEX, Program, experiment};

/// Files for experiments of these names, which differ in their seeds.
fn files(folder: &Path, names: &[&str]) -> Vec<String> {
    let file = |(seed, name): (usize, &&str)| {
        let text =
            CONVEX.replace("\"convex\"", &format!("{name:?}")).replace("seed = 3", &format!("seed = {seed}"));
        experiment(folder, &format!("{name}.toml"), &text)
    };
    names.iter().enumerate().map(file).collect()
}

fn run(files: &[String], out: &Path, more: &[&str]) -> Program {
    let out = out.display().to_string();
    let files = files.iter().map(String::as_str);
    let all: Vec<&str> =
        ["run"].into_iter().chain(files).chain(["--out", &out]).chain(more.iter().copied()).collect();
    Program::run(&all)
}

/// The run folder of each name, and its rounds.
fn rounds(stdout: &str, name: &str) -> String {
    let inside = |path: &PathBuf| path.parent().is_some_and(|parent| parent.ends_with(name));
    let path = stdout.lines().map(PathBuf::from).find(inside).unwrap();
    fs::read_to_string(path.join("rounds.csv")).unwrap()
}

#[test]
fn runs_at_the_same_time_give_the_bits_of_runs_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["one", "two", "three"];
    let files = files(folder.path(), &names);
    let together = run(&files, &folder.path().join("together"), &["--jobs", "3"]);
    let in_turn = run(&files, &folder.path().join("in-turn"), &["--quiet", "--threads", "2"]);
    assert_eq!((together.status, in_turn.status), (0, 0), "{}{}", together.stderr, in_turn.stderr);
    assert_eq!(together.stdout.lines().count(), 3);
    for name in names {
        assert_eq!(rounds(&together.stdout, name), rounds(&in_turn.stdout, name), "{name}");
        assert!(together.stderr.contains(&format!("{name}.toml: status completed")), "{}", together.stderr);
    }
    assert_eq!(in_turn.stderr, "");
}

#[test]
fn a_failed_run_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path(), &["first", "last"]);
    // The first step leaves the numbers behind, so that the second round has no finite vector.
    let text = CONVEX.replace("\"convex\"", "\"bad\"").replace("lr = 0.01", "lr = 1e300");
    files.insert(0, experiment(folder.path(), "bad.toml", &text));
    let done = run(&files, folder.path(), &["--jobs", "2"]);
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(done.stderr.contains("bad.toml: failed:") && done.stderr.contains("1 of 3"), "{}", done.stderr);
    for name in ["first", "last"] {
        assert_eq!(rounds(&done.stdout, name).lines().count(), 41);
    }
}

#[test]
fn nothing_runs_if_one_file_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path(), &["good"]);
    files.push(experiment(folder.path(), "typo.toml", &CONVEX.replace("cwmed", "cwmedian")));
    let out = folder.path().join("runs");
    let done = run(&files, &out, &[]);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("typo.toml") && done.stderr.contains("cwmedian"), "{}", done.stderr);
    assert!(!out.exists());
}

#[test]
fn runs_at_the_same_time_cannot_share_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), &["one", "two"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let metrics = format!("--metrics=127.0.0.1:{port}");
    let out = folder.path().join("refused");
    let done = run(&files, &out, &["--jobs", "2", &metrics]);
    assert_eq!(done.status, 2, "{}", done.stderr);
    let words = format!("two.toml: telemetry.listen: 127.0.0.1:{port} is that of");
    assert!(done.stderr.contains(&words) && done.stderr.contains("port_in_use"), "{}", done.stderr);
    assert!(!out.exists());
    for more in [
        &["--jobs", "1", metrics.as_str()][..],
        &["--jobs", "2", &metrics, "--set", "telemetry.port_in_use=next"],
        &["--jobs", "2", "--metrics=127.0.0.1:0"],
    ] {
        let done = run(&files, &folder.path().join("taken"), more);
        assert_eq!(done.status, 0, "{more:?}: {}", done.stderr);
    }
}

#[test]
fn runs_that_only_fit_in_turn_are_not_run_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(available) = phalanx::machine::available_memory() else {
        println!("skipped: the available memory is not known");
        return;
    };
    let files = files(folder.path(), &["one", "two"]);
    // Each takes two thirds of it: a worker with this estimator three vectors of 40 MB.
    let count = format!("workers.0.count={}", available / 3 * 2 / 120_000_000);
    let large = ["--set", "task.objective={least-squares={dim=10000000}}", "--set", &count];
    let at_once = run(&files, folder.path(), &[&large[..], &["--jobs", "2"]].concat());
    assert_eq!((at_once.status, at_once.stdout.as_str()), (2, ""), "{}", at_once.stderr);
    let said = "error: --jobs: 2 runs at the same time may need about ";
    assert!(at_once.stderr.contains(said), "{}", at_once.stderr);
    assert_eq!(at_once.stderr.matches("error: ").count(), 1, "each would fit alone: {}", at_once.stderr);
}
