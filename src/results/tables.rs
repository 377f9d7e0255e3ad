//! The four tables of a run. Their columns, in order; an empty cell means
//! that there is no such number. `rounds.csv`, `evaluations.csv` and `faults.csv`
//! are the same for the same configuration and seed; everything that a clock says
//! is in `timings.csv`.
//!
//! `rounds.csv`:
//!
//! | column | unit | meaning |
//! |---|---|---|
//! | `round` | | t, from 1 |
//! | `honest_loss` | loss | mean over the honest workers of their batch's mean loss at x_t; for a convex task with noise that of the sample, which may be negative |
//! | `honest_accuracy` | fraction | the same of their batch's accuracy |
//! | `aggregate_norm` | gradient | norm of the aggregate |
//! | `honest_distance` | gradient | distance of the aggregate to the mean of the honest vectors |
//! | `honest_variance` | gradient² | (1/\|G\|) Σ ‖x_i − mean‖² over the honest vectors |
//! | `robustness_coefficient` | | honest_distance² / honest_variance |
//! | `byzantine_weight` | fraction | the attackers' share of the weight, if the rule combines vectors |
//! | `set_aside` | vectors | how many were not finite |
//! | `absent` | workers | how many took no part |
//! | `gradients` | gradients | computed so far in the run, each of one batch, those of attackers who follow the protocol too |
//! | `bytes` | B | of vectors sent so far in the run, whatever became of them |
//! | `workers` | workers | how many were called: the whole cast, or the round's cohort |
//! | `attackers` | workers | how many of them are Byzantine |
//! | `f` | workers | how many Byzantine ones the rule was told to withstand |
//! | `sent` | messages | sent to the barrier; the sum of the next four |
//! | `accepted` | messages | taken in, one for each worker that is there |
//! | `rejected` | messages | refused by the barrier |
//! | `late` | messages | behind the deadline or the quorum |
//! | `lost` | messages | that never arrived |
//! | `stood_in` | workers | for how many absent ones an earlier vector stood in |
//! | `skipped` | rounds | 1 if no step was made, because faults, the quorum or a cohort of attackers alone left what the rule cannot stand; 0 else |
//! | `virtual_seconds` | s | what the round would have cost by its delays; empty in an experiment without faults |
//!
//! `evaluations.csv`: `round` (0 is the initial point), `test_loss` (for a
//! convex task the objective), `test_accuracy` (fraction), `gap` (f(x) − f(x*)
//! where x* is known), `validation_loss` and `validation_accuracy` (the same on
//! training data held out, where `task.validation` holds some out).
//!
//! `faults.csv` has a row for each worker and round in which something happened to it:
//!
//! | column | meaning |
//! |---|---|
//! | `round`, `worker` | when, and its id |
//! | `role` | `honest` or `byzantine` |
//! | `faults` | the faults of the experiment that struck it, joined by `+`; empty where it was not the experiment |
//! | `seconds` | virtual time at which its submission arrives |
//! | `outcome` | `accepted`, `absent`, or `stood-in` (an earlier vector of it stood in) |
//! | `sent`, `rejected`, `late`, `lost` | what became of its messages |
//! | `restarted` | 1 if it began anew in this round |
//! | `reason` | why it was absent, or why a message was rejected |
//!
//! `timings.csv`:
//!
//! | column | unit | meaning |
//! |---|---|---|
//! | `round` | | t, from 1 |
//! | `gradient_seconds` | s | the learner's computation |
//! | `wait_seconds` | s | waiting for the barrier beyond that |
//! | `attack_seconds` | s | phase two |
//! | `aggregate_seconds` | s | the rule |
//! | `step_seconds` | s | the server's step |
//! | `round_seconds` | s | the whole round, without what it waits for evaluations |
//! | `elapsed_seconds` | s | since the run began |

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use phalanx_actors::{Evaluation, Incident, Observer, RoundReport, Snapshot, WorkerReport, report::Phase};
use phalanx_robust::state::{State, StateError};

use sha2::{Digest, Sha256};

