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
    config::{ConfigError, Holders, Named},
    data::{
        self, Dataset, HoldOutError,
        partition::{Deal, PartitionError, Shards},
        sampler::{Order, Shard, ShardSampler},
    },
    registry::{PartitionFactory, Resolved},
};

/// Reads the data set. One that says itself where it lies is looked for beside the experiment's file first.
pub(super) fn read(
    planner: &mut Planner<'_>,
    named: &Named,
    data: Option<&Path>,
) -> Result<Dataset, PlanError> {
    let key = "task.dataset";
    let asked = planner.make(&planner.registry.datasets, key, named)?;
    let beside = asked.component.is_beside.then(|| planner.layers.folder(key));
    let roots = data::roots(beside, data.map(Path::to_owned));
    let named_key = format!("{key}.{}", asked.named.name);
    let (dataset, named) = planner.guarded(&named_key, || planner.registry.shelf.read(asked, roots))??;
    planner.config.task.dataset = Some(named);
    Ok(dataset)
}

/// Holds the validation set out, and moves the root set to the end.
pub(super) fn hold_out(planner: &Planner<'_>, dataset: Dataset) -> Result<Dataset, ConfigError> {
    let (task, seed) = (&planner.config.task, Seed(planner.config.seed));
    let wrong = |key| move |error: HoldOutError| planner.error(key, error.to_string());
    let held = dataset.hold_out(task.validation, seed).map_err(wrong("task.validation"))?;
    held.set_root_last(task.root, seed).map_err(wrong("task.root"))
}

/// The part of the training set, by its labels, that is dealt to the workers; the rest is the server's root set.
pub(super) fn dealt<'a>(planner: &Planner<'_>, labels: &'a [u8]) -> &'a [u8] {
    &labels[..labels.len().saturating_sub(planner.config.task.root)]
}

/// Where the server's own batches come from: its root set, the end of the training set with these labels. They are
/// those of the worker `id`, one for each local step. None without a root set.
pub(super) fn root(
    planner: &Planner<'_>,
    id: usize,
    labels: &Arc<Vec<u8>>,
) -> Result<Option<Box<dyn Sampler>>, ConfigError> {
    let (task, seed) = (&planner.config.task, Seed(planner.config.seed));
    if task.root == 0 {
        return Ok(None);
    }
    let indices: Arc<[u32]> = (dealt(planner, labels).len()..labels.len()).map(|at| at as u32).collect();
    let shard = Shard { worker: id, indices, labels: labels.clone() };
    let sampler = ShardSampler::new(shard, task.server_draw(), Order::Epochs, seed)
        .map_err(|error| planner.error("task.root", error.to_string()))?;
    Ok(Some(Box::new(sampler)))
}

/// The configuration's partition.
pub(super) fn partition(planner: &mut Planner<'_>) -> Result<PartitionFactory, ConfigError> {
    let named = &planner.config.task.partition;
    let Resolved { component, named } =
        planner.make(&planner.registry.partitions, "task.partition", named)?;
    planner.config.task.partition = named;
    Ok(component)
}

/// The partition's key with its name, at which it is wrong as a whole.
fn named_key(planner: &Planner<'_>) -> String {
    format!("task.partition.{}", planner.config.task.partition.name)
}

/// Deals the samples with these labels to all workers, as the configuration's partition says.
pub(super) fn deal(planner: &mut Planner<'_>, groups: &[Group], labels: &[u8]) -> Result<Deal, ConfigError> {
    let seed = Seed(planner.config.seed);
    let partition = partition(planner)?;
    let (key, name) = (named_key(planner), &planner.config.task.partition.name);
    let wrong = |error| match error {
        PartitionError::Parameter(error) => planner.parameter("task.partition", name, &error),
        other => planner.error(&key, other.to_string()),
    };
    let dealt = |workers| planner.guarded(&key, || partition(labels, workers, seed))?.map_err(wrong);
    let count = |groups: &mut dyn Iterator<Item = &Group>| groups.map(|group| group.ids.len()).sum();
    let workers = count(&mut groups.iter());
    match planner.config.task.holders {
        Holders::All => dealt(workers),
        Holders::Honest => {
            let honest = count(&mut groups.iter().filter(|group| group.is_honest()));
            let lent = dealt(honest)?.lend(workers);
            lent.map_err(|error| planner.error("task.holders", error.to_string()))
        }
    }
}

