//! Runs a plan: seats the cast, handles Ctrl-C, writes the run folder.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use phalanx_actors::{
    Attackers, Cast, Deadlines, Evaluation, Member, Observer, RoundReport, RunEnd, RunError, Scheme,
    Settings, Snapshot, Workers,
};
use phalanx_robust::{describe::ParameterError, random::Seed};
use serde_json::{Map, Value, json};

use super::{
    Plan, PlanError,
    blame::blame,
    cast::{Group, Part},
    targets::Targeted,
};
use crate::{
    checkpoint::{self, Build, Checkpoints, Found, Origin},
    config::{Config, Time},
    registry::Crew,
    results::{
        BarrierCounts, Columns, FolderLock, PARAMETERS, ResultsError, RunFolder, Status, Summary,
        tables::{Tables, Wanted},
        write_parameters,
    },
    stop,
    store::{SpillFile, Store, StoreError},
    telemetry::{Door, Telemetry},
};

/// A run that is over, well or not. Its metrics, if they are shown, are shown until this is dropped, and then once more
/// to those who have read them before (`telemetry.linger_seconds`).
#[derive(Debug)]
pub struct RunOutcome {
    /// Where its results are.
    pub folder: RunFolder,
    /// How it ended.
    pub summary: Summary,
    /// Kept for its end.
    _telemetry: Option<Telemetry>,
}

impl Plan {
    /// Runs to the end, or until Ctrl-C ends it after the round in hand.
    ///
    /// A run that fails is an outcome too: what was written stays, and the summary says why.
    ///
    /// # Errors
    /// [`PlanError::Results`] if the run folder cannot be made or written; [`PlanError::Config`] for a
    /// parameter that only now turns out to be unusable.
    pub fn run(self, observers: Vec<Box<dyn Observer>>) -> Result<RunOutcome, PlanError> {
        let door = Door::take(&self.config.telemetry)?;
        stop::listen();
        let folder = self.folder()?;
        let _lock = FolderLock::take(folder.path())?;
        let path = folder.path().to_owned();
        self.start(folder, door, observers).inspect_err(|_| abandon(&path))
    }

