//! One cell as a process: what the pool starts, and what it makes of the end.
//! The process is this program with its hidden command `cell`.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::manifest::{Record, Standing};
use crate::{
    checkpoint,
    config::Config,
    results::{FolderLock, LOCK, ResultsError, RunFolder, Status, Summary, read::EARLIER},
};

/// What the processes of a cell say on stderr, one behind the other.
pub const LOG: &str = "stderr.log";

/// How the line in the log begins that stands before what a process says.
const ATTEMPT: &str = "== attempt ";

/// Lines and bytes of the log that an error message repeats.
const TAIL: (usize, usize) = (5, 2000);

/// How processes of cells are started.
#[derive(Clone, Debug)]
pub struct Starter {
    /// This program.
    pub program: PathBuf,
    /// Threads of each process.
    pub threads: usize,
    /// Folder with data sets, searched first.
    pub data: Option<PathBuf>,
}

impl Starter {
    /// Starts the cell of this `config` in its run folder.
    ///
    /// # Errors
    /// [`ResultsError`] if the folder cannot be written or the program not be started.
    pub fn start(&self, folder: &Path, config: &Config) -> Result<Child, ResultsError> {
        let text = config.text().map_err(ResultsError::at(&folder.join("config.toml")))?;
        let run = RunFolder::exactly(folder)?;
        run.write("config.toml", text.as_bytes())?;
        forget_end(&run)?;
        let log = open_log(&folder.join(LOG))?;
        let mut command = Command::new(&self.program);
        command.arg("cell").arg(folder).arg("--threads").arg(self.threads.to_string());
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        // A group of its own: Ctrl-C in a terminal reaches the sweep, which passes it on once.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(ResultsError::at(&self.program))
    }
}

/// Removes the summary of an earlier process, so that the one that is there at the end is that of the process to come.
/// A complete run keeps its own, and so does one in which a process is still at work: the next waits for it.
fn forget_end(run: &RunFolder) -> Result<(), ResultsError> {
    let unfinished = Summary::of(run.path()).is_some_and(|summary| summary.status != Status::Completed);
    if unfinished && !FolderLock::is_held(run.path()) { run.remove("summary.json") } else { Ok(()) }
}

/// Opens the log behind what earlier processes said, with a line that says which attempt follows.
fn open_log(path: &Path) -> Result<File, ResultsError> {
    let attempts = said(path).lines().filter(|line| line.starts_with(ATTEMPT)).count();
    let open = || {
        let mut log = File::options().create(true).append(true).open(path)?;
        writeln!(log, "{ATTEMPT}{}, {:.0}", attempts + 1, jiff::Timestamp::now())?;
        Ok(log)
    };
    open().map_err(ResultsError::at(path))
}

/// Writes into `record` how the process of its cell ended; `stopped` says that the sweep had told it to.
pub fn end(folder: &Path, status: ExitStatus, seconds: f64, stopped: bool, record: &mut Record) {
    (record.seconds, record.error) = (Some(seconds), None);
    match Summary::of(folder) {
        Some(summary) => record.settle(&summary),
        None if stopped => record.status = Standing::Interrupted,
        None => {
            record.status = Standing::Failed;
            record.error = Some(format!("{}{}", cause(status), tail(&folder.join(LOG))));
        }
    }
}

/// Removes what an earlier run of the cell left.
///
/// # Errors
/// The file that cannot be removed.
pub fn clear(folder: &Path) -> Result<(), ResultsError> {
    for path in leftovers(folder)? {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ResultsError { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Moves what an earlier run of the cell left into a folder of its own in that of the cell, and returns its path:
/// `phalanx resume` goes on with it.
///
/// # Errors
/// The file that cannot be moved.
pub fn set_aside(folder: &Path) -> Result<PathBuf, ResultsError> {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let place = folder.join(format!("{EARLIER}{time}"));
    fs::create_dir(&place).map_err(ResultsError::at(&place))?;
    let (config, copy) = (folder.join("config.toml"), place.join("config.toml"));
    fs::copy(config, &copy).map_err(ResultsError::at(&copy))?;
    let mut left = leftovers(folder)?;
    left.sort_by_key(|path| path.ends_with(checkpoint::FOLDER)); // last: without them the rest would be worth nothing
    for path in left {
        let name = path.file_name().unwrap_or_default();
        fs::rename(&path, place.join(name)).map_err(ResultsError::at(&path))?;
    }
    Ok(place)
}

/// What an earlier run left in the folder of its cell: all but the files of the process to come, and runs set aside.
fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let mut left = Vec::new();
    for entry in fs::read_dir(folder).map_err(ResultsError::at(folder))? {
        let entry = entry.map_err(ResultsError::at(folder))?;
        let name = entry.file_name();
        let stays = ["config.toml", LOG, LOCK].iter().any(|keep| name == *keep)
            || name.as_encoded_bytes().starts_with(EARLIER.as_bytes());
        if !stays {
            left.push(entry.path());
        }
    }
    Ok(left)
}

/// Why a process without a summary is gone.
fn cause(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 8] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (9, "SIGKILL (from outside, perhaps for lack of memory)"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
    ];
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = NAMES.iter().find(|(number, _)| *number == signal);
            name.map_or_else(|| format!("signal {signal}"), |(_, name)| format!("killed by {name}"))
        }
        (None, None) => status.to_string(),
    }
}

