//! The plan of a run: after it nothing can be invalid, before it nothing runs.

use std::{fmt, path::Path};

use phalanx_actors::{Closing, Confusion, Faults};
use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Defence, Layer},
    contained,
    describe::{ParameterError, Preset},
    step::Domain,
};

use super::{
    cast::{Group, check_attacks, groups},
    cohorts::Turnout,
    memory::{MemoryError, Need},
    workload::{Subject, Workload, dtype},
};
use crate::{
    checkpoint::CheckpointError,
    config::{Config, ConfigError, Layers, MOST_WORKERS, Named, StatePlace, load, name_complaint},
    data::DataError,
    registry::{ComponentError, Kind, Registry, Resolved, StepFactory},
    results::{Computation, ResultsError},
    store::StoreError,
    telemetry::TelemetryError,
};

/// An experiment that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A key of the configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data is missing or wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A parameter that cannot be used after all.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The memory does not suffice.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// What workers remember cannot be put into a file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Results cannot be written.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The run cannot go on from its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Somebody cannot go on from it.
    #[error("the checkpoint of round {round}: {message}; nothing was run, and the run folder is as it was")]
    Restore {
        /// The round.
        round: u64,
        /// Who cannot, and why.
        message: String,
    },
    /// Metrics cannot be shown.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
}

/// A run in which nothing is invalid.
pub struct Plan {
    /// The configuration with every parameter written out.
    pub(super) config: Config,
    /// The numbers of workers.
    pub(super) size: Turnout,
    /// The server's rule.
    pub(super) defence: Defence,
    /// The server's step.
    pub(super) step: StepFactory,
    /// Groups of actors, in the order of their ids.
    pub(super) groups: Vec<Group>,
    /// What befalls them.
    pub(super) faults: Faults,
    /// When a round closes, in virtual time.
    pub(super) closing: Closing,
    /// What is learned.
    pub(super) workload: Workload,
    /// What it takes of memory.
    pub(super) need: Need,
    /// What whoever starts it should know.
    remarks: Vec<String>,
}

impl Plan {
    /// Reads the layers of the experiment in `file` and checks them. `data` is searched first for data sets.
    ///
    /// # Errors
    /// [`PlanError`] naming file and key, or the data file.
    pub fn read(
        registry: &Registry,
        file: &Path,
        sets: &[String],
        data: Option<&Path>,
    ) -> Result<Self, PlanError> {
        let (config, layers) = load(file, sets)?;
        Planner { registry, layers, config }.plan(data)
    }

    /// Checks the experiment that `layers` make. `data` is searched first for data sets.
    ///
    /// # Errors
    /// [`PlanError`] naming layer and key, or the data file.
    pub fn of(registry: &Registry, layers: Layers, data: Option<&Path>) -> Result<Self, PlanError> {
        let config = layers.config()?;
        Planner { registry, layers, config }.plan(data)
    }

    /// The digest of the configuration that the plan of these `layers` would have. Names, parameters and who can stand
    /// whom are checked for it; data is read, but not dealt, and neither an objective nor a learner is made.
    ///
    /// # Errors
    /// [`PlanError`] naming layer and key, or the data file.
    pub fn digest(registry: &Registry, layers: Layers, data: Option<&Path>) -> Result<[u8; 32], PlanError> {
        let config = layers.config()?;
        let mut planner = Planner { registry, layers, config };
        planner.resolve(data)?;
        Ok(planner.config.digest())
    }

    /// The configuration with every parameter written out.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Number of rounds.
    pub fn rounds(&self) -> u64 {
        self.config.rounds
    }

    /// What computes the gradients.
    pub fn computation(&self) -> &Computation {
        &self.workload.computation
    }