    /// The same in a folder of the caller's choice, which holds no results yet and whose lock the caller holds.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_in(
        self,
        folder: RunFolder,
        observers: Vec<Box<dyn Observer>>,
    ) -> Result<RunOutcome, PlanError> {
        let door = Door::take(&self.config.telemetry)?;
        stop::listen();
        self.start(folder, door, observers)
    }

    /// Goes on from `found`, a checkpoint in `folder`, whose lock the caller holds: what the run wrote after it is
    /// undone once everyone is seated.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`PlanError::Checkpoint`] if it is one of another configuration, and
    /// [`PlanError::Restore`] if somebody does not take what it says.
    pub fn resume_in(
        self,
        folder: RunFolder,
        found: Found,
        observers: Vec<Box<dyn Observer>>,
    ) -> Result<RunOutcome, PlanError> {
        found.checkpoint.check(&self.config)?;
        let door = Door::take(&self.config.telemetry)?;
        stop::listen();
        let snapshot = found.checkpoint.snapshot(&self.workload.learner.start())?;
        let tables = Tables::resume(&folder, Wanted::by(&self.config), &snapshot)?;
        let resumption = self.resumption(&folder, door.as_ref(), snapshot.round)?;
        let observers = [Box::new(resumption) as Box<dyn Observer>].into_iter().chain(observers).collect();
        self.play(folder, door, observers, tables, Some(snapshot))
    }

    fn start(
        self,
        folder: RunFolder,
        door: Option<Door>,
        observers: Vec<Box<dyn Observer>>,
    ) -> Result<RunOutcome, PlanError> {
        self.begin(&folder, door.as_ref())?;
        let tables = Tables::create(&folder, Wanted::by(&self.config))?;
        self.play(folder, door, observers, tables, None)
    }

    fn play(
        self,
        folder: RunFolder,
        door: Option<Door>,
        observers: Vec<Box<dyn Observer>>,
        tables: Tables,
        snapshot: Option<Snapshot>,
    ) -> Result<RunOutcome, PlanError> {
        let resumed = snapshot.as_ref().map(|snapshot| snapshot.round);
        let completed = resumed.unwrap_or(0);
        let shown = door.map(|door| self.telemetry(door, &folder, completed)).transpose()?;
        let (telemetry, series) = shown.unzip();
        let (metrics, state) = series.unzip();
        let progress = Progress { begun: Arc::default(), rounds: Arc::new(completed.into()) };
        let origin = Origin::here(&self.config);
        let keeper = Checkpoints::new(folder.path().to_owned(), origin, &self.config.checkpoint);
        let before = tables.before();
        let config = self.config.clone();
        let mut cast = self.cast()?.keep(keeper).observe(tables).observe(progress.clone());
        if let Some(snapshot) = snapshot {
            cast = cast.resume(snapshot);
        }
        for observer in
            metrics.map(|metrics| Box::new(metrics) as Box<dyn Observer>).into_iter().chain(observers)
        {
            cast = cast.observe(observer);
        }
        stop::on_signal(cast.stopper());
        let began = Instant::now();
        let end = cast.run();
        stop::over();
        if let (Some(round), Err(error), false) = (resumed, &end, progress.begun.load(Ordering::Relaxed)) {
            return Err(PlanError::Restore { round, message: format!("{error}{}", blame(error, &config)) });
        }
        let elapsed = (before + began.elapsed()).as_secs_f64();
        let summary = finish(&folder, end, progress.rounds.load(Ordering::Relaxed), elapsed, &config);
        state.into_iter().for_each(|state| state.end(summary.status));
        Ok(RunOutcome { folder, summary, _telemetry: telemetry })
    }

    /// Makes a new run folder, named by time and configuration.
    fn folder(&self) -> Result<RunFolder, ResultsError> {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        RunFolder::create(&self.config.machine.out, &self.config.name, &time, &self.config.hash())
    }

    /// Writes all that is known before the first round.
    fn begin(&self, folder: &RunFolder, door: Option<&Door>) -> Result<(), ResultsError> {
        let text = self.config.text().map_err(ResultsError::at(&folder.path().join("config.toml")))?;
        folder.write("config.toml", text.as_bytes())?;
        folder.write_json("run.json", &self.process(door))
    }

    /// What `run.json` says of this process.
    fn process(&self, door: Option<&Door>) -> Value {
        let Build { phalanx, commit, target, torch } = Build::this();
        json!({
            "phalanx": phalanx,
            "commit": commit,
            "target": target,
            "torch": torch,
            "started": jiff::Timestamp::now().to_string(),
            "threads": self.threads(),
            "computation": self.computation(),
            "metrics": door.and_then(Door::address).map(|address| format!("http://{address}/metrics")),
            "remarks": self.remarks(),
            "arguments": std::env::args_os().map(|word| word.display().to_string()).collect::<Vec<_>>(),
        })
    }

    /// What is to be done in `folder` when the run goes on after `round`, and that this process does, for the list `resumed`
    /// of `run.json`.
    fn resumption(
        &self,
        folder: &RunFolder,
        door: Option<&Door>,
        round: u64,
    ) -> Result<Resumption, ResultsError> {
        let mut notes = notes(folder)?;
        let mut process = self.process(door);
        process["after_round"] = round.into();
        notes.insert("metrics".to_owned(), process["metrics"].take());
        let resumed = notes.entry("resumed").or_insert_with(|| json!([]));
        resumed.as_array_mut().into_iter().for_each(|all| all.push(process.take()));
        Ok(Resumption { folder: folder.clone(), notes, round })
    }

    /// Computes with one of `parts` equal parts of the cores, unless a number of threads was told.
    pub fn share_cores(&mut self, parts: usize) {
        if self.config.machine.threads == 0 {
            self.config.machine.threads = (self.threads() / parts.max(1)).max(1);
        }
    }

    /// Number of threads that compute.
    pub fn threads(&self) -> usize {
        self.config.machine.threads()
    }

    fn settings(&self) -> Settings {
        let barrier = &self.config.barrier;
        let deadlines = Deadlines {
            worker: Duration::from_secs_f64(barrier.deadline_seconds),
            learner: Duration::from_secs_f64(barrier.learner_seconds),
            attack: Duration::from_secs_f64(barrier.attack_seconds),
            rule: Duration::from_secs_f64(barrier.rule_seconds),
            evaluation: Duration::from_secs_f64(barrier.learner_seconds),
        };
        Settings {
            seed: Seed(self.config.seed),
            rounds: self.config.rounds,
            f: self.size.round.f,
            cohort: self.size.is_partial().then_some(self.size.round.m),
            evaluate_every: self.config.evaluation.every,
            threads: self.threads(),
            policy: barrier.absence.into(),
            deadlines,
            closing: self.closing,
            real_time: self.config.barrier.time == Time::Real,
            restarts: self.config.barrier.restarts,
            faults: self.faults.clone(),
            ..Settings::default()
        }
    }

    /// Where workers keep what their estimators remember.
    fn store(&self) -> Result<Store, StoreError> {
        let machine = &self.config.machine;
        let folder = if machine.scratch.as_os_str().is_empty() { &machine.out } else { &machine.scratch };
        let file = self.need.spilled().map(|bytes| SpillFile::new(folder, bytes)).transpose()?;
        Ok(Store { format: self.config.task.state, file: file.map(Arc::new) })
    }

    /// Seats everyone.
    pub(super) fn cast(self) -> Result<Cast, PlanError> {
        let settings = self.settings();
        let size = self.size.attack();
        let store = self.store()?;
        let (workload, seed) = (self.workload, Seed(self.config.seed));
        let mut step = (self.step)(&workload.learner.start(), workload.domain)?;
        step.place(seed);
        let root = workload.root.filter(|_| self.defence.needs_reference() || self.defence.needs_judge());
        let mut learner = workload.learner;
        if self.config.evaluation.per_class {
            learner = Box::new(Targeted::new(learner, &self.groups, size, workload.classes)?);
        }
        let mut cast = Cast::new(settings, learner, self.defence, step);
        if let Some(sampler) = root {
            cast = cast.root(sampler);
        }
        let mut samplers = workload.samplers.into_iter();
        for (number, group) in self.groups.into_iter().enumerate() {
            let Group { ids, part, estimator, .. } = group;
            let member = |(worker, sampler)| {
                let mut estimator = estimator()?;
                estimator.place(worker, seed);
                Ok(Member { sampler, estimator: store.wrap(estimator) })
            };
            let members: Result<Vec<Member>, ParameterError> =
                ids.clone().zip(samplers.by_ref()).map(member).collect();
            let (members, classes) = (members?, workload.classes);
            cast = match part {
                Part::Honest => cast.seat(ids, Workers(members)),
                Part::Attack { name, make } => {
                    let mut attack = make(size)?;
                    attack.know_layout(&workload.layout);
                    let scheme = Scheme { name, group: number as u64, attack, classes };
                    cast.seat(ids, Attackers { scheme, members })
                }
                Part::Actor(make) => cast.seat_boxed(ids, make(Crew { members, size, classes })?),
            };
        }
        Ok(cast)
    }
}

