//! Local steps, the worker's half of FedAvg: in place of one gradient at x_t a
//! worker walks some steps of SGD from x_t on its own data, and what they
//! change stands for the gradient from there on. Estimators, attacks, rules
//! and the server's step need not know.
//!
//! McMahan, Moore, Ramage, Hampson & Agüera y Arcas, "Communication-Efficient
//! Learning of Deep Networks from Decentralized Data", 2017. The proximal term: Li, Sahu, Zaheer, Sanjabi, Talwalkar &
//! Smith, "Federated Optimization in Heterogeneous Networks", 2020 (FedProx).

use std::sync::Arc;

use phalanx_actors::learner::{Draw, EvaluationTask, Job, Learned, Learner, LearnerError, Query, Sampler};
use phalanx_robust::{
    Vector,
    aggregation::Judge,
    estimator::{Gradients, Points},
    state::{State, StateError, Stateful},
    step::Schedule,
};

/// A learner whose workers may stand at points of their own.
pub trait LocalLearner: Learner {
    /// Answers the jobs in their order, each at its point of `points`; none asks for x_{t-1}.
    ///
    /// # Errors
    /// [`LearnerError`].
    fn gradients_at(&mut self, points: &[Vector], jobs: &[Job]) -> Result<Vec<Learned>, LearnerError>;
}

/// How workers walk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walk {
    /// Number of steps in a round, at least one.
    pub steps: usize,
    /// Length of a step in gradients.
    pub lr: f64,
    /// What the length is multiplied by over the rounds.
    pub schedule: Schedule,
    /// Weight mu of the proximal term mu/2 ‖y - x‖², which holds a walker to where it came from; 0 for none.
    pub proximal: f64,
}

/// A learner that answers with x - y, where y is reached from x in k steps y ← y - lr (g(y; z_s) + mu (y - x)).
///
/// A job's batch holds those of its steps one after another. Random numbers of step s come from stream s of the
/// job's, so that one step of lr = 1 is the plain gradient, bit for bit. Each g is clipped as the task says; y is not
/// projected to a domain. A job that asks for x_{t-1} too gets the difference that the same batches make from there, by
/// steps as long as those of round t - 1: so an estimate corrected by it loses what a schedule has taken off.
/// Loss and accuracy are those of the first step, at x_t.
pub struct LocalSteps {
    inner: Box<dyn LocalLearner>,
    walk: Walk,
}

/// How far one worker has come.
struct Moved {
    /// x - y.
    by: Vector,
    loss: f64,
    accuracy: f64,
}

impl LocalSteps {
    /// Lets the workers of `inner` walk.
    pub fn new(inner: Box<dyn LocalLearner>, walk: Walk) -> Self {
        Self { inner, walk }
    }

    /// Walks all `jobs` from `start`, by steps as long as those of `round`.
    fn walk(&mut self, round: u64, start: &Vector, jobs: &[&Job]) -> Result<Vec<Moved>, LearnerError> {
        // At the first step everyone stands at the same point, so that one fused pass will do.
        let query = Query { round, current: start.clone(), previous: None };
        let lr = self.walk.lr * self.walk.schedule.factor(round);
        let learned = self.inner.gradients(&query, &self.pieces(jobs, 0))?;
        let mut walkers: Vec<Moved> = learned.into_iter().map(|first| Moved::by(first, lr)).collect();
        for step in 1..self.walk.steps {
            let points: Vec<Vector> = walkers.iter().map(|walker| start.minus(&walker.by)).collect();
            let learned = self.inner.gradients_at(&points, &self.pieces(jobs, step))?;
            for (walker, next) in walkers.iter_mut().zip(learned) {
                if self.walk.proximal != 0.0 {
                    walker.by.scale(1.0 - lr * self.walk.proximal);
                }
                walker.by.axpy(lr, &next.gradients.current);
            }
        }
        Ok(walkers)
    }

