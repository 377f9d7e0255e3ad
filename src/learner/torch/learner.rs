//! The learner of neural networks, as the cast sees it.

use std::{cell::Cell, sync::Arc};

use phalanx_actors::learner::{EvaluationTask, Job, Learned, Learner, LearnerError, Query};
use phalanx_robust::{
    Vector,
    aggregation::Judge,
    estimator::Gradients,
    random::Seed,
    state::{State, StateError, Stateful},
    to_device,
};
use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use super::{
    BatchNormPolicy, Model, Precision,
    alone::{Ready, Spares},
    convert,
    evaluate::{Point, Scorer, Snapshot},
    exact,
    inputs::Inputs,
    judge::OnRoot,
    kernels::Network,
    round::{Done, Points, Round},
    running::Running,
    tiles::{self, Tile},
    trial,
};
use crate::{
    data::{Augmentation, Dataset},
    learner::local::LocalLearner,
};

/// How a model learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Number formats of parameters, activations and gradients.
    pub precision: Precision,
    /// Where the model lives. On the CPU vectors are host vectors, elsewhere tensors of that device.
    pub device: Device,
    /// A worker's gradient with a larger Euclidean norm is scaled down to this one; at x_t and x_{t-1} separately.
    pub clip: Option<f64>,
    /// What becomes of the running statistics of batch normalisation.
    pub batch_norm: BatchNormPolicy,
    /// The most workers in one pass of libtorch; `None` lets the model's cost decide. Results differ by rounding alone.
    pub tile: Option<usize>,
    /// What computes; `None` takes the kernels where they can be used. Results differ by rounding alone.
    pub way: Option<Way>,
    /// Whether evaluations count what of the test set is taken for what.
    pub per_class: bool,
}

/// What computes the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Our own kernels, worker by worker; for models on the CPU whose layers all have one, in f32 and f64.
    Kernels,
    /// libtorch, in tiles of workers.
    Torch,
}

impl Way {
    /// What computes the gradients of `model` in that precision on `device`, if `asked` can be had there.
    pub fn of(model: &Model, precision: Precision, device: Device, asked: Option<Self>) -> Self {
        let served = device == Device::Cpu && precision != Precision::Bf16;
        let has_kernels = served && model.network().is_some();
        if has_kernels { asked.unwrap_or(Self::Kernels) } else { Self::Torch }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            device: Device::Cpu,
            clip: None,
            batch_norm: BatchNormPolicy::Tracked,
            tile: None,
            way: None,
            per_class: false,
        }
    }
}

/// A model, its data, and the running statistics of its batch normalisation.
///
/// Tiles of workers are spread over the current rayon pool, and libtorch itself keeps to one thread, so that results
/// are the same bits at any number of threads.
pub struct TorchLearner {
    model: Arc<Model>,
    train: Arc<Inputs>,
    test: Arc<Inputs>,
    validation: Option<Arc<Inputs>>,
    start: Vector,
    running: Running,
    spares: Arc<Spares>,
    settings: Settings,
}