    /// What whoever starts the run should know of it, each with its key.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The cast, the task and what computes in a line.
    pub fn describe(&self) -> String {
        let rule: Vec<&str> = self.config.aggregator.rule.iter().map(|r| r.name.as_str()).collect();
        format!(
            "{}, rule {}, step {}, {}, {}, {} rounds",
            self.size.describe(),
            rule.join(" > "),
            self.config.aggregator.step.name,
            self.workload.summary,
            self.workload.computation,
            self.config.rounds
        )
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The configuration under examination: parameters are written out as they are resolved.
pub(super) struct Planner<'a> {
    pub registry: &'a Registry,
    pub layers: Layers,
    pub config: Config,
}

/// All that a configuration names.
pub(super) struct Found {
    pub size: Turnout,
    pub groups: Vec<Group>,
    pub defence: Defence,
    pub step: StepFactory,
    pub faults: Faults,
    pub closing: Closing,
    pub subject: Subject,
    pub remarks: Vec<String>,
}

impl Planner<'_> {
    fn plan(mut self, data: Option<&Path>) -> Result<Plan, PlanError> {
        let found = self.resolve(data)?;
        let need = self.fitting(self.need(&found)?)?; // before anything of that size is made
        let Found { size, groups, mut defence, step, faults, closing, subject, mut remarks } = found;
        let mut workload = Workload::plan(&mut self, &groups, subject)?;
        remarks.append(&mut workload.remarks);
        let tell = || {
            defence.count_samples(workload.held.as_deref())?;
            defence.know_layout(&workload.layout)
        };
        self.guarded("aggregator.rule", tell)?
            .map_err(|error| self.error("aggregator.rule", error.to_string()))?;
        // Without passes it has fitted, and what an objective took since then was counted.
        let need = match workload.passes {
            0 => need,
            passes => self.fitting(need.and_passes(passes))?,
        };
        self.config.machine.state =
            if need.spilled().is_some() { StatePlace::File } else { StatePlace::Memory };
        Ok(Plan {
            config: self.config,
            size,
            defence,
            step,
            groups,
            faults,
            closing,
            workload,
            need,
            remarks,
        })
    }

    /// Finds all that the configuration names, and writes every parameter out that a result depends on.
    fn resolve(&mut self, data: Option<&Path>) -> Result<Found, PlanError> {
        let size = self.turnout()?;
        let defence = self.defence(size)?; // which has the say whether so many may attack
        let mut groups = groups(self, size.attack())?;
        let faults = self.faults(&groups)?;
        let closing = self.closing(size, &defence, &faults)?;
        let subject = Subject::resolve(self, data)?;
        self.countable(subject.classes())?;
        self.wrong_lengths(&faults, subject.dim())?;
        let step = self.step(&subject)?;
        let mut remarks = check_attacks(self, &groups, size, &subject)?;
        remarks.extend(size.remark());
        groups.retain(|group| !group.ids.is_empty());
        Ok(Found { size, groups, defence, step, faults, closing, subject, remarks })
    }

    /// The numbers of workers.
    pub fn turnout(&mut self) -> Result<Turnout, ConfigError> {
        self.check_scalars()?;
        let (cast, byzantine) = self.cast()?;
        Ok(Turnout { cast, byzantine, round: self.round_size(cast)? })
    }