    /// What the jobs ask for at step `step`, from 0.
    fn pieces(&self, jobs: &[&Job], step: usize) -> Vec<Job> {
        let piece = |job: &&Job| Job {
            worker: job.worker,
            draw: piece(&job.draw, step, self.walk.steps),
            points: Points::Current,
            root: job.root,
        };
        jobs.iter().map(piece).collect()
    }

    /// Every batch must be made of as many as there are steps.
    fn check(&self, jobs: &[Job]) -> Result<(), LearnerError> {
        let steps = self.walk.steps;
        let whole = |job: &&Job| !job.draw.indices.len().is_multiple_of(steps);
        jobs.iter().find(whole).map_or(Ok(()), |Job { worker, draw, .. }| {
            let samples = draw.indices.len();
            let told = format!("worker {worker} asks for {samples} samples, which are no {steps} batches");
            Err(LearnerError::Model(told))
        })
    }
}

/// The batch of step `step` of `steps`.
fn piece(draw: &Draw, step: usize, steps: usize) -> Draw {
    let batch = draw.indices.len() / steps;
    let range = step * batch..(step + 1) * batch;
    let mut rng = draw.rng.clone();
    rng.set_stream(step as u64);
    Draw { indices: draw.indices[range.clone()].to_vec(), labels: draw.labels[range].to_vec(), rng }
}

impl Moved {
    fn by(first: Learned, lr: f64) -> Self {
        let Learned { gradients: Gradients { current: mut by, .. }, loss, accuracy } = first;
        by.scale(lr);
        Self { by, loss, accuracy }
    }
}

impl Stateful for LocalSteps {
    fn state(&self) -> State {
        self.inner.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.inner.restore(state)
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.inner.holds(workers, rounds)
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.inner.forget()
    }
}

impl Learner for LocalSteps {
    fn start(&self) -> Vector {
        self.inner.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.check(jobs)?;
        let askers: Vec<&Job> = jobs.iter().filter(|job| job.points == Points::CurrentAndPrevious).collect();
        let there = match &query.previous {
            Some(previous) if !askers.is_empty() => {
                self.walk(query.round.saturating_sub(1), previous, &askers)?
            }
            _ => Vec::new(),
        };
        let here = self.walk(query.round, &query.current, &jobs.iter().collect::<Vec<_>>())?;
        let mut there = there.into_iter();
        let answer = |(job, Moved { by, loss, accuracy }): (&Job, Moved)| {
            let asks = job.points == Points::CurrentAndPrevious;
            let previous = if asks { there.next().map(|moved| moved.by) } else { None };
            Learned { gradients: Gradients { current: by, previous }, loss, accuracy }
        };
        Ok(jobs.iter().zip(here).map(answer).collect())
    }

    /// On the batches of all steps at once.
    fn judge(&mut self, job: &Job) -> Result<Arc<dyn Judge>, LearnerError> {
        self.inner.judge(job)
    }

    fn effort(&self) -> u64 {
        self.walk.steps as u64 * self.inner.effort()
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        self.inner.evaluation(round, point)
    }
}

/// Draws for round t what another sampler draws for the rounds (t - 1) k + 1 to t k, one batch after another.
pub struct LocalSampler {
    inner: Box<dyn Sampler>,
    steps: u64,
}

impl LocalSampler {
    /// The draws of `inner`, so many `steps` in a round.
    pub fn new(inner: Box<dyn Sampler>, steps: usize) -> Self {
        Self { inner, steps: steps as u64 }
    }
}

impl Sampler for LocalSampler {
    /// The random numbers are those of the first of the draws.
    fn draw(&mut self, round: u64) -> Draw {
        let before = round.saturating_sub(1) * self.steps;
        let mut all = self.inner.draw(before + 1);
        for step in 2..=self.steps {
            let draw = self.inner.draw(before + step);
            all.indices.extend(draw.indices);
            all.labels.extend(draw.labels);
        }
        all
    }
}
