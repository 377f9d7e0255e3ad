//! The cast of a run: what it consists of, and how it is run. [`Cast::run`]
//! builds the actor system, seats everyone, lets the aggregator run its rounds
//! and takes the system down, stuck actors or not.
//!
//! Threads: one for the aggregator, one for the learner, one for evaluations,
//! `threads` that host honest workers, one for each group of attackers, the
//! pool of `threads` threads in which everything large of a round is computed,
//! and one of [`evaluator::threads`] at a lower priority for evaluations. All
//! but the pools sleep while these work.

use std::{fmt, ops::Range, rc::Rc, sync::Arc, thread, time::Duration};

use actix::{Actor, System};
use phalanx_robust::{aggregation::Defence, contained, panic_message, step::Step};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    aggregator::{Aggregator, Begin, Company, Stopper},
    busy::Busy,
    contain::of_part,
    error::{Part, RunError},
    evaluator::{self, Evaluator},
    learner::{Learner, Sampler},
    learner_actor::LearnerActor,
    messages::Seat,
    report::{Observer, RunEnd},
    seating::{Arbiters, Place, Seating},
    settings::Settings,
    snapshot::{Keeper, Snapshot},
};

/// How long the system's threads are waited for at the end.
const GRACE: Duration = Duration::from_millis(500);

/// Everyone and everything in a run.
pub struct Cast {
    settings: Settings,
    learner: Box<dyn Learner>,
    defence: Defence,
    step: Box<dyn Step>,
    root: Option<Box<dyn Sampler>>,
    seatings: Vec<(Range<usize>, Box<dyn Seating>)>,
    observers: Vec<Box<dyn Observer>>,
    stopper: Stopper,
    keeper: Option<Box<dyn Keeper>>,
    snapshot: Option<Snapshot>,
}

impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seated: Vec<&Range<usize>> = self.seatings.iter().map(|(ids, _)| ids).collect();
        let mut cast = f.debug_struct("Cast");
        cast.field("settings", &self.settings).field("seated", &seated).finish_non_exhaustive()
    }
}

impl Cast {
    /// A cast without workers. `step` starts at [`Learner::start`].
    pub fn new(settings: Settings, learner: Box<dyn Learner>, defence: Defence, step: Box<dyn Step>) -> Self {
        let (seatings, observers, stopper) = (Vec::new(), Vec::new(), Stopper::default());
        let (keeper, snapshot, root) = (None, None, None);
        Self { settings, learner, defence, step, root, seatings, observers, stopper, keeper, snapshot }
    }

    /// Adds a group of workers with these ids.
    #[must_use]
    pub fn seat(mut self, ids: Range<usize>, seating: impl Seating + 'static) -> Self {
        self.seatings.push((ids, Box::new(seating)));
        self
    }

    /// As [`Cast::seat`], for a seating made elsewhere.
    #[must_use]
    pub fn seat_boxed(mut self, ids: Range<usize>, seating: Box<dyn Seating>) -> Self {
        self.seatings.push((ids, seating));
        self
    }

    /// Gives the server batches of its own: in every round the rule is told the gradient of one, beside the vectors.
    #[must_use]
    pub fn root(mut self, sampler: Box<dyn Sampler>) -> Self {
        self.root = Some(sampler);
        self
    }

    /// Adds one who watches.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Has snapshots taken.
    #[must_use]
    pub fn keep(mut self, keeper: impl Keeper + 'static) -> Self {
        self.keeper = Some(Box::new(keeper));
        self
    }

    /// Goes on with the round after `snapshot`, which was taken of a cast like this one.
    #[must_use]
    pub fn resume(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// A handle that asks the run to end after the round in hand.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs all rounds. Blocks; may be called from any thread.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run(self) -> Result<RunEnd, RunError> {
        let failed = |message| RunError::Threads { threads: 1, message };
        // A thread of its own, because the caller's may already host a runtime.
        let cast = thread::Builder::new().name("phalanx-cast".to_owned());
        let cast = cast.spawn(move || self.run_here()).map_err(|error| failed(error.to_string()))?;
        cast.join().unwrap_or_else(|panic| {
            Err(RunError::Died { round: 0, part: Part::Cast, message: panic_message(panic.as_ref()) })
        })
    }

    /// Number of workers.
    fn workers(&self) -> usize {
        self.seatings.iter().map(|(ids, _)| ids.len()).sum()
    }

