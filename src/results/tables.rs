//! The three tables of a run. Their columns, in order; an empty cell means
//! that there is no such number. `rounds.csv` and `evaluations.csv` are the
//! same for the same configuration and seed; everything that a clock says is
//! in `timings.csv`.
//!
//! `rounds.csv`:
//!
//! | column | unit | meaning |
//! |---|---|---|
//! | `round` | | t, from 1 |
//! | `honest_loss` | loss | mean over the honest workers of their batch's mean loss at x_t |
//! | `honest_accuracy` | fraction | the same of their batch's accuracy |
//! | `aggregate_norm` | gradient | norm of the aggregate |
//! | `honest_distance` | gradient | distance of the aggregate to the mean of the honest vectors |
//! | `honest_variance` | gradient² | (1/\|G\|) Σ ‖x_i − mean‖² over the honest vectors |
//! | `robustness_coefficient` | | honest_distance² / honest_variance |
//! | `byzantine_weight` | fraction | the attackers' share of the weight, if the rule combines vectors |
//! | `set_aside` | vectors | how many were not finite |
//! | `absent` | workers | how many took no part |
//! | `gradients` | gradients | computed so far in the run |
//! | `bytes` | B | of vectors submitted so far in the run |
//! | `workers` | workers | how many were called: the whole cast, or the round's cohort |
//! | `attackers` | workers | how many of them are Byzantine |
//!
//! `evaluations.csv`: `round` (0 is the initial point), `test_loss` (for a
//! convex task the objective), `test_accuracy` (fraction), `gap` (f(x) − f(x*)
//! where x* is known), `validation_loss` and `validation_accuracy` (the same on
//! training data held out, where `task.validation` holds some out).
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
//! | `round_seconds` | s | the whole round |
//! | `elapsed_seconds` | s | since the run began |

use std::{fs::File, path::PathBuf, time::Instant};

use phalanx_actors::{Evaluation, Observer, RoundReport, WorkerReport};

use super::{ResultsError, RunFolder};

/// Columns of `rounds.csv`.
pub const ROUND_COLUMNS: [&str; 14] = [
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

/// Writes the tables, a row at a time.
pub struct Tables {
    rounds: Table,
    evaluations: Table,
    timings: Table,
    gradients: u64,
    bytes: u64,
    began: Instant,
}

impl Tables {
    /// Begins the tables in `folder`.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn create(folder: &RunFolder) -> Result<Self, ResultsError> {
        Ok(Self {
            rounds: Table::create(folder.path().join("rounds.csv"), &ROUND_COLUMNS)?,
            evaluations: Table::create(folder.path().join("evaluations.csv"), &EVALUATION_COLUMNS)?,
            timings: Table::create(folder.path().join("timings.csv"), &TIMING_COLUMNS)?,
            gradients: 0,
            bytes: 0,
            began: Instant::now(),
        })
    }
}

impl Observer for Tables {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.gradients += report.gradients;
        self.bytes += report.bytes;
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
        self.rounds.write(&row)?;
        let p = &report.phases;
        let elapsed = self.began.elapsed();
        let times = [p.gradient, p.wait, p.attack, p.aggregate, p.step, p.round, elapsed];
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
}

/// The shortest decimal that reads back as the same f64; nothing for NaN.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// A CSV file that is flushed after every row.
struct Table {
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl Table {
    fn create(path: PathBuf, columns: &[&str]) -> Result<Self, ResultsError> {
        let file = File::create_new(&path).map_err(ResultsError::at(&path))?;
        let mut table = Self { path, writer: csv::Writer::from_writer(file) };
        table.row(columns).map_err(|error| ResultsError { path: table.path.clone(), error })?;
        Ok(table)
    }

    fn write(&mut self, row: &[String]) -> Result<(), String> {
        self.row(row).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn row(&mut self, row: &[impl AsRef<[u8]>]) -> std::io::Result<()> {
        self.writer.write_record(row)?;
        self.writer.flush()
    }
}
