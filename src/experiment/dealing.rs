//! The data of an experiment, and who draws from which part of it.

use std::{path::Path, sync::Arc};

use phalanx_actors::learner::Sampler;
use phalanx_robust::random::Seed;

use super::{
    cast::Group,
    plan::{PlanError, Planner},
    workload::batches,
};
use crate::{
    config::{ConfigError, Holders},
    data::{self, DataError, Dataset, partition::Deal},
};

/// Reads the data set and holds its validation set out.
pub(super) fn load(planner: &Planner<'_>, name: &str, data: Option<&Path>) -> Result<Dataset, PlanError> {
    let roots = data::roots(data.map(Path::to_owned), None);
    let dataset = data::load(name, &roots).map_err(|error| match error {
        DataError::Unknown { .. } => {
            let known: Vec<&str> = data::built_in().map(|source| source.about().name).into();
            let hint = crate::config::nearest(name, &known);
            planner.error("task.dataset", format!("unknown data set `{name}`{hint}")).into()
        }
        error => PlanError::Data(error),
    })?;
    let held = dataset.hold_out(planner.config.task.validation, Seed(planner.config.seed));
    Ok(held.map_err(|error| planner.error("task.validation", error.to_string()))?)
}

/// Deals the samples with these labels to all workers, as the configuration's partition says.
pub(super) fn deal(planner: &mut Planner<'_>, groups: &[Group], labels: &[u8]) -> Result<Deal, ConfigError> {
    let seed = Seed(planner.config.seed);
    let made =
        planner.make(&planner.registry.partitions, "task.partition", &planner.config.task.partition)?;
    planner.config.task.partition = made.named;
    let wrong = |key, error: data::partition::PartitionError| planner.error(key, error.to_string());
    let dealt =
        |workers| (made.component)(labels, workers, seed).map_err(|error| wrong("task.partition", error));
    let count = |groups: &mut dyn Iterator<Item = &Group>| groups.map(|group| group.ids.len()).sum();
    let workers = count(&mut groups.iter());
    match planner.config.task.holders {
        Holders::All => dealt(workers),
        Holders::Honest => {
            let honest = count(&mut groups.iter().filter(|group| group.is_honest()));
            dealt(honest)?.lend(workers).map_err(|error| wrong("task.holders", error))
        }
    }
}

/// The samplers of all workers, by id.
pub(super) fn samplers(
    planner: &mut Planner<'_>,
    groups: &[Group],
    labels: &Arc<Vec<u8>>,
) -> Result<Vec<Box<dyn Sampler>>, ConfigError> {
    let deal = deal(planner, groups, labels)?;
    deal.samplers(labels, &batches(groups), Seed(planner.config.seed))
        .map_err(|error| planner.error("task.partition", error.to_string()))
}
