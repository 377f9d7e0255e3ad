//! How a run ended, for machines (`summary.json`) and for people (a table).

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

/// In which of three ways a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// After its last round.
    Completed,
    /// By Ctrl-C, after the round in hand.
    Interrupted,
    /// By an error.
    Failed,
}

impl Status {
    /// The word in `summary.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// In which of three ways.
    pub status: Status,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// Whether the task is convex: the loss is then f(x), and the accuracy that on the samples that workers train on.
    #[serde(default)]
    pub convex: bool,
    /// Rounds completed.
    pub rounds: u64,
    /// Loss of the last evaluation.
    pub test_loss: Option<f64>,
    /// Accuracy of the last evaluation, as a fraction.
    pub test_accuracy: Option<f64>,
    /// Loss of the last evaluation on the validation set.
    pub validation_loss: Option<f64>,
    /// Accuracy of the last evaluation on the validation set, as a fraction.
    pub validation_accuracy: Option<f64>,
    /// f(x) - f(x*) of the last evaluation.
    pub gap: Option<f64>,
    /// Success of the attack at the last evaluation, as a fraction, where classes are counted and an attack wants some taken
    /// for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack_success: Option<f64>,
    /// Whether the loss of the last evaluation, which no number stands for then, is not finite.
    #[serde(default)]
    pub diverged: bool,
    /// What the rounds would have cost by their delays, in virtual seconds; none in an experiment without faults.
    #[serde(default)]
    pub virtual_seconds: Option<f64>,
    /// What the barrier counted beside vectors, if anything.
    #[serde(default)]
    pub barrier: Option<BarrierCounts>,
    /// Seconds from the first round to the end.
    pub elapsed_seconds: f64,
    /// Rounds in a second.
    pub rounds_per_second: f64,
}

/// What the barrier counted over all rounds, beside the vectors that it took in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierCounts {
    /// Workers that were absent, each once a round.
    pub absent: u64,
    /// Earlier vectors that stood in for them.
    pub stood_in: u64,
    /// Messages that were refused.
    pub rejected: u64,
    /// Rounds without a step.
    pub skipped: u64,
}

impl Summary {
    /// That of the run in `folder`; none while it is going, or if it was killed.
    pub fn of(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join("summary.json")).ok()?).ok()
    }

    /// Something went wrong after the last round, such as writing a result; the first reason is kept.
    pub fn fail(&mut self, error: &impl ToString) {
        self.status = Status::Failed;
        self.error.get_or_insert_with(|| error.to_string());
    }

    /// The rows of the table that is shown at the end.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let diverged = if self.diverged { ", diverged: the loss is not finite" } else { "" };
        let status = format!("{}{diverged}", self.status.name());
        let mut rows = vec![("status", status), ("rounds", self.rounds.to_string())];
        let accuracy = if self.convex { "training accuracy" } else { "test accuracy" };
        rows.extend(self.test_accuracy.map(|v| (accuracy, format!("{:.2} %", 100.0 * v))));
        rows.extend(self.test_loss.map(|v| match self.convex {
            true => ("f(x)", format!("{v:.3e}")),
            false => ("test loss", format!("{v:.4}")),
        }));
        rows.extend(self.validation_accuracy.map(|v| ("validation accuracy", format!("{:.2} %", 100.0 * v))));
        rows.extend(self.attack_success.map(|v| ("attack success", format!("{:.2} %", 100.0 * v))));
        rows.extend(self.gap.map(|v| ("f(x) - f(x*)", format!("{v:.3e}"))));
        let counts = self.barrier.unwrap_or_default();
        let counted = [
            ("absences", counts.absent),
            ("stood in", counts.stood_in),
            ("rejected", counts.rejected),
            ("skipped rounds", counts.skipped),
        ];
        rows.extend(counted.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name, n.to_string())));
        rows.extend(self.virtual_seconds.map(|v| ("virtual time", format!("{v:.2} s"))));
        rows.push(("time", format!("{:.2} s", self.elapsed_seconds)));
        rows.push(("rounds/s", format!("{:.1}", self.rounds_per_second)));
        rows
    }
}
