//! Local steps against FedAvg written out: one step is SGD bit for bit, more are the sums of gradients along the way.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::sync::Arc;

use phalanx::{
    data::{
        partition::{Iid, PartitionRule},
        sampler::NoiseSampler,
    },
    learner::{
        convex::{ConvexLearner, LeastSquares, LogisticRegression, Objective, ObjectiveRule},
        local::{LocalLearner, LocalSampler, LocalSteps, Walk},
    },
};
use phalanx_actors::learner::{EvaluationTask, Job, Learned, Learner, LearnerError, Query, Sampler};
use phalanx_robust::{
    Dtype, Vector,
    estimator::{EstimatorRule, Points, Storm},
    random::Seed,
    state::{State, StateError, Stateful},
    step::Schedule,
};

const SEED: Seed = Seed(4);

fn logistic() -> Arc<dyn Objective> {
    LogisticRegression { dim: 6, samples: 300, ..LogisticRegression::default() }.build(SEED).unwrap()
}

fn noisy() -> Arc<dyn Objective> {
    LeastSquares { dim: 5, sigma: 0.5, ..LeastSquares::default() }.build(SEED).unwrap()
}

fn convex(objective: &Arc<dyn Objective>, clip: f64) -> ConvexLearner {
    ConvexLearner::new(objective.clone(), Dtype::F64, clip)
}

fn local(inner: impl LocalLearner + 'static, steps: usize, lr: f64) -> LocalSteps {
    LocalSteps::new(Box::new(inner), Walk { steps, lr, ..Walk::default() })
}

/// A sampler of batches of four for each of three workers.
fn samplers(objective: &Arc<dyn Objective>) -> Vec<Box<dyn Sampler>> {
    let labels = objective.labels().unwrap();
    Iid::default().deal(labels, 3, SEED).unwrap().samplers(labels, &[4, 4, 4], SEED).unwrap()
}

fn jobs(samplers: &mut [Box<dyn Sampler>], round: u64, points: Points) -> Vec<Job> {
    let job = |(worker, s): (usize, &mut Box<dyn Sampler>)| Job {
        worker,
        draw: s.draw(round),
        points,
        root: false,
    };
    samplers.iter_mut().enumerate().map(job).collect()
}

fn walked(inner: Vec<Box<dyn Sampler>>, steps: usize) -> Vec<Box<dyn Sampler>> {
    inner.into_iter().map(|s| Box::new(LocalSampler::new(s, steps)) as Box<dyn Sampler>).collect()
}

fn query(current: &Vector, previous: Option<&Vector>) -> Query {
    Query { round: 3, current: current.clone(), previous: previous.cloned() }
}

fn close(found: &Vector, expected: &[f64]) {
    for (found, expected) in found.to_f64().iter().zip(expected) {
        assert!((found - expected).abs() < 1e-13, "{found} is not {expected}");
    }
}

/// x - y after a walk over the batches of `rounds`, in plain f64, with steps clipped to a norm of 0.3.
fn by_hand(
    objective: &dyn Objective,
    x: &[f64],
    sampler: &mut dyn Sampler,
    rounds: &[u64],
    lr: f64,
) -> Vec<f64> {
    let mut y = x.to_vec();
    for &round in rounds {
        let gradient = objective.sampled(&y, 0, &sampler.draw(round)).unwrap().gradient;
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let scale = if norm > 0.3 { 0.3 / norm } else { 1.0 };
        y.iter_mut().zip(&gradient).for_each(|(y, g)| *y -= lr * scale * g);
    }
    x.iter().zip(&y).map(|(x, y)| x - y).collect()
}

fn same(a: &[Learned], b: &[Learned]) {
    let bits = |v: &Vector| v.to_f64().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for (a, b) in a.iter().zip(b) {
        assert_eq!(bits(&a.gradients.current), bits(&b.gradients.current));
        let previous = |l: &Learned| l.gradients.previous.as_ref().map(bits);
        assert_eq!(previous(a), previous(b));
        assert_eq!((a.loss.to_bits(), a.accuracy.to_bits()), (b.loss.to_bits(), b.accuracy.to_bits()));
    }
    assert_eq!(a.len(), b.len());
}