impl TorchLearner {
    /// The learner of `model` on `dataset`. The start is drawn from the stream ("model", 0, "init", 0) of `seed`.
    ///
    /// # Errors
    /// [`LearnerError::Model`] if the model was made for other images or classes, a layer does not compute in bf16 and is
    /// to, or libtorch fails.
    pub fn new(
        model: Model,
        dataset: &Dataset,
        settings: Settings,
        seed: Seed,
    ) -> Result<Self, LearnerError> {
        for images in [&dataset.train, &dataset.test].into_iter().chain(&dataset.validation) {
            let given = ([images.channels, images.height, images.width], images.classes);
            let made = (model.input(), model.classes());
            if given != made {
                return Err(LearnerError::Model(format!(
                    "it was made for {made:?}, the data set is of {given:?}"
                )));
            }
        }
        let Settings { precision, device, .. } = settings;
        exact::ask_for(device);
        let inputs = |images: &crate::data::Images, augmentation| {
            let kind = precision.activations();
            let made = Inputs::new(images.clone(), &dataset.normalisation, augmentation, kind, device);
            made.map(Arc::new).map_err(failed)
        };
        if precision == Precision::Bf16 {
            // The layers built in compute in all formats; of another one it is better known before the first round.
            trial::check(&model, device)?;
        }
        let start = model.start(&mut seed.stream("model", 0, "init", 0));
        Ok(Self {
            train: inputs(&dataset.train, dataset.augmentation)?,
            test: inputs(&dataset.test, Augmentation::None)?,
            validation: dataset
                .validation
                .as_ref()
                .map(|images| inputs(images, Augmentation::None))
                .transpose()?,
            start: convert::vector(start, precision.vectors(), device).map_err(failed)?,
            running: Running::new(model.tracked(), device).map_err(failed)?,
            model: Arc::new(model),
            spares: Arc::default(),
            settings,
        })
    }

