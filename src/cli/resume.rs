//! `phalanx resume`: goes on with a run that was interrupted, from its newest
//! checkpoint.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{CommonArguments, address, progress::Progress, run};
use crate::{
    called,
    checkpoint::{self, Build, Found},
    config::Layers,
    experiment::{Plan, PlanError, RunOutcome},
    registry::Registry,
    results::{FolderLock, ResultsError, RunFolder, Status, Summary, read},
};

/// The arguments of `phalanx resume`.
#[derive(clap::Args)]
#[command(override_usage = called::with("resume [OPTIONS] <RUN>"))]
pub struct Arguments {
    /// The run folder. What it has recorded is the configuration, under the flags here; PHALANX_* variables are not
    /// looked at.
    run: PathBuf,
    #[command(flatten)]
    common: CommonArguments,
    /// Show metrics to Prometheus while it runs [default address: 127.0.0.1:9464].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true,
        default_missing_value = "127.0.0.1:9464", value_parser = address)]
    metrics: Option<String>,
    /// No progress bar and no summary.
    #[arg(long, short)]
    quiet: bool,
}

/// Goes on with the run.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let run = &arguments.run;
    if let Err(message) = check(run) {
        return super::unusable(message);
    }
    let lock = match FolderLock::take(run) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            return super::unusable(format!("{}: another process works in this run folder", run.display()));
        }
        Err(error) => return super::unusable(error),
    };
    if Summary::of(run).is_some_and(|summary| summary.status == Status::Completed) {
        if let Some(set) = arguments.common.sets.first() {
            let run = run.display();
            return super::unusable(format!("{run}: --set {set}: this run is complete, and stays as it is"));
        }
        if let Err(error) = checkpoint::remove(run) {
            say!("warning: {}: its checkpoints cannot be removed: {error}", run.display());
        }
        say!("{}: this run is complete; there is nothing left to do", run.display());
        super::print_line(run.display());
        return ExitCode::SUCCESS;
    }
    match resume(registry, arguments) {
        Ok(outcome) => {
            drop(lock); // the metrics of a run may be shown for a while after it
            run::report(&outcome, arguments.quiet)
        }
        Err(error) => super::unusable(error),
    }
}

/// Whether it is the folder of a run.
fn check(run: &Path) -> Result<(), String> {
    let shown = run.display();
    if run.join("sweep.json").is_file() {
        let sweep = called::with("sweep FILE");
        return Err(format!("{shown}: this is a sweep; `{sweep}` goes on with its cells"));
    }
    match fs::metadata(run) {
        Err(error) => Err(format!("{shown}: {error}")),
        Ok(metadata) if !metadata.is_dir() => {
            Err(format!("{shown}: a run folder is expected, this is a file"))
        }
        Ok(_) if !read::is_run(run) => {
            Err(format!("{shown}: no run here (a run folder has a config.toml and a run.json)"))
        }
        Ok(_) => Ok(()),
    }
}

fn resume(registry: &Registry, arguments: &Arguments) -> Result<RunOutcome, PlanError> {
    let found = checkpoint::newest(&arguments.run)?;
    let plan = plan(registry, arguments)?;
    found.checkpoint.check(plan.config())?;
    tell(&plan, &found, arguments.quiet);
    let folder = RunFolder::exactly(&arguments.run)?;
    let progress = Progress::new(plan.rounds(), arguments.quiet);
    let bar = progress.handle();
    let outcome = plan.resume_in(folder, found, vec![Box::new(progress)]);
    bar.finish_and_clear();
    outcome
}

/// The configuration that the run has recorded, under the assignments of the command line.
fn plan(registry: &Registry, arguments: &Arguments) -> Result<Plan, PlanError> {
    let path = arguments.run.join("config.toml");
    let text = fs::read_to_string(&path).map_err(ResultsError::at(&path))?;
    let metrics = arguments.metrics.as_ref().map(|address| super::assignment("telemetry.listen", address));
    let sets: Vec<String> = arguments.common.assignments().into_iter().chain(metrics).collect();
    let layers = Layers::recorded(&path, &text)?.under(&sets)?;
    Plan::of(registry, layers, arguments.common.data.as_deref())
}

/// Says from where the run goes on, and what a reader of its results should know of that.
fn tell(plan: &Plan, found: &Found, quiet: bool) {
    for message in &found.passed_over {
        say!("warning: passed over {message}");
    }
    if found.checkpoint.origin.build != Build::this() {
        say!(
            "warning: the checkpoint was written by another build ({}); from here on results may differ from those of an \
             uninterrupted run",
            found.checkpoint.origin.build
        );
    }
    if !quiet {
        let round = found.checkpoint.snapshot.round;
        say!("{}: {}", plan.name(), plan.describe());
        super::warn(plan);
        say!("going on after round {round} of {}", plan.rounds());
    }
}
