//! What is learned: a convex objective, or a model on a data set. Everything
//! is loaded and fitted together here, so that a run cannot fail for it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use phalanx_actors::{Learner, learner::Sampler};
use phalanx_robust::{Dtype, Layout, random::Seed, step::Domain};

use super::{
    Arithmetic,
    cast::Group,
    dealing::{self, Hands},
    plan::{PlanError, Planner},
};
use crate::{
    config::{ConfigError, Named, Precision, Task},
    data::sampler::NoiseSampler,
    learner::{
        convex::{ConvexLearner, Objective, ObjectiveError},
        local::{LocalLearner, LocalSampler, LocalSteps, Walk},
    },
    registry::{ObjectiveFactory, Resolved},
    results::Computation,
};

#[cfg(feature = "torch")]
use super::images::{Images, images};

/// A learner and what the rest of the cast must know of it.
pub(super) struct Workload {
    /// The learner.
    pub learner: Box<dyn Learner>,
    /// The samplers of all workers, by id.
    pub samplers: Vec<Box<dyn Sampler>>,
    /// How many samples each of them draws from; None without shards.
    pub held: Option<Vec<usize>>,
    /// Where the parameter tensors lie in the vectors.
    pub layout: Layout,
    /// What whoever starts the run should know of who holds what.
    pub remarks: Vec<String>,
    /// The sampler of the server's own batches, if it has a root set.
    pub root: Option<Box<dyn Sampler>>,
    /// The convex set of the problem.
    pub domain: Domain,
    /// Number of classes; 0 without labels.
    pub classes: i64,
    /// The task in a few words.
    pub summary: String,
    /// What computes the gradients.
    pub computation: Computation,
    /// What the model's arithmetic costs; none for a convex objective.
    pub arithmetic: Option<Arithmetic>,
    /// Bytes that passes of the model hold at once, more or less; 0 for a convex objective.
    pub passes: u64,
}

/// What `[task]` names, found and written out in full; nothing is dealt, drawn or fitted yet.
pub(super) enum Subject {
    /// An objective.
    Convex(ObjectiveFactory),
    /// A model on a data set.
    Images(Box<Images>),
}

