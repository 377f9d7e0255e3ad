//! A worker's gradient is the derivative of its loss, and does not depend on
//! who else is in the pass.

#![cfg(feature = "torch")]

mod learner_support;

use learner_support::{F64, boxed, close, dataset, job, jobs, query, tiny, tiny_round};
use phalanx::learner::torch::{
    Model, ModelRule, Precision, Settings, TorchLearner, Way,
    layer::{AvgPool, BatchNorm, Conv, Flatten, Linear, MaxPool, Relu},
    model::{Logistic, Mlp},
};
use phalanx_actors::learner::{Learned, Learner};
use phalanx_robust::{Dtype, estimator::Points, random::Seed};

/// Central differences of the loss that the learner itself reports, at some coordinates of every parameter.
fn check_differences(model: Model) {
    let [channels, side, _] = model.input();
    let mut coordinates = Vec::new();
    let mut at = 0;
    for parameter in model.parameters() {
        coordinates.extend((at..at + parameter.len).step_by(parameter.len.div_ceil(5)));
        at += parameter.len;
    }
    let mut learner = TorchLearner::new(model, &dataset(channels, side), F64, Seed(3)).expect("a sound test");
    let start = learner.start().to_f64();
    let jobs = jobs(3, 4, Points::Current);
    let mut learn =
        |point: Vec<f64>| learner.gradients(&query(point.into(), None), &jobs).expect("a sound test");
    let gradients: Vec<Vec<f64>> =
        learn(start.clone()).iter().map(|l| l.gradients.current.to_f64()).collect();
    assert!(gradients.iter().flatten().any(|g| g.abs() > 1e-3));
    for c in coordinates {
        let h = 1e-6;
        let mut shifted = |by: f64| {
            let mut point = start.clone();
            point[c] += by;
            learn(point)
        };
        let (up, down) = (shifted(h), shifted(-h));
        for (worker, gradient) in gradients.iter().enumerate() {
            let difference = (up[worker].loss - down[worker].loss) / (2.0 * h);
            let got = gradient[c];
            assert!(
                (got - difference).abs() < 1e-7 + 1e-5 * difference.abs(),
                "{worker} at {c}: {got} {difference}"
            );
        }
    }
}

#[test]
fn every_layers_gradient_is_the_derivative() {
    check_differences(tiny());
}

#[test]
fn the_perceptrons_gradient_is_the_derivative() {
    check_differences(Mlp { hidden: vec![7, 5] }.build([1, 4, 4], 10).unwrap());
    check_differences(Logistic {}.build([1, 4, 4], 10).unwrap());
}

#[test]
fn one_pass_of_libtorch_for_all_gives_what_the_kernels_give_each() {
    let jobs = jobs(7, 4, Points::CurrentAndPrevious);
    let (_, each) = tiny_round(Settings { way: Some(Way::Kernels), ..F64 }, &jobs);
    for tile in [2, 3, 7] {
        let (learner, together) =
            tiny_round(Settings { tile: Some(tile), way: Some(Way::Torch), ..F64 }, &jobs);
        assert_eq!(learner.tile(4), tile);
        assert!(learner.tiles(&jobs).iter().all(|&workers| workers <= tile));
        for (a, b) in together.iter().zip(&each) {
            close(&a.gradients.current.to_f64(), &b.gradients.current.to_f64(), 1e-10);
            let previous = |l: &Learned| l.gradients.previous.as_ref().unwrap().to_f64();
            close(&previous(a), &previous(b), 1e-10);
            close(&[a.loss], &[b.loss], 1e-10);
            assert_eq!(a.accuracy, b.accuracy);
        }
    }
}

/// Normalisations, rectifiers and poolings that one kernel does together, with as many channels as a register has, more
/// and fewer, and one pooling that leaves pixels out.
fn joined() -> [Model; 2] {
    let norm_first = vec![
        boxed(Conv::new(18, 3, 1)),
        boxed(BatchNorm),
        boxed(Relu),
        boxed(MaxPool { kernel: 2 }),
        boxed(Conv::new(20, 3, 1)),
        boxed(Relu),
        boxed(MaxPool { kernel: 2 }),
        boxed(Conv::new(16, 3, 1)),
        boxed(BatchNorm),
        boxed(MaxPool { kernel: 3 }),
        boxed(Flatten),
        boxed(Linear { out: 10 }),
    ];
    let pool_first = vec![
        boxed(Conv::new(33, 3, 1)),
        boxed(MaxPool { kernel: 2 }),
        boxed(Relu),
        boxed(BatchNorm),
        boxed(MaxPool { kernel: 2 }),
        boxed(Conv::new(5, 3, 1)),
        boxed(BatchNorm),
        boxed(Relu),
        boxed(Flatten),
        boxed(Linear { out: 10 }),
    ];
    [norm_first, pool_first].map(|layers| Model::new([3, 14, 14], 10, layers).expect("a sound test"))
}

