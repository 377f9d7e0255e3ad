//! A model on a data set: loads the data, fits the model to it, finds the device.

use std::{collections::BTreeMap, path::Path};

use phalanx_robust::{Layout, random::Seed, step::Domain};
use tch::{Cuda, Device};

use super::{
    Arithmetic,
    cast::Group,
    dealing::{self, Hands},
    plan::{PlanError, Planner},
    workload::{Workload, batches, steps, walking},
};
use crate::{
    config::{self, BatchNorm, Config, ConfigError, Named},
    data::Dataset,
    learner::torch::{self, BatchNormPolicy, Model, ModelError, Precision, Settings, TorchLearner, Way},
    registry::{ModelFactory, Resolved},
    results::Computation,
};

/// A model and the data set that it fits, before anything is held out, dealt or drawn.
pub(super) struct Images {
    device: Device,
    network: Model,
    dataset: Dataset,
}

impl Images {
    /// The model `model` and the data set `dataset`, on the device that there is. `data` is searched first.
    pub fn resolve(
        planner: &mut Planner<'_>,
        dataset: &Named,
        model: &Named,
        data: Option<&Path>,
    ) -> Result<Self, PlanError> {
        let device = device(planner)?;
        // A wrong name is said before data is looked for.
        let made = planner.make(&planner.registry.models, "task.model", model)?;
        let dataset = dealing::read(planner, dataset, data)?;
        let network = fit(planner, &dataset, made)?;
        dealing::partition(planner)?;
        planner.config.task.way = way(planner, &network, device)?;
        Ok(Self { device, network, dataset })
    }

    /// Number of coordinates of a vector.
    pub fn dim(&self) -> usize {
        self.network.dim()
    }

    /// Number of classes.
    pub fn classes(&self) -> i64 {
        self.dataset.train.classes as i64
    }
}

/// The workload of a model on a data set.
pub(super) fn images(
    planner: &mut Planner<'_>,
    groups: &[Group],
    images: Images,
) -> Result<Workload, PlanError> {
    let classes = images.classes();
    let Images { device, network, dataset } = images;
    let dataset = dealing::hold_out(planner, dataset)?;
    let Hands { samplers, held, remarks, .. } = dealing::hands(planner, groups, &dataset.train.labels)?;
    let root = dealing::root(planner, samplers.len(), &dataset.train.labels)?;
    let task = &planner.config.task;
    let name = task.model.as_ref().map_or("", |model| &model.name);
    let summary = format!("{name} ({} parameters) on {}{}", network.dim(), dataset.name, steps(task));
    let precision = precision(task.precision);
    let arithmetic = Some(arithmetic(&network, precision, device));
    let layout = Layout::new(network.parameters().iter().map(|one| (&one.name, one.len)));
    let settings = Settings {
        precision,
        device,
        clip: Some(task.clip).filter(|clip| *clip > 0.0),
        batch_norm: match task.batch_norm {
            BatchNorm::Tracked => BatchNormPolicy::Tracked,
            BatchNorm::Cwmed => BatchNormPolicy::Cwmed,
        },
        tile: Some(task.tile).filter(|tile| *tile > 0),
        way: asked(task.way),
        per_class: planner.config.evaluation.per_class,
    };
    let seed = Seed(planner.config.seed);
    let learner = planner
        .guarded("task.model", || TorchLearner::new(network, &dataset, settings, seed))?
        .map_err(|error| planner.error("task.model", error.to_string()))?;
    let computation = computation(&planner.config, groups, &learner);
    let passes = passes(&planner.config, groups, &learner);
    Ok(Workload {
        learner: walking(&planner.config.task, Box::new(learner)),
        samplers,
        held,
        layout,
        remarks,
        root,
        domain: Domain::Everywhere,
        classes,
        summary,
        computation,
        arithmetic,
        passes,
    })
}

