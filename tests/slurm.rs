//! Sweeps on a real Slurm cluster: the one that `SLURM_CONF` names, which
//! `scripts/slurm-node.sh` starts (`make test-slurm`): its arrays have indices up to 4, and its partition is to be named.
//! Without it, nothing is tested, and the test says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const SWEEP: &str = r#"
name = "study"
rounds = 30

[task]
objective = { least-squares = { dim = 10 } }

[aggregator]
rule = ["cwmed"]

[[workers]]
count = 5

[[attackers]]
count = 2
attack = "ipm"

[sweep]
"attackers.0.attack" = ["ipm", "zero"]
seed = [1, 2]
"#;

fn phalanx(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_phalanx")).args(arguments).current_dir(folder).output().unwrap()
}

/// Hands the cells of the sweep in `folder` to the cluster, and returns what is said.
fn submit(folder: &Path, more: &[&str]) -> String {
    let arguments = ["sweep", "sweep.toml", "--slurm", "--sbatch=--partition=debug"];
    let done = phalanx(folder, &[&arguments[..], more].concat());
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{stderr}");
    stderr
}

fn slurm(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

fn statuses(sweep: &Path) -> Vec<String> {
    let text = fs::read(sweep.join("sweep.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    let status = |cell: &Value| cell["status"].as_str().unwrap().to_owned();
    manifest["cells"].as_array().unwrap().iter().map(status).collect()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(180), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn no_job_is_left() -> bool {
    slurm("squeue", &["-h", "--name=study,study-report"]).trim().is_empty()
}

/// A folder with a sweep, and where its results will be; none without a cluster.
fn place(text: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    if std::env::var_os("SLURM_CONF").is_none() {
        eprintln!("skipped: there is no Slurm cluster; `make test-slurm` starts one");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sweep.toml"), text).unwrap();
    let sweep = folder.path().join("runs/study");
    Some((folder, sweep))
}

#[test]
fn an_array_job_runs_every_cell_and_the_report_follows() {
    let Some((folder, sweep)) = place(SWEEP) else { return };
    let arguments =
        ["sweep", "sweep.toml", "--slurm", "--sbatch=--partition=debug", "--jobs", "2", "--dry-run"];
    let shown = phalanx(folder.path(), &arguments);
    let script = String::from_utf8(shown.stdout).unwrap();
    assert!(script.contains("#SBATCH --array=0-3%2\n"), "{script}");
    assert!(!sweep.exists());

    let stderr = submit(folder.path(), &["--jobs", "2"]);
    assert!(stderr.contains("4 cells submitted as job"), "{stderr}");
    assert_eq!(fs::read_to_string(sweep.join("slurm.sh")).unwrap(), script);
    wait_for("the array job", no_job_is_left);
    assert_eq!(statuses(&sweep), ["completed"; 4], "{}", logs(&sweep));
    let log = fs::read_dir(&sweep).unwrap().flatten().map(|entry| entry.path());
    let reports = log.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("slurm-"));
    assert!(reports.count() >= 5, "a log for every task and one for the report");
    same_as_a_local_sweep(folder.path(), &sweep);

    assert!(sweep.join("report/index.html").is_file(), "{}", logs(&sweep));

    assert!(submit(folder.path(), &[]).contains("no cell is left to run"));
}

#[test]
fn more_cells_than_an_array_takes_are_several_arrays() {
    let many = SWEEP.replace("seed = [1, 2]", "seed = [1, 2, 3]").replace("\"study\"", "\"study-3\"");
    let Some((folder, _)) = place(&many) else { return };
    let sweep = folder.path().join("runs/study-3");
    let said = submit(folder.path(), &["--jobs", "1"]);
    assert!(said.contains("6 cells submitted as job ") && said.contains(", their report as job "), "{said}");
    let script = fs::read_to_string(sweep.join("slurm-2.sh")).unwrap();
    assert!(script.contains("#SBATCH --array=0%1\n"), "{script}");
    wait_for("the array jobs", || {
        slurm("squeue", &["-h", "--name=study-3,study-3-report"]).trim().is_empty()
    });
    assert_eq!(statuses(&sweep), ["completed"; 6], "{}", logs(&sweep));
}

#[test]
fn cells_that_are_submitted_twice_run_once() {
    let endless = SWEEP.replace("rounds = 30", "rounds = 100000000").replace("\"study\"", "\"study-4\"");
    let Some((folder, _)) = place(&endless) else { return };
    let sweep = folder.path().join("runs/study-4");
    submit(folder.path(), &["--jobs", "1"]);
    submit(folder.path(), &["--jobs", "1"]);
    wait_for("a cell at work", || statuses(&sweep).contains(&"running".to_owned()));
    if thread::available_parallelism().unwrap().get() > 1 {
        let left = "is at work in another process, and left to it";
        wait_for("the second to leave the cell", || logs(&sweep).contains(left));
    }
    let third = submit(folder.path(), &["--jobs", "1"]);
    assert!(third.contains("at work already, and left out"), "{third}");
    for name in ["study-4", "study-4-report"] {
        slurm("scancel", &[&format!("--name={name}")]);
    }
    wait_for("the end of the jobs", || slurm("squeue", &["-h", "--name=study-4"]).trim().is_empty());
}

fn same_as_a_local_sweep(folder: &Path, sweep: &Path) {
    assert!(phalanx(folder, &["sweep", "sweep.toml", "--out", "local", "--quiet"]).status.success());
    let mut compared = 0;
    for entry in fs::read_dir(folder.join("local/study")).unwrap().flatten() {
        let rounds = entry.path().join("rounds.csv");
        if rounds.exists() {
            let other = sweep.join(entry.file_name()).join("rounds.csv");
            assert_eq!(fs::read(rounds).unwrap(), fs::read(other).unwrap());
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}

#[test]
fn a_cancelled_job_leaves_cells_that_the_next_one_takes_up() {
    let endless = SWEEP.replace("rounds = 30", "rounds = 100000000").replace("\"study\"", "\"study-2\"");
    let Some((folder, _)) = place(&endless) else { return };
    let sweep = folder.path().join("runs/study-2");
    let submitted = || {
        let said = submit(folder.path(), &["--jobs", "1"]);
        assert!(said.contains("4 cells submitted"), "{said}");
        wait_for("a cell at work", || statuses(&sweep).contains(&"running".to_owned()));
        slurm("scancel", &["--name=study-2"]);
        slurm("scancel", &["--name=study-2-report"]);
        wait_for("the end of the job", || slurm("squeue", &["-h", "--name=study-2"]).trim().is_empty());
    };
    submitted();
    submitted();
    let left = phalanx(folder.path(), &["sweep", "sweep.toml", "--dry-run"]);
    let shown = String::from_utf8(left.stderr).unwrap();
    assert!(shown.contains("1 interrupted, 3 pending"), "{shown}{}", logs(&sweep));
}

fn logs(sweep: &Path) -> String {
    let entries = fs::read_dir(sweep).unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| fs::read_to_string(path).unwrap_or_default())
        .collect()
}
