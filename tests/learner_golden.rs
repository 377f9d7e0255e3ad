//! Losses, gradients, running statistics and evaluations equal PyTorch's at
//! fixed weights (golden/make_gradients.py made the numbers).

#![cfg_attr(feature = "torch", expect(clippy::unwrap_used, reason = "a test fails by panicking"))]
#![cfg(feature = "torch")]

mod learner_support;

use learner_support::{F64, boxed, close, dataset, jobs, query, sines};
use phalanx::learner::torch::{
    Model, ModelRule, Settings, TorchLearner, Way,
    layer::{AvgPool, BatchNorm, Conv, Flatten, Linear, Relu, Residual},
    model::{CnnMnist, SimpleCnn},
};
use phalanx_actors::learner::Learner;
use phalanx_robust::{Dtype, estimator::Points, random::Seed, state::Stateful};
use serde_json::Value;

fn residual() -> Model {
    let layers = vec![
        boxed(Conv::plain(4, 3, 1, 1)),
        boxed(BatchNorm),
        boxed(Relu),
        boxed(Residual::basic(4, 8, 2)),
        boxed(Residual::basic(8, 8, 1)),
        boxed(AvgPool { kernel: 4 }),
        boxed(Flatten),
        boxed(Linear { out: 10 }),
    ];
    Model::new([3, 8, 8], 10, layers).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn check(name: &str, model: impl Fn() -> Model, precision: Dtype, tolerance: f64) {
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

#[test]
fn simple_cnn_is_pytorchs() {
    let model = || SimpleCnn {}.build([1, 28, 28], 10).unwrap();
    check("simple-cnn", model, Dtype::F64, 1e-10);
    check("simple-cnn", model, Dtype::F32, 2e-4);
}

#[test]
fn cnn_mnist_is_pytorchs() {
    let model = || CnnMnist {}.build([1, 28, 28], 10).unwrap();
    check("cnn-mnist", model, Dtype::F64, 1e-10);
    check("cnn-mnist", model, Dtype::F32, 2e-4);
}

#[test]
fn residual_blocks_are_pytorchs() {
    check("residual", residual, Dtype::F64, 1e-10);
    check("residual", residual, Dtype::F32, 2e-4);
}
