//! What is learned: a convex objective, or a model on a data set. Everything
//! is loaded and fitted together here, so that a run cannot fail for it.

use std::path::Path;

use phalanx_actors::{Learner, learner::Sampler};
use phalanx_robust::{Dtype, random::Seed, step::Domain};

use super::{
    Arithmetic,
    cast::Group,
    dealing,
    plan::{PlanError, Planner},
};
use crate::{
    config::{ConfigError, Named, Precision},
    data::sampler::NoiseSampler,
    learner::convex::ConvexLearner,
};

#[cfg(feature = "torch")]
use super::images::images;

/// A learner and what the rest of the cast must know of it.
pub(super) struct Workload {
    /// The learner.
    pub learner: Box<dyn Learner>,
    /// The samplers of all workers, by id.
    pub samplers: Vec<Box<dyn Sampler>>,
    /// The sampler of the server's own batches, if it has a root set.
    pub root: Option<Box<dyn Sampler>>,
    /// The convex set of the problem.
    pub domain: Domain,
    /// Number of classes; 0 without labels.
    pub classes: i64,
    /// The task in a few words.
    pub summary: String,
    /// What the model's arithmetic costs; none for a convex objective.
    pub arithmetic: Option<Arithmetic>,
}

impl Workload {
    /// Loads and checks what the configuration's `[task]` names. `data` is searched first.
    pub fn plan(planner: &mut Planner<'_>, groups: &[Group], data: Option<&Path>) -> Result<Self, PlanError> {
        let task = planner.config.task.clone();
        match (task.objective, task.dataset, task.model) {
            (Some(objective), None, None) => Ok(convex(planner, groups, &objective)?),
            (None, Some(dataset), Some(model)) => images(planner, groups, &dataset, &model, data),
            (None, None, None) => {
                Err(planner.error("task", "`dataset` and `model` are missing, or an `objective`").into())
            }
            (None, _, None) => Err(planner.error("task", "`model` is missing").into()),
            (None, None, _) => Err(planner.error("task", "`dataset` is missing").into()),
            (Some(_), ..) => {
                let message =
                    "an objective is given beside a data set or a model; one or the other is accepted";
                Err(planner.error("task.objective", message).into())
            }
        }
    }
}

/// Number format of vectors.
pub(super) fn dtype(precision: Precision) -> Dtype {
    match precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    }
}

fn convex(planner: &mut Planner<'_>, groups: &[Group], named: &Named) -> Result<Workload, ConfigError> {
    let seed = Seed(planner.config.seed);
    let task = &planner.config.task;
    for (key, held) in [("task.validation", task.validation), ("task.root", task.root)] {
        if held > 0 {
            return Err(planner.error(key, "an objective has no samples to hold out; 0 is accepted"));
        }
    }
    let made = planner.make(&planner.registry.objectives, "task.objective", named)?;
    let objective =
        (made.component)(seed).map_err(|error| planner.error("task.objective", error.to_string()))?;
    planner.config.task.objective = Some(made.named);
    let samplers: Vec<_> = match objective.labels() {
        Some(labels) => dealing::samplers(planner, groups, labels)?,
        None => groups
            .iter()
            .flat_map(|group| group.ids.clone())
            .map(|worker| Box::new(NoiseSampler::new(worker, seed)) as Box<dyn Sampler>)
            .collect(),
    };
    let root = objective.labels().map(|labels| dealing::root(planner, samplers.len(), labels));
    let task = &planner.config.task;
    let learner = ConvexLearner::new(objective.clone(), dtype(task.precision), task.clip);
    Ok(Workload {
        learner: Box::new(learner),
        samplers,
        root: root.transpose()?.flatten(),
        domain: objective.domain(),
        classes: objective.classes() as i64,
        summary: format!("{} in {} dimensions", named.name, objective.dim()),
        arithmetic: None,
    })
}

/// The batch size of every worker, by id.
pub(super) fn batches(groups: &[Group]) -> Vec<usize> {
    groups.iter().flat_map(|group| std::iter::repeat_n(group.batch_size, group.ids.len())).collect()
}

#[cfg(not(feature = "torch"))]
fn images(
    planner: &Planner<'_>,
    _: &[Group],
    _: &str,
    _: &Named,
    _: Option<&Path>,
) -> Result<Workload, PlanError> {
    let message =
        "this program was built without libtorch (feature `torch`); `task.objective` is what it can run";
    Err(planner.error("task.model", message).into())
}