/// What all workers draw from, by id.
pub(super) struct Hands {
    pub samplers: Vec<Box<dyn Sampler>>,
    /// Sizes of their shards; None where they hold none.
    pub held: Option<Vec<usize>>,
    /// How many different samples honest workers hold; None where they hold none.
    pub honest: Option<usize>,
    /// What whoever starts the run should know of who holds what.
    pub remarks: Vec<String>,
}

/// The samplers of all workers, over the training set with these labels.
pub(super) fn hands(
    planner: &mut Planner<'_>,
    groups: &[Group],
    labels: &Arc<Vec<u8>>,
) -> Result<Hands, ConfigError> {
    let dealt = Arc::new(dealt(planner, labels).to_vec());
    let deal = deal(planner, groups, &dealt)?;
    let samplers = deal
        .samplers(&dealt, &batches(groups), Seed(planner.config.seed))
        .map_err(|error| planner.error(&named_key(planner), error.to_string()))?;
    let (honest, remark) = match &deal {
        Deal::Shards(Shards { shards, .. }) => {
            (Some(within_reach(groups, shards, dealt.len())), withheld(groups, shards, &dealt))
        }
        Deal::Stream => (None, None),
    };
    Ok(Hands { samplers, held: deal.held(), honest, remarks: remark.into_iter().collect() })
}

/// How many of so many `samples` some honest worker holds.
fn within_reach(groups: &[Group], shards: &[Arc<[u32]>], samples: usize) -> usize {
    let mut held = vec![false; samples];
    let honest = groups.iter().filter(|group| group.is_honest()).flat_map(|group| group.ids.clone());
    honest.flat_map(|id| shards[id].iter()).for_each(|&at| held[at as usize] = true);
    held.into_iter().filter(|held| *held).count()
}

/// That attackers hold most of some classes, if they do: no rule can make up for what honest workers never see.
fn withheld(groups: &[Group], shards: &[Arc<[u32]>], labels: &[u8]) -> Option<String> {
    let mut held = [[0usize; 2]; 1 << u8::BITS];
    for group in groups {
        let own = group.ids.clone().flat_map(|id| shards[id].iter());
        own.for_each(|&at| held[usize::from(labels[at as usize])][usize::from(group.is_honest())] += 1);
    }
    let few = held.iter().enumerate().filter(|(_, [attackers, honest])| *attackers > 3 * honest);
    let classes: Vec<String> = few.map(|(class, _)| class.to_string()).collect();
    let noun = if classes.len() == 1 { "class" } else { "classes" };
    (!classes.is_empty()).then(|| {
        format!(
            "task.holders: attackers hold more than three quarters of the samples of {noun} {}; with \"honest\" only \
             honest workers hold data",
            classes.join(", ")
        )
    })
}

#[cfg(test)]
mod weights {
    use phalanx_robust::{Vector, aggregation::Context, random::Seed};

    use crate::{experiment::Plan, registry::Registry};

    const SKEWED: &str = "name = 'skewed'\nrounds = 1\n\
         [task]\nobjective = { logistic-regression = { dim = 3, samples = 400 } }\n\
         partition = { quantity = { min_size = 10 } }\nholders = 'honest'\n\
         [aggregator]\nrule = ['weighted-mean']\n\
         [[workers]]\ncount = 5\n[[attackers]]\ncount = 2\nattack = 'ipm'\n";

