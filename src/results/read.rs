//! Reads run folders back: what was configured, how it went, how it ended.
//! The report, the comparison, sweeps and the live view stand on it. A run
//! that is still going, or was killed, is read as far as it got.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{Columns, Computation, ReadError, Status, Summary};
use crate::config::{self, Config};

/// How the name of a folder begins that holds an earlier run of a sweep's cell, beside what the cell has now.
pub const EARLIER: &str = "earlier-";

/// What a run folder holds.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The folder.
    pub folder: PathBuf,
    /// The configuration as resolved.
    pub config: Config,
    /// The same as it stands in `config.toml`.
    pub config_text: String,
    /// `run.json`.
    pub info: RunInfo,
    /// How the run ended; none while it is going, or if it was killed.
    pub summary: Option<Summary>,
    /// `rounds.csv`; columns in [`rows`](super::rows).
    pub rounds: Columns,
    /// `evaluations.csv`.
    pub evaluations: Columns,
    /// `timings.csv`.
    pub timings: Columns,
    /// `classes.csv`; without rows where classes are not counted.
    pub classes: Columns,
    /// The rows of the last evaluation in `confusion.csv`, which can be a large file.
    pub confusion: Columns,
}

/// What made the run (`run.json`); a key that is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// Version of Phalanx.
    pub phalanx: String,
    /// Its git commit.
    pub commit: Option<String>,
    /// What it was built for.
    pub target: Option<String>,
    /// Version of libtorch.
    pub torch: Option<String>,
    /// When the run began, RFC 3339.
    pub started: String,
    /// Number of threads.
    pub threads: usize,
    /// What computed the gradients.
    pub computation: Option<Computation>,
    /// Where its metrics are while it runs.
    pub metrics: Option<String>,
    /// What whoever started it was told of its configuration, each with its key.
    pub remarks: Vec<String>,
    /// The command line.
    pub arguments: Vec<String>,
}

impl RunRecord {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// [`ReadError`] naming the file, and in a table line and column.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        if !is_run(folder) {
            fs::read_dir(folder).map_err(ReadError::at(folder))?;
            return Err(ReadError::NoRuns { path: folder.to_owned() });
        }
        let path = folder.join("config.toml");
        let config_text = fs::read_to_string(&path).map_err(ReadError::at(&path))?;
        let config = config::read_back(&path, &config_text)
            .map_err(|error| ReadError::Content { message: error.to_string(), path })?;
        let summary = folder.join("summary.json");
        let summary: Option<Summary> = summary.exists().then(|| json(&summary)).transpose()?;
        let completed = summary.as_ref().filter(|summary| summary.status == Status::Completed);
        let table = |name: &str| match completed {
            Some(summary) => Columns::read_whole(&folder.join(name), summary.rounds),
            None => Columns::read(&folder.join(name)),
        };
        Ok(Self {
            config,
            config_text,
            info: json(&folder.join("run.json"))?,
            rounds: table("rounds.csv")?,
            evaluations: table("evaluations.csv")?,
            timings: table("timings.csv")?,
            classes: table("classes.csv")?,
            confusion: table("confusion.csv")?.last_round(),
            summary: summary.clone(),
            folder: folder.to_owned(),
        })
    }
}

/// Whether `folder` is the folder of one run.
pub fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file() && folder.join("run.json").is_file()
}