    /// The same learner with another start.
    ///
    /// # Errors
    /// [`LearnerError::Model`] if it has another length than the model's parameters.
    pub fn starting_at(mut self, start: &[f64]) -> Result<Self, LearnerError> {
        if start.len() != self.model.dim() {
            return Err(LearnerError::Model(format!(
                "{} values for {} parameters",
                start.len(),
                self.model.dim()
            )));
        }
        self.start = self.start.like(start);
        Ok(self)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What computes.
    pub fn way(&self) -> Way {
        Way::of(&self.model, self.settings.precision, self.settings.device, self.settings.way)
    }

    /// The most workers with batches of this size that one pass answers; part of a run's record.
    pub fn tile(&self, batch: usize) -> usize {
        match (self.way(), self.settings.tile) {
            (Way::Kernels, _) => 1,
            (Way::Torch, Some(tile)) => tile,
            (Way::Torch, None) => tiles::largest(&self.model, batch, self.settings.device),
        }
    }

    /// Bytes that the passes of `workers` with batches of this size hold at once, more or less, if `threads` compute.
    pub fn held(&self, batch: usize, workers: usize, threads: usize) -> u64 {
        let Settings { precision, device, .. } = self.settings;
        let tile = self.tile(batch).min(workers).max(1);
        let passes = if device == Device::Cpu { threads.min(workers.div_ceil(tile)) } else { 1 };
        let values = tiles::values(&self.model, batch, device, self.way())
            + batch * self.model.input().iter().product::<usize>();
        (passes * tile * values * precision.activations().elt_size_in_bytes()) as u64
    }

    /// Number of workers in each pass of a round with these jobs.
    pub fn tiles(&self, jobs: &[Job]) -> Vec<usize> {
        self.cut(jobs).iter().map(|t| t.len()).collect()
    }

    fn cut(&self, jobs: &[Job]) -> Vec<Tile> {
        tiles::cut(jobs, |batch| self.tile(batch))
    }

    fn check(&self, job: &Job) -> Result<(), LearnerError> {
        let (draw, len, worker) = (&job.draw, self.train.images.len(), job.worker);
        if let Some(&index) = draw.indices.iter().find(|&&index| index >= len) {
            return Err(LearnerError::Sample { worker, index, len });
        }
        if draw.indices.is_empty() || draw.indices.len() != draw.labels.len() {
            let (n, labels) = (draw.indices.len(), draw.labels.len());
            return Err(LearnerError::Model(format!(
                "worker {worker} asks for {n} samples with {labels} labels"
            )));
        }
        let classes = self.model.classes() as i64;
        match draw.labels.iter().find(|label| !(0..classes).contains(*label)) {
            Some(label) => Err(LearnerError::Model(format!(
                "worker {worker} labels a sample {label} of {classes} classes"
            ))),
            None => Ok(()),
        }
    }

    fn fits(&self, point: &Vector) -> Result<(), LearnerError> {
        let (given, dim) = (point.len(), self.model.dim());
        if given == dim {
            return Ok(());
        }
        Err(LearnerError::Model(format!("a point of {given} values for {dim} parameters")))
    }

    fn tensor(&self, point: &Vector) -> Result<Tensor, LearnerError> {
        let kind = convert::kind(self.settings.precision.vectors());
        convert::tensor(point, kind, self.settings.device).map_err(failed)
    }

    fn points<'a>(&self, model: &'a Model, query: &Query) -> Result<Points<'a>, LearnerError> {
        let (current, previous) = (&query.current, query.previous.as_ref());
        std::iter::once(current).chain(previous).try_for_each(|point| self.fits(point))?;
        match self.network(model) {
            Some(network) => {
                let ready = |point| Ready::new(network, point, self.settings.precision.vectors());
                Ok(Points::Kernels(ready(current), previous.map(ready)))
            }
            None => {
                let previous = previous.map(|point| self.tensor(point)).transpose()?;
                Ok(Points::Torch(self.tensor(current)?, previous))
            }
        }
    }

    fn snapshot(&self, round: u64, point: &Vector) -> Result<Snapshot, LearnerError> {
        self.fits(point)?;
        let point = Point::of(point, self.way(), &self.settings)?;
        let (test, validation) = (self.test.clone(), self.validation.clone());
        Ok(Snapshot {
            round,
            scorer: self.scorer(),
            point,
            test,
            validation,
            per_class: self.settings.per_class,
        })
    }

    /// The model as it stands.
    fn scorer(&self) -> Scorer {
        let (model, running, spares) = (self.model.clone(), self.running.clone(), self.spares.clone());
        Scorer { model, running, spares }
    }

    /// Does the tasks of `jobs`, spread over the threads.
    fn answer<'t, T: Send>(
        &mut self,
        model: &Model,
        jobs: &[Job],
        tasks: Vec<T>,
        run: impl Fn(&Round<'_>, T) -> Result<Vec<Done<'t>>, TchError> + Sync,
    ) -> Result<Vec<Learned>, LearnerError> {
        jobs.iter().try_for_each(|job| self.check(job))?;
        let network = self.network(model);
        let (train, spares, settings) = (&*self.train, &*self.spares, self.settings);
        let round = Round { model, network, train, spares, jobs, settings };
        let done: Vec<Vec<Done<'t>>> = tasks
            .into_par_iter()
            .with_max_len(1)
            .map(|task| on_one_thread(|| run(&round, task)))
            .collect::<Result<_, TchError>>()
            .map_err(failed)?;
        let done: Vec<Done<'t>> = done.into_iter().flatten().collect();
        for previous in [true, false] {
            self.track(jobs, &done, previous).map_err(failed)?;
        }
        answers(done, jobs.len()).map_err(failed)
    }

    /// The model's kernels, if they are what computes.
    fn network<'a>(&self, model: &'a Model) -> Option<&'a Network> {
        model.network().filter(|_| self.way() == Way::Kernels)
    }

    /// Takes in the statistics that workers' jobs found at one point, in the order of the jobs.
    fn track(&mut self, jobs: &[Job], done: &[Done<'_>], previous: bool) -> Result<(), TchError> {
        let here = || done.iter().filter(|d| d.previous == previous);
        let found: Vec<&(Tensor, Tensor)> = here().filter_map(|d| d.statistics.as_ref()).collect();
        let order = of_workers(jobs, here().flat_map(|d| d.tile.iter().copied()));
        if found.is_empty() || order.is_empty() {
            return Ok(());
        }
        let means: Vec<&Tensor> = found.iter().map(|(mean, _)| mean).collect();
        let vars: Vec<&Tensor> = found.iter().map(|(_, var)| var).collect();
        let order = to_device(&Tensor::f_from_slice(&order)?, self.settings.device);
        let sorted = |all: &[&Tensor]| Tensor::f_cat(all, 0)?.f_index_select(0, &order);
        self.running.update(self.settings.batch_norm, &sorted(&means)?, &sorted(&vars)?)
    }
}

