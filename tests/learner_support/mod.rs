//! A data set, jobs and a tiny network for the tests of the learner. The
//! formulas are those of golden/make_gradients.py.

#![allow(dead_code, reason = "every test file takes what it needs")]

use std::sync::Arc;

use phalanx::{
    data::{Augmentation, Dataset, Images, Normalisation},
    learner::torch::{
        Layer, Model, Precision, Settings, TorchLearner,
        layer::{AvgPool, BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, Relu, Residual},
    },
};
use phalanx_actors::learner::{Draw, Job, Learned, Learner, Query};
use phalanx_robust::{Vector, estimator::Points, random::Seed};

pub const F64: Settings = Settings {
    precision: Precision::F64,
    device: tch::Device::Cpu,
    clip: None,
    batch_norm: phalanx::learner::torch::BatchNormPolicy::Tracked,
    tile: None,
    way: None,
    per_class: false,
};

pub fn images(start: usize, count: usize, channels: usize, side: usize) -> Images {
    let size = channels * side * side;
    let pixel = |n: usize, p: usize| ((131 * n + 17 * p + p * p % 251) % 256) as u8;
    let pixels = (start..start + count).flat_map(|n| (0..size).map(move |p| pixel(n, p))).collect();
    let labels = (start..start + count).map(|n| (3 * n % 10) as u8).collect();
    let (height, width) = (side, side);
    Images { channels, height, width, classes: 10, pixels: Arc::new(pixels), labels: Arc::new(labels) }
}

/// 200 training images and 12 test images.
pub fn dataset(channels: usize, side: usize) -> Dataset {
    Dataset {
        validation: None,
        name: "formula".into(),
        train: images(0, 200, channels, side),
        test: images(100, 12, channels, side),
        normalisation: Normalisation { mean: vec![0.1307; channels], std: vec![0.3081; channels] },
        augmentation: Augmentation::None,
    }
}

/// The job of a worker whose batch starts at sample `start`.
pub fn job(worker: usize, start: usize, batch: usize, points: Points) -> Job {
    let indices: Vec<usize> = (start..start + batch).collect();
    let labels = indices.iter().map(|n| (3 * n % 10) as i64).collect();
    Job {
        worker,
        draw: Draw { indices, labels, rng: Seed(5).stream("worker", worker as u64, "batch", 1) },
        points,
        root: false,
    }
}

/// Jobs of m workers with batches of one size, one after the other.
pub fn jobs(m: usize, batch: usize, points: Points) -> Vec<Job> {
    (0..m).map(|worker| job(worker, worker * batch, batch, points)).collect()
}

pub fn query(current: Vector, previous: Option<Vector>) -> Query {
    Query { round: 2, current, previous }
}

/// 0.1 sin(i + 1).
pub fn sines(dim: usize) -> Vec<f64> {
    (0..dim).map(|i| 0.1 * (i as f64 + 1.0).sin()).collect()
}

pub fn boxed(layer: impl Layer + 'static) -> Box<dyn Layer> {
    Box::new(layer)
}

/// Every kind of layer, for images of 3 x 8 x 8.
pub fn tiny() -> Model {
    let layers = vec![
        boxed(Conv::new(3, 3, 1)),
        boxed(BatchNorm),
        boxed(Relu),
        boxed(MaxPool { kernel: 2 }),
        boxed(Dropout { rate: 0.2 }),
        boxed(Residual::basic(3, 4, 2)),
        boxed(Residual::basic(4, 4, 1)),
        boxed(AvgPool { kernel: 2 }),
        boxed(Flatten),
        boxed(Linear { out: 6 }),
        boxed(Relu),
        boxed(Dropout { rate: 0.2 }),
        boxed(Linear { out: 10 }),
    ];
    Model::new([3, 8, 8], 10, layers).expect("a sound test")
}

pub fn tiny_learner(settings: Settings) -> TorchLearner {
    TorchLearner::new(tiny(), &dataset(3, 8), settings, Seed(3)).expect("a sound test")
}

/// One round of a fresh tiny learner, at its start and at a point beside it.
pub fn tiny_round(settings: Settings, jobs: &[Job]) -> (TorchLearner, Vec<Learned>) {
    let mut learner = tiny_learner(settings);
    let current = learner.start();
    let mut previous = current.clone();
    previous.axpy(0.3, &current.like(&sines(current.len())));
    let learned = learner.gradients(&query(current, Some(previous)), jobs).expect("a sound test");
    (learner, learned)
}

/// Asserts |a - b| <= tolerance · max(1, |b|) everywhere.
pub fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "at {i}: {a} is not {b}");
    }
}
