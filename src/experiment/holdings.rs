//! Who holds which part of the training data: what `phalanx data show` shows.

use std::{collections::HashMap, path::Path, sync::Arc};

use super::{
    cast::{Group, groups},
    dealing,
    plan::{PlanError, Planner},
    workload,
};
use crate::{
    config::{ConfigError, load},
    data::partition::{Deal, Shards},
    registry::Registry,
};

/// The training data of an experiment as it is dealt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Data set and partition, in a line.
    pub title: String,
    /// What each worker holds, by id; empty if all draw from one stream.
    pub workers: Vec<Holding>,
    /// What is held out for validation, by class, if something is.
    pub validation: Option<Vec<usize>>,
    /// What the server keeps, by class, if it keeps something.
    pub root: Option<Vec<usize>>,
    /// All samples that can be dealt, by class.
    pub training: Vec<usize>,
    /// How many of them nobody holds.
    pub unused: usize,
    /// How many samples were moved after the draw, to give every worker the least it must hold.
    pub moved: usize,
}

/// What one worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Whether it is honest.
    pub is_honest: bool,
    /// The worker in whose shard these samples are, where that is another one.
    pub lender: Option<usize>,
    /// Number of samples of each class.
    pub counts: Vec<usize>,
}

/// The labels of what is dealt and of what is held out.
struct Labelled {
    name: String,
    training: Vec<u8>,
    validation: Option<Vec<u8>>,
    root: Option<Vec<u8>>,
    classes: usize,
}

impl Holdings {
    /// Deals the data of the experiment in `file` as a run would. `data` is searched first for data sets.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn read(
        registry: &Registry,
        file: &Path,
        sets: &[String],
        data: Option<&Path>,
    ) -> Result<Self, PlanError> {
        let (config, layers) = load(file, sets)?;
        let mut planner = Planner { registry, layers, config };
        let size = planner.turnout()?;
        let groups = groups(&mut planner, size.attack())?;
        let labelled = Labelled::read(&mut planner, data)?;
        let deal = dealing::deal(&mut planner, &groups, &labelled.training)?;
        let partition = &planner.config.task.partition.name;
        let title = format!("{} dealt by {partition}, seed {}", labelled.name, planner.config.seed);
        let count = |labels: &[u8]| counts(labels.iter().copied(), labelled.classes);
        let moved = if let Deal::Shards(shards) = &deal { shards.moved } else { 0 };
        Ok(Self {
            title,
            workers: if let Deal::Shards(shards) = &deal {
                holdings(shards, &groups, &labelled)
            } else {
                Vec::new()
            },
            validation: labelled.validation.as_deref().map(count),
            root: labelled.root.as_deref().map(count),
            training: count(&labelled.training),
            unused: unused(&deal, labelled.training.len()),
            moved,
        })
    }
}

/// How many of the `samples` nobody holds. A partition from outside may deal one twice.
fn unused(deal: &Deal, samples: usize) -> usize {
    let Deal::Shards(Shards { shards, .. }) = deal else { return 0 };
    let mut is_held = vec![false; samples];
    shards.iter().flat_map(|shard| shard.iter()).for_each(|&at| is_held[at as usize] = true);
    is_held.into_iter().filter(|is_held| !is_held).count()
}

impl Labelled {
    fn read(planner: &mut Planner<'_>, data: Option<&Path>) -> Result<Self, PlanError> {
        if let Some(named) = planner.config.task.dataset.clone() {
            let dataset = dealing::read(planner, &named, data)?;
            let dataset = dealing::hold_out(planner, dataset)?;
            let dealt = dealing::dealt(planner, &dataset.train.labels).len();
            let (training, root) = dataset.train.labels.split_at(dealt);
            return Ok(Self {
                name: dataset.name,
                training: training.to_vec(),
                validation: dataset.validation.map(|held| held.labels.to_vec()),
                root: Some(root.to_vec()).filter(|root| !root.is_empty()),
                classes: dataset.train.classes,
            });
        }
        Ok(Self::drawn(planner)?)
    }

    /// The labels that a convex objective draws.
    fn drawn(planner: &Planner<'_>) -> Result<Self, ConfigError> {
        let Some(named) = &planner.config.task.objective else {
            return Err(planner.error("task", "`dataset` is missing, or an `objective` with samples"));
        };
        let found = workload::find(planner, named)?.component;
        if found.classes == 0 {
            let noise = "it draws noise; there are no samples to hold";
            return Err(planner.error("task.objective", noise));
        }
        let (name, classes) = (named.name.clone(), found.classes);
        let objective = workload::draw(planner, &name, &found)?;
        let training = objective.labels().map_or_else(Vec::new, |labels| labels.to_vec());
        Ok(Self { name, training, validation: None, root: None, classes })
    }
}

fn holdings(shards: &Shards, groups: &[Group], labelled: &Labelled) -> Vec<Holding> {
    let honest = groups.iter().flat_map(|group| group.ids.clone().map(|_| group.is_honest()));
    // The first who has a shard; it lends it to the others.
    let mut owners = HashMap::new();
    let holding = |((worker, shard), is_honest): ((usize, &Arc<[u32]>), bool)| {
        let owner = *owners.entry(Arc::as_ptr(shard)).or_insert(worker);
        let labels = shard.iter().map(|&at| labelled.training[at as usize]);
        let lender = (owner != worker).then_some(owner);
        Holding { is_honest, lender, counts: counts(labels, labelled.classes) }
    };
    shards.shards.iter().enumerate().zip(honest).map(holding).collect()
}

fn counts(labels: impl Iterator<Item = u8>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.for_each(|label| counts[usize::from(label)] += 1);
    counts
}