    /// An error about `key`.
    pub fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.layers.error(key, message)
    }

    /// Makes the component that `named` (at `key`) names; returns it with its parameters in full.
    pub fn make<T>(&self, kind: &Kind<T>, key: &str, named: &Named) -> Result<Resolved<T>, ConfigError> {
        let preset: Preset = self.config.preset;
        self.guarded(key, || kind.make(named, preset))?
            .map_err(|error| self.component(key, &named.name, &error))
    }

    /// What `make` makes of the component at `key`; a panic of it is an error there.
    pub fn guarded<T>(&self, key: &str, make: impl FnOnce() -> T) -> Result<T, ConfigError> {
        contained(make).map_err(|panic| self.error(key, format!("it panicked: {panic}")))
    }

    /// An error about a component at `key`.
    fn component(&self, key: &str, name: &str, error: &ComponentError) -> ConfigError {
        let key = match error.parameter.as_str() {
            "" => key.to_owned(),
            parameter => format!("{key}.{name}.{parameter}"),
        };
        self.error(&key, &error.message)
    }

    /// An error about a parameter of the component `name` at `key`.
    pub fn parameter(&self, key: &str, name: &str, error: &ParameterError) -> ConfigError {
        self.component(key, name, &ComponentError::parameter(error))
    }

    fn check_scalars(&self) -> Result<(), ConfigError> {
        let c = &self.config;
        let schedule = c.task.local_schedule.check();
        schedule.map_err(|error| self.parameter("task", "local_schedule", &error))?;
        if let Some(message) = name_complaint(&c.name) {
            return Err(self.error("name", message));
        }
        if c.rounds == 0 {
            return Err(self.error("rounds", "at least one round is needed"));
        }
        let wrong = c
            .task
            .complaint()
            .or_else(|| c.machine.complaint())
            .or_else(|| c.barrier.complaint())
            .or_else(|| c.telemetry.complaint())
            .or_else(|| c.checkpoint.complaint());
        match wrong {
            Some((key, message)) => Err(self.error(key, message)),
            None => Ok(()),
        }
    }

    /// All workers and how many Byzantine ones the server is told of, and all attackers.
    fn cast(&self) -> Result<(Size, usize), ConfigError> {
        let honest = sum(self.config.workers.iter().map(|g| g.count));
        let byzantine = sum(self.config.attackers.iter().map(|g| g.count));
        let m = honest.saturating_add(byzantine);
        if m > MOST_WORKERS {
            let key = if honest > byzantine { "workers" } else { "attackers" };
            let message = format!("there are {m} workers and attackers; at most {MOST_WORKERS} are accepted");
            return Err(self.error(key, message));
        }
        if honest == 0 {
            return Err(self.error(
                "workers",
                "there are no honest workers; a [[workers]] group with a count is needed",
            ));
        }
        let f = self.config.aggregator.f.unwrap_or(byzantine);
        if f >= m {
            return Err(self.error("aggregator.f", format!("f = {f} of m = {m} workers; f < m is needed")));
        }
        Ok((Size::new(m, f), byzantine))
    }

    /// Whether it can be counted which of so many classes is taken for which, if that is asked for.
    fn countable(&self, classes: i64) -> Result<(), ConfigError> {
        let most = Confusion::MOST as i64;
        let message = match classes {
            _ if !self.config.evaluation.per_class => return Ok(()),
            0 => "the task has no classes; false is accepted".to_owned(),
            1.. if classes <= most => return Ok(()),
            _ => format!("the task has {classes} classes; pairs of at most {most} are counted"),
        };
        Err(self.error("evaluation.per_class", message))
    }

    fn defence(&mut self, size: Turnout) -> Result<Defence, ConfigError> {
        let mut layers: Vec<Layer> = Vec::new();
        for at in 0..self.config.aggregator.rule.len() {
            let key = format!("aggregator.rule.{at}");
            let made = self.make(&self.registry.rules, &key, &self.config.aggregator.rule[at])?;
            self.config.aggregator.rule[at] = made.named;
            layers.push(made.component);
        }
        let defence = self
            .guarded("aggregator.rule", || Defence::new(layers))?
            .map_err(|error| self.error("aggregator.rule", error.to_string()))?;
        let check =
            || defence.check(size.round).and_then(|()| defence.check_workers(size.cast.m, size.round));
        let of_whom = if size.is_partial() { " in a cohort" } else { "" };
        self.guarded("aggregator.rule", check)?
            .map_err(|error| self.error("aggregator.rule", format!("{error}{of_whom}")))?;
        if self.guarded("aggregator.rule", || defence.needs_reference())? && self.config.task.root == 0 {
            let message = "it needs a gradient that the server computes on data of its own; `task.root` says how many training samples it keeps";
            return Err(self.error("aggregator.rule", message));
        }
        if self.guarded("aggregator.rule", || defence.needs_judge())? && self.config.task.root == 0 {
            let message = "it needs losses on data of the server's own; `task.root` says how many training samples it keeps";
            return Err(self.error("aggregator.rule", message));
        }
        self.config.aggregator.f = Some(size.cast.f);
        Ok(defence)
    }

    fn step(&mut self, subject: &Subject) -> Result<StepFactory, ConfigError> {
        let key = "aggregator.step";
        let made = self.make(&self.registry.steps, key, &self.config.aggregator.step)?;
        // The parameters are checked here, where the key is known; the start and the domain come later.
        let start = trial(subject.dim(), dtype(self.config.task.precision));
        self.guarded(key, || (made.component)(&start, Domain::Everywhere))?
            .map_err(|error| self.parameter(key, &made.named.name, &error))?;
        self.config.aggregator.step = made.named;
        Ok(made.component)
    }
}

/// Most coordinates of a vector that stands for those of the run while it is planned.
const MOST_TRIED: usize = 1 << 20;

/// A vector that stands for those of a run in d dimensions while its memory has not been asked for.
pub(super) fn trial(d: usize, dtype: Dtype) -> Vector {
    Vector::zeros(d.min(MOST_TRIED), dtype)
}

/// The sum, or the largest number for more than that.
fn sum(counts: impl Iterator<Item = usize>) -> usize {
    counts.fold(0, usize::saturating_add)
}
