//! One cell as a process: what the pool starts, and what it makes of the end.
//! The process is this program with its hidden command `cell`.

use std::{
    fs::{self, File},
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::manifest::{Record, Standing};
use crate::{
    config::Config,
    results::{LOCK, ResultsError, RunFolder, Status, Summary},
};

/// What a cell's process says on stderr.
pub const LOG: &str = "stderr.log";

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
        RunFolder::exactly(folder)?.write("config.toml", text.as_bytes())?;
        let log = folder.join(LOG);
        let log = File::create(&log).map_err(ResultsError::at(&log))?;
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

/// Writes into `record` how the process of its cell ended; `stopped` says that the sweep had told it to.
pub fn end(folder: &Path, status: ExitStatus, seconds: f64, stopped: bool, record: &mut Record) {
    (record.seconds, record.error) = (Some(seconds), None);
    match Summary::of(folder).filter(|summary| is_of(summary, status)) {
        Some(summary) => record.settle(&summary),
        None if stopped => record.status = Standing::Interrupted,
        None => {
            record.status = Standing::Failed;
            record.error = Some(format!("{}{}", cause(status), tail(&folder.join(LOG))));
        }
    }
}

/// Whether a process that ended with `status` can have written the summary; if not, an earlier one has.
fn is_of(summary: &Summary, status: ExitStatus) -> bool {
    match summary.status {
        Status::Completed => true,
        Status::Interrupted => status.success(),
        Status::Failed => status.code() == Some(1),
    }
}

/// Removes what an earlier run of the cell left.
///
/// # Errors
/// The file that cannot be removed.
pub fn clear(folder: &Path) -> Result<(), ResultsError> {
    for entry in fs::read_dir(folder).map_err(ResultsError::at(folder))? {
        let entry = entry.map_err(ResultsError::at(folder))?;
        if ["config.toml", LOG, LOCK].iter().any(|keep| entry.file_name() == *keep) {
            continue;
        }
        let path = entry.path();
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

/// The last lines of a log, after a colon; nothing if there are none.
fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(TAIL.0)..].join("\n");
    let from = last.char_indices().map(|(at, _)| at).find(|at| last.len() - at <= TAIL.1).unwrap_or(0);
    if last.is_empty() { last } else { format!(": {}", &last[from..]) }
}

#[cfg(test)]
mod tests {
    use super::{ExitStatus, ExitStatusExt, Record, Standing, end, fs};

    /// How a cell counts whose folder has a summary of this status, when its process ends with the wait status `raw`.
    fn counted(summary: &str, raw: i32, stopped: bool) -> Standing {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            r#"{{"status": "{summary}", "rounds": 1, "elapsed_seconds": 1, "rounds_per_second": 1}}"#
        );
        fs::write(folder.path().join("summary.json"), text).unwrap();
        let record = r#"{"index": 0, "hash": "", "assignments": {}, "folder": "", "status": "running"}"#;
        let mut record: Record = serde_json::from_str(record).unwrap();
        end(folder.path(), ExitStatus::from_raw(raw), 1.0, stopped, &mut record);
        record.status
    }

    #[test]
    fn a_summary_that_an_earlier_process_left_is_not_believed() {
        const KILLED: i32 = 9;
        const FAILED: i32 = 1 << 8;
        const UNUSABLE: i32 = 2 << 8;
        assert_eq!(counted("interrupted", 0, false), Standing::Interrupted);
        assert_eq!(counted("failed", FAILED, false), Standing::Failed);
        for summary in ["interrupted", "failed"] {
            for raw in [KILLED, UNUSABLE] {
                assert_eq!(counted(summary, raw, false), Standing::Failed, "{summary}, {raw}");
                assert_eq!(counted(summary, raw, true), Standing::Interrupted, "{summary}, {raw}");
            }
        }
        // A run is completed when all of it is written, however its process goes.
        assert_eq!(counted("completed", KILLED, true), Standing::Completed);
    }
}