/// Bytes that the passes of a round hold at once, more or less: those of workers with batches of one size, or the server's.
fn passes(config: &Config, groups: &[Group], learner: &TorchLearner) -> u64 {
    let most = match config.participation.cohort {
        0 => usize::MAX,
        cohort => cohort,
    };
    let mut workers = BTreeMap::from([(config.task.server_draw(), 1)]);
    groups.iter().for_each(|group| *workers.entry(group.batch_size).or_insert(0) += group.ids.len());
    let held =
        |(batch, workers): (usize, usize)| learner.held(batch, workers.min(most), config.machine.threads());
    workers.into_iter().map(held).max().unwrap_or(0)
}

fn arithmetic(network: &Model, precision: Precision, device: Device) -> Arithmetic {
    let peak = move |threads| torch::peak(precision, device, threads).ok();
    Arithmetic { flops: network.flops(), peak: Box::new(peak) }
}

fn fit(
    planner: &mut Planner<'_>,
    dataset: &Dataset,
    made: Resolved<ModelFactory>,
) -> Result<Model, ConfigError> {
    let name = made.named.name.clone();
    planner.config.task.model = Some(made.named);
    let images = &dataset.train;
    let shape = [images.channels, images.height, images.width];
    planner.guarded("task.model", || (made.component)(shape, images.classes))?.map_err(|error| match error {
        ModelError::Parameter(error) => planner.parameter("task.model", &name, &error),
        other => {
            let message = format!("`{name}` does not fit the data set `{}`: {other}", dataset.name);
            planner.error("task.model", message)
        }
    })
}

fn precision(given: config::Precision) -> Precision {
    match given {
        config::Precision::F32 => Precision::F32,
        config::Precision::F64 => Precision::F64,
        config::Precision::Bf16 => Precision::Bf16,
    }
}

fn asked(way: config::Way) -> Option<Way> {
    match way {
        config::Way::Auto => None,
        config::Way::Kernels => Some(Way::Kernels),
        config::Way::Torch => Some(Way::Torch),
    }
}

/// The way that is taken, for the record of the run. The kernels, if they are asked for, must be able to; a tile is not
/// for them.
fn way(planner: &Planner<'_>, network: &Model, device: Device) -> Result<config::Way, ConfigError> {
    let task = &planner.config.task;
    match (task.way, Way::of(network, precision(task.precision), device, asked(task.way))) {
        (config::Way::Kernels, _) if task.precision == config::Precision::Bf16 => {
            let message = "the kernels compute in f32 and f64; `auto` takes libtorch for bf16";
            Err(planner.error("task.way", message))
        }
        (config::Way::Kernels, Way::Torch) => {
            let message = "the kernels serve models on the CPU whose layers all have one; `auto` takes libtorch for others";
            Err(planner.error("task.way", message))
        }
        (_, Way::Kernels) if task.tile > 1 => {
            let message = format!(
                "{} workers a pass; the kernels take one, `task.way = \"torch\"` takes several",
                task.tile
            );
            Err(planner.error("task.tile", message))
        }
        (_, Way::Kernels) => Ok(config::Way::Kernels),
        (_, Way::Torch) => Ok(config::Way::Torch),
    }
}

/// What computes, for the record of the run.
fn computation(config: &Config, groups: &[Group], learner: &TorchLearner) -> Computation {
    Computation {
        way: Some(config.task.way),
        tiles: batches(groups).into_iter().map(|batch| (batch, learner.tile(batch))).collect(),
        precision: config.task.precision,
        device: config.machine.device.clone(),
    }
}

/// The device that `machine.device` names, if it is there.
fn device(planner: &mut Planner<'_>) -> Result<Device, ConfigError> {
    let given = planner.config.machine.device.clone();
    let found = Cuda::device_count();
    let device = match given.as_str() {
        "cpu" => Device::Cpu,
        "auto" => Device::cuda_if_available(),
        // Checked before: `cuda:N`.
        name => Device::Cuda(name.trim_start_matches("cuda:").parse().unwrap_or(usize::MAX)),
    };
    match device {
        Device::Cuda(number) if number as i64 >= found => {
            let message = format!("`{given}` is not there: libtorch finds {found} GPUs");
            Err(planner.error("machine.device", message))
        }
        Device::Cuda(number) => {
            planner.config.machine.device = format!("cuda:{number}");
            Ok(device)
        }
        _ => {
            planner.config.machine.device = "cpu".into();
            Ok(device)
        }
    }
}
