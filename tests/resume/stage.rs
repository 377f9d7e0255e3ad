//! Experiments with memory in every place that has one, and runs of them as processes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The files of a checkpoint.
pub const FILES: [&str; 3] = ["checkpoint.json", "state.safetensors", "SHA256SUMS"];

/// What remembers what: the rule, the estimator of the honest workers, the attack, and more of the file.
pub const CASTS: [[&str; 4]; 6] = [
    ["['ctma', 'cwmed']", "'storm'", "'ipm'", "participation.cohort = 11"],
    ["[{ centered-clipping = { stateful = true } }]", "'momentum'", "'drift'", ""],
    ["['safeguard']", "'momentum'", "{ mimic = { warm_up = 200 } }", ""],
    ["['ctma', 'clipped-clustering']", "'storm'", "{ stale = { rounds = 7 } }", "task.precision = 'f64'"],
    ["['nnm', 'cwtm']", "{ momentum = { beta = 0.5 } }", "{ stale = { of = 'honest-mean' } }", ""],
    [
        "['cwmed']",
        "'momentum'",
        "{ switching = { schedule = [{ from = 1, attack = 'drift' }, { from = 30, attack = 'mimic' }] } }",
        "aggregator.step = { sgd = { lr = 0.05 } }",
    ],
];

/// The experiment of a cast. Seventeen workers with `dim` numbers each, so that checkpoints take their time.
pub fn experiment(cast: [&str; 4], rounds: u64, dim: u64) -> String {
    let [rule, estimator, attack, more] = cast;
    let step = if more.contains("aggregator.step") { "" } else { "aggregator.step = 'anytime-sgd'" };
    format!(
        "name = 'victim'\nseed = 5\nrounds = {rounds}\nevaluation.every = 7\nrecord.workers_every = 3\n{more}\n{step}\n\
         aggregator.rule = {rule}\ntask.objective = {{ least-squares = {{ dim = {dim} }} }}\n\
         [checkpoint]\nevery_rounds = 1\n\
         [[workers]]\ncount = 11\nestimator = {estimator}\n\
         [[attackers]]\ncount = 4\nattack = {attack}\n[[attackers]]\ncount = 2\nattack = 'sign-flip'\n"
    )
}

/// A folder of its own with an experiment in it.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub file: PathBuf,
}

impl Place {
    pub fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("experiment.toml");
        fs::write(&file, text).unwrap();
        Self { folder, file }
    }

    /// A run that nothing happens to, and no checkpoint is taken of.
    pub fn undisturbed(&self) -> PathBuf {
        let out = self.folder.path().join("undisturbed");
        let sets = ["--set", "checkpoint.every_rounds=0", "--quiet", "--out"];
        let done = phalanx().arg("run").arg(&self.file).args(sets).arg(&out).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().into()
    }

    /// Starts a run in the folder `out`, and waits until its own folder is there.
    pub fn start(&self, out: &str, more: &[&str]) -> (Child, PathBuf) {
        self.start_by(phalanx(), out, more)
    }

    /// The same, by `program`, which stands for the program.
    pub fn start_by(&self, mut program: Command, out: &str, more: &[&str]) -> (Child, PathBuf) {
        let out = self.folder.path().join(out);
        let child =
            program.arg("run").arg(&self.file).args(more).arg("--quiet").arg("--out").arg(&out).spawn();
        let run = wait_for(|| fs::read_dir(out.join("victim")).ok()?.next()?.ok()).path();
        (child.unwrap(), run)
    }
}

/// The program, silent unless asked.
pub fn phalanx() -> Command {
    silent(Command::new(env!("CARGO_BIN_EXE_phalanx")))
}

/// The program with SIGHUP as it is by default, or `ignore`d as `nohup` starts it, whatever it is for these tests.
pub fn with_hangup(how: &str) -> Command {
    let mut command = Command::new("env");
    command.args([&format!("--{how}-signal=HUP"), env!("CARGO_BIN_EXE_phalanx")]);
    silent(command)
}

fn silent(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A finished `phalanx resume`.
pub struct Resumed {
    pub status: i32,
    pub stderr: String,
}

/// Goes on with a run.
pub fn resume(run: &Path, more: &[&str]) -> Resumed {
    let done = phalanx().arg("resume").arg(run).args(more).output().unwrap();
    Resumed {
        status: done.status.code().unwrap_or(-1),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// Waits for something that is bound to come.
pub fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(300), "it does not come");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The rounds that a run has checkpoints of, ascending.
pub fn checkpoints(run: &Path) -> Vec<u64> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let mut rounds: Vec<u64> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    rounds.sort_unstable();
    rounds
}

/// The folder of one of them.
pub fn checkpoint(run: &Path, round: u64) -> PathBuf {
    run.join("checkpoints").join(format!("{round:09}"))
}

/// Changes what a checkpoint says, and its digests with it.
pub fn rewrite(checkpoint: &Path, change: impl FnOnce(&mut Value)) {
    let [header, state, sums] = FILES.map(|name| checkpoint.join(name));
    let mut told: Value = serde_json::from_slice(&fs::read(&header).unwrap()).unwrap();
    change(&mut told);
    fs::write(&header, told.to_string()).unwrap();
    let sum = |path: &Path| -> String {
        Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let text = format!("{}  {}\n{}  {}\n", sum(&header), FILES[0], sum(&state), FILES[1]);
    fs::write(sums, text).unwrap();
}

/// A run that is stopped after it has left two checkpoints, some rounds apart.
pub fn stopped(place: &Place) -> PathBuf {
    let (mut child, run) = place.start("stopped", &[]);
    wait_for(|| (checkpoints(&run).last() >= Some(&9)).then_some(()));
    kill(&child, rustix::process::Signal::KILL);
    child.wait().unwrap();
    assert!(!run.join("summary.json").exists(), "it was complete before it was killed");
    run
}

pub fn kill(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Whether both runs have the same bytes in everything but times.
pub fn same(a: &Path, b: &Path) {
    for name in ["rounds.csv", "evaluations.csv", "faults.csv", "parameters.safetensors"] {
        let (a, b) = (fs::read(a.join(name)).unwrap(), fs::read(b.join(name)).unwrap());
        assert!(!a.is_empty() && a == b, "{name} differs");
    }
    for name in ["workers.csv", "classes.csv", "confusion.csv"] {
        let table = |run: &Path| fs::read(run.join(name)).ok(); // if the experiment wants it
        assert!(table(a) == table(b), "{name} differs");
    }
}

/// How a run stands, and how many rows its tables have.
pub fn ended(run: &Path) -> (String, usize, usize) {
    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let lines = |name: &str| fs::read_to_string(run.join(name)).unwrap().lines().count();
    (summary["status"].as_str().unwrap().to_owned(), lines("rounds.csv"), lines("timings.csv"))
}
