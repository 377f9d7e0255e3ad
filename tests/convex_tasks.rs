//! Convex tasks against their definitions: gradients, noise, optimum, and the learner around them.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::sync::Arc;

use phalanx::data::{
    partition::{Iid, PartitionRule},
    sampler::NoiseSampler,
};
use phalanx::learner::convex::{
    ConvexLearner, LeastSquares, LogisticRegression, Objective, ObjectiveError, ObjectiveRule,
};
use phalanx_actors::{
    Confusion,
    learner::{Draw, Job, Learner, LearnerError, Query, Sampler},
};
use phalanx_robust::{Dtype, Vector, estimator::Points, random::Seed, step::Domain};

fn quadratic() -> LeastSquares {
    LeastSquares { dim: 12, smoothness: 3.0, strong_convexity: 0.5, rotated: true, ..LeastSquares::default() }
}

fn all_kinds() -> Vec<Arc<dyn Objective>> {
    let logistic = LogisticRegression { dim: 6, samples: 300, ..LogisticRegression::default() };
    let flat = LeastSquares { rotated: false, ..quadratic() };
    vec![quadratic().build(Seed(1)).unwrap(), flat.build(Seed(1)).unwrap(), logistic.build(Seed(1)).unwrap()]
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn noise(round: u64) -> Draw {
    NoiseSampler::new(0, Seed(7)).draw(round)
}

fn job(draw: Draw, points: Points) -> Job {
    Job { worker: 0, draw, points, root: false }
}

#[test]
fn gradients_are_the_slope_of_the_value() {
    for objective in all_kinds() {
        let (x, step) = (objective.start().to_vec(), 1e-5);
        let gradient = objective.gradient(&x);
        for i in 0..objective.start().len() {
            let at = |offset: f64| {
                let mut moved = x.clone();
                moved[i] += offset;
                objective.value(&moved)
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            assert!((slope - gradient[i]).abs() < 1e-8, "{slope} {}", gradient[i]);
        }
    }
}

#[test]
fn the_optimum_has_no_slope_and_no_gap() {
    for objective in all_kinds() {
        let optimum = objective.optimum();
        assert!(norm(&objective.gradient(optimum)) < 1e-10);
        assert_eq!(objective.gap(optimum), 0.0);
        assert!(objective.gap(objective.start()) > 0.0);
        let distance = norm(&minus(objective.start(), optimum));
        assert!((distance - 1.0).abs() < 1e-12, "{distance}");
    }
    assert!((norm(quadratic().build(Seed(1)).unwrap().optimum()) - 1.0).abs() < 1e-12);
}

#[test]
fn the_curvature_is_as_configured_in_either_basis() {
    // H by columns: the gradient is linear in x. Its trace is the sum of the eigenvalues and its Frobenius norm the
    // root of the sum of their squares, in any basis; power iteration finds the largest.
    let eigenvalues: Vec<f64> = (0..12).map(|i| 0.5 + 2.5 * f64::from(i) / 11.0).collect();
    for rotated in [false, true] {
        let objective = LeastSquares { rotated, ..quadratic() }.build(Seed(3)).unwrap();
        let column = |i: usize| {
            let mut x = objective.optimum().to_vec();
            x[i] += 1.0;
            objective.gradient(&x)
        };
        let hessian: Vec<Vec<f64>> = (0..12).map(column).collect();
        let trace: f64 = (0..12).map(|i| hessian[i][i]).sum();
        assert!((trace - eigenvalues.iter().sum::<f64>()).abs() < 1e-12);
        let squares: f64 = hessian.iter().flatten().map(|value| value * value).sum();
        assert!((squares - eigenvalues.iter().map(|h| h * h).sum::<f64>()).abs() < 1e-11);
        let mut v = vec![1.0; 12];
        for _ in 0..2000 {
            let next: Vec<f64> =
                hessian.iter().map(|row| row.iter().zip(&v).map(|(a, b)| a * b).sum()).collect();
            let length = norm(&next);
            v = next.iter().map(|value| value / length).collect();
        }
        let largest: Vec<f64> =
            hessian.iter().map(|row| row.iter().zip(&v).map(|(a, b)| a * b).sum()).collect();
        assert!((norm(&largest) - 3.0).abs() < 1e-9);
    }
}

/// Of H less its mean eigenvalue, which has nothing on the diagonal that a basis could not change, as much lies off the
/// diagonal as under a rotation drawn uniformly: for eigenvalues spaced evenly all but a part of 2/d in the mean. And
/// the diagonal does not tell where which eigenvalue was.
#[test]
fn a_rotated_curvature_is_no_nearer_to_a_diagonal_one_than_by_chance() {
    for dim in [100, 255, 256, 257] {
        let rule = LeastSquares { dim, rotated: true, ..LeastSquares::default() };
        let objective = rule.build(Seed(3)).unwrap();
        let entry = |i: usize| {
            let mut x = objective.optimum().to_vec();
            x[i] += 1.0;
            objective.gradient(&x)[i]
        };
        let diagonal: Vec<f64> = (0..dim).map(entry).collect();
        let eigenvalue = |i: usize| i as f64 / (dim - 1) as f64 - 0.5;
        let all: f64 = (0..dim).map(|i| eigenvalue(i).powi(2)).sum();
        let on: f64 = diagonal.iter().map(|h| (h - 0.5).powi(2)).sum();
        assert!(on / all < 4.0 / dim as f64, "{dim}: {}", on / all);
        let along: f64 = (0..dim).map(|i| (diagonal[i] - 0.5) * eigenvalue(i)).sum();
        let correlation = along / (on * all).sqrt();
        assert!(correlation.abs() < 4.0 / (dim as f64).sqrt(), "{dim}: {correlation}");
    }
}

#[test]
fn noise_has_mean_zero_and_the_stated_variance() {
    let (sigma, curvature, draws) = (0.7, 0.4, 20_000);
    let rule = LeastSquares { sigma, curvature_noise: curvature, ..quadratic() };
    let objective = rule.build(Seed(2)).unwrap();
    let x = objective.start().to_vec();
    let exact = objective.gradient(&x);
    let mut mean = vec![0.0; 12];
    let mut squares = Vec::new();
    for round in 0..draws {
        let error = minus(&objective.sampled(&x, 0, &noise(round)).unwrap().gradient, &exact);
        squares.push(norm(&error).powi(2));
        mean.iter_mut().zip(&error).for_each(|(mean, error)| *mean += error / draws as f64);
    }
    let expected = sigma * sigma + (curvature * norm(&exact)).powi(2);
    let variance = squares.iter().sum::<f64>() / draws as f64;
    let spread = squares.iter().map(|s| (s - variance).powi(2)).sum::<f64>() / draws as f64;
    let tolerance = 5.0 * (spread / draws as f64).sqrt();
    assert!((variance - expected).abs() < tolerance, "{variance} {expected} {tolerance}");
    assert!(norm(&mean) < 5.0 * (expected / draws as f64).sqrt(), "{}", norm(&mean));
}

#[test]
fn noise_is_the_same_at_both_points_as_far_as_curvature_allows() {
    for curvature_noise in [0.0, 0.5] {
        let objective = LeastSquares { curvature_noise, ..quadratic() }.build(Seed(2)).unwrap();
        let (x, y) = (objective.start().to_vec(), objective.optimum().to_vec());
        let error = |x: &[f64], round| {
            minus(&objective.sampled(x, 0, &noise(round)).unwrap().gradient, &objective.gradient(x))
        };
        let changes: Vec<f64> =
            (1..=2000).map(|round| norm(&minus(&error(&x, round), &error(&y, round)))).collect();
        let mean_square = changes.iter().map(|change| change * change).sum::<f64>() / changes.len() as f64;
        // Z = curvature_noise · H (x - y) with random signs in the basis of eigenvectors, so its norm is fixed.
        let expected = curvature_noise * norm(&minus(&objective.gradient(&x), &objective.gradient(&y)));
        assert!((mean_square.sqrt() - expected).abs() < 1e-12, "{} {expected}", mean_square.sqrt());
        assert!(expected <= curvature_noise * 3.0 * norm(&minus(&x, &y)) + 1e-12);
    }
}

#[test]
fn a_batch_of_all_samples_has_the_gradient_of_the_objective() {
    let objective =
        LogisticRegression { dim: 5, samples: 200, ..LogisticRegression::default() }.build(Seed(4)).unwrap();
    let labels = objective.labels().unwrap().clone();
    let deal = Iid::default().deal(&labels, 1, Seed(4)).unwrap();
    let draw = deal.samplers(&labels, &[200], Seed(4)).unwrap()[0].draw(1);
    let x = objective.start();
    let sampled = objective.sampled(x, 0, &draw).unwrap();
    assert!(norm(&minus(&sampled.gradient, &objective.gradient(x))) < 1e-14);
    assert!((sampled.loss - objective.value(x)).abs() < 1e-14);
    assert!((sampled.accuracy - objective.accuracy(x)).abs() < 1e-14);
    // A tenth of the labels is wrong, so the optimum is right about nine tenths.
    let accuracy = objective.accuracy(objective.optimum());
    assert!((0.8..=1.0).contains(&accuracy), "{accuracy}");

    let flipped = Draw { labels: draw.labels.iter().map(|label| 1 - label).collect(), ..draw.clone() };
    let poisoned = objective.sampled(x, 0, &flipped).unwrap();
    assert!((poisoned.accuracy + sampled.accuracy - 1.0).abs() < 1e-14);
    let beyond = Draw { indices: vec![200], labels: vec![0], ..draw };
    let error = objective.sampled(x, 6, &beyond).unwrap_err();
    assert_eq!(error, LearnerError::Sample { worker: 6, index: 200, len: 200 });
}

#[test]
fn every_sample_of_logistic_regression_is_as_smooth_as_configured() {
    let rule =
        LogisticRegression { dim: 3, samples: 50, smoothness: 2.5, l2: 0.1, ..LogisticRegression::default() };
    let objective = rule.build(Seed(4)).unwrap();
    let at = |x: &[f64], index| {
        let draw = Draw { indices: vec![index], labels: vec![1], ..noise(1) };
        objective.sampled(x, 0, &draw).unwrap().gradient
    };
    // At the origin the curvature along a is ‖a‖²/4 + l2, and the gradient is -a/2.
    let curvature = |index| {
        let a: Vec<f64> = at(&[0.0; 3], index).iter().map(|g| -2.0 * g).collect();
        let along: Vec<f64> = a.iter().map(|value| 1e-4 * value / norm(&a)).collect();
        let back: Vec<f64> = along.iter().map(|value| -value).collect();
        norm(&minus(&at(&along, index), &at(&back, index))) / 2e-4
    };
    let largest = (0..50).map(curvature).fold(0.0, f64::max);
    assert!((largest - 2.5).abs() < 1e-6, "{largest}");
}

#[test]
fn newton_reaches_hard_optima() {
    for (smoothness, l2, label_noise) in [(1000.0, 1e-3, 0.0), (1.0, 1e-6, 0.0), (0.5, 0.4, 0.5)] {
        let rule =
            LogisticRegression { dim: 30, samples: 500, smoothness, l2, label_noise, ..Default::default() };
        let objective = rule.build(Seed(8)).unwrap();
        let left = norm(&objective.gradient(objective.optimum()));
        assert!(left < 1e-10, "{smoothness} {l2}: {left:e}");
    }
}

#[test]
fn the_learner_clips_each_point_and_answers_in_the_chosen_format() {
    let objective = LeastSquares { sigma: 5.0, ..quadratic() }.build(Seed(1)).unwrap();
    for dtype in [Dtype::F32, Dtype::F64] {
        let mut learner = ConvexLearner::new(objective.clone(), dtype, 2.0);
        let current = learner.start();
        assert_eq!(current.dtype(), dtype);
        let previous = Some(current.zeros_like());
        let query = Query { round: 2, current, previous };
        let jobs = [job(noise(1), Points::CurrentAndPrevious), job(noise(2), Points::Current)];
        let learned = learner.gradients(&query, &jobs).unwrap();
        assert!(learned[1].gradients.previous.is_none() && learned[0].accuracy.is_nan());
        let raw = objective.sampled(&query.current.to_f64(), 0, &noise(1)).unwrap().gradient;
        let length = norm(&raw);
        assert!(length > 2.0);
        let clipped: Vec<f64> = raw.iter().map(|value| value * 2.0 / length).collect();
        let both = &learned[0].gradients;
        assert!(norm(&minus(&both.current.to_f64(), &clipped)) < 1e-6);
        assert!((both.previous.as_ref().unwrap().norm() - 2.0).abs() < 1e-6);
        assert!(both.current.is_like(&query.current));

        let mut free = ConvexLearner::new(objective.clone(), dtype, 0.0);
        let unclipped = free.gradients(&query, &jobs).unwrap()[0].gradients.current.norm();
        assert!((unclipped - length).abs() < 1e-5);
    }
}

#[test]
fn the_learner_gives_the_same_bits_at_any_number_of_threads() {
    let answer = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut learner = ConvexLearner::new(quadratic().build(Seed(1)).unwrap(), Dtype::F64, 0.0);
            let query = Query { round: 1, current: learner.start(), previous: None };
            let jobs: Vec<Job> = (0..33).map(|round| job(noise(round), Points::Current)).collect();
            let learned = learner.gradients(&query, &jobs).unwrap();
            learned.iter().map(|one| (one.gradients.current.to_f64(), one.loss)).collect::<Vec<_>>()
        })
    };
    assert_eq!(answer(1), answer(4));
}