impl Stateful for TorchLearner {
    fn state(&self) -> State {
        self.running.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.running.restore(state)
    }
}

impl Learner for TorchLearner {
    fn start(&self) -> Vector {
        self.start.clone()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        let (tiles, model) = (self.cut(jobs), self.model.clone());
        let points = self.points(&model, query)?;
        let together = self.settings.device != Device::Cpu;
        let tasks = points.tasks(&tiles, together).map_err(failed)?;
        self.answer(&model, jobs, tasks, |round, task| round.run(task))
    }

    fn judge(&mut self, job: &Job) -> Result<Arc<dyn Judge>, LearnerError> {
        self.check(job)?;
        Ok(Arc::new(OnRoot::new(self.scorer(), self.train.clone(), &job.draw, self.way(), self.settings)))
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        let snapshot = self.snapshot(round, point);
        Box::new(move || snapshot?.evaluate())
    }
}

impl LocalLearner for TorchLearner {
    fn gradients_at(&mut self, points: &[Vector], jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        points.iter().try_for_each(|point| self.fits(point))?;
        let (tiles, model) = (self.cut(jobs), self.model.clone());
        self.answer(&model, jobs, tiles.iter().collect(), |round, tile| round.run_at(tile, points))
    }
}

/// Where among `rows`, which are of these of the `jobs`, those of workers stand, in the order of the jobs.
fn of_workers(jobs: &[Job], rows: impl Iterator<Item = usize>) -> Vec<i64> {
    let mut order: Vec<(usize, i64)> = rows.zip(0..).filter(|(job, _)| !jobs[*job].root).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, row)| row).collect()
}

/// Brings what the tasks found into the order of the jobs. A device is waited for once.
fn answers(done: Vec<Done<'_>>, jobs: usize) -> Result<Vec<Learned>, TchError> {
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let here = done.iter().filter(|d| !d.previous);
    let told: Vec<Tensor> =
        here.flat_map(|d| [&d.losses, &d.accuracies]).map(|t| t.to_kind(Kind::Double)).collect();
    let mut told = convert::values(&Tensor::f_cat(&told, 0)?).into_iter();
    let mut previous: Vec<Option<Vector>> = vec![None; jobs];
    let mut current: Vec<Option<(Vector, f64, f64)>> = vec![None; jobs];
    for d in done {
        if d.previous {
            d.tile.iter().zip(d.rows).for_each(|(&job, row)| previous[job] = Some(row));
        } else {
            let losses: Vec<f64> = told.by_ref().take(d.tile.len()).collect();
            let accuracies = told.by_ref().take(d.tile.len());
            for (((&job, row), loss), accuracy) in d.tile.iter().zip(d.rows).zip(losses).zip(accuracies) {
                current[job] = Some((row, loss, accuracy));
            }
        }
    }
    let answer = |(current, previous): (Option<_>, _)| {
        let (current, loss, accuracy) = current?;
        Some(Learned { gradients: Gradients { current, previous }, loss, accuracy })
    };
    Ok(current.into_iter().zip(previous).filter_map(answer).collect())
}

/// Runs `f` with libtorch's own threads off on this thread: tiles are what is spread over threads.
pub(super) fn on_one_thread<T>(f: impl FnOnce() -> T) -> T {
    thread_local! {
        static SET: Cell<bool> = const { Cell::new(false) };
    }
    if !SET.replace(true) {
        tch::set_num_threads(1);
    }
    f()
}

/// The cast's form of an error of libtorch: its first line, without the trace of calls.
pub(super) fn failed(error: TchError) -> LearnerError {
    LearnerError::Model(first_line(&error))
}

pub(super) fn first_line(error: &TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
