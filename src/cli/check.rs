//! `phalanx check`: everything that `run` and `sweep` check, without running.

use std::{path::Path, process::ExitCode};

use super::CheckArguments;
use crate::{
    config::ConfigError,
    experiment::{Plan, PlanError},
    registry::Registry,
    sweep::cells::{Draft, remarks},
};

/// Checks every file, and says of each whether it can run.
pub fn main(registry: &Registry, arguments: &CheckArguments) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        match check(registry, file, arguments) {
            Ok(what) => super::print_line(format_args!("{}: ok, {what}", file.display())),
            Err(error) => code = super::unusable(error),
        }
    }
    code
}

fn check(registry: &Registry, file: &Path, arguments: &CheckArguments) -> anyhow::Result<String> {
    let (sets, data) = (arguments.common.assignments(), arguments.common.data.as_deref());
    match Plan::read(registry, file, &sets, data) {
        Ok(plan) => {
            warn(file, plan.remarks());
            Ok(plan.describe())
        }
        Err(PlanError::Config(ConfigError::Sweep { .. })) => {
            let cells = Draft::read(file, &sets)?.check(registry, data, || {})?;
            warn(file, &remarks(&cells));
            Ok(format!("{} cells", cells.len()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Says of `file` what whoever runs it should know.
pub fn warn(file: &Path, remarks: &[String]) {
    remarks.iter().for_each(|remark| say!("warning: {}: {remark}", file.display()));
}
