//! What the tests put on stage: a small convex task, ready-made groups, and
//! actors that follow a script.

use std::{
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use actix::{Actor, Context, Handler, ResponseFuture};
use phalanx_actors::{
    Attackers, Cast, Deadlines, Evaluation, Job, Learned, Learner, LearnerError, Member, Observer, Place,
    Policy, Query, RoundReport, RunEnd, RunError, Scheme, Seating, Settings, Workers,
    learner::{Draw, EvaluationTask, Sampler},
    messages::{AttackerSeat, Fault, Memory, Open, Reply, Reveal, Seat, Submission},
};
use phalanx_robust::{
    Vector,
    aggregation::{Cwmed, Defence, Judge},
    attack::{Attack, Knowledge},
    estimator::{EstimatorRule, Gradients, Momentum, Points, Storm},
    random::Seed,
    state::Stateful,
    step::{AnytimeSgd, Domain, Sgd, Step, StepRule},
};
use rand::RngExt;
use rayon::prelude::*;

/// Coordinates of the task.
pub const D: usize = 5;
/// A deadline that a healthy actor does not miss.
pub const SHORT: Duration = Duration::from_millis(200);

/// f(x) = ‖x - 1‖²/2, with noise from each worker's own stream.
pub struct Quadratic {
    /// Coordinates.
    pub d: usize,
}

impl Stateful for Quadratic {}

impl Learner for Quadratic {
    fn start(&self) -> Vector {
        Vector::zeros(self.d, phalanx_robust::Dtype::F32)
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        assert!(jobs.is_sorted_by_key(|job| job.worker), "jobs come by worker id");
        Ok(jobs.par_iter().map(|job| learned(query, job)).collect())
    }

    fn judge(&mut self, _: &Job) -> Result<Arc<dyn Judge>, LearnerError> {
        Ok(Arc::new(Exact))
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        let point = point.clone();
        Box::new(move || {
            Ok(Evaluation { loss: loss(&point), gap: loss(&point), ..Evaluation::unknown(round) })
        })
    }
}

/// Tells f.
#[derive(Debug)]
struct Exact;

impl Judge for Exact {
    fn loss(&self, point: &Vector) -> Result<f64, String> {
        Ok(loss(point))
    }

    fn gradient(&self, point: &Vector) -> Result<Vector, String> {
        Ok(point.like(&point.to_f64().iter().map(|x| x - 1.0).collect::<Vec<_>>()))
    }
}

pub fn loss(point: &Vector) -> f64 {
    point.to_f64().iter().map(|x| (x - 1.0).powi(2)).sum::<f64>() / 2.0
}

/// The answer to one job.
pub fn learned(query: &Query, job: &Job) -> Learned {
    let gradient = |point: &Vector| {
        let mut rng = job.draw.rng.clone();
        let noisy = |x: f64| x - 1.0 + rng.random_range(-0.1..0.1);
        point.like(&point.to_f64().into_iter().map(noisy).collect::<Vec<_>>())
    };
    let wanted = job.points == Points::CurrentAndPrevious;
    let previous = query.previous.as_ref().filter(|_| wanted).map(gradient);
    let gradients = Gradients { current: gradient(&query.current), previous };
    Learned { gradients, loss: loss(&query.current), accuracy: f64::NAN }
}

/// Draws nothing but noise.
pub struct Noise(pub usize);

impl Sampler for Noise {
    fn draw(&mut self, round: u64) -> Draw {
        let rng = Seed(1).stream("worker", self.0 as u64, "noise", round);
        Draw { indices: vec![], labels: vec![0, 1], rng }
    }
}

/// Members with these ids and momentum.
pub fn members(ids: std::ops::Range<usize>) -> Vec<Member> {
    ids.map(|id| Member {
        sampler: Box::new(Noise(id)),
        estimator: Momentum::default().build().expect("momentum"),
    })
    .collect()
}

/// Members with these ids and corrected momentum, which asks for two gradients.
pub fn storm_members(ids: std::ops::Range<usize>) -> Vec<Member> {
    ids.map(|id| Member { sampler: Box::new(Noise(id)), estimator: Storm::default().build().expect("storm") })
        .collect()
}

/// A group of attackers.
pub fn attackers(ids: std::ops::Range<usize>, name: &str, attack: Box<dyn Attack>) -> Attackers {
    let scheme = Scheme { name: name.to_owned(), group: 0, attack, classes: 2 };
    Attackers { scheme, members: members(ids) }
}

/// Five rounds, with time enough for everything.
pub fn settings(policy: Policy) -> Settings {
    Settings { seed: Seed(3), rounds: 5, f: 1, policy, ..Settings::default() }
}

/// The same with a short deadline for workers and attackers.
pub fn impatient(policy: Policy) -> Settings {
    let deadlines = Deadlines { worker: SHORT, attack: SHORT, ..Deadlines::default() };
    Settings { deadlines, ..settings(policy) }
}

/// A server with a coordinate median.
pub fn median() -> Defence {
    Defence::base(Cwmed::default())
}

/// Plain descent.
pub fn descent() -> Box<dyn Step> {
    let start = Quadratic { d: D }.start();
    Sgd { lr: 0.2, ..Sgd::default() }.build(&start, Domain::Everywhere).expect("a step")
}

/// The averaging step of mu2-SGD.
pub fn anytime() -> Box<dyn Step> {
    AnytimeSgd::default().build(&Quadratic { d: D }.start(), Domain::Everywhere).expect("a step")
}

/// A cast on the quadratic, without workers yet.
pub fn cast(settings: Settings) -> Cast {
    Cast::new(settings, Box::new(Quadratic { d: D }), median(), descent())
}

/// The same with four honest workers, ids 0 to 3.
pub fn four_honest(settings: Settings) -> Cast {
    cast(settings).seat(0..4, Workers(members(0..4)))
}

/// Keeps what it is told.
#[derive(Clone, Default)]
pub struct Log {
    /// The rounds.
    pub rounds: Arc<Mutex<Vec<RoundReport>>>,
    /// The evaluations.
    pub evaluations: Arc<Mutex<Vec<Evaluation>>>,
}

impl Observer for Log {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.rounds.lock().expect("the log").push(report.clone());
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        self.evaluations.lock().expect("the log").push(evaluation.clone());
        Ok(())
    }
}

