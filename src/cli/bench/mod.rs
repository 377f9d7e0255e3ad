//! `phalanx bench`: runs an experiment for some rounds and says what they cost,
//! beside what the machine could do. Leaves nothing behind.

mod figures;
mod recorder;
mod text;

use std::{process::ExitCode, sync::mpsc};

use figures::{About, Figures};
use recorder::{Note, Recorder};

use super::{CommonArguments, at_least, unusable};
use crate::{
    called,
    experiment::{Plan, RehearsalError},
    registry::Registry,
};

/// The arguments of `phalanx bench`.
#[derive(clap::Args)]
#[command(override_usage = called::with("bench [OPTIONS] <FILE>"))]
pub struct Arguments {
    /// The experiment, a TOML file. Its own number of rounds is not used.
    file: std::path::PathBuf,
    #[command(flatten)]
    common: CommonArguments,
    /// Rounds that are measured.
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true, value_parser = at_least(1_u32))]
    rounds: u32,
    /// Rounds before them, beside those that pass until the initial point is evaluated.
    #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true, value_parser = at_least(0_u32))]
    warm_up: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Measures the experiment.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    let common = &arguments.common;
    let plan = match Plan::read(registry, &arguments.file, &common.assignments(), common.data.as_deref()) {
        Ok(plan) => plan,
        Err(error) => return unusable(error),
    };
    super::warn(&plan);
    match measure(plan, arguments) {
        Ok(figures) if arguments.json => super::print(&figures.json()),
        Ok(figures) => super::print(&text::page(&figures)),
        Err(RehearsalError::Plan(error)) => return unusable(error),
        Err(error) => {
            say!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(mut plan: Plan, arguments: &Arguments) -> Result<Figures, RehearsalError> {
    let (about, arithmetic) = (About::of(&plan), plan.take_arithmetic());
    let evaluation = plan.evaluation();
    let (sender, receiver) = mpsc::channel();
    let (batches, warm_up, rounds) = (plan.batch_sizes(), arguments.warm_up, arguments.rounds);
    plan.rehearse(|stopper| Recorder::new(batches, warm_up, rounds, stopper, sender))?;
    let notes: Vec<Note> = receiver.iter().collect();
    Ok(Figures::new(about, &notes, evaluation, arithmetic)?)
}