/// The folders of all runs at or under `path` (a run, a sweep, any tree), in the order of their paths.
/// Hidden folders, links and earlier runs of cells are not entered.
///
/// # Errors
/// [`ReadError::Content`] for a file; [`ReadError::Io`] for a folder that cannot be listed; [`ReadError::NoRuns`] if there
/// is none.
pub fn find_folders(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if fs::metadata(path).is_ok_and(|there| !there.is_dir()) {
        let message = "a run folder is expected, this is a file".to_owned();
        return Err(ReadError::Content { path: path.to_owned(), message });
    }
    let mut found = Vec::new();
    collect(path, &mut found)?;
    if found.is_empty() { Err(ReadError::NoRuns { path: path.to_owned() }) } else { Ok(found) }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    if is_run(folder) {
        found.push(folder.to_owned());
        return Ok(());
    }
    if let Some(there) = ["run.json", "rounds.csv"].into_iter().find(|name| folder.join(name).is_file()) {
        let missing = if there == "run.json" { "config.toml" } else { "run.json" };
        let message =
            format!("it is not there, but a `{there}` of a run is; remove the folder if it is of no use");
        return Err(ReadError::Content { path: folder.join(missing), message });
    }
    let at = || ReadError::at(folder);
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(at())? {
        let entry = entry.map_err(at())?;
        let name = entry.file_name();
        let is_other =
            [".", EARLIER].iter().any(|other| name.as_encoded_bytes().starts_with(other.as_bytes()));
        if !is_other && entry.file_type().map_err(at())?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    folders.iter().try_for_each(|folder| collect(folder, found))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = fs::read(path).map_err(ReadError::at(path))?;
    serde_json::from_slice(&text)
        .map_err(|error| ReadError::Content { path: path.to_owned(), message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{ReadError, RunRecord, find_folders};
    use crate::results::Status;

    const CONFIG: &str =
        "name = \"a\"\nseed = 4\n[task]\nobjective = \"least-squares\"\n[[workers]]\ncount = 3\n";

    fn run(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("config.toml"), CONFIG).unwrap();
        fs::write(folder.join("run.json"), r#"{"phalanx": "0.1.0", "threads": 2, "later": [1], "computation": {"way": "torch", "tiles": {"4": 9}, "precision": "f64", "device": "cuda:1"}}"#).unwrap();
    }

    /// The first run at or under `path`.
    fn first(path: &Path) -> Result<RunRecord, ReadError> {
        RunRecord::read(&find_folders(path)?[0])
    }

    #[test]
    fn a_run_that_has_only_begun_is_read() {
        let out = tempfile::tempdir().unwrap();
        run(out.path());
        let record = RunRecord::read(out.path()).unwrap();
        assert_eq!((record.config.seed, record.config.workers[0].count), (4, 3));
        assert_eq!(record.config.evaluation.every, 20, "the default of a key that is not there");
        assert_eq!((record.info.threads, record.info.torch), (2, None));
        let told = "f64 on cuda:1 by torch, at most 9 workers a pass (batch 4)";
        assert_eq!(record.info.computation.unwrap().to_string(), told);
        assert!(record.summary.is_none() && record.rounds.is_empty());
    }

    #[test]
    fn a_finished_run_is_read() {
        let out = tempfile::tempdir().unwrap();
        run(out.path());
        let summary = r#"{"status": "failed", "error": "why", "rounds": 7, "elapsed_seconds": 0.5, "rounds_per_second": 14.0}"#;
        fs::write(out.path().join("summary.json"), summary).unwrap();
        fs::write(out.path().join("evaluations.csv"), "round,test_accuracy\n0,0.25\n").unwrap();
        let record = RunRecord::read(out.path()).unwrap();
        let summary = record.summary.unwrap();
        assert_eq!((summary.status, summary.rounds, summary.gap), (Status::Failed, 7, None));
        assert_eq!(record.evaluations.get("test_accuracy").unwrap(), [0.25]);
    }

    #[test]
    fn runs_are_found_in_a_tree_in_order() {
        let out = tempfile::tempdir().unwrap();
        for name in ["b/2", "a", "b/10", ".hidden/c", "b/10/nested"] {
            run(&out.path().join(name));
        }
        let folders = find_folders(out.path()).unwrap();
        assert_eq!(folders, ["a", "b/10", "b/2"].map(|name| out.path().join(name)));
    }

    #[test]
    fn what_is_not_there_or_broken_is_named() {
        let out = tempfile::tempdir().unwrap();
        let message = |path: &Path| first(path).unwrap_err().to_string();
        assert!(message(out.path()).ends_with("no run here (a run folder has a config.toml and a run.json)"));
        assert!(message(&out.path().join("nowhere")).contains("nowhere: "));
        run(&out.path().join("half"));
        fs::remove_file(out.path().join("half/config.toml")).unwrap();
        assert!(
            message(out.path()).contains("half/config.toml: it is not there, but a `run.json` of a run is")
        );
        fs::remove_dir_all(out.path().join("half")).unwrap();
        run(out.path());
        fs::write(out.path().join("evaluations.csv"), "round,test_loss\n0,3\n2,").unwrap();
        assert_eq!(first(out.path()).unwrap().evaluations.len(), 1, "it may still be written");
        let summary = r#"{"status": "completed", "rounds": 2, "elapsed_seconds": 1, "rounds_per_second": 2}"#;
        fs::write(out.path().join("summary.json"), summary).unwrap();
        assert!(
            message(out.path())
                .ends_with("evaluations.csv: it is cut off: the run is completed, with 2 rounds")
        );
        fs::write(out.path().join("evaluations.csv"), "round,test_loss\n0,3\n").unwrap();
        assert!(message(out.path()).contains("evaluations.csv: it is cut off"));
        fs::remove_file(out.path().join("summary.json")).unwrap();
        fs::write(out.path().join("rounds.csv"), "round,bytes\n1,many\n").unwrap();
        assert!(message(out.path()).ends_with("rounds.csv:2: column bytes: `many` is no number"));
        fs::write(out.path().join("summary.json"), "{").unwrap();
        assert!(message(out.path()).contains("summary.json: EOF"));
        fs::write(out.path().join("config.toml"), CONFIG.replace("seed", "sed")).unwrap();
        assert!(message(out.path()).contains("unknown key `sed`"), "{}", message(out.path()));
    }
}