    /// FedAvg's average: worker i's vector counts n_i / sum n_j. An attacker counts as the holder that it draws from.
    #[test]
    fn vectors_count_as_the_shards_that_were_dealt() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skewed.toml");
        std::fs::write(&file, SKEWED).unwrap();
        let mut plan = Plan::read(&Registry::default(), &file, &[], None).unwrap();
        let held = plan.workload.held.clone().unwrap();
        assert_eq!((held[..5].iter().sum::<usize>(), &held[..2]), (400, &held[5..]));
        assert!(held[..5].iter().any(|&one| one != held[0]), "{held:?}");
        let unit = |i: usize| Vector::from((0..7).map(|j| f64::from(u8::from(i == j))).collect::<Vec<_>>());
        let context = Context::new(2, Seed(1).stream("test", 0, "rule", 1));
        let output =
            plan.defence.aggregate_in(&(0..7).map(unit).collect::<Vec<_>>(), context).unwrap().output;
        let total: usize = held.iter().sum();
        for (share, &samples) in output.to_f64().into_iter().zip(&held) {
            assert!((share - samples as f64 / total as f64).abs() < 1e-15, "{share} of {held:?}");
        }
    }

    /// Sorted by label, the last four of nine hold eight ninths of the second half.
    #[test]
    fn classes_that_attackers_hold_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skewed.toml");
        std::fs::write(&file, SKEWED).unwrap();
        let told = |partition: &str, holders: &str| {
            let sets =
                ["workers.0.count=5", "attackers.0.count=4", "aggregator.rule=['mean']"].map(str::to_owned);
            let dealt = [format!("task.partition={partition}"), format!("task.holders={holders}")];
            let plan = Plan::read(&Registry::default(), &file, &[&sets[..], &dealt].concat(), None).unwrap();
            plan.remarks().to_vec()
        };
        let remarks = told("extreme", "all");
        assert!(remarks.len() == 2 && remarks[0].contains("of the samples of class 1;"), "{remarks:?}");
        assert!(told("extreme", "honest").is_empty());
        let remarks = told("iid", "all");
        assert!(remarks.len() == 1 && !remarks[0].contains("class"), "{remarks:?}");
    }

    /// Of 400 samples nine get 44 each, four of them attackers. Where honest workers learn of all, nothing is said.
    #[test]
    fn samples_that_no_honest_worker_holds_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skewed.toml");
        std::fs::write(&file, SKEWED).unwrap();
        let told = |attackers: usize, partition: &str, holders: &str, samples: usize| {
            let sets = [
                format!("attackers.0.count={attackers}"),
                format!("task.partition={partition}"),
                format!("task.holders={holders}"),
                format!("task.objective={{ logistic-regression = {{ dim = 3, samples = {samples} }} }}"),
                "aggregator.rule=['mean']".to_owned(),
            ];
            Plan::read(&Registry::default(), &file, &sets, None).unwrap().remarks().to_vec()
        };
        let floor = |samples, held| {
            vec![format!(
                "task.objective.logistic-regression: f and its optimum are those of {samples} samples, of which honest \
                 workers hold {held}: the gap has a floor, whatever the rule"
            )]
        };
        assert_eq!(told(4, "iid", "all", 400), floor(400, 220));
        assert_eq!(told(4, "iid", "honest", 402), floor(402, 400));
        assert!(told(4, "iid", "honest", 400).is_empty());
        assert!(told(4, "shared-stream", "all", 400).is_empty());
    }

    #[test]
    fn without_shards_there_is_nothing_to_weigh_by() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skewed.toml");
        std::fs::write(&file, SKEWED).unwrap();
        for set in ["task.partition=shared-stream", "task.objective=least-squares"] {
            let sets = [set.to_owned(), "task.holders=all".to_owned()];
            let error = Plan::read(&Registry::default(), &file, &sets, None).err().unwrap().to_string();
            assert!(error.contains("aggregator.rule") && error.contains("weights = samples"), "{error}");
        }
    }
}

#[cfg(test)]
#[cfg(feature = "torch")]
mod tests {
    use std::collections::BTreeSet;

    use crate::{experiment::Plan, registry::Registry};

    const TRUSTING: &str = "name = 'trusting'\nrounds = 1\n[task]\ndataset = 'digits'\nmodel = 'logistic'\n\
         root = 100\n[aggregator]\nrule = ['fltrust']\n[[workers]]\ncount = 3\n";

    /// Samples that the server draws in the first round, under the `sets`.
    fn drawn(sets: &[String]) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trusting.toml");
        std::fs::write(&file, TRUSTING).unwrap();
        let plan = Plan::read(&Registry::default(), &file, sets, None).unwrap();
        plan.workload.root.unwrap().draw(1).indices
    }

    #[test]
    fn the_servers_batch_is_that_of_all_local_steps_together() {
        for (steps, batch, samples) in [(1, 0, 100), (1, 12, 12), (3, 12, 12), (4, 0, 100)] {
            let sets =
                ["local_lr=0.1".to_owned(), format!("local_steps={steps}"), format!("root_batch={batch}")];
            let drawn = drawn(&sets.map(|set| format!("task.{set}")));
            let different: BTreeSet<usize> = drawn.iter().copied().collect();
            assert_eq!((drawn.len(), different.len()), (samples, samples), "{batch} in {steps} steps");
        }
    }
}
