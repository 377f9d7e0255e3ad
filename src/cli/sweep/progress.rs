//! How a sweep gets on, on stderr: a bar over the rounds of all cells and a line
//! for every cell that ends. Where that is no terminal, only the lines are left.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    config,
    sweep::{
        folder::read_manifest,
        manifest::{Record, Standing},
        pool::{Audience, Task},
    },
    telemetry::{Door, SweepMetrics, Telemetry},
};

/// The bar over all cells, and a line for each that ends.
pub struct Lines {
    /// The bar.
    pub bar: ProgressBar,
    cells: usize,
    ended: usize,
    quiet: bool,
    shown: Option<Shown>,
}

impl Lines {
    /// For the cells of `queue`.
    pub fn new(queue: &VecDeque<Task>, quiet: bool, shown: Option<Shown>) -> Self {
        let rounds = queue.iter().map(|task| task.config.rounds).sum();
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(rounds) };
        bar.set_style(style("{msg} [{bar:24}] {percent} %  {eta} left"));
        bar.set_message(format!("0/{} cells", queue.len()));
        Self { bar, cells: queue.len(), ended: 0, quiet, shown }
    }

    /// A line above the bar.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| say!("{line}"));
        }
    }
}

impl Audience for Lines {
    fn rounds(&mut self, done: u64) {
        self.bar.set_position(done);
        self.shown.iter().for_each(Shown::look);
    }

    fn ended(&mut self, record: &Record) {
        self.ended += 1;
        self.shown.iter().for_each(Shown::look);
        self.bar.set_message(format!("{}/{} cells", self.ended, self.cells));
        let result = match (record.status, record.test_accuracy, record.gap) {
            (Standing::Completed, _, Some(gap)) => format!("gap {gap:.3e}"),
            (Standing::Completed, Some(accuracy), None) => format!("accuracy {:.2} %", 100.0 * accuracy),
            (standing, ..) => standing.name().to_owned(),
        };
        let diverged = if record.diverged { ", diverged" } else { "" };
        let seconds = record.seconds.unwrap_or_default();
        let (ended, cells, label) = (self.ended, self.cells, record.label());
        self.say(&format!("{ended:>4}/{cells}  {result}{diverged}  {seconds:.1} s  {label}"));
    }
}

/// The sweep's own metrics: its cells by state, as the manifest has them.
pub struct Shown {
    metrics: SweepMetrics,
    folder: PathBuf,
    _telemetry: Telemetry,
}

impl Shown {
    /// Listens on `address` for those who ask after the sweep in `folder`.
    pub fn open(address: &str, folder: &Path) -> anyhow::Result<Self> {
        let config = config::Telemetry { listen: address.to_owned(), ..config::Telemetry::off() };
        let Some(door) = Door::take(&config)? else { anyhow::bail!("--metrics: an address is needed") };
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let (telemetry, metrics) = door.open(&[], 0, |meter| SweepMetrics::new(meter, &name))?;
        say!("metrics at {}", telemetry.url().unwrap_or_default());
        let shown = Self { metrics, folder: folder.to_owned(), _telemetry: telemetry };
        shown.look();
        Ok(shown)
    }

    /// Counts again; a manifest that cannot be read now will be read later.
    fn look(&self) {
        if let Ok(Some(manifest)) = read_manifest(&self.folder) {
            self.metrics.set(Standing::ALL.map(|state| manifest.count(state)));
        }
    }
}

/// The style of a bar.
pub fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