/// How a run went.
pub struct Played {
    /// Its result.
    pub end: Result<RunEnd, RunError>,
    /// Its rounds.
    pub rounds: Vec<RoundReport>,
    /// Its evaluations.
    pub evaluations: Vec<Evaluation>,
}

impl Played {
    /// Why `worker` was absent in each round; an empty string where it was not.
    pub fn absences(&self, worker: usize) -> Vec<String> {
        self.rounds
            .iter()
            .map(|round| round.workers[worker].absence.as_ref().map(ToString::to_string).unwrap_or_default())
            .collect()
    }

    /// The error, as text.
    pub fn error(&self) -> String {
        self.end.as_ref().expect_err("the run should have failed").to_string()
    }

    /// The final point.
    pub fn point(&self) -> Vec<f64> {
        self.end.as_ref().expect("the run should have ended well").point.to_f64()
    }
}

/// Panics on the threads of a cast are part of the play; a backtrace of each would take longer than all tests.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let speak = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            if !name.starts_with("actix-rt") && !name.starts_with("phalanx") {
                speak(panic);
            }
        }));
    });
}

/// Runs a cast.
pub fn play(cast: Cast) -> Played {
    hush();
    let log = Log::default();
    let end = cast.observe(log.clone()).run();
    let rounds = std::mem::take(&mut *log.rounds.lock().expect("the log"));
    let evaluations = std::mem::take(&mut *log.evaluations.lock().expect("the log"));
    Played { end, rounds, evaluations }
}

/// What a scripted actor answers to [`Open`].
pub type OnOpen = Box<dyn FnMut(usize, Arc<Query>) -> ResponseFuture<Result<Reply, Fault>> + Send>;
/// What it answers to [`Reveal`].
pub type OnReveal = Box<dyn FnMut(usize, Reveal) -> ResponseFuture<Result<Reply, Fault>> + Send>;

/// One worker that follows a script.
pub struct Scripted {
    open: OnOpen,
    reveal: Option<OnReveal>,
    knowledge: Knowledge,
    learns: bool,
}

impl Scripted {
    /// A worker that answers at once.
    pub fn answering(mut answer: impl FnMut(usize, &Query) -> Result<Reply, Fault> + Send + 'static) -> Self {
        Self::new(move |id, query| {
            let answer = answer(id, &query);
            Box::pin(async { answer })
        })
    }

    /// A worker that does what `open` says.
    pub fn new(
        open: impl FnMut(usize, Arc<Query>) -> ResponseFuture<Result<Reply, Fault>> + Send + 'static,
    ) -> Self {
        Self { open: Box::new(open), reveal: None, knowledge: Knowledge::Blind, learns: false }
    }

    /// An attacker that waits for phase two.
    pub fn attacker(
        knowledge: Knowledge,
        reveal: impl FnMut(usize, Reveal) -> ResponseFuture<Result<Reply, Fault>> + Send + 'static,
    ) -> Self {
        let waiting = Self::answering(|_, _| Ok(Reply::Waiting));
        Self { reveal: Some(Box::new(reveal)), knowledge, ..waiting }
    }

    /// The same, but the learner waits for it.
    pub fn learning(self) -> Self {
        Self { learns: true, ..self }
    }
}

impl Seating for Scripted {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let Self { open, reveal, knowledge, learns } = *self;
        let id = place.ids.start;
        let attacks = reveal.is_some();
        let actor =
            ScriptedActor::start_in_arbiter(&place.arbiter(id), move |_| ScriptedActor { id, open, reveal });
        let reveal = actor.clone().recipient();
        let attacker = attacks.then_some(AttackerSeat { reveal, knowledge });
        Ok(vec![Seat {
            ids: place.ids.clone(),
            open: actor.recipient(),
            attacker,
            learns,
            memory: Memory::Untold,
        }])
    }
}

struct ScriptedActor {
    id: usize,
    open: OnOpen,
    reveal: Option<OnReveal>,
}

impl Actor for ScriptedActor {
    type Context = Context<Self>;
}

impl Handler<Open> for ScriptedActor {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, Open { query, .. }: Open, _: &mut Self::Context) -> Self::Result {
        (self.open)(self.id, query)
    }
}

impl Handler<Reveal> for ScriptedActor {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, reveal: Reveal, _: &mut Self::Context) -> Self::Result {
        (self.reveal.as_mut().expect("a script for phase two"))(self.id, reveal)
    }
}

/// A zero vector from `worker`.
pub fn zero(worker: usize, round: u64) -> Submission {
    let vector = Quadratic { d: D }.start();
    Submission { worker, round, vector, loss: None, accuracy: None }
}

/// A future that never ends.
pub fn never<T: 'static>() -> ResponseFuture<T> {
    Box::pin(std::future::pending())
}