#[test]
fn one_step_of_length_one_is_the_plain_gradient_bit_for_bit() {
    let objective = logistic();
    let start = convex(&objective, 0.0).start();
    let before = start.scaled(0.5);
    let plain_jobs = jobs(&mut samplers(&objective), 3, Points::CurrentAndPrevious);
    let plain = convex(&objective, 0.0).gradients(&query(&start, Some(&before)), &plain_jobs).unwrap();
    let mut walked = walked(samplers(&objective), 1);
    let jobs = jobs(&mut walked, 3, Points::CurrentAndPrevious);
    let learned =
        local(convex(&objective, 0.0), 1, 1.0).gradients(&query(&start, Some(&before)), &jobs).unwrap();
    assert!(plain.iter().all(|learned| learned.gradients.previous.is_some()));
    same(&learned, &plain);
}

#[test]
fn several_steps_are_sgd_on_the_next_batches_of_the_worker() {
    let (objective, steps, lr) = (logistic(), 4, 0.2);
    let start = convex(&objective, 0.0).start();
    let before = start.scaled(0.5);
    // Worker 1 asks for both points, in round 3: the batches of plain rounds 9 to 12.
    let mut asked = jobs(&mut walked(samplers(&objective), steps), 3, Points::Current);
    asked[1].points = Points::CurrentAndPrevious;
    let mut learner = local(convex(&objective, 0.3), steps, lr);
    let learned = learner.gradients(&query(&start, Some(&before)), &asked).unwrap();
    for (worker, learned) in learned.iter().enumerate() {
        let from = |x: &Vector| {
            let mut sampler = samplers(&objective).remove(worker);
            by_hand(objective.as_ref(), &x.to_f64(), sampler.as_mut(), &[9, 10, 11, 12], lr)
        };
        close(&learned.gradients.current, &from(&start));
        let previous = learned.gradients.previous.as_ref();
        assert_eq!(previous.is_some(), worker == 1);
        previous.into_iter().for_each(|previous| close(previous, &from(&before)));
        let first = samplers(&objective)[worker].draw(9);
        assert_eq!(learned.loss, objective.sampled(&start.to_f64(), 0, &first).unwrap().loss);
    }
}

/// FedProx (Li et al., 2020): y ← y - lr (g(y) + mu (y - x)); in round 3 after a milestone at 2, lr is halved.
#[test]
fn a_proximal_term_holds_walkers_and_a_schedule_shortens_steps() {
    let (objective, lr, mu) = (logistic(), 0.4, 0.7);
    let x = convex(&objective, 0.0).start();
    let schedule = Schedule::MultiStep { milestones: vec![2], decay: 0.5 };
    let walk = Walk { steps: 3, lr, schedule, proximal: mu };
    let asked = jobs(&mut walked(samplers(&objective), 3), 3, Points::Current);
    let inner = Box::new(convex(&objective, 0.0));
    let learned = LocalSteps::new(inner, walk).gradients(&query(&x, None), &asked).unwrap();
    for (worker, learned) in learned.iter().enumerate() {
        let (x, mut sampler) = (x.to_f64(), samplers(&objective).remove(worker));
        let mut y = x.clone();
        for round in [7, 8, 9] {
            let g = objective.sampled(&y, 0, &sampler.draw(round)).unwrap().gradient;
            y = (0..y.len()).map(|j| y[j] - lr / 2.0 * (g[j] + mu * (y[j] - x[j]))).collect();
        }
        close(&learned.gradients.current, &x.iter().zip(&y).map(|(x, y)| x - y).collect::<Vec<_>>());
    }
}

