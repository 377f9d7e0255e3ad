//! `phalanx cell`: one cell of a sweep, in its run folder. `phalanx sweep`
//! starts it; it is not for people, and ends when the sweep is gone.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{
    config::Layers,
    experiment::{Plan, PlanError, RunOutcome},
    registry::Registry,
    results::{ResultsError, RunFolder, Status, Summary},
    sweep::process::{LOCK, clear},
};

/// The arguments of `phalanx cell`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run folder, which holds the configuration as resolved.
    folder: PathBuf,
    /// Number of threads.
    #[arg(long, value_name = "N")]
    threads: i64,
    /// Folder with data sets, searched first.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the cell, unless another process has done so meanwhile.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        eprintln!("warning: the cell will outlive a sweep that is killed: {error}");
    }
    match run(registry, arguments) {
        Ok(Some(RunOutcome { summary, .. })) if summary.status == Status::Failed => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => super::unusable(error),
    }
}

fn run(registry: &Registry, arguments: &Arguments) -> Result<Option<RunOutcome>, PlanError> {
    let folder = &arguments.folder;
    let path = folder.join(LOCK);
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = options.map_err(ResultsError::at(&path))?;
    lock.lock().map_err(ResultsError::at(&path))?;
    if Summary::of(folder).is_some_and(|summary| summary.status == Status::Completed) {
        return Ok(None);
    }
    let plan = plan(registry, folder, arguments)?;
    clear(folder)?;
    plan.run_in(RunFolder::exactly(folder)?, Vec::new()).map(Some)
}

fn plan(registry: &Registry, folder: &Path, arguments: &Arguments) -> Result<Plan, PlanError> {
    let path = folder.join("config.toml");
    let text = fs::read_to_string(&path).map_err(ResultsError::at(&path))?;
    let mut layers = Layers::recorded(&path, &text)?;
    layers.put("machine.threads", &arguments.threads.into(), "--threads")?;
    Plan::of(registry, layers, arguments.data.as_deref())
}
