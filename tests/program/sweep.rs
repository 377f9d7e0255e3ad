//! Sweeps: cells as processes, what is run again and what is not, and what stops them.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{CONVEX, Program, experiment};

/// Four cells of milliseconds each.
const SWEEP: &str =
    "base = \"base.toml\"\n[sweep]\n\"attackers.0.attack\" = [\"ipm\", \"zero\"]\nseed = [1, 2]\n";

/// A folder with a base and a sweep over it.
struct Place {
    folder: tempfile::TempDir,
    file: String,
}

impl Place {
    fn new(base: &str, sweep: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        experiment(folder.path(), "base.toml", base);
        let file = experiment(folder.path(), "sweep.toml", sweep);
        Self { folder, file }
    }

    fn out(&self) -> String {
        self.folder.path().join("runs").display().to_string()
    }

    fn sweep(&self) -> PathBuf {
        self.folder.path().join("runs/convex")
    }

    fn run(&self, more: &[&str]) -> Program {
        let out = self.out();
        let arguments = ["sweep", &self.file, "--out", &out, "--jobs", "2"];
        Program::run(&[&arguments[..], more].concat())
    }

    fn spawn(&self, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_phalanx"))
            .args(["sweep", &self.file, "--out", &self.out(), "--jobs", "2"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Another sweep of the same name, in a file of its own.
    fn other(&self, file: &str, sweep: &str) -> Program {
        let file = experiment(self.folder.path(), file, sweep);
        Program::run(&["sweep", &file, "--out", &self.out()])
    }

    fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.sweep().join("sweep.json")).unwrap()).unwrap()
    }

    fn statuses(&self) -> Vec<String> {
        let status = |cell: &Value| cell["status"].as_str().unwrap().to_owned();
        self.manifest()["cells"].as_array().unwrap().iter().map(status).collect()
    }

    /// When each cell began.
    fn started(&self) -> Vec<String> {
        let started = |cell: &Value| {
            let path = self.sweep().join(cell["folder"].as_str().unwrap()).join("run.json");
            let run: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            run["started"].as_str().unwrap().to_owned()
        };
        self.manifest()["cells"].as_array().unwrap().iter().map(started).collect()
    }
}

/// A base whose runs end only when they are told to.
fn endless() -> String {
    CONVEX.replace("rounds = 40", "rounds = 100000000")
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn rounds(folder: &Path) -> usize {
    fs::read_to_string(folder.join("rounds.csv")).unwrap_or_default().lines().count().saturating_sub(1)
}

/// The run folders that have played a few rounds.
fn busy(sweep: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(sweep).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir() && rounds(path) > 3).collect()
}

/// The processes that run a cell in this folder.
fn processes(sweep: &Path) -> Vec<i32> {
    let marker = sweep.display().to_string();
    let is_cell = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("\0cell\0") && line.contains(&marker)
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_cell).collect()
}

