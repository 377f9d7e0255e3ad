//! Losses, gradients, running statistics and evaluations equal PyTorch's at
//! fixed weights (golden/make_gradients.py made the numbers).

#![cfg_attr(feature = "torch", expect(clippy::unwrap_used, reason = "a test fails by panicking"))]
#![cfg(feature = "torch")]

mod learner_support;

use learner_support::{F64, boxed, close, dataset, jobs, query, sines};
use phalanx::learner::torch::{
    Model, ModelRule, Precision, Settings, TorchLearner, Way,
    layer::{AvgPool, BatchNorm, Conv, Flatten, Linear, Relu, Residual},
    model::{CnnMnist, SimpleCnn},
};
use phalanx_actors::learner::Learner;
use phalanx_robust::{estimator::Points, random::Seed, state::Stateful};
use serde_json::Value;

fn blocks(blocks: [Residual; 2]) -> Model {
    let [first, second] = blocks;
    let layers = vec![
        boxed(Conv::plain(4, 3, 1, 1)),
        boxed(BatchNorm),
        boxed(Relu),
        boxed(first),
        boxed(second),
        boxed(AvgPool { kernel: 4 }),
        boxed(Flatten),
        boxed(Linear { out: 10 }),
    ];
    Model::new([3, 8, 8], 10, layers).unwrap()
}

fn residual() -> Model {
    blocks([Residual::basic(4, 8, 2), Residual::basic(8, 8, 1)])
}

fn bottleneck() -> Model {
    blocks([Residual::bottleneck(4, 2, 2), Residual::bottleneck(8, 2, 1)])
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn check(name: &str, model: impl Fn() -> Model, precision: Precision, tolerance: f64) {
    for way in [Way::Kernels, Way::Torch] {
        check_way(name, model(), Settings { precision, way: Some(way), ..F64 }, tolerance);
    }
}

fn check_way(name: &str, model: Model, settings: Settings, tolerance: f64) {
    let golden: Value = serde_json::from_str(include_str!("golden/gradients.json")).unwrap();
    let golden = &golden[name];
    let number = |value: &Value| value.as_f64().unwrap();
    let [channels, side, _] = model.input();
    assert_eq!(model.dim() as u64, golden["dim"]);

    let start = sines(model.dim());
    let learner = TorchLearner::new(model, &dataset(channels, side), settings, Seed(0)).unwrap();
    assert_eq!(Some(learner.way()), settings.way);
    let mut learner = learner.starting_at(&start).unwrap();
    let point = learner.start();
    let learned = learner.gradients(&query(point.clone(), None), &jobs(2, 4, Points::Current)).unwrap();
    for (learned, worker) in learned.iter().zip(golden["workers"].as_array().unwrap()) {
        let gradient = learned.gradients.current.to_f64();
        let step = worker["step"].as_u64().unwrap() as usize;
        let sampled: Vec<f64> = gradient.iter().copied().step_by(step).collect();
        close(&sampled, &numbers(&worker["gradient"]), tolerance);
        close(&[learned.loss], &[number(&worker["loss"])], tolerance);
        close(&[learned.gradients.current.norm()], &[number(&worker["norm"])], tolerance);
        assert_eq!(learned.accuracy, number(&worker["accuracy"]));
    }
    let state = learner.state();
    for key in ["running_mean", "running_var"] {
        let kept = state.vectors.get(key).map(|v| v.to_f64()).unwrap_or_default();
        close(&kept, &numbers(&golden[key]), tolerance);
    }
    let evaluation = learner.evaluation(1, &point)().unwrap();
    close(&[evaluation.loss], &[number(&golden["test_loss"])], tolerance);
    assert!((evaluation.accuracy - number(&golden["test_accuracy"])).abs() < 1e-12);
}

/// In bf16 the gradient is as near to that in f64 as PyTorch's autocast comes. Where there are kinks, neither is near:
/// values that lie less than the rounding from a kink, 2^-8 of them or so, fall on its other side, and then the error is
/// about the root of that.
fn check_mixed(name: &str, model: impl Fn() -> Model) {
    let golden: Value = serde_json::from_str(include_str!("golden/gradients.json")).unwrap();
    let learn = |precision| {
        let model = model();
        let (start, [channels, side, _]) = (sines(model.dim()), model.input());
        let settings = Settings { precision, ..F64 };
        let learner = TorchLearner::new(model, &dataset(channels, side), settings, Seed(0)).unwrap();
        let mut learner = learner.starting_at(&start).unwrap();
        learner.gradients(&query(learner.start(), None), &jobs(2, 4, Points::Current)).unwrap()
    };
    let (exact, mixed) = (learn(Precision::F64), learn(Precision::Bf16));
    for ((exact, mixed), worker) in exact.iter().zip(&mixed).zip(golden[name]["workers"].as_array().unwrap())
    {
        let autocast = |key: &str| worker["autocast"][key].as_f64().unwrap();
        close(&[mixed.loss], &[autocast("loss")], 1e-3);
        let (exact, mixed) = (&exact.gradients.current, &mixed.gradients.current);
        let error = exact.like(&mixed.to_f64()).minus(exact).norm() / exact.norm();
        assert!(error < 1.5 * autocast("error"), "{name}: {error}, and {} of autocast", autocast("error"));
    }
}

#[test]
fn gradients_in_bf16_are_as_good_as_those_of_autocast() {
    check_mixed("simple-cnn", || SimpleCnn {}.build([1, 28, 28], 10).unwrap());
    check_mixed("cnn-mnist", || CnnMnist {}.build([1, 28, 28], 10).unwrap());
    check_mixed("residual", residual);
}

#[test]
fn simple_cnn_is_pytorchs() {
    let model = || SimpleCnn {}.build([1, 28, 28], 10).unwrap();
    check("simple-cnn", model, Precision::F64, 1e-10);
    check("simple-cnn", model, Precision::F32, 2e-4);
}

#[test]
fn cnn_mnist_is_pytorchs() {
    let model = || CnnMnist {}.build([1, 28, 28], 10).unwrap();
    check("cnn-mnist", model, Precision::F64, 1e-10);
    check("cnn-mnist", model, Precision::F32, 2e-4);
}

#[test]
fn residual_blocks_are_pytorchs() {
    check("residual", residual, Precision::F64, 1e-10);
    check("residual", residual, Precision::F32, 2e-4);
    check("bottleneck", bottleneck, Precision::F64, 1e-10);
    check("bottleneck", bottleneck, Precision::F32, 2e-4);
}