/// Without noise d_t of STORM is what SGD has, also in the round in which steps become shorter and in those after it.
#[test]
fn corrected_momentum_follows_a_schedule_of_local_steps() {
    let objective = LeastSquares { dim: 5, sigma: 0.0, ..LeastSquares::default() }.build(SEED).unwrap();
    let schedule = Schedule::MultiStep { milestones: vec![2], decay: 0.01 };
    let walk = Walk { steps: 3, lr: 0.5, schedule, proximal: 0.0 };
    let mut learner = LocalSteps::new(Box::new(convex(&objective, 0.0)), walk);
    let mut sampler = LocalSampler::new(Box::new(NoiseSampler::new(0, SEED)), 3);
    let mut storm = Storm::default().build().unwrap();
    let (mut x, mut previous) = (learner.start(), None);
    for round in 1..=4 {
        let job = Job { worker: 0, draw: sampler.draw(round), points: storm.points(round), root: false };
        let query = Query { round, current: x.clone(), previous: previous.take() };
        let Learned { gradients, .. } = learner.gradients(&query, &[job]).unwrap().remove(0);
        let sgd = gradients.current.to_f64();
        let estimate = storm.update(round, gradients);
        close(&estimate, &sgd);
        previous = Some(x.clone());
        x = x.minus(&estimate);
    }
}

#[test]
fn every_step_has_noise_of_its_own() {
    let objective = noisy();
    let mut sampler = LocalSampler::new(Box::new(NoiseSampler::new(0, SEED)), 2);
    let job = Job { worker: 0, draw: sampler.draw(1), points: Points::Current, root: false };
    let start = convex(&objective, 0.0).start();
    let learned = local(convex(&objective, 0.0), 2, 0.1)
        .gradients(&query(&start, None), std::slice::from_ref(&job))
        .unwrap();
    let mut y = start.to_f64();
    for step in 0..2 {
        let mut draw = job.draw.clone();
        draw.rng.set_stream(step);
        let gradient = objective.sampled(&y, 0, &draw).unwrap().gradient;
        y.iter_mut().zip(gradient).for_each(|(y, g)| *y -= 0.1 * g);
    }
    let moved: Vec<f64> = start.to_f64().iter().zip(&y).map(|(x, y)| x - y).collect();
    close(&learned[0].gradients.current, &moved);
    let noise = |step| {
        let mut rng = job.draw.rng.clone();
        rng.set_stream(step);
        objective.sampled(&y, 0, &phalanx_actors::learner::Draw { rng, ..job.draw.clone() }).unwrap().gradient
    };
    assert_ne!(noise(0), noise(1));
}

/// A learner with memory, of which nothing is as the trait provides it.
struct Remembering(ConvexLearner, u64);

impl Stateful for Remembering {
    fn state(&self) -> State {
        State { values: [("rounds".to_owned(), self.1.into())].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.1 = state.value("a test", "rounds")?;
        Ok(())
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        workers as u64 + 100 * rounds
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.1 = 0;
        Ok(())
    }
}

impl Learner for Remembering {
    fn start(&self) -> Vector {
        self.0.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.1 += 1;
        self.0.gradients(query, jobs)
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        self.0.evaluation(round, point)
    }
}

impl LocalLearner for Remembering {
    fn gradients_at(&mut self, points: &[Vector], jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.0.gradients_at(points, jobs)
    }
}

#[test]
fn memory_is_that_of_the_learner_inside() {
    let objective = logistic();
    let mut learner = local(Remembering(convex(&objective, 0.0), 0), 2, 0.1);
    let asked = jobs(&mut walked(samplers(&objective), 2), 1, Points::Current);
    let start = learner.start();
    learner.gradients(&query(&start, None), &asked).unwrap();
    let rounds = |learner: &LocalSteps| learner.state().value::<u64>("a test", "rounds").unwrap();
    assert_eq!(rounds(&learner), 1);
    assert_eq!(learner.holds(3, 7), 703);
    let state = learner.state();
    learner.forget().unwrap();
    assert_eq!(rounds(&learner), 0);
    learner.restore(&state).unwrap();
    assert_eq!(rounds(&learner), 1);
}

#[test]
fn a_batch_that_cannot_be_cut_is_refused_and_steps_are_counted() {
    let objective = logistic();
    let mut learner = local(convex(&objective, 0.0), 3, 0.1);
    assert_eq!((learner.effort(), convex(&objective, 0.0).effort()), (3, 1));
    let jobs = jobs(&mut samplers(&objective), 1, Points::Current);
    let start = learner.start();
    let error = learner.gradients(&query(&start, None), &jobs).unwrap_err();
    let told = "worker 0 asks for 4 samples, which are no 3 batches";
    assert_eq!(error, LearnerError::Model(told.into()));
}
