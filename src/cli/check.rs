//! `phalanx check`: everything that `run` and `sweep` check, without running.
//! With `--print`, what an experiment is resolved to.

use std::{path::Path, process::ExitCode};

use super::CheckArguments;
use crate::{
    config::ConfigError,
    experiment::{Plan, PlanError},
    registry::Registry,
    sweep::cells::{Draft, remarks},
};

/// Checks every file, and says of each whether it can run, or what it is resolved to.
pub fn main(registry: &Registry, arguments: &CheckArguments) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        let told = if arguments.print {
            resolved(registry, file, arguments)
        } else {
            check(registry, file, arguments).map(|what| format!("{}: ok, {what}\n", file.display()))
        };
        match told {
            Ok(told) => super::print(&told),
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

/// The experiment in `file` as its run folder would have it, with the file as a comment above.
fn resolved(registry: &Registry, file: &Path, arguments: &CheckArguments) -> anyhow::Result<String> {
    let (sets, data) = (arguments.common.assignments(), arguments.common.data.as_deref());
    let plan = Plan::read(registry, file, &sets, data).map_err(|error| match error {
        PlanError::Config(ConfigError::Sweep { path }) => {
            anyhow::anyhow!("{path}: this is a sweep; --print is for single experiments")
        }
        error => error.into(),
    })?;
    warn(file, plan.remarks());
    Ok(format!("# {:?}\n{}", file.display().to_string(), plan.config().text()?))
}

/// Says of `file` what whoever runs it should know.
pub fn warn(file: &Path, remarks: &[String]) {
    remarks.iter().for_each(|remark| say!("warning: {}: {remark}", file.display()));
}
