//! The tables of a run. Their columns, in order; an empty cell means that there
//! is no such number. All but `timings.csv`, where everything is that a clock
//! says, are the same for the same configuration and seed.
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
//! | `byzantine_weight` | fraction | the attackers' share of the coefficients' sizes, Σ_byzantine \|c_i\| / Σ \|c_i\|, if the rule combines vectors |
//! | `set_aside` | vectors | how many were not finite |
//! | `absent` | workers | how many took no part |
//! | `gradients` | gradients | computed so far in the run, each of one batch, those of attackers who follow the protocol too |
//! | `bytes` | B | of vectors sent so far in the run, whatever became of them; each message counts as one vector of the task |
//! | `workers` | workers | how many were called: the whole cast, or the round's cohort |
//! | `attackers` | workers | how many of them are Byzantine |
//! | `f` | workers | how many Byzantine ones the rule was told to withstand among the m = `accepted` + `stood_in` - `set_aside` whose vectors it was given; each vector set aside counts as one that is withstood |
//! | `sent` | messages | sent to the barrier; the sum of the next four. Each counts once: one out of order in the round in which it arrives |
//! | `accepted` | messages | taken in, one for each worker that is there |
//! | `rejected` | messages | refused by the barrier |
//! | `late` | messages | behind the deadline or the quorum |
//! | `lost` | messages | that never arrive, in a later round neither |
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
//! `workers.csv` has a row for every worker that was called in one of the rounds that `record.workers_every` chooses:
//!
//! | column | unit | meaning |
//! |---|---|---|
//! | `round`, `worker` | | when, and its id |
//! | `role` | | `honest` or `byzantine` |
//! | `outcome` | | `accepted`, `absent`, or `stood-in` |
//! | `weight` | fraction | the coefficient of its vector, if the rule combines vectors |
//! | `distance` | gradient | of its vector to the aggregate |
//! | `set_aside` | | 1 if its vector was not finite; 0 else |
//! | `loss` | loss | mean over its batch |
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
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use phalanx_actors::{Evaluation, Incident, Observer, RoundReport, Snapshot, WorkerReport, report::Phase};
use phalanx_robust::state::{State, StateError};

use super::{
    ResultsError, RunFolder,
    csv_file::{self, CsvFile},
};

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

/// Columns of `workers.csv`.
pub const WORKER_COLUMNS: [&str; 8] =
    ["round", "worker", "role", "outcome", "weight", "distance", "set_aside", "loss"];

/// Writes the tables, a round at a time.
pub struct Tables {
    rounds: CsvFile,
    faults: CsvFile,
    evaluations: CsvFile,
    timings: CsvFile,
    /// If every worker of some rounds has a row.
    workers: Option<CsvFile>,
    /// Rounds from one of these to the next.
    workers_every: u64,
    gradients: u64,
    bytes: u64,
    began: Instant,
    /// Time that earlier processes spent on the rounds in the tables.
    before: Duration,
}

/// The part of a snapshot that holds what the tables have added up.
const PART: &str = "tables";

/// Names of the tables that every run has and of their entries in that part: how long each file was.
const FILES: [(&str, &str); 4] = [
    ("rounds", "rounds.csv"),
    ("faults", "faults.csv"),
    ("evaluations", "evaluations.csv"),
    ("timings", "timings.csv"),
];

/// The same of the table that a run has if it is wanted.
const WORKERS: (&str, &str) = ("workers", "workers.csv");