/// All that a log says.
fn said(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

/// The last lines of a log, after a colon; nothing if the last process said nothing.
fn tail(log: &Path) -> String {
    let text = said(log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let own = lines.iter().rposition(|line| line.starts_with(ATTEMPT)).map_or(0, |at| at + 1);
    let last = lines[own.max(lines.len().saturating_sub(TAIL.0))..].join("\n");
    let from = last.char_indices().map(|(at, _)| at).find(|at| last.len() - at <= TAIL.1).unwrap_or(0);
    if last.is_empty() { last } else { format!(": {}", &last[from..]) }
}

#[cfg(test)]
mod tests {
    use super::{
        ExitStatus, ExitStatusExt, FolderLock, LOG, Path, Record, Standing, Starter, end, fs, set_aside,
    };
    use crate::config;

    const KILLED: i32 = 9;

    fn summary(folder: &Path, status: &str) {
        let text = format!(
            r#"{{"status": "{status}", "error": "round 3: too few", "rounds": 1, "elapsed_seconds": 1,
                "rounds_per_second": 1}}"#
        );
        fs::write(folder.join("summary.json"), text).unwrap();
    }

    fn ended(folder: &Path, status: ExitStatus, stopped: bool) -> Record {
        let record = r#"{"index": 0, "hash": "", "assignments": {}, "folder": "", "status": "running"}"#;
        let mut record: Record = serde_json::from_str(record).unwrap();
        end(folder, status, 1.0, stopped, &mut record);
        record
    }

    /// How a cell counts in whose folder `program` is started, and ends.
    fn started(folder: &Path, program: &str) -> Record {
        let text = "name = \"a\"\n[task]\nobjective = \"least-squares\"\n[[workers]]\ncount = 3\n";
        let config = config::read_back(Path::new("a.toml"), text).unwrap();
        let starter = Starter { program: program.into(), threads: 1, data: None };
        let status = starter.start(folder, &config).unwrap().wait().unwrap();
        ended(folder, status, false)
    }

    #[test]
    fn a_summary_that_an_earlier_process_left_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        for status in ["interrupted", "failed"] {
            summary(folder.path(), status);
            let record = started(folder.path(), "false");
            assert_eq!(record.status, Standing::Failed, "{status}");
            assert_eq!(record.error.as_deref(), Some("exit status 1"), "{status}");
        }
        summary(folder.path(), "completed");
        assert_eq!(started(folder.path(), "false").status, Standing::Completed, "all of it is written");
        // A process that is at work there has not ended.
        summary(folder.path(), "interrupted");
        let _lock = FolderLock::take(folder.path()).unwrap();
        assert_eq!(started(folder.path(), "false").status, Standing::Interrupted);
    }

    /// Such as one that is killed while libraries put their house in order.
    #[test]
    fn what_a_summary_says_counts_however_its_process_goes() {
        let folder = tempfile::tempdir().unwrap();
        let killed = ExitStatus::from_raw(KILLED);
        for (status, counted) in [
            ("failed", Standing::Failed),
            ("interrupted", Standing::Interrupted),
            ("completed", Standing::Completed),
        ] {
            summary(folder.path(), status);
            for stopped in [false, true] {
                let record = ended(folder.path(), killed, stopped);
                assert_eq!(record.status, counted);
                assert_eq!(record.error.as_deref(), Some("round 3: too few"));
            }
        }
        fs::remove_file(folder.path().join("summary.json")).unwrap();
        let record = ended(folder.path(), killed, false);
        assert!(record.error.unwrap().contains("SIGKILL"));
        assert_eq!(ended(folder.path(), killed, true).status, Standing::Interrupted);
    }

    #[test]
    fn the_log_keeps_what_earlier_attempts_said_and_an_error_repeats_the_last_alone() {
        let folder = tempfile::tempdir().unwrap();
        // A program that complains of the arguments.
        let first = started(folder.path(), "ls").error.unwrap();
        assert!(first.contains("--threads") && !first.contains("attempt"), "{first}");
        assert_eq!(started(folder.path(), "false").error.as_deref(), Some("exit status 1"));
        let log = fs::read_to_string(folder.path().join(LOG)).unwrap();
        let attempts: Vec<&str> = log.lines().filter(|line| line.starts_with("== attempt ")).collect();
        assert!(log.contains("--threads") && attempts.len() == 2, "{log}");
        assert!(attempts[1].starts_with("== attempt 2, 2"), "{log}");
    }

    #[test]
    fn what_is_set_aside_is_a_run_folder_and_stays_when_the_rest_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("checkpoints/7")).unwrap();
        for name in ["config.toml", LOG, "run.json", "rounds.csv", "checkpoints/7/state"] {
            fs::write(at(name), name).unwrap();
        }
        let kept = set_aside(folder.path()).unwrap();
        for name in ["config.toml", "run.json", "rounds.csv", "checkpoints/7/state"] {
            assert_eq!(fs::read_to_string(kept.join(name)).unwrap(), name);
        }
        assert!(at("config.toml").exists() && at(LOG).exists() && !at("rounds.csv").exists());
        fs::write(at("rounds.csv"), "").unwrap();
        super::clear(folder.path()).unwrap();
        assert!(!at("rounds.csv").exists() && kept.join("rounds.csv").exists());
    }
}
