//! What Levy (2023) proves of the worker's half of mu2-SGD, on tasks where it can be computed: the error of a
//! corrected momentum falls as 1/t, that of a plain stochastic gradient stays.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use phalanx::data::sampler::NoiseSampler;
use phalanx::learner::convex::{ConvexLearner, LeastSquares, ObjectiveRule};
use phalanx_actors::learner::{Job, Learner, Query, Sampler};
use phalanx_robust::{
    Dtype, Vector,
    estimator::{EstimatorRule, Sgd, Storm},
    random::Seed,
    step::{AnytimeSgd, StepRule},
};

const WORKERS: usize = 400;
const ROUNDS: u64 = 64;
const SEED: Seed = Seed(11);

/// Mean over the workers of ‖d_t - ∇f(x_t)‖², for every round, in a run without attackers whose rule is the mean.
fn errors(
    task: &LeastSquares,
    estimator: &dyn Fn() -> Box<dyn phalanx_robust::estimator::Estimator>,
) -> Vec<f64> {
    let objective = task.build(SEED).unwrap();
    let mut learner = ConvexLearner::new(objective.clone(), Dtype::F64, 0.0);
    let mut estimators: Vec<_> = (0..WORKERS).map(|_| estimator()).collect();
    let mut samplers: Vec<_> = (0..WORKERS).map(|worker| NoiseSampler::new(worker, SEED)).collect();
    let (mut current, mut previous) = (learner.start(), None);
    let rule = AnytimeSgd { lr: 1.0 / (4.0 * task.smoothness * ROUNDS as f64), ..AnytimeSgd::default() };
    let mut step = rule.build(&current, learner.domain()).unwrap();
    let round = |round| {
        let query = Query { round, current: current.clone(), previous: previous.take() };
        let asked = estimators.iter().zip(&mut samplers).enumerate();
        let jobs: Vec<Job> = asked
            .map(|(worker, (e, s))| Job { worker, draw: s.draw(round), points: e.points(round), root: false })
            .collect();
        let learned = learner.gradients(&query, &jobs).unwrap();
        let exact = Vector::from(objective.gradient(&current.to_f64()));
        let (mut mean, mut error) = (current.zeros_like(), 0.0);
        for (estimator, one) in estimators.iter_mut().zip(learned) {
            let estimate = estimator.update(round, one.gradients);
            error += estimate.minus(&exact).norm().powi(2) / WORKERS as f64;
            mean.axpy(1.0 / WORKERS as f64, &estimate);
        }
        previous = Some(current.clone());
        step.step(round, &mut current, &mean);
        error
    };
    (1..=ROUNDS).map(round).collect()
}

fn task(curvature_noise: f64) -> LeastSquares {
    let (sigma, radius) = (1.0, Some(2.0));
    LeastSquares {
        dim: 20,
        sigma,
        curvature_noise,
        distance: 0.5,
        radius,
        rotated: true,
        ..Default::default()
    }
}

#[test]
fn with_additive_noise_the_error_is_exactly_the_variance_over_t() {
    let corrected = errors(&task(0.0), &|| Storm::default().build().unwrap());
    let plain = errors(&task(0.0), &|| Sgd::default().build().unwrap());
    // ‖error‖² · t is sigma² times a chi-square over its 20 degrees: the mean of 400 has a deviation of 1.6 %.
    for t in [1, 2, 7, 16, 64] {
        let scaled = corrected[t - 1] * t as f64;
        assert!((scaled - 1.0).abs() < 0.08, "round {t}: {scaled}");
        assert!((plain[t - 1] - 1.0).abs() < 0.08, "round {t}: {}", plain[t - 1]);
    }
}

#[test]
fn with_noisy_curvature_the_error_still_falls_as_one_over_t() {
    let (noise, diameter) = (0.2, 4.0);
    let corrected = errors(&task(noise), &|| Storm::default().build().unwrap());
    // E‖error‖² t <= 2 sigma² + 8 D² sigma_L², where sigma² bounds the variance anywhere in the ball and L = 1.
    let variance = 1.0 + (noise * diameter).powi(2);
    let bound = 2.0 * variance + 8.0 * (diameter * noise).powi(2);
    for (t, error) in (1..).zip(&corrected) {
        assert!(error * f64::from(t) <= bound, "round {t}: {error}");
    }
    let plain = errors(&task(noise), &|| Sgd::default().build().unwrap());
    assert!(plain[ROUNDS as usize - 1] * ROUNDS as f64 > bound);
}
