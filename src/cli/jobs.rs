//! `phalanx run A.toml B.toml --jobs N`: several experiments in one process, so
//! many at a time. All are checked before the first begins; then a failed one
//! does not stop the others.
//!
//! The cores are shared out: each of N runs at a time computes with a N-th of
//! them, unless its number of threads is told. Results do not depend on it.
//! Runs on one GPU share it, by one context and one stream.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use indicatif::MultiProgress;

use super::{RunArguments, check, progress::Progress, run};
use crate::{
    exit::{INTERRUPTED, UNUSABLE},
    experiment::{Demands, Plan, PlanError, RunOutcome},
    registry::Registry,
    results::Status,
    stop::interrupted,
};

/// Runs every file of `arguments`.
pub fn main(registry: &Registry, arguments: &RunArguments) -> ExitCode {
    let (next, cut) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let office = Office { registry, arguments, bars: MultiProgress::new(), next, cut };
    if !office.all_can_run() {
        return ExitCode::from(UNUSABLE);
    }
    let failures = office.work();
    if failures > 0 {
        say!("error: {failures} of {} experiments failed", arguments.files.len());
        return ExitCode::FAILURE;
    }
    if office.cut.into_inner() > 0 { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
}

/// Those who work through the files.
struct Office<'a> {
    registry: &'a Registry,
    arguments: &'a RunArguments,
    bars: MultiProgress,
    /// The next file to be taken.
    next: AtomicUsize,
    /// How many were not begun, or not ended, because of a signal.
    cut: AtomicUsize,
}

impl Office<'_> {
    /// Says of every file that cannot run why. The plans are not kept, as they hold the data.
    fn all_can_run(&self) -> bool {
        let (mut doors, mut demands) = (HashMap::new(), Demands::default());
        let errors = self.arguments.files.iter().filter_map(|file| match self.plan(file) {
            Ok(plan) => {
                if !self.arguments.quiet {
                    check::warn(file, plan.remarks());
                }
                demands.add(&plan);
                self.complaint(file, &plan, &mut doors)
            }
            Err(error) => Some(error.to_string()),
        });
        let mut wrong = errors.inspect(|error| say!("error: {error}")).count();
        if let Err(error) = demands.check(self.jobs()) {
            let way_out = "fewer need less; a run with a machine.memory_gb of its own is not counted";
            say!("error: --jobs: {error} ({way_out})");
            wrong += 1;
        }
        wrong == 0
    }

    /// What is wrong with running `file` beside those before it, whose metrics are at the `doors`.
    fn complaint<'f>(
        &self,
        file: &'f Path,
        plan: &Plan,
        doors: &mut HashMap<SocketAddr, &'f Path>,
    ) -> Option<String> {
        let address = plan.config().telemetry.only_address().filter(|_| self.jobs() > 1)?;
        let other = doors.insert(address, file)?;
        Some(format!(
            "{}: telemetry.listen: {address} is that of {} too, which may run at the same time; \
             telemetry.port_in_use = \"next\" takes the next free port",
            file.display(),
            other.display()
        ))
    }

    fn plan(&self, file: &Path) -> Result<Plan, PlanError> {
        let data = self.arguments.common.data.as_deref();
        Plan::read(self.registry, file, &run::assignments(self.arguments), data)
    }

    /// Runs the files, and returns how many failed.
    fn work(&self) -> usize {
        let failures = AtomicUsize::new(0);
        let clerk = || {
            while let Some(file) = self.take() {
                failures.fetch_add(usize::from(!self.succeeds(file)), Ordering::Relaxed);
            }
        };
        thread::scope(|scope| (0..self.jobs()).for_each(|_| drop(scope.spawn(clerk))));
        failures.into_inner()
    }

    fn jobs(&self) -> usize {
        self.arguments.jobs.min(self.arguments.files.len())
    }

    fn take(&self) -> Option<&Path> {
        loop {
            let file = self.arguments.files.get(self.next.fetch_add(1, Ordering::Relaxed))?;
            if !interrupted() {
                return Some(file);
            }
            self.cut.fetch_add(1, Ordering::Relaxed);
            self.bars.suspend(|| say!("{}: not begun", file.display()));
        }
    }

    /// Runs one file, and says how it went.
    fn succeeds(&self, file: &Path) -> bool {
        let outcome = self.plan(file).and_then(|plan| self.play(plan));
        self.bars.suspend(|| match &outcome {
            Ok(outcome) => self.report(file, outcome),
            Err(error) => say!("{}: failed: {error}", file.display()),
        });
        let is_cut = outcome.as_ref().is_ok_and(|outcome| outcome.summary.status == Status::Interrupted);
        self.cut.fetch_add(usize::from(is_cut), Ordering::Relaxed);
        outcome.is_ok_and(|outcome| outcome.summary.error.is_none())
    }

    fn play(&self, mut plan: Plan) -> Result<RunOutcome, PlanError> {
        plan.share_cores(self.jobs());
        let bar = Progress::beside(&self.bars, plan.name(), plan.rounds(), self.arguments.quiet);
        let handle = bar.handle();
        let outcome = plan.run(vec![Box::new(bar)]);
        handle.finish_and_clear();
        outcome
    }

    /// Errors are told even when quiet.
    fn report(&self, file: &Path, outcome: &RunOutcome) {
        super::print_line(outcome.folder.path().display());
        if let Some(error) = &outcome.summary.error {
            say!("{}: failed: {error}", file.display());
        } else if !self.arguments.quiet {
            let rows = outcome.summary.rows().into_iter().map(|(key, value)| format!("{key} {value}"));
            say!("{}: {}", file.display(), rows.collect::<Vec<_>>().join(", "));
            if outcome.summary.status == Status::Interrupted {
                run::tell_how_to_go_on(outcome, false);
            }
        }
    }
}
