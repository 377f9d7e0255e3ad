//! `phalanx run`: plan, run, and say how it went.

use std::{path::Path, process::ExitCode};

use super::{RunArguments, jobs, progress::Progress, table};
use crate::{
    called,
    exit::INTERRUPTED,
    experiment::{Plan, RunOutcome},
    registry::Registry,
    results::Status,
};

/// Runs the experiments.
pub fn main(registry: &Registry, arguments: &RunArguments) -> ExitCode {
    match arguments.files.as_slice() {
        [file] => one(registry, arguments, file),
        _ => jobs::main(registry, arguments),
    }
}

/// The assignments of the command line.
pub fn assignments(arguments: &RunArguments) -> Vec<String> {
    let out = arguments.out.as_ref().map(|out| super::assignment("machine.out", out));
    let metrics = arguments.metrics.as_ref().map(|address| super::assignment("telemetry.listen", address));
    arguments.common.assignments().into_iter().chain(out).chain(metrics).collect()
}

fn one(registry: &Registry, arguments: &RunArguments, file: &Path) -> ExitCode {
    let data = arguments.common.data.as_deref();
    let plan = match Plan::read(registry, file, &assignments(arguments), data) {
        Ok(plan) => plan,
        Err(error) => return super::unusable(error),
    };
    if !arguments.quiet {
        say!("{}: {}", plan.name(), plan.describe());
        super::warn(&plan);
    }
    let progress = Progress::new(plan.rounds(), arguments.quiet);
    let bar = progress.handle();
    let outcome = plan.run(vec![Box::new(progress)]);
    bar.finish_and_clear();
    match outcome {
        Ok(outcome) => report(&outcome, arguments.quiet),
        Err(error) => super::unusable(error),
    }
}

/// Says how a run ended, and makes the exit status of it.
pub fn report(outcome: &RunOutcome, quiet: bool) -> ExitCode {
    if !quiet {
        let rows: Vec<Vec<String>> =
            outcome.summary.rows().into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
        say!("{}", table::columns(&rows).trim_end());
    }
    super::print_line(outcome.folder.path().display());
    if let Some(error) = &outcome.summary.error {
        say!("error: {error}");
        return ExitCode::FAILURE;
    }
    if outcome.summary.status == Status::Interrupted {
        tell_how_to_go_on(outcome, quiet);
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    }
}

/// Of a run that was interrupted.
pub(super) fn tell_how_to_go_on(outcome: &RunOutcome, quiet: bool) {
    if !quiet {
        say!("`{} resume {}` goes on with it", called::name(), outcome.folder.path().display());
    }
}
