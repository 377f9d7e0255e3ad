//! The progress bar of a run: round, loss, accuracy, rounds/s, time left.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use phalanx_actors::{Evaluation, Observer, RoundReport};

/// Draws on stderr when that is a terminal.
pub struct Progress {
    bar: ProgressBar,
    loss: f64,
    accuracy: f64,
    gap: f64,
}

impl Progress {
    /// A bar of so many rounds, which is drawn unless `quiet`.
    pub fn new(rounds: u64, quiet: bool) -> Self {
        Self::drawn(ProgressBar::with_draw_target(Some(rounds), target(quiet)), String::new())
    }

    /// The same among those of other runs, with a name in front.
    pub fn beside(others: &MultiProgress, name: &str, rounds: u64, quiet: bool) -> Self {
        others.set_draw_target(target(quiet));
        Self::drawn(others.add(ProgressBar::new(rounds)), format!("{name}: "))
    }

    fn drawn(bar: ProgressBar, name: String) -> Self {
        let template = "{prefix}round {pos}/{len} [{bar:24}] {msg}  {per_sec}  {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> ").with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.1} rounds/s", state.per_sec());
            },
        ));
        bar.set_prefix(name);
        Self { bar, loss: f64::NAN, accuracy: f64::NAN, gap: f64::NAN }
    }

    /// A handle with which to clear the bar at the end.
    pub fn handle(&self) -> ProgressBar {
        self.bar.clone()
    }
}

fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) }
}

impl Observer for Progress {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.loss = report.honest_loss;
        let mut message = format!("loss {:.4}", self.loss);
        if !self.gap.is_nan() {
            message += &format!("  gap {:.3e}", self.gap);
        } else if !self.accuracy.is_nan() {
            message += &format!("  accuracy {:.2} %", 100.0 * self.accuracy);
        }
        self.bar.set_message(message);
        self.bar.set_position(report.round);
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        (self.accuracy, self.gap) = (evaluation.accuracy, evaluation.gap);
        Ok(())
    }
}