/// What `run.json` says so far.
fn notes(folder: &RunFolder) -> Result<Map<String, Value>, ResultsError> {
    let path = folder.path().join("run.json");
    let text = fs::read(&path).map_err(ResultsError::at(&path))?;
    serde_json::from_slice(&text).map_err(|error| ResultsError { path, error: error.into() })
}

/// Removes the folder of a run that made no round, and its parent unless other runs are in it.
fn abandon(folder: &Path) {
    let rounds = fs::read(folder.join("rounds.csv")).unwrap_or_default();
    if rounds.iter().filter(|&&byte| byte == b'\n').count() > 1 {
        return;
    }
    drop(fs::remove_dir_all(folder));
    drop(folder.parent().map(fs::remove_dir));
}

/// Writes the results of a run that is over, which has failed if one of them cannot be written; one that is complete needs
/// its checkpoints no more.
fn finish(
    folder: &RunFolder,
    end: Result<RunEnd, RunError>,
    rounds: u64,
    elapsed: f64,
    config: &Config,
) -> Summary {
    let written = match &end {
        Ok(end) => write_parameters(folder, &end.point, &end.learner),
        Err(_) => Ok(()),
    };
    let mut summary = summary(end, rounds, elapsed, config);
    written.unwrap_or_else(|error| summary.fail(&error));
    if let Some(path) = Tables::missing(folder.path(), Wanted::by(config)) {
        summary.fail(&format!("{}: it is not there any more", path.display()));
    }
    // From the table, so that a run that was resumed counts its first part too.
    match Columns::read(&folder.path().join("rounds.csv")) {
        Ok(rounds) => (summary.virtual_seconds, summary.barrier) = counts(&rounds),
        Err(error) => summary.fail(&error),
    }
    if let Err(error) = folder.write_json("summary.json", &summary) {
        if summary.status == Status::Failed {
            say!("error: {error}"); // the first reason is kept
        }
        summary.fail(&error);
    }
    if summary.status == Status::Completed
        && let Err(error) = checkpoint::remove(folder.path())
    {
        let run = folder.path().display();
        say!("warning: {run}: the checkpoints of this run, which is complete, cannot be removed: {error}");
    }
    summary
}

