//! `phalanx cell`: one cell of a sweep, in its run folder. `phalanx sweep`
//! starts it; it is not for people, and ends when the sweep is gone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{
    checkpoint::{self, Build, CheckpointError, Found},
    config::Layers,
    experiment::{Plan, PlanError, RunOutcome},
    registry::Registry,
    results::{FolderLock, ResultsError, RunFolder, Status, Summary},
    stop,
    sweep::process::{clear, set_aside},
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
    stop::wait_always();
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        say!("warning: the cell will outlive a sweep that is killed: {error}");
    }
    match run(registry, arguments) {
        Ok(Some(RunOutcome { summary, .. })) if summary.status == Status::Failed => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => super::unusable(error),
    }
}

fn run(registry: &Registry, arguments: &Arguments) -> Result<Option<RunOutcome>, PlanError> {
    let path = &arguments.folder;
    let _lock = FolderLock::wait(path)?;
    if Summary::of(path).is_some_and(|summary| summary.status == Status::Completed) {
        return Ok(None);
    }
    let folder = RunFolder::exactly(path)?;
    // If this process does not come to write one, its sweep must not take it for what it wrote.
    folder.remove("summary.json")?;
    let plan = plan(registry, path, arguments)?;
    match checkpoint(path, &plan) {
        Ok(Some(found)) => return plan.resume_in(folder, found, Vec::new()).map(Some),
        Ok(None) => clear(path)?,
        Err(reason) => {
            let kept = set_aside(path)?;
            say!("warning: the cell begins anew, and what it had is kept in {}: {reason}", kept.display());
        }
    }
    plan.run_in(folder, Vec::new()).map(Some)
}

/// From where the cell goes on, if it left a checkpoint.
///
/// # Errors
/// Why none of those that it left can be used, in words. One of another build is not: the rounds of a cell are those of
/// one program.
fn checkpoint(folder: &Path, plan: &Plan) -> Result<Option<Found>, String> {
    let found = match checkpoint::newest(folder) {
        Ok(found) => found,
        Err(CheckpointError::None { .. }) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    found.passed_over.iter().for_each(|message| say!("passed over: {message}"));
    let (round, build) = (found.checkpoint.snapshot.round, &found.checkpoint.origin.build);
    if *build != Build::this() {
        return Err(format!("its checkpoint of round {round} was written by another build ({build})"));
    }
    found.checkpoint.check(plan.config()).map_err(|error| error.to_string())?;
    Ok(Some(found))
}

fn plan(registry: &Registry, folder: &Path, arguments: &Arguments) -> Result<Plan, PlanError> {
    let path = folder.join("config.toml");
    let text = fs::read_to_string(&path).map_err(ResultsError::at(&path))?;
    let mut layers = Layers::recorded(&path, &text)?;
    layers.put("machine.threads", &arguments.threads.into(), "--threads")?;
    Plan::of(registry, layers, arguments.data.as_deref())
}