use super::{ResultsError, RunFolder};
use crate::hex::{hex, sha256};

/// Columns of `rounds.csv`.
pub const ROUND_COLUMNS: [&str; 23] = [
    "round",
    "honest_loss",
    "honest_accuracy",
    "aggregate_norm",
    "honest_distance",
    "honest_variance",
    "robustness_coefficient",
    "byzantine_weight",
    "set_aside",
    "absent",
    "gradients",
    "bytes",
    "workers",
    "attackers",
    "f",
    "sent",
    "accepted",
    "rejected",
    "late",
    "lost",
    "stood_in",
    "skipped",
    "virtual_seconds",
];

/// Columns of `evaluations.csv`.
pub const EVALUATION_COLUMNS: [&str; 6] =
    ["round", "test_loss", "test_accuracy", "gap", "validation_loss", "validation_accuracy"];

/// Columns of `timings.csv`.
pub const TIMING_COLUMNS: [&str; 8] = [
    "round",
    "gradient_seconds",
    "wait_seconds",
    "attack_seconds",
    "aggregate_seconds",
    "step_seconds",
    "round_seconds",
    "elapsed_seconds",
];

/// The column of `timings.csv` that a part of the round has.
pub fn timing(part: &Phase) -> String {
    format!("{}_seconds", part.key)
}

/// Columns of `faults.csv`.
pub const FAULT_COLUMNS: [&str; 12] = [
    "round",
    "worker",
    "role",
    "faults",
    "seconds",
    "outcome",
    "sent",
    "rejected",
    "late",
    "lost",
    "restarted",
    "reason",
];

/// Writes the tables, a row at a time.
pub struct Tables {
    rounds: Table,
    faults: Table,
    evaluations: Table,
    timings: Table,
    gradients: u64,
    bytes: u64,
    began: Instant,
    /// Time that earlier processes spent on the rounds in the tables.
    before: Duration,
}

/// The part of a snapshot that holds what the tables have added up.
const PART: &str = "tables";

/// Names of the tables and of their entries in that part: how long each file was.
const FILES: [(&str, &str); 4] = [
    ("rounds", "rounds.csv"),
    ("faults", "faults.csv"),
    ("evaluations", "evaluations.csv"),
    ("timings", "timings.csv"),
];

impl Tables {
    /// Begins the tables in `folder`.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn create(folder: &RunFolder) -> Result<Self, ResultsError> {
        Ok(Self {
            rounds: Table::create(folder.path().join("rounds.csv"), &ROUND_COLUMNS)?,
            faults: Table::create(folder.path().join("faults.csv"), &FAULT_COLUMNS)?,
            evaluations: Table::create(folder.path().join("evaluations.csv"), &EVALUATION_COLUMNS)?,
            timings: Table::create(folder.path().join("timings.csv"), &TIMING_COLUMNS)?,
            gradients: 0,
            bytes: 0,
            began: Instant::now(),
            before: Duration::ZERO,
        })
    }

    /// Goes on with the tables in `folder` where `snapshot` left them: rows that came after it are cut off.
    ///
    /// # Errors
    /// [`ResultsError`] for a file that cannot be changed, or is shorter than it was.
    pub fn resume(folder: &RunFolder, snapshot: &Snapshot) -> Result<Self, ResultsError> {
        let nothing = State::default();
        let state = snapshot.parts.get(PART).unwrap_or(&nothing);
        let failed = |error: StateError| ResultsError {
            path: folder.path().to_owned(),
            error: io::Error::other(error),
        };
        let number = |entry| state.value::<u64>(PART, entry).map_err(failed);
        let [rounds, faults, evaluations, timings] = FILES.map(|(entry, name)| {
            number(entry).and_then(|length| Table::resume(folder.path().join(name), length))
        });
        Ok(Self {
            rounds: rounds?,
            faults: faults?,
            evaluations: evaluations?,
            timings: timings?,
            gradients: number("gradients")?,
            bytes: number("bytes")?,
            began: Instant::now(),
            before: Duration::from_nanos(number("nanoseconds")?),
        })
    }

    /// Whether the tables in `folder` still begin with what they were when `snapshot` was taken.
    ///
    /// # Errors
    /// Which is not, in words.
    pub fn reach(folder: &Path, snapshot: &Snapshot) -> Result<(), String> {
        let state = snapshot.parts.get(PART).ok_or("it tells nothing of the tables")?;
        for (entry, name) in FILES {
            let noted: u64 = state.value(PART, entry).map_err(|error| error.to_string())?;
            let path = folder.join(name);
            let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            if length < noted {
                return Err(format!("{name} has {length} bytes, it had {noted}"));
            }
            let digest = begun(&path, noted).map_err(|error| format!("{name}: {error}"))?;
            let known = state.values.get(&sum(entry)); // checkpoints of old have none
            if known.is_some_and(|known| *known != text(&digest)) {
                return Err(format!("{name} is damaged: its first {noted} bytes are not what they were"));
            }
        }
        Ok(())
    }

    /// Time that earlier processes spent on the rounds in the tables.
    pub fn before(&self) -> Duration {
        self.before
    }

    /// The first table that is not in `folder`.
    pub fn missing(folder: &Path) -> Option<PathBuf> {
        FILES.iter().map(|(_, name)| folder.join(name)).find(|path| !path.is_file())
    }

    /// Waits until the tables in `folder` are on the disk.
    ///
    /// # Errors
    /// Of the system.
    pub fn sync(folder: &Path) -> io::Result<()> {
        FILES.iter().try_for_each(|(_, name)| File::open(folder.join(name))?.sync_all())
    }
}