#[test]
fn layers_that_one_kernel_does_give_what_libtorch_gives() {
    let jobs = jobs(3, 20, Points::Current); // more samples than a convolution learns from at a time
    for (precision, tolerance) in [(Precision::F64, 1e-10), (Precision::F32, 1e-4)] {
        let learn = |model: Model, way| {
            let settings = Settings { precision, way: Some(way), ..F64 };
            let mut learner = TorchLearner::new(model, &dataset(3, 14), settings, Seed(3)).unwrap();
            let start = learner.start();
            learner.gradients(&query(start, None), &jobs).expect("a sound test")
        };
        for (kernels, torch) in joined().into_iter().zip(joined()) {
            for (a, b) in learn(kernels, Way::Kernels).iter().zip(&learn(torch, Way::Torch)) {
                let (a, b) = (a.gradients.current.to_f64(), b.gradients.current.to_f64());
                assert!(a.iter().filter(|g| g.abs() > 1e-3).count() > a.len() / 10);
                close(&a, &b, tolerance);
            }
        }
    }
}

/// Layers without kinks: what is rounded moves no value to another branch.
fn smooth() -> Model {
    let layers = vec![
        boxed(Conv::new(4, 3, 1)),
        boxed(BatchNorm),
        boxed(AvgPool { kernel: 2 }),
        boxed(Conv::plain(6, 3, 2, 1)),
        boxed(BatchNorm),
        boxed(Flatten),
        boxed(Linear { out: 10 }),
    ];
    Model::new([3, 8, 8], 10, layers).expect("a sound test")
}

/// What three workers learn at the start in this precision, and the loss of the start on the test set.
fn learnt(model: Model, precision: Precision) -> (Vec<Learned>, f64) {
    let [channels, side, _] = model.input();
    let settings = Settings { precision, tile: Some(2), ..F64 };
    let mut learner =
        TorchLearner::new(model, &dataset(channels, side), settings, Seed(3)).expect("a sound test");
    let start = learner.start();
    let learned =
        learner.gradients(&query(start.clone(), None), &jobs(3, 16, Points::Current)).expect("a sound test");
    (learned, learner.evaluation(1, &start)().expect("a sound test").loss)
}

#[test]
fn gradients_in_bf16_are_those_in_f64_to_its_accuracy() {
    let accuracy = 1.0 / 256.0;
    for model in [smooth, || Logistic {}.build([1, 28, 28], 10).unwrap()] {
        let (exact, exact_loss) = learnt(model(), Precision::F64);
        let (mixed, mixed_loss) = learnt(model(), Precision::Bf16);
        assert!((mixed_loss - exact_loss).abs() < accuracy, "{mixed_loss} is not {exact_loss}");
        for (exact, mixed) in exact.iter().zip(&mixed) {
            let (exact, mixed) = (&exact.gradients.current, &mixed.gradients.current);
            assert_eq!(mixed.dtype(), Dtype::F32);
            let error = exact.like(&mixed.to_f64()).minus(exact).norm() / exact.norm();
            // Something is rounded, and by as much as eight bits allow.
            assert!(error > accuracy / 64.0 && error < 4.0 * accuracy, "{error}");
        }
    }
}

#[test]
fn batches_of_different_sizes_and_points_keep_their_order() {
    let shapes = [
        (4, Points::Current),
        (2, Points::CurrentAndPrevious),
        (4, Points::CurrentAndPrevious),
        (2, Points::Current),
    ];
    let mixed: Vec<_> =
        shapes.iter().enumerate().map(|(i, &(batch, points))| job(i, 10 * i, batch, points)).collect();
    let (_, together) = tiny_round(F64, &mixed);
    for (job, learned) in mixed.iter().zip(&together) {
        let (_, alone) = tiny_round(F64, std::slice::from_ref(job));
        close(&learned.gradients.current.to_f64(), &alone[0].gradients.current.to_f64(), 1e-10);
        assert_eq!(learned.gradients.previous.is_some(), job.points == Points::CurrentAndPrevious);
    }
}
