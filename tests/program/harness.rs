//! The program as a user meets it: arguments in, status and two streams out.

use std::{path::Path, process::Command};

/// Seventeen workers on a quadratic, eight of them attacking; takes milliseconds and needs no libtorch.
pub const CONVEX: &str = r#"
name = "convex"
seed = 3
rounds = 40

[task]
objective = { least-squares = { dim = 30 } }

[aggregator]
rule = ["ctma", "cwmed"]
step = { anytime-sgd = { lr = 0.01 } }

[[workers]]
count = 9
estimator = "storm"

[[attackers]]
count = 8
attack = "ipm"

[evaluation]
every = 10
"#;

/// Writes an experiment file and returns its path.
pub fn experiment(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Cases of a table that the program refuses before it needs libtorch, which takes it half a second to load: all of them
/// in a build without, one in six in a build with it. `make test` runs both.
pub fn sampled<T>(cases: &[T]) -> impl Iterator<Item = &T> {
    cases.iter().step_by(if cfg!(feature = "torch") { 6 } else { 1 })
}

/// A finished call.
pub struct Program {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn run(arguments: &[&str]) -> Self {
        Self::with_env(arguments, &[])
    }

    pub fn with_env(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let done = Command::new(env!("CARGO_BIN_EXE_phalanx"))
            .args(arguments)
            .envs(env.iter().copied())
            .output()
            .unwrap();
        Self {
            status: done.status.code().unwrap_or(-1),
            stdout: String::from_utf8(done.stdout).unwrap(),
            stderr: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// What the program says when it refuses.
    pub fn fails(arguments: &[&str]) -> String {
        let done = Self::run(arguments);
        assert_eq!(done.status, 2, "{arguments:?}: {}", done.stderr);
        done.stderr
    }

    /// Runs an experiment into `out` and returns the run folder.
    pub fn folder(arguments: &[&str], out: &Path) -> std::path::PathBuf {
        let out = out.display().to_string();
        let all: Vec<&str> =
            ["run"].into_iter().chain(arguments.iter().copied()).chain(["--quiet", "--out", &out]).collect();
        let done = Self::run(&all);
        assert_eq!(done.status, 0, "{all:?}: {}", done.stderr);
        done.stdout.trim().into()
    }
}

/// The hash of a run's configuration, from its folder `<time>-<hash>`, which has a number behind it if two runs began
/// in one second.
pub fn hash(run: &Path) -> String {
    let name = run.file_name().unwrap().to_string_lossy();
    name.split('-').nth(1).unwrap().to_owned()
}