fn summary(end: Result<RunEnd, RunError>, rounds: u64, elapsed_seconds: f64, config: &Config) -> Summary {
    let (status, error, last) = match end {
        Ok(end) if end.interrupted => (Status::Interrupted, None, end.evaluation),
        Ok(end) => (Status::Completed, None, end.evaluation),
        Err(error) => (Status::Failed, Some(format!("{error}{}", blame(&error, config))), None),
    };
    // JSON has no infinity.
    let told = |of: fn(&Evaluation) -> f64| last.as_ref().map(of).filter(|value| value.is_finite());
    Summary {
        status,
        error,
        convex: config.task.objective.is_some(),
        rounds,
        test_loss: told(|e| e.loss),
        test_accuracy: told(|e| e.accuracy),
        validation_loss: told(|e| e.validation_loss),
        validation_accuracy: told(|e| e.validation_accuracy),
        gap: told(|e| e.gap),
        attack_success: told(|e| e.attack_success),
        diverged: last.as_ref().is_some_and(|e| !e.loss.is_finite()),
        virtual_seconds: None,
        barrier: None,
        elapsed_seconds,
        rounds_per_second: rounds as f64 / elapsed_seconds,
    }
}

/// Virtual seconds and what the barrier counted, in all `rounds`; none if there is nothing to tell.
fn counts(rounds: &Columns) -> (Option<f64>, Option<BarrierCounts>) {
    let sum = |name: &str| rounds.get(name).map_or(0, |column| column.iter().sum::<f64>() as u64);
    let counts = BarrierCounts {
        absent: sum("absent"),
        stood_in: sum("stood_in"),
        rejected: sum("rejected"),
        skipped: sum("skipped"),
    };
    let virtual_seconds = rounds.get("virtual_seconds").map(|column| column.iter().sum());
    (virtual_seconds, Some(counts).filter(|counts| *counts != BarrierCounts::default()))
}

/// How far a run has come, for what is said if it fails. Clones are the same one.
#[derive(Clone)]
struct Progress {
    /// Whether everyone was seated.
    begun: Arc<AtomicBool>,
    /// The last round that is over.
    rounds: Arc<AtomicU64>,
}

impl Observer for Progress {
    fn begin(&mut self) -> Result<(), String> {
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.rounds.store(report.round, Ordering::Relaxed);
        Ok(())
    }
}

/// What a run that goes on does to its folder, once everyone has taken what the checkpoint says.
struct Resumption {
    folder: RunFolder,
    /// What `run.json` is to say.
    notes: Map<String, Value>,
    /// The round of the checkpoint.
    round: u64,
}

impl Resumption {
    /// Removes what the run wrote at its end, and newer checkpoints, which turned out to be of no use.
    fn undo(&self) -> Result<(), ResultsError> {
        let run = self.folder.path();
        checkpoint::remove_after(run, self.round).map_err(ResultsError::at(run))?;
        ["summary.json", PARAMETERS].into_iter().try_for_each(|name| self.folder.remove(name))?;
        self.folder.write_json("run.json", &self.notes)
    }
}

impl Observer for Resumption {
    fn begin(&mut self) -> Result<(), String> {
        self.undo().map_err(|error| error.to_string())
    }

    fn round(&mut self, _: &RoundReport) -> Result<(), String> {
        Ok(())
    }
}
