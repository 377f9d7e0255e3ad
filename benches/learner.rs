//! Times per-worker gradients: every way, beside the speed of a large matrix product on the same threads.
//!
//! `cargo bench -p phalanx --bench learner -- [MODEL] [--threads N] [--workers M] [--batch B] [--f32 | --f64 | --bf16]
//! [--tile N] [--gpu]`, where MODEL is simple-cnn, cnn-mnist, cnn-cifar, empire-cnn or resnet18. One line for each way, precision and batch: the
//! median, the floating-point rate, and its share of the product's. `--tile`, which may be given several times, is the most workers in a pass of libtorch; without it the
//! model's cost decides. `--gpu` takes the first GPU.
//! `benches/peers/gradients.py` prints the same for PyTorch's own ways.

use std::{sync::Arc, time::Instant};

use phalanx::{
    data::{Augmentation, Dataset, Images, Normalisation},
    learner::torch::{
        Model, ModelRule, Precision, Settings, TorchLearner, Way,
        model::{CnnCifar, CnnMnist, EmpireCnn, Resnet18, SimpleCnn},
    },
};
use phalanx_actors::learner::{Draw, Job, Learner, Query};
use phalanx_robust::{estimator::Points, random::Seed};
use tch::{Cuda, Device, Kind, Tensor};

struct Options {
    model: String,
    threads: usize,
    workers: usize,
    batches: Vec<usize>,
    precisions: Vec<Precision>,
    tiles: Vec<usize>,
    device: Device,
}

fn options() -> Options {
    let mut options = Options {
        model: "simple-cnn".into(),
        threads: 2,
        workers: 17,
        batches: vec![4, 32, 128],
        precisions: vec![Precision::F32, Precision::F64, Precision::Bf16],
        tiles: Vec::new(),
        device: Device::Cpu,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number follows");
        match argument.as_str() {
            "--bench" => {}
            "--threads" => options.threads = number(),
            "--workers" => options.workers = number(),
            "--batch" => options.batches = vec![number()],
            "--tile" => options.tiles.push(number()),
            "--f32" => options.precisions = vec![Precision::F32],
            "--f64" => options.precisions = vec![Precision::F64],
            "--gpu" => options.device = Device::Cuda(0),
            "--bf16" => options.precisions = vec![Precision::Bf16],
            model => options.model = model.to_owned(),
        }
    }
    options
}

/// Images of noise.
fn dataset([channels, height, width]: [usize; 3]) -> Dataset {
    let images = |count: usize| Images {
        channels,
        height,
        width,
        classes: 10,
        pixels: Arc::new((0..count * channels * height * width).map(|i| (i * i % 251) as u8).collect()),
        labels: Arc::new((0..count).map(|i| (i * 7 % 10) as u8).collect()),
    };
    Dataset {
        name: "noise".into(),
        train: images(4096),
        validation: None,
        test: images(16),
        normalisation: Normalisation { mean: vec![0.1307; channels], std: vec![0.3081; channels] },
        augmentation: Augmentation::None,
    }
}

fn jobs(workers: usize, batch: usize) -> Vec<Job> {
    let job = |worker| {
        let indices: Vec<usize> = (0..batch).map(|i| (worker * batch + i) % 4096).collect();
        let labels = indices.iter().map(|i| (i * 7 % 10) as i64).collect();
        let rng = Seed(1).stream("worker", worker as u64, "batch", 1);
        Job { worker, draw: Draw { indices, labels, rng }, points: Points::Current, root: false }
    };
    (0..workers).map(job).collect()
}

/// Median seconds of `f`, after two calls that do not count.
fn median(device: Device, mut f: impl FnMut()) -> f64 {
    let mut time = || {
        let began = Instant::now();
        f();
        if let Device::Cuda(number) = device {
            Cuda::synchronize(number as i64);
        }
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
fn peak(precision: Precision, device: Device) -> f64 {
    let kind = match precision {
        Precision::F32 => Kind::Float,
        Precision::F64 => Kind::Double,
        Precision::Bf16 => Kind::BFloat16,
    };
    let matrix = || Tensor::randn([1024, 1024], (Kind::Float, device)).to_kind(kind);
    let (a, b) = (matrix(), matrix());
    2.0 * 1024f64.powi(3) / median(device, || drop(a.matmul(&b)))
}

impl Options {
    fn model(&self) -> Model {
        let (mnist, cifar) = ([1, 28, 28], [3, 32, 32]);
        let model = match self.model.as_str() {
            "cnn-mnist" => CnnMnist {}.build(mnist, 10),
            "cnn-cifar" => CnnCifar {}.build(cifar, 10),
            "empire-cnn" => EmpireCnn {}.build(cifar, 10),
            "resnet18" => Resnet18 {}.build(cifar, 10),
            _ => SimpleCnn {}.build(mnist, 10),
        };
        model.expect("images of this form")
    }

    /// The kernels, which serve f32 and f64, and libtorch at every tile that is asked for; none is that by the model's cost.
    fn ways(&self, precision: Precision) -> Vec<(Way, Option<usize>)> {
        let tiles =
            if self.tiles.is_empty() { vec![None] } else { self.tiles.iter().map(|&n| Some(n)).collect() };
        let kernels =
            (precision != Precision::Bf16 && self.device == Device::Cpu).then_some((Way::Kernels, None));
        kernels.into_iter().chain(tiles.into_iter().map(|tile| (Way::Torch, tile))).collect()
    }

    /// Seconds of the gradients of all workers, and the most workers in a pass.
    fn time(&self, settings: Settings, batch: usize) -> (f64, usize) {
        let model = self.model();
        let data = dataset(model.input());
        let mut learner = TorchLearner::new(model, &data, settings, Seed(1)).expect("a learner");
        let query = Query { round: 1, current: learner.start(), previous: None };
        let jobs = jobs(self.workers, batch);
        let tile = learner.tile(batch).min(self.workers);
        (median(settings.device, || drop(learner.gradients(&query, &jobs).expect("gradients"))), tile)
    }
}

fn main() {
    let options = options();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().expect("threads");
    for &precision in &options.precisions {
        tch::set_num_threads(options.threads as i32);
        let peak = peak(precision, options.device);
        println!("{precision:?}: a product runs at {:.0} GFLOP/s on {} threads", peak / 1e9, options.threads);
        for &batch in &options.batches {
            let work = options.model().flops() as f64 * (options.workers * batch) as f64;
            for (way, tile) in options.ways(precision) {
                let device = options.device;
                let settings = Settings { precision, device, way: Some(way), tile, ..Settings::default() };
                let (seconds, tile) = pool.install(|| options.time(settings, batch));
                let rate = work / seconds;
                println!(
                    "{} {precision:?} {way:?}: {} workers x batch {batch}, {tile} a pass: {:.2} ms, {:.0} GFLOP/s, {:.0} % of the product",
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