    fn run_here(self) -> Result<RunEnd, RunError> {
        let threads = self.settings.threads.max(1);
        let compute = pool(threads, "compute", |_| ())?;
        let evaluate = pool(evaluator::threads(threads), "evaluate", |_| evaluator::give_way())?;
        let system = System::new();
        system.block_on(async {
            let arbiters = Rc::new(Arbiters::new(threads.min(self.workers())));
            let end = self.play(&arbiters, compute, evaluate).await;
            arbiters.stop(GRACE);
            end
        })
    }

    async fn play(
        self,
        arbiters: &Rc<Arbiters>,
        compute: Arc<ThreadPool>,
        evaluate: Arc<ThreadPool>,
    ) -> Result<RunEnd, RunError> {
        let workers = self.workers();
        let Self { settings, mut learner, mut defence, mut step, root, seatings, observers, .. } = self;
        let round = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.round);
        let start = of_part(round, Part::Learner, || learner.start())?;
        if let Some(snapshot) = &self.snapshot {
            of_part(round, Part::Learner, || snapshot.restore("learner", learner.as_mut()))??;
            of_part(round, Part::Rule, || snapshot.restore("rule", &mut defence))??;
            of_part(round, Part::Step, || snapshot.restore("step", step.as_mut()))??;
        }
        let snapshot = self.snapshot.map(Arc::new);
        let busy = Busy::new(seatings.iter().map(|(ids, _)| ids.end).max().unwrap_or(0));
        let evaluator = Evaluator::start_in_arbiter(&arbiters.start(), |_| Evaluator { pool: evaluate });
        let pool = compute.clone();
        let learner = LearnerActor::start_in_arbiter(&arbiters.start(), move |_| {
            LearnerActor::new(learner, pool, evaluator.recipient(), workers)
        });
        let place = Place {
            ids: 0..0,
            learner: learner.clone().recipient(),
            seed: settings.seed,
            pool: compute.clone(),
            block: settings.hosted(workers),
            snapshot: snapshot.clone(),
            busy: busy.clone(),
            arbiters: arbiters.clone(),
        };
        let seats = seated(seatings, place)?;
        let learner = learner.into();
        let company = Company {
            seats,
            busy,
            learner,
            defence,
            step,
            start,
            root,
            observers,
            pool: compute,
            stopper: self.stopper,
            keeper: self.keeper,
        };
        let aggregator = Aggregator::new(company, settings, snapshot.as_deref())?.start();
        // Its rounds contain panics, so that this is the panic of an actor's own code.
        let died = |_| RunError::Died { round: 0, part: Part::Aggregator, message: String::new() };
        aggregator.send(Begin).await.map_err(died)?
    }
}

/// Seats all groups; each has its own ids in the `place`.
fn seated(seatings: Vec<(Range<usize>, Box<dyn Seating>)>, mut place: Place) -> Result<Vec<Seat>, RunError> {
    let mut seats = Vec::new();
    for (ids, seating) in seatings {
        place.ids = ids.clone();
        let failed = |message| RunError::Seating { from: ids.start, to: ids.end, message };
        let group =
            contained(|| seating.seat(&place)).unwrap_or_else(|words| Err(format!("it panicked: {words}")));
        let group = group.and_then(|group| check(&ids, &seats, group)).map_err(failed)?;
        seats.extend(group);
    }
    Ok(seats)
}

/// Whether the group sits where it should.
fn check(ids: &Range<usize>, taken: &[Seat], group: Vec<Seat>) -> Result<Vec<Seat>, String> {
    let mut found: Vec<usize> = group.iter().flat_map(|seat| seat.ids.clone()).collect();
    found.sort_unstable();
    if !found.iter().copied().eq(ids.clone()) {
        return Err(format!("its seats have the ids {found:?}"));
    }
    let overlap = |seat: &&Seat| seat.ids.start < ids.end && ids.start < seat.ids.end;
    match taken.iter().find(overlap) {
        Some(seat) => Err(format!("worker {} is seated already", seat.ids.start.max(ids.start))),
        None => Ok(group),
    }
}

/// So many threads of this name, which begin with `start`.
fn pool(threads: usize, name: &'static str, start: fn(usize)) -> Result<Arc<ThreadPool>, RunError> {
    let builder = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |i| format!("phalanx-{name}-{i}"))
        .start_handler(start);
    let failed =
        |error: rayon::ThreadPoolBuildError| RunError::Threads { threads, message: error.to_string() };
    builder.build().map(Arc::new).map_err(failed)
}
