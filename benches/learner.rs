//! Times per-worker gradients: every way, beside the speed of a large matrix product on the same threads.
//!
//! `cargo bench -p phalanx --bench learner -- [MODEL] [--threads N] [--workers M] [--batch B] [--f32 | --f64]`. One line
//! for each way, precision and batch: the median, the floating-point rate, and its share of the product's.
//! `benches/peers/gradients.py` prints the same for PyTorch's own ways.

use std::{sync::Arc, time::Instant};

use phalanx::{
    data::{Augmentation, Dataset, Images, Normalisation},
    learner::torch::{
        ModelRule, Settings, TorchLearner, Way,
        model::{CnnMnist, SimpleCnn},
    },
};
use phalanx_actors::learner::{Draw, Job, Learner, Query};
use phalanx_robust::{Dtype, estimator::Points, random::Seed};
use tch::{Device, Kind, Tensor};

struct Options {
    model: String,
    threads: usize,
    workers: usize,
    batches: Vec<usize>,
    precisions: Vec<Dtype>,
}

fn options() -> Options {
    let mut options = Options {
        model: "simple-cnn".into(),
        threads: 2,
        workers: 17,
        batches: vec![4, 32, 128],
        precisions: vec![Dtype::F32, Dtype::F64],
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number follows");
        match argument.as_str() {
            "--bench" => {}
            "--threads" => options.threads = number(),
            "--workers" => options.workers = number(),
            "--batch" => options.batches = vec![number()],
            "--f32" => options.precisions = vec![Dtype::F32],
            "--f64" => options.precisions = vec![Dtype::F64],
            model => options.model = model.to_owned(),
        }
    }
    options
}

/// Images of noise in the form of MNIST.
fn dataset() -> Dataset {
    let images = |count: usize| Images {
        channels: 1,
        height: 28,
        width: 28,
        classes: 10,
        pixels: Arc::new((0..count * 784).map(|i| (i * i % 251) as u8).collect()),
        labels: Arc::new((0..count).map(|i| (i * 7 % 10) as u8).collect()),
    };
    Dataset {
        name: "noise".into(),
        train: images(4096),
        validation: None,
        test: images(16),
        normalisation: Normalisation { mean: vec![0.1307], std: vec![0.3081] },
        augmentation: Augmentation::None,
    }
}

fn jobs(workers: usize, batch: usize) -> Vec<Job> {
    let job = |worker| {
        let indices: Vec<usize> = (0..batch).map(|i| (worker * batch + i) % 4096).collect();
        let labels = indices.iter().map(|i| (i * 7 % 10) as i64).collect();
        let rng = Seed(1).stream("worker", worker as u64, "batch", 1);
        Job { worker, draw: Draw { indices, labels, rng }, points: Points::Current }
    };
    (0..workers).map(job).collect()
}

/// Median seconds of `f`, after two calls that do not count.
fn median(mut f: impl FnMut()) -> f64 {
    let mut time = || {
        let began = Instant::now();
        f();
        began.elapsed().as_secs_f64()
    };
    time();
    time();
    let mut times = vec![time()];
    while times.len() < 9 || (times.iter().sum::<f64>() < 1.0 && times.len() < 101) {
        times.push(time());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Floating-point operations a second of a product of two 1024 x 1024 matrices.
fn peak(kind: Kind) -> f64 {
    let matrix = || Tensor::randn([1024, 1024], (kind, Device::Cpu));
    let (a, b) = (matrix(), matrix());
    2.0 * 1024f64.powi(3) / median(|| drop(a.matmul(&b)))
}

fn main() {
    let options = options();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().expect("threads");
    tch::set_num_threads(options.threads as i32);
    for precision in options.precisions {
        let peak = peak(if precision == Dtype::F32 { Kind::Float } else { Kind::Double });
        println!("{precision:?}: a product runs at {:.0} GFLOP/s on {} threads", peak / 1e9, options.threads);
        for &batch in &options.batches {
            for way in [Way::Kernels, Way::Torch] {
                let settings = Settings { precision, way: Some(way), ..Settings::default() };
                let input = [1, 28, 28];
                let model = match options.model.as_str() {
                    "cnn-mnist" => CnnMnist {}.build(input, 10),
                    _ => SimpleCnn {}.build(input, 10),
                };
                let model = model.expect("images of this form");
                let work = model.flops() as f64 * (options.workers * batch) as f64;
                let mut learner = TorchLearner::new(model, &dataset(), settings, Seed(1)).expect("a learner");
                let query = Query { round: 1, current: learner.start(), previous: None };
                let jobs = jobs(options.workers, batch);
                let seconds =
                    pool.install(|| median(|| drop(learner.gradients(&query, &jobs).expect("gradients"))));
                let rate = work / seconds;
                println!(
                    "{} {precision:?} {way:?}: {} workers x batch {batch}: {:.2} ms, {:.0} GFLOP/s, {:.0} % of the product",
                    options.model,
                    options.workers,
                    1e3 * seconds,
                    rate / 1e9,
                    100.0 * rate / peak,
                );
            }
        }
    }
}