impl Tables {
    /// Begins the tables in `folder`; every worker has a row in every `workers_every` rounds, if not 0.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn create(folder: &RunFolder, workers_every: u64) -> Result<Self, ResultsError> {
        let create = |name: &str, columns: &[&str]| CsvFile::create(folder.path().join(name), columns);
        Ok(Self {
            rounds: create("rounds.csv", &ROUND_COLUMNS)?,
            faults: create("faults.csv", &FAULT_COLUMNS)?,
            evaluations: create("evaluations.csv", &EVALUATION_COLUMNS)?,
            timings: create("timings.csv", &TIMING_COLUMNS)?,
            workers: (workers_every > 0).then(|| create(WORKERS.1, &WORKER_COLUMNS)).transpose()?,
            workers_every,
            gradients: 0,
            bytes: 0,
            began: Instant::now(),
            before: Duration::ZERO,
        })
    }

    /// Goes on with the tables in `folder` where `snapshot` left them: rows that came after it are cut off when the run
    /// begins.
    ///
    /// # Errors
    /// [`ResultsError`] for a file that cannot be changed, or is shorter than it was.
    pub fn resume(folder: &RunFolder, workers_every: u64, snapshot: &Snapshot) -> Result<Self, ResultsError> {
        let nothing = State::default();
        let state = snapshot.parts.get(PART).unwrap_or(&nothing);
        let failed = |error: StateError| ResultsError {
            path: folder.path().to_owned(),
            error: io::Error::other(error),
        };
        let number = |entry| state.value::<u64>(PART, entry).map_err(failed);
        let table = |(entry, name): (&'static str, &'static str)| {
            number(entry).and_then(|length| CsvFile::resume(folder.path().join(name), length))
        };
        let [rounds, faults, evaluations, timings] = FILES.map(table);
        Ok(Self {
            rounds: rounds?,
            faults: faults?,
            evaluations: evaluations?,
            timings: timings?,
            workers: Self::resume_workers(folder, workers_every, || table(WORKERS), state)?,
            workers_every,
            gradients: number("gradients")?,
            bytes: number("bytes")?,
            began: Instant::now(),
            before: Duration::from_nanos(number("nanoseconds")?),
        })
    }

    /// The table of every worker as it goes on by `resume`: what is wanted of it may have changed meanwhile, as no result
    /// depends on it.
    fn resume_workers(
        folder: &RunFolder,
        workers_every: u64,
        resume: impl FnOnce() -> Result<CsvFile, ResultsError>,
        state: &State,
    ) -> Result<Option<CsvFile>, ResultsError> {
        if workers_every > 0 && state.values.contains_key(WORKERS.0) {
            return resume().map(Some);
        }
        folder.remove(WORKERS.1)?;
        let create = || CsvFile::create(folder.path().join(WORKERS.1), &WORKER_COLUMNS);
        (workers_every > 0).then(create).transpose()
    }

    /// Whether the tables in `folder` still begin with what they were when `snapshot` was taken.
    ///
    /// # Errors
    /// Which is not, in words.
    pub fn reach(folder: &Path, snapshot: &Snapshot) -> Result<(), String> {
        let state = snapshot.parts.get(PART).ok_or("it tells nothing of the tables")?;
        let wanted = Some(WORKERS).filter(|(entry, _)| state.values.contains_key(*entry));
        for (entry, name) in FILES.into_iter().chain(wanted) {
            let noted: u64 = state.value(PART, entry).map_err(|error| error.to_string())?;
            let path = folder.join(name);
            let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            if length < noted {
                return Err(format!("{name} has {length} bytes, it had {noted}"));
            }
            let digest = csv_file::digest(&path, noted).map_err(|error| format!("{name}: {error}"))?;
            let known = state.values.get(&sum(entry)); // checkpoints of old have none
            if known.is_some_and(|known| *known != digest) {
                return Err(format!("{name} is damaged: its first {noted} bytes are not what they were"));
            }
        }
        Ok(())
    }

    /// Time that earlier processes spent on the rounds in the tables.
    pub fn before(&self) -> Duration {
        self.before
    }

    /// The first table that is not in `folder`, of a run in which every worker has a row in every `workers_every` rounds.
    pub fn missing(folder: &Path, workers_every: u64) -> Option<PathBuf> {
        let wanted = Some(WORKERS).filter(|_| workers_every > 0);
        FILES.into_iter().chain(wanted).map(|(_, name)| folder.join(name)).find(|path| !path.is_file())
    }

    /// Waits until the tables in `folder` are on the disk.
    ///
    /// # Errors
    /// Of the system.
    pub fn sync(folder: &Path) -> io::Result<()> {
        let wanted = Some(WORKERS).filter(|(_, name)| folder.join(name).is_file());
        FILES.into_iter().chain(wanted).try_for_each(|(_, name)| File::open(folder.join(name))?.sync_all())
    }
}

impl Observer for Tables {
    fn begin(&mut self) -> Result<(), String> {
        let Self { rounds, faults, evaluations, timings, workers, .. } = self;
        [rounds, faults, evaluations, timings].into_iter().chain(workers).try_for_each(CsvFile::cut)
    }

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
            known(report.byzantine_weight()),
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
        row.push(known(report.virtual_seconds));
        self.rounds.write([row])?;
        self.faults.write(mishaps(report))?;
        if let Some(workers) =
            self.workers.as_mut().filter(|_| report.round.is_multiple_of(self.workers_every))
        {
            workers.write(report.workers.iter().map(|worker| fate(report.round, worker)))?;
        }
        let p = &report.phases;
        let elapsed = self.before + self.began.elapsed();
        let times = p.times().into_iter().chain([p.round, elapsed]);
        let mut row = vec![report.round.to_string()];
        row.extend(times.map(|time| format!("{:.9}", time.as_secs_f64())));
        self.timings.write([row])
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        self.evaluations.write([[
            evaluation.round.to_string(),
            number(evaluation.loss),
            number(evaluation.accuracy),
            number(evaluation.gap),
            number(evaluation.validation_loss),
            number(evaluation.validation_accuracy),
        ]])
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
        let workers = self.workers.as_ref().map(|table| (WORKERS, table));
        let noted = FILES.into_iter().zip(tables).chain(workers).flat_map(|((entry, _), table)| {
            [(entry.to_owned(), table.length().into()), (sum(entry), table.digest().into())]
        });
        let values = noted.chain(numbers).collect();
        Some((PART, State { values, ..State::default() }))
    }
}

/// The entry for the digest of a file.
fn sum(entry: &str) -> String {
    format!("{entry}_sha256")
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
    let reason = worker.absence.as_ref().or(incident.rejection.as_ref());
    let t = &incident.traffic;
    let mut row = vec![
        round.to_string(),
        worker.worker.to_string(),
        role(worker).to_owned(),
        incident.faults.join("+"),
        known(incident.seconds),
        outcome(worker).to_owned(),
    ];
    row.extend([t.sent, t.rejected, t.late, t.lost, u64::from(incident.restarted)].map(|n| n.to_string()));
    row.push(reason.map_or_else(String::new, ToString::to_string));
    row
}

/// The row of `workers.csv` for a worker.
fn fate(round: u64, worker: &WorkerReport) -> [String; WORKER_COLUMNS.len()] {
    [
        round.to_string(),
        worker.worker.to_string(),
        role(worker).to_owned(),
        outcome(worker).to_owned(),
        known(worker.weight),
        known(worker.distance),
        u8::from(worker.set_aside).to_string(),
        known(worker.loss),
    ]
}

fn role(worker: &WorkerReport) -> &'static str {
    if worker.honest { "honest" } else { "byzantine" }
}

/// What became of its vector.
fn outcome(worker: &WorkerReport) -> &'static str {
    match (&worker.absence, worker.stood_in) {
        (_, Some(_)) => "stood-in",
        (Some(_), None) => "absent",
        (None, None) => "accepted",
    }
}

/// A number, if there is one.
fn known(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// The shortest decimal that reads back as the same f64; nothing for NaN.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
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