impl Observer for Tables {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.gradients += report.gradients;
        self.bytes += report.sent_bytes;
        let count = |test: fn(&WorkerReport) -> bool| report.workers.iter().filter(|w| test(w)).count();
        let mut row = vec![report.round.to_string()];
        row.extend([
            number(report.honest_loss),
            number(report.honest_accuracy),
            number(report.aggregate_norm),
            number(report.honest_distance),
            number(report.honest_variance),
            number(report.robustness_coefficient()),
            report.byzantine_weight().map_or_else(String::new, number),
        ]);
        row.push(count(|w| w.set_aside).to_string());
        row.push(count(|w| w.absence.is_some()).to_string());
        row.push(self.gradients.to_string());
        row.push(self.bytes.to_string());
        row.push(report.workers.len().to_string());
        row.push(count(|w| !w.honest).to_string());
        row.push(report.f.to_string());
        let t = &report.traffic;
        row.extend([t.sent, t.accepted, t.rejected, t.late, t.lost].map(|number| number.to_string()));
        row.push(count(|w| w.stood_in.is_some()).to_string());
        row.push(u8::from(report.skipped).to_string());
        row.push(report.virtual_seconds.map_or_else(String::new, number));
        self.rounds.write(&row)?;
        mishaps(report).try_for_each(|row| self.faults.write(&row))?;
        let p = &report.phases;
        let elapsed = self.before + self.began.elapsed();
        let times = p.times().into_iter().chain([p.round, elapsed]);
        let mut row = vec![report.round.to_string()];
        row.extend(times.map(|time| format!("{:.9}", time.as_secs_f64())));
        self.timings.write(&row)
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        self.evaluations.write(&[
            evaluation.round.to_string(),
            number(evaluation.loss),
            number(evaluation.accuracy),
            number(evaluation.gap),
            number(evaluation.validation_loss),
            number(evaluation.validation_accuracy),
        ])
    }

    fn state(&self) -> Option<(&'static str, State)> {
        let elapsed = (self.before + self.began.elapsed()).as_nanos();
        let numbers = [
            ("gradients", self.gradients),
            ("bytes", self.bytes),
            ("nanoseconds", u64::try_from(elapsed).unwrap_or(u64::MAX)),
        ];
        let numbers = numbers.map(|(name, number)| (name.to_owned(), number.into()));
        let tables = [&self.rounds, &self.faults, &self.evaluations, &self.timings];
        let noted = FILES.iter().zip(tables).flat_map(|((entry, _), table)| {
            [((*entry).to_owned(), table.length.into()), (sum(entry), text(&table.digest).into())]
        });
        let values = noted.chain(numbers).collect();
        Some((PART, State { values, ..State::default() }))
    }
}