impl Subject {
    /// Finds what the configuration's `[task]` names. `data` is searched first.
    pub fn resolve(planner: &mut Planner<'_>, data: Option<&Path>) -> Result<Self, PlanError> {
        let task = planner.config.task.clone();
        match (task.objective, task.dataset, task.model) {
            (Some(named), None, None) => Ok(Self::Convex(objective(planner, &named)?)),
            (None, Some(dataset), Some(model)) => {
                Ok(Self::Images(Box::new(Images::resolve(planner, &dataset, &model, data)?)))
            }
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

    /// Number of coordinates of a vector.
    pub fn dim(&self) -> usize {
        match self {
            Self::Convex(objective) => objective.dim,
            Self::Images(images) => images.dim(),
        }
    }

    /// Number of classes; 0 without labels.
    pub fn classes(&self) -> i64 {
        match self {
            Self::Convex(objective) => objective.classes as i64,
            Self::Images(images) => images.classes(),
        }
    }

    /// Bytes that it will take of memory when it is drawn; a data set has taken its own.
    pub fn holds(&self) -> u64 {
        match self {
            Self::Convex(objective) => objective.holds,
            Self::Images(_) => 0,
        }
    }
}

impl Workload {
    /// Deals the data of `subject` to the groups, and fits the learner to it.
    pub fn plan(planner: &mut Planner<'_>, groups: &[Group], subject: Subject) -> Result<Self, PlanError> {
        let workload = match subject {
            Subject::Convex(found) => convex(planner, groups, &found)?,
            Subject::Images(found) => images(planner, groups, *found)?,
        };
        Ok(workload.walked(&planner.config.task))
    }

    /// Draws the batches of all local steps, if workers walk; the server, with its root set, as they do.
    fn walked(self, task: &Task) -> Self {
        let Some(Walk { steps, .. }) = walk(task) else { return self };
        let local = |inner| Box::new(LocalSampler::new(inner, steps)) as Box<dyn Sampler>;
        let samplers = self.samplers.into_iter().map(local).collect();
        Self { samplers, root: self.root.map(local), ..self }
    }
}

/// Number format of vectors.
pub(super) fn dtype(precision: Precision) -> Dtype {
    match precision {
        Precision::F32 | Precision::Bf16 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    }
}

/// The objective `named`. Where it has classes the partition matters.
fn objective(planner: &mut Planner<'_>, named: &Named) -> Result<ObjectiveFactory, ConfigError> {
    let task = &planner.config.task;
    for (key, held) in [("task.validation", task.validation), ("task.root", task.root)] {
        if held > 0 {
            return Err(planner.error(key, "an objective has no samples to hold out; 0 is accepted"));
        }
    }
    if task.precision == Precision::Bf16 {
        let message = "models compute in bf16; f32 and f64 are accepted for an objective";
        return Err(planner.error("task.precision", message));
    }
    if planner.config.machine.device.starts_with("cuda") {
        return Err(
            planner.error("machine.device", "an objective is computed on the CPU; cpu and auto are accepted")
        );
    }
    let Resolved { component: objective, named } = find(planner, named)?;
    planner.config.machine.device = "cpu".into();
    planner.config.task.objective = Some(named);
    // Where nothing is dealt, a wrong name is wrong all the same.
    planner.make(&planner.registry.partitions, "task.partition", &planner.config.task.partition)?;
    if objective.classes > 0 {
        dealing::partition(planner)?;
    }
    Ok(objective)
}

/// The objective `named`, which is not drawn yet.
pub(super) fn find(planner: &Planner<'_>, named: &Named) -> Result<Resolved<ObjectiveFactory>, ConfigError> {
    planner.make(&planner.registry.objectives, "task.objective", named)
}

/// Draws the objective `name`.
pub(super) fn draw(
    planner: &Planner<'_>,
    name: &str,
    found: &ObjectiveFactory,
) -> Result<Arc<dyn Objective>, ConfigError> {
    let (key, seed) = ("task.objective", Seed(planner.config.seed));
    let named_key = format!("{key}.{name}");
    planner.guarded(&named_key, || (found.draw)(seed))?.map_err(|error| match error {
        ObjectiveError::Parameter(error) => planner.parameter(key, name, &error),
        other => planner.error(&named_key, other.to_string()),
    })
}

fn convex(
    planner: &mut Planner<'_>,
    groups: &[Group],
    found: &ObjectiveFactory,
) -> Result<Workload, ConfigError> {
    let seed = Seed(planner.config.seed);
    let name = planner.config.task.objective.as_ref().map_or(String::new(), |named| named.name.clone());
    let objective = draw(planner, &name, found)?;
    let noise = |worker| Box::new(NoiseSampler::new(worker, seed)) as Box<dyn Sampler>;
    let Hands { samplers, held, honest, mut remarks } = match objective.labels() {
        Some(labels) => dealing::hands(planner, groups, labels)?,
        None => Hands {
            samplers: groups.iter().flat_map(|group| group.ids.clone()).map(noise).collect(),
            held: None,
            honest: None,
            remarks: Vec::new(),
        },
    };
    let samples = objective.labels().map_or(0, |labels| labels.len());
    remarks.extend(honest.filter(|held| *held < samples).map(|held| floor(&name, samples, held)));
    let root = objective.labels().map(|labels| dealing::root(planner, samplers.len(), labels));
    let task = &planner.config.task;
    let mut learner = ConvexLearner::new(objective.clone(), dtype(task.precision), task.clip);
    if planner.config.evaluation.per_class {
        tells_predictions(planner, &name, objective.as_ref())?;
        learner = learner.per_class(found.classes);
    }
    Ok(Workload {
        learner: walking(task, Box::new(learner)),
        samplers,
        held,
        layout: Layout::whole(found.dim),
        remarks,
        root: root.transpose()?.flatten(),
        domain: objective.domain(),
        classes: found.classes as i64,
        summary: format!("{name} in {} dimensions{}", found.dim, steps(task)),
        computation: Computation {
            way: None,
            tiles: BTreeMap::new(),
            precision: task.precision,
            device: "cpu".into(),
        },
        arithmetic: None,
        passes: 0,
    })
}

/// An error for an objective with classes that does not say what a point predicts.
fn tells_predictions(
    planner: &Planner<'_>,
    name: &str,
    objective: &dyn Objective,
) -> Result<(), ConfigError> {
    let key = format!("task.objective.{name}");
    if planner.guarded(&key, || objective.predictions(objective.start()))?.is_some() {
        return Ok(());
    }
    let message = format!("the objective `{name}` does not tell what a point predicts; false is accepted");
    Err(planner.error("evaluation.per_class", message))
}

/// That honest workers do not hold all samples of an objective: what is best for theirs is not its optimum.
fn floor(name: &str, samples: usize, held: usize) -> String {
    format!(
        "task.objective.{name}: f and its optimum are those of {samples} samples, of which honest workers hold {held}: \
         the gap has a floor, whatever the rule"
    )
}

/// The learner; that of local steps, if workers walk.
pub(super) fn walking(task: &Task, learner: Box<dyn LocalLearner>) -> Box<dyn Learner> {
    match walk(task) {
        None => learner,
        Some(walk) => Box::new(LocalSteps::new(learner, walk)),
    }
}

/// How workers walk, if they do.
fn walk(task: &Task) -> Option<Walk> {
    let (steps, schedule, proximal) = (task.local_steps, task.local_schedule.clone(), task.local_proximal);
    task.local_lr.map(|lr| Walk { steps, lr, schedule, proximal })
}

/// How workers walk, to be added to what they learn.
pub(super) fn steps(task: &Task) -> String {
    match walk(task) {
        None => String::new(),
        Some(Walk { steps: 1, lr, .. }) => format!(" in 1 local step of {lr}"),
        Some(Walk { steps, lr, .. }) => format!(" in {steps} local steps of {lr}"),
    }
}

/// The batch size of every worker, by id.
pub(super) fn batches(groups: &[Group]) -> Vec<usize> {
    groups.iter().flat_map(|group| std::iter::repeat_n(group.batch_size, group.ids.len())).collect()
}

/// No model can be found without libtorch.
#[cfg(not(feature = "torch"))]
pub(super) enum Images {}

#[cfg(not(feature = "torch"))]
impl Images {
    fn resolve(planner: &Planner<'_>, _: &Named, _: &Named, _: Option<&Path>) -> Result<Self, PlanError> {
        let message =
            "this program was built without libtorch (feature `torch`); `task.objective` is what it can run";
        Err(planner.error("task.model", message).into())
    }

    fn dim(&self) -> usize {
        match *self {}
    }

    fn classes(&self) -> i64 {
        match *self {}
    }
}

#[cfg(not(feature = "torch"))]
fn images(_: &Planner<'_>, _: &[Group], found: Images) -> Result<Workload, PlanError> {
    match found {}
}

#[cfg(test)]
mod layouts {
    use phalanx_robust::{
        Layout, Vector,
        aggregation::{Aggregation, Context, Defence, Lasa, Rule},
        random::Seed,
    };
    use rand::RngExt;

    use crate::{experiment::Plan, registry::Registry};

    const PLAIN: &str = "name = 'layers'\nrounds = 1\n\
         [aggregator]\nrule = ['lasa']\nstep = { sgd = { lr = 0.1 } }\n\
         [[workers]]\ncount = 7\n[[attackers]]\ncount = 2\nattack = 'ipm'\n";

    fn plan(task: &str) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("layers.toml");
        std::fs::write(&file, format!("{PLAIN}{task}")).unwrap();
        Plan::read(&Registry::default(), &file, &[], None).unwrap()
    }

    /// What `defence` makes of vectors of length d that are drawn.
    fn drawn(defence: &mut Defence, d: usize) -> Aggregation {
        let mut rng = Seed(1).stream("test", 0, "vectors", 1);
        let mut row = || Vector::from((0..d).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>());
        let rows: Vec<Vector> = (0..9).map(|_| row()).collect();
        defence.aggregate_in(&rows, Context::new(2, Seed(1).stream("test", 0, "rule", 1))).unwrap()
    }

    /// Of as many coordinates as the plan says, the defence makes what one makes that is told this.
    fn is_told(mut plan: Plan, layout: &Layout) {
        assert_eq!(plan.workload.layout, *layout);
        let mut told = Defence::new(vec![Lasa::default().build().unwrap()]).unwrap();
        told.know_layout(layout).unwrap();
        let [own, expected] =
            [&mut plan.defence, &mut told].map(|one| drawn(one, layout.d()).output.to_f64());
        assert_eq!(own, expected);
    }

    #[test]
    fn a_convex_task_is_one_layer() {
        is_told(plan("[task]\nobjective = { least-squares = { dim = 12 } }\n"), &Layout::whole(12));
    }

    #[cfg(feature = "torch")]
    #[test]
    fn a_model_has_the_layers_of_its_tensors() {
        let plan = plan("[task]\ndataset = 'digits'\nmodel = { mlp = { hidden = [5] } }\n");
        let blocks = plan.workload.layout.blocks();
        let lengths: Vec<usize> = blocks.iter().map(|block| block.range.len()).collect();
        assert_eq!(lengths, [64 * 5, 5, 5 * 10, 10]);
        assert!(blocks[2].name.ends_with(".weight") && blocks[3].name.ends_with(".bias"));
        assert_eq!(plan.workload.layout.last_layer(), 325..385);
        let layout = plan.workload.layout.clone();
        is_told(plan, &layout);
    }
}