fn signal(pid: i32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn attacks_that_can_do_nothing_are_told_before_the_cells_run() {
    let small = CONVEX.replace("count = 9", "count = 10").replace("count = 8", "count = 2");
    let sweep = SWEEP.replace("\"zero\"", "\"alie\", { alie = { z = 1.0 } }, \"rop\"");
    let place = Place::new(&small, &sweep);
    for command in [&["check", &place.file][..], &["sweep", &place.file, "--dry-run"]] {
        let done = Program::run(command);
        assert_eq!(done.status, 0, "{}", done.stderr);
        for attack in ["alie", "rop"] {
            let begin = format!("attackers.0.attack.{attack}: z = 0.000 follows from m = 12 and f = 2: ");
            let told = done.stderr.lines().filter(|line| line.contains(&begin)).collect::<Vec<_>>();
            assert!(told.len() == 1 && told[0].ends_with("(2 of 8 cells)"), "{command:?}: {}", done.stderr);
        }
    }
}

#[test]
fn a_dry_run_lists_the_cells_and_writes_nothing() {
    let place = Place::new(CONVEX, SWEEP);
    let done = place.run(&["--dry-run"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", done.stdout);
    for (line, expected) in lines.iter().zip([("ipm", 1), ("ipm", 2), ("zero", 1), ("zero", 2)]) {
        let label = format!("attackers.0.attack=\"{}\" seed={}", expected.0, expected.1);
        assert!(line.contains("pending") && line.ends_with(&label), "{line}");
    }
    assert!(!place.sweep().exists());
}

#[test]
fn a_cluster_is_handed_no_script_without_a_cell() {
    let place = Place::new(CONVEX, SWEEP);
    let shown = place.run(&["--slurm", "--dry-run"]);
    assert!(shown.status == 0 && shown.stdout.contains("#SBATCH --array="), "{}", shown.stdout);
    assert_eq!(place.run(&[]).status, 0);
    for more in [&["--slurm", "--dry-run"][..], &["--hq", "--dry-run"], &["--hq"]] {
        let done = place.run(more);
        assert_eq!((done.status, done.stdout.as_str()), (0, ""), "{more:?}");
        assert!(done.stderr.contains("no cell is left to run"), "{more:?}: {}", done.stderr);
    }
}

/// Programs that stand for those of Slurm, which takes arrays of three cells; each call of `sbatch` is noted, and the
/// `refused`th fails.
struct Cluster(tempfile::TempDir);

impl Cluster {
    fn new(refused: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sbatch = format!(
            "#!/bin/sh\ncd {}\necho \"$@\" >> calls\nn=$(wc -l < calls)\n\
             if [ $n = {refused} ]; then echo 'no partition' >&2; exit 1; fi\necho $((100 + n))\n",
            folder.path().display()
        );
        for (name, text) in [("sbatch", sbatch.as_str()), ("scontrol", "#!/bin/sh\necho MaxArraySize = 3\n")]
        {
            let source = folder.path().join(format!("{name}.sh"));
            fs::write(&source, text).unwrap();
            // Written by another process, for a file that this one writes cannot be run by its others.
            let mut install = Command::new("install");
            assert!(install.arg(&source).arg(folder.path().join(name)).status().unwrap().success());
        }
        Self(folder)
    }

    fn takes(&self, place: &Place, more: &[&str]) -> Program {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let out = place.out();
        let arguments = ["sweep", &place.file, "--out", &out, "--slurm", "--sbatch=--partition=long"];
        Program::with_env(&[&arguments[..], more].concat(), &[("PATH", &path)])
    }

    /// The options of every call of `sbatch`, without the script.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.0.path().join("calls")).unwrap();
        calls.lines().map(|call| call.rsplit_once(' ').unwrap().0.to_owned()).collect()
    }
}

#[test]
fn cells_are_submitted_in_arrays_that_the_cluster_takes() {
    let place = Place::new(CONVEX, SWEEP);
    let cluster = Cluster::new(0);
    let shown = cluster.takes(&place, &["--dry-run"]);
    assert_eq!(shown.stdout.matches("#SBATCH --array=").count(), 2, "{}", shown.stdout);
    assert!(shown.stderr.contains("2 scripts, each for an array job of its own"), "{}", shown.stderr);
    let done = cluster.takes(&place, &[]);
    assert_eq!((done.status, done.stdout.trim()), (0, place.sweep().to_str().unwrap()), "{}", done.stderr);
    assert!(
        done.stderr.contains("4 cells submitted as job 101, 102, their report as job 103"),
        "{}",
        done.stderr
    );
    assert_eq!(cluster.calls(), ["--parsable", "--parsable", "--parsable --dependency=afterany:101:102"]);
    let script = |name: &str| fs::read_to_string(place.sweep().join(name)).unwrap();
    for (name, line) in [
        ("slurm.sh", "#SBATCH --array=0-2\n"),
        ("slurm-2.sh", "#SBATCH --array=0\n"),
        ("slurm-2.sh", "--only $((SLURM_ARRAY_TASK_ID + 3))\n"),
        ("slurm.sh", "#SBATCH --partition=long\n"),
        ("slurm-2.sh", "#SBATCH --partition=long\n"),
        ("slurm-report.sh", "#SBATCH --partition=long\n"),
    ] {
        assert!(script(name).contains(line), "no {line} in {name}: {}", script(name));
    }

    // So many cells at a time are so many of all arrays.
    let in_turn = Cluster::new(0);
    assert_eq!(in_turn.takes(&place, &["--jobs", "2"]).status, 0);
    assert_eq!(in_turn.calls()[1], "--parsable --dependency=afterany:101");
}

#[test]
fn what_was_submitted_is_said_whatever_is_refused_behind_it() {
    let place = Place::new(CONVEX, SWEEP);
    let report = Cluster::new(3).takes(&place, &[]);
    assert_eq!((report.status, report.stdout.trim()), (0, place.sweep().to_str().unwrap()));
    assert!(report.stderr.contains("4 cells submitted as job 101, 102\n"), "{}", report.stderr);
    assert!(
        report.stderr.contains("warning: their report is not: sbatch: no partition; `"),
        "{}",
        report.stderr
    );

    let second = Cluster::new(2).takes(&place, &[]);
    assert_eq!((second.status, second.stdout.trim()), (1, place.sweep().to_str().unwrap()));
    assert!(second.stderr.contains("1 of 2 array jobs submitted, as 101; "), "{}", second.stderr);
    assert!(second.stderr.contains("slurm-2.sh: sbatch: no partition"), "{}", second.stderr);

    let first = Cluster::new(1).takes(&place, &[]);
    assert!(first.status == 2 && first.stderr.contains("error: sbatch: no partition"), "{}", first.stderr);
    assert!(!first.stderr.contains("submitted"), "{}", first.stderr);
}

#[test]
fn a_cell_at_work_is_left_to_the_process_that_has_it() {
    let place = Place::new(&endless(), SWEEP);
    // Two that begin at once, as tasks of a cluster may.
    let mut two = [(); 2].map(|()| place.spawn(&["--only", "1"]));
    let mut left = None;
    wait_for("one to leave the cell to the other", || {
        left = two.iter_mut().position(|child| child.try_wait().unwrap().is_some());
        left.is_some()
    });
    let [first, second] = two;
    let (mut child, second) = if left == Some(0) { (second, first) } else { (first, second) };
    let second = second.wait_with_output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.success(), "{said}");
    assert!(said.contains("cell 1 is at work in another process, and left to it"), "{said}");
    wait_for("a cell at work", || busy(&place.sweep()).len() == 1);
    assert_eq!(place.statuses(), ["pending", "running", "pending", "pending"]);

    let shown = place.run(&["--slurm", "--dry-run"]);
    assert!(shown.stderr.contains("1 cell at work already, and left out"), "{}", shown.stderr);
    assert!(shown.stdout.contains("#SBATCH --array=0,2-3%2\n"), "{}", shown.stdout);
    let cluster = Cluster::new(0);
    let submitted = cluster.takes(&place, &[]);
    assert!(submitted.stderr.contains("3 cells submitted as job 101, 102, "), "{}", submitted.stderr);
    assert_eq!(place.statuses(), ["pending", "running", "pending", "pending"]);
    signal(child.id() as i32, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A folder in the place of its manifest stands for a full disk.
#[test]
fn a_sweep_that_cannot_be_recorded_fails_and_has_its_cells_leave_checkpoints() {
    let place = Place::new(&endless(), SWEEP);
    let child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    let cells = busy(&place.sweep());
    fs::remove_file(place.sweep().join("sweep.json")).unwrap();
    fs::create_dir(place.sweep().join("sweep.json")).unwrap();
    processes(&cells[0]).into_iter().for_each(|pid| signal(pid, "-KILL"));
    let done = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: ") && stderr.contains("sweep.json: Is a directory"), "{stderr}");
    let summary = fs::read_to_string(cells[1].join("summary.json")).unwrap();
    assert!(summary.contains("interrupted"), "{summary}");
    assert_eq!(fs::read_dir(cells[1].join("checkpoints")).unwrap().count(), 1);
    assert!(processes(&place.sweep()).is_empty());
}

#[test]
fn a_cell_whose_loss_is_not_finite_is_said_to_have_diverged() {
    // Every step of this rate makes f(x) thousands of times larger: too large for f64 after 80 rounds, the point after 160.
    let base = "name = \"convex\"\ntask = { objective = { least-squares = { dim = 10 } }, precision = \"f64\" }\n\
                aggregator = { rule = [\"mean\"], step = { sgd = { lr = 100.0 } } }\nworkers = [{ count = 3 }]\n";
    let place = Place::new(base, "base = \"base.toml\"\n[sweep]\nrounds = [120]\n");
    let done = place.run(&[]);
    assert!(done.status == 0 && done.stderr.contains("completed, diverged  "), "{}", done.stderr);
    assert_eq!(place.manifest()["cells"][0]["diverged"], true);
}

#[test]
fn every_cell_is_a_run_and_finished_ones_are_not_run_again() {
    let place = Place::new(CONVEX, SWEEP);
    let done = place.run(&[]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.stdout.trim(), place.sweep().display().to_string());
    assert_eq!(place.statuses(), ["completed"; 4]);
    let cells = place.manifest()["cells"].as_array().unwrap().clone();
    for cell in &cells {
        let folder = place.sweep().join(cell["folder"].as_str().unwrap());
        assert_eq!(rounds(&folder), 40);
        assert!(cell["hash"] == cell["folder"] && cell["seconds"].as_f64().unwrap() > 0.0);
        assert!(cell["gap"].as_f64().is_some());
        let config: toml::Table =
            toml::from_str(&fs::read_to_string(folder.join("config.toml")).unwrap()).unwrap();
        assert_eq!(config["seed"].as_integer().unwrap(), cell["assignments"]["seed"].as_i64().unwrap());
    }
    let before = place.started();
    assert_eq!(place.run(&[]).status, 0);
    assert_eq!(place.started(), before, "a finished cell was run again");

    // One more seed: only the new cells are run.
    let more = place.run(&["--set", "sweep.seed=[1,2,3]"]);
    assert_eq!(more.status, 0, "{}", more.stderr);
    assert!(more.stderr.contains("2 cells to run"), "{}", more.stderr);
    assert_eq!(place.statuses(), ["completed"; 6]);
}

#[test]
fn a_cell_is_the_run_that_its_configuration_makes_alone() {
    let place = Place::new(CONVEX, SWEEP);
    assert_eq!(place.run(&["--only", "3"]).status, 0);
    let cell = place.manifest()["cells"][3].clone();
    let folder = place.sweep().join(cell["folder"].as_str().unwrap());
    let base = place.folder.path().join("base.toml").display().to_string();
    let sets = ["--set", "attackers.0.attack=zero", "--set", "seed=2"];
    let alone = Program::folder(&[&[base.as_str()], &sets[..]].concat(), place.folder.path());
    assert!(alone.display().to_string().ends_with(cell["hash"].as_str().unwrap()));
    for name in ["rounds.csv", "evaluations.csv", "parameters.safetensors"] {
        assert_eq!(fs::read(folder.join(name)).unwrap(), fs::read(alone.join(name)).unwrap(), "{name}");
    }
    assert_eq!(place.statuses(), ["pending", "pending", "pending", "completed"]);
    let done = place.run(&["--only", "4"]);
    assert!(done.status == 2 && done.stderr.contains("the cells are 0 to 3"), "{}", done.stderr);
}

#[test]
fn one_cell_runs_whatever_another_lacks() {
    // The memory is looked at last, and is not in the hash: cell 1 has a name although it cannot run.
    let sweep = "base = \"base.toml\"\n[[sweep.zip]]\nseed = [1, 2]\n\"machine.memory_gb\" = [0.0, 1e-9]\n";
    let place = Place::new(CONVEX, sweep);
    for arguments in [&[][..], &["--dry-run"], &["--only", "1"]] {
        let done = place.run(arguments);
        assert!(done.status == 2 && done.stderr.contains("memory"), "{arguments:?}: {}", done.stderr);
        assert!(!place.sweep().exists(), "{arguments:?}");
    }
    let done = place.run(&["--only", "0"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(place.statuses(), ["completed", "pending"]);
    // What another one came to is not this one's failure.
    let text = place.manifest().to_string().replace("\"pending\"", "\"failed\"");
    fs::write(place.sweep().join("sweep.json"), text).unwrap();
    assert_eq!(place.run(&["--only", "0"]).status, 0);
    assert_eq!(place.statuses(), ["completed", "failed"]);
}

#[test]
fn a_cell_has_the_same_name_whether_all_are_checked_or_one() {
    let convex = "\"task.objective\" = [\"least-squares\", \"logistic-regression\"]";
    let images = "\"task.dataset\" = [\"digits\"]\n\"task.model\" = [\"mlp\", \"simple-cnn\"]";
    let tasks = if cfg!(feature = "torch") { &[convex, images][..] } else { &[convex] };
    for task in tasks {
        let sweep = format!(
            "base = \"base.toml\"\n[sweep]\n{task}\n\"aggregator.rule\" = [[\"mean\"], [\"nnm\", \"cwtm\"]]\n\
             \"attackers.0.attack\" = [\"alie\", {{ ipm = {{ epsilon = 2.0 }} }}]\n\
             \"task.partition\" = [\"iid\", {{ dirichlet = {{ alpha = 0.9 }} }}]\n\
             \"faults\" = [[], [{{ probability = 0.1, fault = \"crash\" }}]]\n"
        );
        let base = CONVEX.replace("objective = { least-squares = { dim = 30 } }", "");
        let place = Place::new(&base, &sweep);
        let done = place.run(&["--dry-run"]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        let listed: Vec<&str> =
            done.stdout.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert_eq!(listed.len(), 32);
        assert_eq!(place.run(&["--only", "0"]).status, 0);
        let named: Vec<String> = place.manifest()["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| cell["hash"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(named, listed);
    }
}

#[test]
fn a_task_of_a_cluster_takes_the_cores_that_it_was_given() {
    let place = Place::new(CONVEX, SWEEP);
    let out = place.out();
    let given = [("SLURM_CPUS_PER_TASK", "2"), ("HQ_CPUS", "4,5,9")];
    for (cell, (given, threads)) in given.into_iter().zip([2, 3]).enumerate() {
        let arguments = ["sweep", &place.file, "--out", &out, "--only", &cell.to_string()];
        let done = Program::with_env(&arguments, &[given]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        let folder = place.manifest()["cells"][cell]["folder"].as_str().unwrap().to_owned();
        let run = fs::read(place.sweep().join(folder).join("run.json")).unwrap();
        let run: Value = serde_json::from_slice(&run).unwrap();
        assert_eq!(run["threads"], threads, "{given:?}");
        let base = place.folder.path().join("base.toml").display().to_string();
        let alone = Program::with_env(&["run", &base, "--quiet", "--out", &out], &[given]);
        let run = fs::read(Path::new(alone.stdout.trim()).join("run.json")).unwrap();
        let run: Value = serde_json::from_slice(&run).unwrap();
        assert_eq!(run["threads"], threads, "{given:?} of a run");
    }
}

#[test]
fn the_environment_does_not_undo_what_a_cell_sets() {
    let place = Place::new(CONVEX, SWEEP);
    let out = place.out();
    let arguments = ["sweep", &place.file, "--out", &out, "--jobs", "2"];
    let done = Program::with_env(&arguments, &[("PHALANX_SEED", "77"), ("PHALANX_ROUNDS", "5")]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    for cell in place.manifest()["cells"].as_array().unwrap() {
        let folder = place.sweep().join(cell["folder"].as_str().unwrap());
        assert_eq!(rounds(&folder), 5);
        let config = fs::read_to_string(folder.join("config.toml")).unwrap();
        assert!(config.contains(&format!("seed = {}\n", cell["assignments"]["seed"])), "{config}");
    }
}

#[test]
fn identical_cells_are_one() {
    let sweep = "base = \"base.toml\"\n[sweep]\nseed = [1, 1]\n\"aggregator.f\" = [8]\n";
    let place = Place::new(CONVEX, sweep);
    let done = place.run(&["--dry-run"]);
    assert_eq!((done.status, done.stdout.lines().count()), (0, 1), "{}", done.stderr);
    assert!(done.stderr.contains("1 more are identical"), "{}", done.stderr);
}

#[test]
fn cells_that_cannot_run_are_named_before_any_starts() {
    let place = Place::new(CONVEX, &SWEEP.replace("\"zero\"", "\"zerro\""));
    let done = place.run(&[]);
    assert_eq!(done.status, 2);
    for part in
        ["cell 2 (", " and 1 more: ", "sweep.toml [sweep]: attackers.0.attack: ", "did you mean `zero`"]
    {
        assert!(done.stderr.contains(part), "no {part:?} in {}", done.stderr);
    }
    assert!(!place.sweep().exists());
    let bad = [
        (SWEEP.replace("[1, 2]", "1"), "sweep.toml: sweep: seed: found integer"),
        (SWEEP.replace("seed", "sed"), "unknown key `sed`; did you mean `seed`"),
        (SWEEP.replace("base.toml", "bas.toml"), "bas.toml: No such file"),
        ("[[workers]]\ncount = 3\n".to_owned(), "there is no table [sweep]"),
    ];
    for (text, part) in bad {
        let place = Place::new(CONVEX, &text);
        let done = place.run(&[]);
        assert!(done.status == 2 && done.stderr.contains(part), "no {part:?} in {}", done.stderr);
    }
}

#[test]
fn run_points_to_sweep_and_check_checks_all_cells() {
    let place = Place::new(CONVEX, SWEEP);
    assert!(Program::fails(&["run", &place.file]).contains("phalanx sweep"));
    let done = Program::run(&["check", &place.file]);
    assert!(done.status == 0 && done.stdout.contains("ok, 4 cells"), "{}{}", done.stdout, done.stderr);
}

#[test]
fn a_killed_cell_fails_with_its_signal_and_is_run_again_on_request() {
    let sweep = "base = \"base.toml\"\n[sweep]\nrounds = [100000000, 7]\n";
    let place = Place::new(CONVEX, sweep);
    let child = place.spawn(&[]);
    wait_for("the manifest", || place.sweep().join("sweep.json").exists());
    let long = place.sweep().join(place.manifest()["cells"][0]["folder"].as_str().unwrap());
    wait_for("the long cell at work", || rounds(&long) > 3);
    processes(&long).into_iter().for_each(|pid| signal(pid, "-KILL"));
    let done = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    assert_eq!(place.statuses(), ["failed", "completed"], "{stderr}");
    assert!(place.manifest()["cells"][0]["error"].as_str().unwrap().contains("SIGKILL"), "{stderr}");

    let again = place.run(&[]);
    assert!(again.status == 1 && again.stderr.contains("0 cells to run"), "{}", again.stderr);
    let mut retry = place.spawn(&["--retry-failed"]);
    wait_for("the failed cell at work again", || place.statuses() == ["running", "completed"]);
    signal(retry.id() as i32, "-INT");
    assert_eq!(retry.wait().unwrap().code(), Some(130));
}

#[test]
fn a_cell_that_fails_does_not_stop_the_others() {
    let place = Place::new(CONVEX, SWEEP);
    place.run(&["--only", "0"]);
    // A folder in the way of a file: the cell cannot begin, although its configuration can run.
    let cells = place.manifest()["cells"].as_array().unwrap().clone();
    let folder = place.sweep().join(cells[1]["folder"].as_str().unwrap());
    fs::create_dir_all(folder.join("config.toml")).unwrap();
    let done = place.run(&[]);
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert_eq!(place.statuses(), ["completed", "failed", "completed", "completed"]);
    assert!(done.stderr.contains("failed: cell 1"), "{}", done.stderr);

    // The report says what is not there.
    let report = Program::run(&["report", &place.sweep().display().to_string()]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(report.stderr.contains("warning: 1 of 4 cells are not completed"), "{}", report.stderr);
    let page = fs::read_to_string(report.stdout.trim()).unwrap();
    let told = "The sweep convex varies attackers.0.attack, seed: 1 of 4 cells are not completed.";
    assert!(page.contains(told), "{page}");
    assert!(page.contains("Cell 1 failed (") && page.contains("seed=2."), "{page}");
}

#[test]
fn a_swept_key_is_set_with_quotes_as_in_a_file_or_without() {
    let place = Place::new(CONVEX, SWEEP);
    for key in ["attackers.0.attack", "\"attackers.0.attack\""] {
        let listed = place.run(&["--dry-run", "--set", &format!("sweep.{key}=['zero']")]);
        assert_eq!((listed.status, listed.stdout.lines().count()), (0, 2), "{key}: {}", listed.stderr);
    }
}

#[test]
fn a_report_says_which_runs_a_sweep_no_longer_has() {
    let place = Place::new(CONVEX, SWEEP);
    assert_eq!(place.run(&[]).status, 0);
    assert_eq!(place.run(&["--set", "sweep.seed=[2,3]"]).status, 0);
    let report = Program::run(&["report", &place.sweep().display().to_string()]);
    assert!(report.status == 0 && !report.stderr.contains("warning"), "{}", report.stderr);
    let page = fs::read_to_string(report.stdout.trim()).unwrap();
    assert!(page.contains("all 4 cells are completed"), "{page}");
    assert!(page.contains("2 runs in its folder are no cells of it as it stands now"), "{page}");
}

#[test]
fn two_sweeps_do_not_work_in_one_folder() {
    let place = Place::new(&endless(), SWEEP);
    let mut child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    let second = place.run(&[]);
    assert_eq!(second.status, 2);
    let message = format!("another sweep works in this folder (process {}", child.id());
    assert!(second.stderr.contains(&message), "{}", second.stderr);
    signal(child.id() as i32, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_dry_run_beside_a_sweep_shows_which_cells_are_running() {
    let place = Place::new(&endless(), SWEEP);
    let mut child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    let beside = place.run(&["--dry-run"]);
    assert!(beside.stderr.contains("4 cells: 2 running, 2 pending"), "{}", beside.stderr);
    assert_eq!(beside.stdout.matches(" running ").count(), 2, "{}", beside.stdout);
    signal(child.id() as i32, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let after = place.run(&["--dry-run"]);
    assert!(after.stderr.contains("4 cells: 2 interrupted, 2 pending"), "{}", after.stderr);
}

#[test]
fn ctrl_c_ends_cells_after_their_round_and_they_are_restarted() {
    let place = Place::new(&endless(), SWEEP);
    let mut child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    signal(child.id() as i32, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.statuses(), ["interrupted", "interrupted", "pending", "pending"]);
    for folder in busy(&place.sweep()) {
        let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["status"], "interrupted");
        assert_eq!(summary["rounds"].as_u64().unwrap() as usize, rounds(&folder));
    }
    assert!(processes(&place.sweep()).is_empty());

    let mut again = place.spawn(&[]);
    wait_for("the cells at work again", || {
        place.statuses()[..2] == ["running", "running"] && busy(&place.sweep()).len() == 2
    });
    signal(again.id() as i32, "-INT");
    assert_eq!(again.wait().unwrap().code(), Some(130));
}

#[test]
fn a_second_ctrl_c_ends_cells_within_their_round_and_they_go_on_from_their_checkpoints() {
    let base = endless() + "[checkpoint]\nevery_rounds = 1\n";
    let place = Place::new(&base, SWEEP);
    let mut child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    let cells = busy(&place.sweep());
    let has_checkpoint = |cell: &PathBuf| {
        let mut names = fs::read_dir(cell.join("checkpoints")).into_iter().flatten().flatten();
        names.any(|entry| entry.file_name().to_str().unwrap().parse::<u64>().is_ok())
    };
    wait_for("a checkpoint of each", || cells.iter().all(has_checkpoint));
    // Cells that are stopped are in their round for ever.
    processes(&place.sweep()).into_iter().for_each(|pid| signal(pid, "-STOP"));
    signal(child.id() as i32, "-INT");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("again to end them now")));
    assert!(child.try_wait().unwrap().is_none(), "the first waits for the round in hand");
    signal(child.id() as i32, "-INT");
    wait_for("the sweep to end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.statuses(), ["interrupted", "interrupted", "pending", "pending"]);
    assert!(processes(&place.sweep()).is_empty());

    let mut again = place.spawn(&[]);
    let is_resumed = |cell: &PathBuf| {
        let run: Value = serde_json::from_slice(&fs::read(cell.join("run.json")).unwrap()).unwrap();
        run["resumed"][0]["after_round"].as_u64() > Some(0)
    };
    wait_for("the cells to go on", || cells.iter().all(is_resumed));
    signal(again.id() as i32, "-INT");
    assert_eq!(again.wait().unwrap().code(), Some(130));
}

#[test]
fn cells_do_not_outlive_a_sweep_that_is_killed() {
    let place = Place::new(&endless(), SWEEP);
    let mut child = place.spawn(&[]);
    wait_for("two cells at work", || busy(&place.sweep()).len() == 2);
    signal(child.id() as i32, "-KILL");
    child.wait().unwrap();
    wait_for("the cells to end", || processes(&place.sweep()).is_empty());
    let done = place.run(&["--dry-run"]);
    assert!(done.stderr.contains("2 interrupted, 2 pending"), "{}", done.stderr);
}

#[test]
fn a_folder_that_held_another_sweep_is_told() {
    let place = Place::new(CONVEX, SWEEP);
    assert_eq!(place.run(&[]).status, 0);
    let same = place.other("same.toml", SWEEP);
    assert!(same.status == 0 && !same.stderr.contains("warning"), "{}", same.stderr);
    let other = place.other("other.toml", &SWEEP.replace("\"zero\"", "\"nan\""));
    assert!(other.stderr.contains("runs/convex held a sweep of "), "{}", other.stderr);
    assert!(other.stderr.contains("its cells are listed no more, their runs stay"), "{}", other.stderr);
}

/// A rule is a value of its own, in whichever form it is written; long numbers have an exponent.
#[test]
fn values_of_a_list_may_be_rules_in_any_form() {
    let rules =
        "\"cwmed\", { geometric-median = { tolerance = 1e-10 } }, \"nnm > cwtm\", [\"ctma\", \"cwmed\"]";
    let place =
        Place::new(CONVEX, &format!("base = \"base.toml\"\n[sweep]\n\"aggregator.rule\" = [{rules}]\n"));
    let listed = place.run(&["--dry-run"]);
    assert!(listed.stderr.contains("4 cells: 4 pending"), "{}", listed.stderr);
    let rule = "aggregator.rule={ geometric-median = { tolerance = 1e-10 } }\n";
    assert!(listed.stdout.contains(rule), "{}", listed.stdout);
    let done = place.run(&[]);
    assert!(done.status == 0 && done.stderr.contains(rule), "{}", done.stderr);
    let folder = place.manifest()["cells"][1]["folder"].as_str().unwrap().to_owned();
    let config = fs::read_to_string(place.sweep().join(folder).join("config.toml")).unwrap();
    assert!(config.contains("tolerance = 1e-10"), "{config}");
}

/// Reports find runs by their folders, whatever the manifest lists.
#[test]
fn runs_of_an_earlier_call_with_other_settings_are_told() {
    let place = Place::new(CONVEX, SWEEP);
    let first = place.run(&[]);
    assert!(first.status == 0 && !first.stderr.contains("warning"), "{}", first.stderr);
    let cells = place.manifest()["cells"].as_array().unwrap().clone();
    let mut runs: Vec<PathBuf> =
        cells.iter().map(|cell| place.sweep().join(cell["folder"].as_str().unwrap())).collect();
    runs.sort();
    let sweep = place.sweep().display().to_string();
    let told = |done: &Program| {
        let warning = format!(
            "warning: 4 runs in {sweep} are no cells of this sweep; reports of the folder count them unless they are \
             removed: {} ",
            runs[0].display()
        );
        assert!(done.status == 0 && done.stderr.contains(&warning), "{}", done.stderr);
    };
    told(&place.run(&["--set", "rounds=7", "--dry-run"]));
    told(&place.run(&["--set", "rounds=7"]));
    told(&place.run(&["--set", "rounds=7"]));
    runs.iter().for_each(|run| fs::remove_dir_all(run).unwrap());
    let last = place.run(&["--set", "rounds=7"]);
    assert!(last.status == 0 && !last.stderr.contains("warning"), "{}", last.stderr);
}

#[test]
fn an_exclusion_that_matches_nothing_is_told() {
    let exclude = |value: &str| format!("{SWEEP}[[sweep.exclude]]\n\"attackers.0.attack\" = {value}\n");
    let told = |value: &str| Place::new(CONVEX, &exclude(value)).run(&["--dry-run"]);
    let (met, idle) = (told("\"ipm\""), told("\"alie\""));
    assert!(met.stderr.contains("2 cells: 2 pending") && !met.stderr.contains("warning"), "{}", met.stderr);
    assert!(idle.stderr.contains("4 cells: 4 pending"), "{}", idle.stderr);
    assert!(idle.stderr.contains("warning: exclude 1 matches no cell"), "{}", idle.stderr);
}

/// f = 0 is one experiment, whatever the attack would be, and that without the group.
#[test]
fn a_sweep_over_f_begins_without_attackers() {
    let sweep = "base = \"base.toml\"\n[sweep]\n\"attackers.0.attack\" = [\"ipm\", \"sign-flip\"]\n\
                 \"attackers.0.count\" = [0, 2]\n";
    let place = Place::new(CONVEX, sweep);
    let done = place.run(&[]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stderr.contains("3 cells: 3 completed"), "{}", done.stderr);
    let manifest = place.manifest();
    let hash = manifest["cells"][0]["hash"].as_str().unwrap();
    let rounds = |folder: &Path| fs::read_to_string(folder.join("rounds.csv")).unwrap();
    let group = "[[attackers]]\ncount = 8\nattack = \"ipm\"\n";
    assert!(CONVEX.contains(group));
    let alone = experiment(place.folder.path(), "alone.toml", &CONVEX.replace(group, ""));
    let alone = Program::folder(&[&alone], &place.folder.path().join("alone"));
    assert_eq!(rounds(&place.sweep().join(hash)), rounds(&alone));
    assert!(alone.file_name().unwrap().to_string_lossy().contains(hash), "{}", alone.display());
    let silent = "[[faults]]\nfault = \"silence\"\ngroup = \"attackers\"\nprobability = 0.5\n";
    let struck = Place::new(&format!("{CONVEX}{silent}[barrier]\nabsence = \"drop\"\n"), sweep).run(&[]);
    assert!(struck.stderr.contains("3 cells: 3 completed"), "{}", struck.stderr);
    let wrong = Place::new(CONVEX, &sweep.replace("sign-flip", "sine-flip")).run(&["--dry-run"]);
    assert!(wrong.stderr.contains("unknown attack `sine-flip`"), "{}", wrong.stderr);
}
