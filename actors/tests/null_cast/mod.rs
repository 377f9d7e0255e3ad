//! A cast that does nothing but meet: workers that ask, a learner that answers
//! the same vector at once, a rule that answers the first vector. What its
//! rounds cost is what the barrier and the messages cost. Shared by the test
//! of steady rounds and the benchmark of a round.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use phalanx_actors::{
    Cast, Evaluation, Job, Learned, Learner, LearnerError, Member, Observer, Query, RoundReport, Settings,
    learner::{Draw, EvaluationTask, Sampler},
};
use phalanx_robust::{
    Batch, Dtype, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, RuleError},
    estimator::{EstimatorRule, Gradients},
    random::{Seed, Stream},
    state::Stateful,
    step::{Domain, Sgd, StepRule},
};

/// The system's allocator, counted.
pub struct Counting {
    calls: AtomicU64,
    live: AtomicI64,
}

impl Counting {
    /// One that has counted nothing.
    pub const fn new() -> Self {
        Self { calls: AtomicU64::new(0), live: AtomicI64::new(0) }
    }

    fn count(&self, grown: i64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.live.fetch_add(grown, Ordering::Relaxed);
    }

    /// Allocations so far, and bytes allocated now.
    pub fn now(&self) -> (u64, i64) {
        (self.calls.load(Ordering::Relaxed), self.live.load(Ordering::Relaxed))
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout.size() as i64);
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        self.live.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

/// Answers the same vector to everyone.
pub struct Null(pub Vector);

impl Stateful for Null {}

impl Learner for Null {
    fn start(&self) -> Vector {
        self.0.clone()
    }

    fn gradients(&mut self, _: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        let gradients = Gradients { current: self.0.clone(), previous: None };
        Ok(jobs.iter().map(|_| Learned { gradients: gradients.clone(), loss: 0.0, accuracy: 0.0 }).collect())
    }

    fn evaluation(&mut self, round: u64, _: &Vector) -> EvaluationTask {
        Box::new(move || Ok(Evaluation::unknown(round)))
    }
}

/// Draws nothing.
struct Nothing(Stream);

impl Sampler for Nothing {
    fn draw(&mut self, _: u64) -> Draw {
        Draw { indices: Vec::new(), labels: Vec::new(), rng: self.0.clone() }
    }
}

/// Answers the first vector.
#[derive(Clone)]
struct First;

impl Stateful for First {}

impl Aggregator for First {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(batch.row(0)))
    }
}

/// Members that draw nothing, with this estimator.
pub fn members(count: usize, estimator: &impl EstimatorRule) -> Vec<Member> {
    let member = |id| Member {
        sampler: Box::new(Nothing(Seed(1).stream("worker", id as u64, "noise", 0))),
        estimator: estimator.build().expect("an estimator"),
    };
    (0..count).map(member).collect()
}

/// A cast without workers, in `d` dimensions.
pub fn cast(d: usize, settings: Settings) -> Cast {
    let start = Vector::zeros(d, Dtype::F32);
    let step = Sgd { lr: 0.1, ..Sgd::default() }.build(&start, Domain::Everywhere).expect("a step");
    Cast::new(settings, Box::new(Null(start)), Defence::base(First), step)
}

/// What was the case at the end of a round.
#[derive(Clone, Copy)]
pub struct Mark {
    /// The time.
    pub time: Instant,
    /// Allocations so far.
    pub allocations: u64,
    /// Bytes allocated.
    pub live: i64,
}

/// Seconds and allocations from each mark to the next, in the median.
pub fn rounds(marks: &[Mark]) -> (f64, f64) {
    let pairs = || marks.windows(2);
    let seconds = median(pairs().map(|pair| (pair[1].time - pair[0].time).as_secs_f64()).collect());
    let allocations =
        median(pairs().map(|pair| (pair[1].allocations - pair[0].allocations) as f64).collect());
    (seconds, allocations)
}

/// Notes the clock and the allocator after every round.
#[derive(Clone)]
pub struct Marks {
    allocator: &'static Counting,
    all: Arc<Mutex<Vec<Mark>>>,
}

impl Marks {
    /// For so many rounds, none yet.
    pub fn of(allocator: &'static Counting, rounds: u64) -> Self {
        Self { allocator, all: Arc::new(Mutex::new(Vec::with_capacity(rounds as usize))) }
    }

    /// The marks of all rounds.
    pub fn take(&self) -> Vec<Mark> {
        std::mem::take(&mut *self.all.lock().expect("the marks"))
    }
}

impl Observer for Marks {
    fn round(&mut self, _: &RoundReport) -> Result<(), String> {
        let (allocations, live) = self.allocator.now();
        let mut all = self.all.lock().map_err(|error| error.to_string())?;
        all.push(Mark { time: Instant::now(), allocations, live });
        Ok(())
    }
}

/// The middle of `values`; of an even number, the upper one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