#[test]
fn an_evaluation_tells_value_and_gap_of_its_own_snapshot() {
    let objective = quadratic().build(Seed(1)).unwrap();
    let mut learner = ConvexLearner::new(objective.clone(), Dtype::F64, 0.0);
    let task = learner.evaluation(5, &learner.start());
    let evaluation = task().unwrap();
    assert_eq!((evaluation.round, evaluation.loss), (5, objective.value(objective.start())));
    assert_eq!(evaluation.gap, evaluation.loss);
    assert!(evaluation.accuracy.is_nan());
    let wrong = Query { round: 1, current: Vector::zeros(3, Dtype::F64), previous: None };
    assert!(matches!(learner.gradients(&wrong, &[]), Err(LearnerError::Model(_))));
}

/// One sample at a time, under either label: it is right under the one that is predicted.
#[test]
fn predictions_are_those_of_single_samples() {
    let rule = LogisticRegression { samples: 60, label_noise: 0.3, ..Default::default() };
    let objective = rule.build(Seed(4)).unwrap();
    let labels = objective.labels().unwrap().clone();
    let start = objective.start().to_vec();
    for x in
        [start.clone(), objective.optimum().to_vec(), vec![0.0; start.len()], vec![f64::NAN; start.len()]]
    {
        let right = |index: usize, label: u8| {
            let draw = Draw { indices: vec![index], labels: vec![label.into()], ..noise(1) };
            objective.sampled(&x, 0, &draw).unwrap().accuracy == 1.0
        };
        // Where neither label is, the sample counts as wrong.
        let class =
            |index: usize| if right(index, labels[index]) { labels[index] } else { 1 - labels[index] };
        let found: Vec<u8> = (0..60).map(class).collect();
        assert_eq!(objective.predictions(&x).unwrap(), found);
        let mut learner = ConvexLearner::new(objective.clone(), Dtype::F64, 0.0);
        let plain = learner.evaluation(1, &x.clone().into())().unwrap();
        let counted = learner.per_class(2).evaluation(1, &x.clone().into())().unwrap();
        let mut confusion = Confusion::new(2);
        labels
            .iter()
            .zip(&found)
            .for_each(|(label, class)| confusion.count((*label).into(), (*class).into()));
        assert_eq!(counted.confusion.as_deref(), Some(&confusion));
        assert_eq!(plain.confusion, None);
        assert_eq!(counted.accuracy.to_bits(), plain.accuracy.to_bits());
        let all: Vec<usize> = (0..60).collect();
        let whole =
            Draw { indices: all, labels: labels.iter().map(|&label| label.into()).collect(), ..noise(1) };
        let sampled = objective.sampled(&x, 0, &whole).unwrap().accuracy;
        assert_eq!(plain.accuracy.to_bits(), sampled.to_bits());
    }
}

#[test]
fn the_ball_holds_start_and_optimum() {
    let ball = LeastSquares { radius: Some(2.5), ..quadratic() };
    let learner = ConvexLearner::new(ball.build(Seed(1)).unwrap(), Dtype::F32, 0.0);
    assert_eq!(learner.domain(), Domain::Ball { radius: 2.5 });
    for radius in [0.5, 0.0, -1.0, f64::NAN] {
        let error =
            LeastSquares { radius: Some(radius), ..quadratic() }.build(Seed(1)).map(|_| ()).unwrap_err();
        assert!(matches!(&error, ObjectiveError::Parameter(e) if e.parameter == "radius"), "{error}");
    }
    for rule in [
        LeastSquares { dim: 0, ..quadratic() },
        LeastSquares { strong_convexity: 4.0, ..quadratic() },
        LeastSquares { sigma: f64::NAN, ..quadratic() },
        LeastSquares { curvature_noise: 1.5, ..quadratic() },
        LeastSquares { smoothness: 0.0, strong_convexity: 0.0, ..quadratic() },
    ] {
        assert!(rule.build(Seed(1)).is_err(), "{rule:?}");
    }
}