/// The entry for the digest of a file.
fn sum(entry: &str) -> String {
    format!("{entry}_sha256")
}

/// A digest so far, as text.
fn text(digest: &Sha256) -> String {
    hex(digest.clone().finalize())
}

/// The digest of the first `length` bytes of a file.
fn begun(path: &Path, length: u64) -> io::Result<Sha256> {
    sha256(File::open(path)?.take(length))
}

/// The rows of `faults.csv` for a round: the workers to which something happened, by id.
fn mishaps(report: &RoundReport) -> impl Iterator<Item = Vec<String>> {
    let mut incidents = report.incidents.iter().peekable();
    report.workers.iter().filter_map(move |worker| {
        let mut all = Incident { worker: worker.worker, ..Incident::default() };
        let mut any = worker.absence.is_some();
        while let Some(one) = incidents.next_if(|incident| incident.worker == worker.worker) {
            any = true;
            let restarted = all.restarted || one.restarted;
            // Of a new beginning and of what happened then, the second has more to tell.
            all = if one.restarted { all } else { one.clone() };
            all.restarted = restarted;
        }
        any.then(|| mishap(report.round, worker, &all))
    })
}

fn mishap(round: u64, worker: &WorkerReport, incident: &Incident) -> Vec<String> {
    let outcome = match (&worker.absence, worker.stood_in) {
        (_, Some(_)) => "stood-in",
        (Some(_), None) => "absent",
        (None, None) => "accepted",
    };
    let reason = worker.absence.as_ref().or(incident.rejection.as_ref());
    let t = &incident.traffic;
    let mut row = vec![
        round.to_string(),
        worker.worker.to_string(),
        if worker.honest { "honest" } else { "byzantine" }.to_owned(),
        incident.faults.join("+"),
        incident.seconds.map_or_else(String::new, number),
        outcome.to_owned(),
    ];
    row.extend([t.sent, t.rejected, t.late, t.lost, u64::from(incident.restarted)].map(|n| n.to_string()));
    row.push(reason.map_or_else(String::new, ToString::to_string));
    row
}

/// The shortest decimal that reads back as the same f64; nothing for NaN.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// A CSV file that is flushed after every row.
struct Table {
    path: PathBuf,
    file: File,
    length: u64,
    /// Of what has been written.
    digest: Sha256,
}

impl Table {
    fn create(path: PathBuf, columns: &[&str]) -> Result<Self, ResultsError> {
        let file = File::create_new(&path).map_err(ResultsError::at(&path))?;
        let mut table = Self { path, file, length: 0, digest: Sha256::new() };
        table.row(columns).map_err(|error| ResultsError { path: table.path.clone(), error })?;
        Ok(table)
    }

    /// The table in `path`, cut to its first `length` bytes.
    fn resume(path: PathBuf, length: u64) -> Result<Self, ResultsError> {
        let cut = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::other(format!("it is shorter than the {length} bytes that it had")));
            }
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok((file, begun(&path, length)?))
        };
        let (file, digest) = cut().map_err(ResultsError::at(&path))?;
        Ok(Self { path, file, length, digest })
    }

    fn write(&mut self, row: &[String]) -> Result<(), String> {
        self.row(row).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Writes a row at once, so that a reader never sees half of one.
    fn row(&mut self, row: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(row)?;
        let line = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.file.write_all(&line)?;
        self.length += line.len() as u64;
        self.digest.update(&line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use phalanx_actors::report::Phases;

    use super::{TIMING_COLUMNS, timing};

    #[test]
    fn times_are_in_the_order_of_their_columns() {
        assert_eq!(Phases::ALL.map(|part| timing(&part)), TIMING_COLUMNS[1..6]);
    }
}
