//! What the cast may rely on: sizes, starts, threads, clipping, running
//! statistics, state, and errors that name the worker.

#![cfg(feature = "torch")]

mod learner_support;

use std::sync::Arc;

use learner_support::{F64, boxed, close, dataset, job, jobs, query, sines, tiny, tiny_learner, tiny_round};
use phalanx::{
    data::Augmentation,
    learner::local::LocalLearner,
    learner::torch::{
        BatchNormPolicy, Layer, Model, ModelError, ModelRule, Pass, Precision, Settings, Shape, TorchLearner,
        Way,
        layer::{AvgPool, BatchNorm, Dropout, Flatten, Linear, Parameter, Start},
        model::{
            CnnCifar, CnnMnist, EmpireCnn, Logistic, Mlp, Resnet18, Resnet34, Resnet50, Resnet101, Resnet152,
            SimpleCnn,
        },
    },
};
use phalanx_actors::{
    Confusion,
    learner::{Learned, Learner, LearnerError},
};
use phalanx_robust::{Vector, estimator::Points, random::Seed, state::Stateful};
use tch::{Kind, TchError, Tensor};

const BOTH: Points = Points::CurrentAndPrevious;

#[test]
fn the_models_have_their_numbers_of_parameters() {
    let (mnist, cifar) = ([1, 28, 28], [3, 32, 32]);
    assert_eq!(SimpleCnn {}.build(mnist, 10).unwrap().dim(), 29_034);
    assert_eq!(SimpleCnn {}.build(cifar, 10).unwrap().dim(), 34_634);
    assert_eq!(CnnMnist {}.build(mnist, 10).unwrap().dim(), 431_080);
    assert_eq!(CnnCifar {}.build(cifar, 10).unwrap().dim(), 2_324_630);
    assert_eq!(EmpireCnn {}.build(cifar, 10).unwrap().dim(), 1_310_922);
    assert_eq!(Resnet18 {}.build(cifar, 10).unwrap().dim(), 11_173_962);
    assert_eq!(Resnet34 {}.build(cifar, 10).unwrap().dim(), 21_282_122);
    assert_eq!(Resnet50 {}.build(cifar, 10).unwrap().dim(), 23_520_842);
    assert_eq!(Resnet101 {}.build(cifar, 10).unwrap().dim(), 42_512_970);
    assert_eq!(Resnet152 {}.build(cifar, 10).unwrap().dim(), 58_156_618);
    assert_eq!(Mlp::default().build(mnist, 10).unwrap().dim(), 784 * 100 + 100 + 100 * 10 + 10);
    assert_eq!(Logistic {}.build(mnist, 10).unwrap().dim(), 7_850);
}

#[test]
fn a_model_that_does_not_fit_says_where() {
    let error = CnnMnist {}.build([1, 8, 8], 10).unwrap_err();
    assert!(matches!(error, ModelError::Fit { layer: 4, .. }), "{error}");
    assert!(error.to_string().contains("20 x 2 x 2"), "{error}");
    assert!(matches!(Mlp { hidden: vec![0] }.build([1, 8, 8], 10), Err(ModelError::Parameter(_))));
    let digits = dataset(1, 8);
    let model = SimpleCnn {}.build([1, 28, 28], 10).unwrap();
    assert!(matches!(TorchLearner::new(model, &digits, F64, Seed(1)), Err(LearnerError::Model(_))));
}

#[test]
fn the_start_is_pytorchs_default_and_follows_from_the_seed() {
    let start = |seed| {
        let model = SimpleCnn {}.build([1, 28, 28], 10).unwrap();
        TorchLearner::new(model, &dataset(1, 28), F64, Seed(seed)).unwrap().start().to_f64()
    };
    let x = start(1);
    assert_eq!(x, start(1));
    assert_ne!(x, start(2));
    let (weights, norm) = (&x[..416], &x[416..448]);
    assert!(weights.iter().all(|w| w.abs() <= 0.2) && weights.iter().any(|w| w.abs() > 0.19));
    assert!(norm[..16].iter().all(|&w| w == 1.0) && norm[16..].iter().all(|&w| w == 0.0));
    let second = &x[448..448 + 12_832];
    assert!(second.iter().all(|w| w.abs() <= 0.05) && second.iter().any(|w| w.abs() > 0.049));
}

fn bits(learned: &[Learned]) -> Vec<u64> {
    let each = |l: &Learned| {
        let previous = l.gradients.previous.iter().flat_map(|p| p.to_f64());
        l.gradients
            .current
            .to_f64()
            .into_iter()
            .chain(previous)
            .chain([l.loss, l.accuracy])
            .collect::<Vec<_>>()
    };
    learned.iter().flat_map(each).map(f64::to_bits).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let jobs = jobs(9, 4, BOTH);
    for (way, precision) in [
        (Way::Kernels, Precision::F32),
        (Way::Kernels, Precision::F64),
        (Way::Torch, Precision::F32),
        (Way::Torch, Precision::F64),
        (Way::Torch, Precision::Bf16),
    ] {
        let way = Some(way);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut learner, learned) =
                    tiny_round(Settings { precision, way, tile: Some(2), ..F64 }, &jobs);
                let point = learner.start();
                let evaluation = learner.evaluation(1, &point)().unwrap();
                (bits(&learned), evaluation.loss.to_bits(), learner.state().vectors["running_var"].to_f64())
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }
}

/// What the learner predicts of one test image, whose label is the only one under which it is right.
fn predicted(settings: Settings, sample: usize) -> usize {
    let right = |label: u8| {
        let mut data = dataset(3, 8);
        let pixels = data.test.image(sample).to_vec();
        (data.test.pixels, data.test.labels) = (Arc::new(pixels), Arc::new(vec![label]));
        let mut learner = TorchLearner::new(tiny(), &data, settings, Seed(3)).expect("a sound test");
        let point = learner.start();
        learner.evaluation(1, &point)().expect("a sound test").accuracy == 1.0
    };
    let found: Vec<u8> = (0..10).filter(|label| right(*label)).collect();
    assert_eq!(found.len(), 1, "sample {sample}: {found:?}");
    found[0].into()
}

/// In all ways, and without another loss or accuracy than without.
#[test]
fn what_is_taken_for_what_is_as_predicted_one_by_one() {
    for (way, precision) in [
        (Way::Kernels, Precision::F32),
        (Way::Kernels, Precision::F64),
        (Way::Torch, Precision::F32),
        (Way::Torch, Precision::Bf16),
    ] {
        let plain = Settings { precision, way: Some(way), ..F64 };
        let evaluated = |settings| {
            let mut learner = tiny_learner(settings);
            let point = learner.start();
            learner.evaluation(1, &point)().unwrap()
        };
        let (without, with) = (evaluated(plain), evaluated(Settings { per_class: true, ..plain }));
        assert_eq!(without.confusion, None);
        assert_eq!(
            [with.loss, with.accuracy].map(f64::to_bits),
            [without.loss, without.accuracy].map(f64::to_bits)
        );
        let mut confusion = Confusion::new(10);
        for (sample, &label) in dataset(3, 8).test.labels.iter().enumerate() {
            confusion.count(label.into(), predicted(plain, sample));
        }
        assert_eq!(with.confusion.as_deref(), Some(&confusion), "{way:?} {precision:?}");
        assert!((confusion.right() as f64 / 12.0 - with.accuracy).abs() < 1e-12);
    }
}

#[test]
fn gradients_are_clipped_at_each_point() {
    let jobs = jobs(3, 4, BOTH);
    let (_, free) = tiny_round(F64, &jobs);
    let clip = free[0].gradients.current.norm() * 0.5;
    let (_, short) = tiny_round(Settings { clip: Some(clip), ..F64 }, &jobs);
    for (free, short) in free.iter().zip(&short) {
        let pairs = [
            (&free.gradients.current, &short.gradients.current),
            (free.gradients.previous.as_ref().unwrap(), short.gradients.previous.as_ref().unwrap()),
        ];
        for (free, short) in pairs {
            let factor = (clip / free.norm()).min(1.0);
            close(&short.to_f64(), &free.scaled(factor).to_f64(), 1e-12);
        }
    }
}

/// The statistics that one worker's batch leaves in fresh buffers: (r - 0.9 · start) / 0.1.
fn found(job: &phalanx_actors::learner::Job, key: &str, at_previous: bool) -> Vec<f64> {
    let start = if key == "running_var" { 1.0 } else { 0.0 };
    let single = phalanx_actors::learner::Job { points: Points::Current, ..job.clone() };
    let mut learner = tiny_learner(F64);
    let mut point = learner.start();
    if at_previous {
        let sines = point.like(&sines(point.len()));
        point.axpy(0.3, &sines);
    }
    learner.gradients(&query(point, None), &[single]).expect("a sound test");
    learner.state().vectors[key].to_f64().iter().map(|r| (r - 0.9 * start) / 0.1).collect()
}

#[test]
fn tracked_statistics_are_updated_worker_by_worker_first_at_the_previous_point() {
    let jobs = jobs(3, 4, BOTH);
    for way in [Way::Kernels, Way::Torch] {
        let settings = Settings { tile: Some(2), way: Some(way), ..F64 };
        check_tracking(&jobs, &tiny_round(settings, &jobs).0);
    }
}

fn check_tracking(jobs: &[phalanx_actors::learner::Job], learner: &TorchLearner) {
    for (key, start) in [("running_mean", 0.0), ("running_var", 1.0)] {
        let mut expected = vec![start; found(&jobs[0], key, true).len()];
        for at_previous in [true, false] {
            for job in jobs {
                let statistics = found(job, key, at_previous);
                expected.iter_mut().zip(statistics).for_each(|(r, s)| *r = 0.9 * *r + 0.1 * s);
            }
        }
        close(&learner.state().vectors[key].to_f64(), &expected, 1e-12);
    }
}

#[test]
fn the_median_policy_makes_one_update_by_the_median() {
    for m in [3, 4] {
        let jobs = jobs(m, 4, Points::Current);
        let (learner, _) = tiny_round(Settings { batch_norm: BatchNormPolicy::Cwmed, ..F64 }, &jobs);
        for (key, start) in [("running_mean", 0.0), ("running_var", 1.0)] {
            let all: Vec<Vec<f64>> = jobs.iter().map(|job| found(job, key, false)).collect();
            let median = |c: usize| {
                let mut column: Vec<f64> = all.iter().map(|s| s[c]).collect();
                column.sort_by(f64::total_cmp);
                (column[(m - 1) / 2] + column[m / 2]) / 2.0
            };
            let expected: Vec<f64> = (0..all[0].len()).map(|c| 0.9 * start + 0.1 * median(c)).collect();
            close(&learner.state().vectors[key].to_f64(), &expected, 1e-12);
        }
    }
}

/// What a learner remembers of the batches that it normalised.
fn statistics(learner: &TorchLearner) -> [Vec<f64>; 2] {
    ["running_mean", "running_var"].map(|key| learner.state().vectors[key].to_f64())
}

/// The server's root batch is no worker's: it gets its gradient, and leaves no statistics.
#[test]
fn the_servers_own_job_leaves_no_statistics() {
    let workers = jobs(3, 4, BOTH);
    let root = phalanx_actors::learner::Job { root: true, ..job(3, 50, 4, Points::Current) };
    let all: Vec<_> = workers.iter().chain([&root]).cloned().collect();
    for (way, batch_norm) in [Way::Kernels, Way::Torch]
        .into_iter()
        .flat_map(|way| [BatchNormPolicy::Tracked, BatchNormPolicy::Cwmed].map(|policy| (way, policy)))
    {
        let settings = Settings { tile: Some(4), way: Some(way), batch_norm, ..F64 };
        let ((alone, _), (beside, learned)) = (tiny_round(settings, &workers), tiny_round(settings, &all));
        assert_eq!((learned.len(), statistics(&alone)), (4, statistics(&beside)));
        let (of_root, _) = tiny_round(settings, std::slice::from_ref(&root));
        assert_eq!(statistics(&of_root), statistics(&tiny_learner(settings)));
        let mut walking = tiny_learner(settings);
        let point = walking.start();
        walking.gradients_at(&[point], std::slice::from_ref(&root)).unwrap();
        assert_eq!(statistics(&walking), statistics(&tiny_learner(settings)));
    }
}

/// At any point the judge tells the loss that an evaluation would, of the server's batch alone.
#[test]
fn the_servers_judge_tells_losses_as_an_evaluation_does() {
    for (way, precision) in
        [(Way::Kernels, Precision::F64), (Way::Torch, Precision::F64), (Way::Kernels, Precision::F32)]
    {
        let settings = Settings { way: Some(way), precision, ..F64 };
        // The test set has the images from 100 on.
        let root = phalanx_actors::learner::Job { root: true, ..job(3, 100, 12, Points::Current) };
        let (mut learner, _) = tiny_round(settings, &jobs(3, 4, Points::Current));
        let judge = learner.judge(&root).unwrap();
        for scale in [0.0, 1.0, -3.0] {
            let mut point = learner.start();
            point.axpy(scale, &point.like(&sines(point.len())));
            let told = judge.loss(&point).unwrap();
            assert_eq!(told.to_bits(), learner.evaluation(2, &point)().unwrap().loss.to_bits(), "{way:?}");
        }
        let learned = learner.gradients(&query(learner.start(), None), &jobs(3, 4, Points::Current)).unwrap();
        assert_eq!(learned.len(), 3);
        let start = learner.start();
        assert_ne!(judge.loss(&start).unwrap(), learner.evaluation(2, &start)().unwrap().loss, "as it stood");
        let beyond = phalanx_actors::learner::Job { root: true, ..job(3, 195, 12, Points::Current) };
        assert!(matches!(
            learner.judge(&beyond),
            Err(LearnerError::Sample { worker: 3, index: 200, len: 200 })
        ));
    }
}

/// What it tells as the gradient is how its loss changes, in every direction, and asking leaves no trace.
#[test]
fn the_servers_judge_tells_the_slope_of_its_loss() {
    for way in [Way::Kernels, Way::Torch] {
        let settings = Settings { way: Some(way), precision: Precision::F64, clip: Some(1e-3), ..F64 };
        let root = phalanx_actors::learner::Job { root: true, ..job(3, 10, 150, Points::Current) };
        let (mut learner, _) = tiny_round(settings, &jobs(3, 4, Points::Current));
        let judge = learner.judge(&root).unwrap();
        let mut point = learner.start();
        point.axpy(0.1, &point.like(&sines(point.len())));
        let slopes = judge.gradient(&point).unwrap();
        assert!(slopes.is_like(&point) && slopes.norm() > 0.01, "{way:?}: {}", slopes.norm());
        for k in 1..6 {
            let direction: Vec<f64> = (0..point.len()).map(|i| ((i * k) as f64).cos()).collect();
            let direction = point.like(&direction);
            let loss = |far: f64| {
                let mut there = point.clone();
                there.axpy(far, &direction);
                judge.loss(&there).unwrap()
            };
            let (told, found) = (slopes.dot(&direction), (loss(1e-6) - loss(-1e-6)) / 2e-6);
            assert!((told - found).abs() < 1e-5 * slopes.norm(), "{way:?}: {told} {found}");
        }
        let same = || judge.gradient(&point).unwrap().to_f64() == slopes.to_f64();
        let twice = std::thread::scope(|s| [s.spawn(same), s.spawn(same)].map(|one| one.join().unwrap()));
        assert_eq!(twice, [true; 2]);
        assert_eq!(statistics(&learner), statistics(&tiny_round(settings, &jobs(3, 4, Points::Current)).0));
    }
}

#[test]
fn one_value_a_channel_is_refused_by_batch_normalisation() {
    for way in [Way::Kernels, Way::Torch] {
        let layers =
            vec![boxed(AvgPool { kernel: 8 }), boxed(BatchNorm), boxed(Flatten), boxed(Linear { out: 10 })];
        let model = Model::new([3, 8, 8], 10, layers).unwrap();
        let settings = Settings { way: Some(way), ..F64 };
        let mut learner = TorchLearner::new(model, &dataset(3, 8), settings, Seed(3)).unwrap();
        let at = query(learner.start(), None);
        let error = learner.gradients(&at, &jobs(1, 1, Points::Current)).unwrap_err();
        assert!(error.to_string().contains("no variance"), "{error}");
        assert!(learner.gradients(&at, &jobs(1, 2, Points::Current)).is_ok());
    }
}

#[test]
fn state_is_taken_and_given_back() {
    let (mut learner, _) = tiny_round(F64, &jobs(3, 4, BOTH));
    let point = learner.start();
    let loss = learner.evaluation(1, &point)().unwrap().loss;
    let mut other = tiny_learner(F64);
    assert_ne!(other.evaluation(1, &point)().unwrap().loss, loss);
    other.restore(&learner.state()).unwrap();
    assert_eq!(other.evaluation(1, &point)().unwrap().loss, loss);
    let mut state = learner.state();
    state.vectors.insert("running_var".into(), vec![0.0f64; 2].into());
    assert!(other.restore(&state).is_err());
}

#[test]
fn an_evaluation_keeps_the_statistics_of_its_time() {
    let mut learner = tiny_learner(F64);
    let point = learner.start();
    let (before, task) = (learner.evaluation(0, &point)().unwrap(), learner.evaluation(0, &point));
    learner.gradients(&query(point.clone(), None), &jobs(2, 4, Points::Current)).unwrap();
    assert_eq!(task().unwrap().loss, before.loss);
    assert_ne!(learner.evaluation(1, &point)().unwrap().loss, before.loss);
}

#[test]
fn augmentation_follows_the_draws_stream_and_is_the_same_at_both_points() {
    let mut data = dataset(3, 8);
    data.augmentation = Augmentation::CropFlip { padding: 2 };
    let mut learner = TorchLearner::new(tiny(), &data, F64, Seed(3)).unwrap();
    let point = learner.start();
    let both = query(point.clone(), Some(point.clone()));
    let learned = learner.gradients(&both, &jobs(2, 4, BOTH)).unwrap();
    for l in &learned {
        assert_eq!(l.gradients.current.to_f64(), l.gradients.previous.as_ref().unwrap().to_f64());
    }
    let (_, plain) = tiny_round(F64, &jobs(2, 4, BOTH));
    assert_ne!(learned[0].loss, plain[0].loss);
    let mut other = jobs(2, 4, BOTH);
    other[0].draw.rng = Seed(6).stream("worker", 0, "batch", 1);
    let again = learner.gradients(&both, &other).unwrap();
    assert_ne!(again[0].loss, learned[0].loss);
    assert_eq!(again[1].loss, learned[1].loss);
}

/// Softmax regression on what dropout leaves of 192 values.
fn regression(rate: Option<f64>, way: Way) -> TorchLearner {
    let dropout = rate.map(|rate| boxed(Dropout { rate }));
    let layers = [boxed(Flatten)].into_iter().chain(dropout).chain([boxed(Linear { out: 10 })]);
    let model = Model::new([3, 8, 8], 10, layers.collect()).expect("a sound test");
    TorchLearner::new(model, &dataset(3, 8), Settings { way: Some(way), ..F64 }, Seed(3))
        .expect("a sound test")
}

/// What a worker with one sample gave its linear layer: the gradient of the weights is (p - y) x, that of the biases p - y.
fn given(gradient: &Vector) -> Vec<f64> {
    let gradient = gradient.to_f64();
    gradient[..192].iter().map(|product| product / gradient[1920]).collect()
}

#[test]
fn dropout_takes_its_share_the_same_at_both_points_and_whatever_computes() {
    const RATE: f64 = 0.25;
    let jobs = jobs(40, 1, BOTH);
    let start = regression(None, Way::Kernels).start();
    let both = query(start.clone(), Some(start.like(&sines(start.len()))));
    let learn = |rate, way| regression(rate, way).gradients(&both, &jobs).unwrap();
    let whole: Vec<Vec<f64>> =
        learn(None, Way::Kernels).iter().map(|learned| given(&learned.gradients.current)).collect();
    let mut masks = Vec::new();
    for way in [Way::Kernels, Way::Torch] {
        for (learned, whole) in learn(Some(RATE), way).iter().zip(&whole) {
            let current = given(&learned.gradients.current);
            close(&given(learned.gradients.previous.as_ref().unwrap()), &current, 1e-9);
            let mask: Vec<bool> = current.iter().map(|&x| x != 0.0).collect();
            let kept = whole.iter().zip(&mask).map(|(x, &kept)| if kept { x / (1.0 - RATE) } else { 0.0 });
            close(&current, &kept.collect::<Vec<_>>(), 1e-9);
            masks.push(mask);
        }
    }
    let (kernels, torch) = masks.split_at(jobs.len());
    assert_eq!(kernels, torch);
    assert!(kernels.windows(2).all(|two| two[0] != two[1]));
    let dropped = kernels.iter().flatten().filter(|&&kept| !kept).count() as f64;
    // Five standard deviations of 7,680 draws.
    assert!((dropped / 7680.0 - RATE).abs() < 0.025, "{dropped}");
}

#[test]
fn an_evaluation_drops_nothing() {
    for way in [Way::Kernels, Way::Torch] {
        let [plain, dropping] = [None, Some(0.25)].map(|rate| {
            let mut learner = regression(rate, way);
            let point = learner.start();
            learner.evaluation(1, &point)().unwrap()
        });
        assert_eq!((plain.loss, plain.accuracy), (dropping.loss, dropping.accuracy));
    }
}

/// A layer from outside that drops what cannot be dropped.
#[derive(Debug)]
struct Greedy;

impl Layer for Greedy {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        pass.drop_out(x, 1.0)
    }
}

#[test]
fn a_layer_that_drops_all_is_told() {
    let layers = vec![boxed(Flatten), boxed(Greedy), boxed(Linear { out: 10 })];
    let model = Model::new([3, 8, 8], 10, layers).unwrap();
    let mut learner = TorchLearner::new(model, &dataset(3, 8), F64, Seed(3)).unwrap();
    let at = query(learner.start(), None);
    let error = learner.gradients(&at, &jobs(1, 2, Points::Current)).unwrap_err();
    assert!(error.to_string().contains("a share of 1 cannot be dropped"), "{error}");
}

#[test]
fn a_layer_that_would_drop_all_is_no_layer() {
    let layers = |rate| vec![boxed(Dropout { rate }), boxed(Flatten), boxed(Linear { out: 10 })];
    assert!(Model::new([3, 8, 8], 10, layers(0.0)).is_ok());
    for rate in [1.0, -0.1, f64::NAN] {
        let error = Model::new([3, 8, 8], 10, layers(rate)).unwrap_err().to_string();
        assert!(error.contains("layer 1") && error.contains("a rate of at least 0 and below 1"), "{error}");
    }
}

/// A layer from outside with one parameter: what `of` makes of x, times it.
struct Outside {
    name: &'static str,
    of: fn(&Tensor) -> Result<Tensor, TchError>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Layer for Outside {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn parameters(&self, _: Shape) -> Vec<Parameter> {
        vec![Parameter { name: "scale".into(), len: 1, start: Start::Ones }]
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let scale = pass.parameter(&[pass.groups(), 1, 1])?;
        (self.of)(&x)?.f_mul(&scale)
    }
}

#[test]
fn a_layer_from_outside_computes_in_bf16_or_is_named() {
    let learner = |name, of| {
        let layers = vec![boxed(Flatten), boxed(Outside { name, of }), boxed(Linear { out: 10 })];
        let model = Model::new([3, 8, 8], 10, layers).unwrap();
        let bf16 = Settings { precision: Precision::Bf16, ..F64 };
        TorchLearner::new(model, &dataset(3, 8), bf16, Seed(3))
    };
    // What it makes of x is f32, whatever it is given.
    let mut works = learner("Sine", |x| x.to_kind(Kind::Float).f_sin()).unwrap();
    let learned = works.gradients(&query(works.start(), None), &jobs(2, 4, Points::Current)).unwrap();
    assert!(learned.iter().all(|learned| learned.gradients.current.norm() > 0.0));
    let refusal = learner("Spectrum", |x| x.f_fft_rfft(None, -1, "backward")?.f_abs()).map(drop).unwrap_err();
    let refusal = refusal.to_string();
    assert!(refusal.contains("its layer Spectrum does not compute in bf16"), "{refusal}");
}

#[test]
fn wrong_jobs_are_refused_with_the_workers_number() {
    let mut learner = tiny_learner(F64);
    let at = query(learner.start(), None);
    let error = learner.gradients(&at, &[job(4, 199, 2, Points::Current)]).unwrap_err();
    assert_eq!(error, LearnerError::Sample { worker: 4, index: 200, len: 200 });
    let mut poisoned = job(7, 0, 2, Points::Current);
    poisoned.draw.labels[1] = -1;
    let error = learner.gradients(&at, &[poisoned]).unwrap_err();
    assert!(error.to_string().contains("worker 7") && error.to_string().contains("-1"), "{error}");
    assert!(learner.gradients(&at, &[job(0, 0, 0, Points::Current)]).is_err());
    let short = query(vec![0.0f64; 3].into(), None);
    assert!(learner.gradients(&short, &jobs(1, 2, Points::Current)).is_err());
}

#[test]
fn workers_may_stand_at_points_of_their_own() {
    let jobs = jobs(5, 4, Points::Current);
    for way in [Way::Kernels, Way::Torch] {
        let settings = Settings { way: Some(way), ..F64 };
        let mut together = tiny_learner(settings);
        let start = together.start();
        let point = |worker: usize| {
            let mut point = start.clone();
            point.axpy(0.1 * worker as f64, &start.like(&sines(start.len())));
            point
        };
        let points: Vec<_> = (0..5).map(point).collect();
        let found = together.gradients_at(&points, &jobs).unwrap();
        // One after another on their own: the same gradients, and the same running statistics in the end.
        let mut apart = tiny_learner(settings);
        for ((point, job), found) in points.iter().zip(&jobs).zip(found) {
            let alone = apart.gradients(&query(point.clone(), None), std::slice::from_ref(job)).unwrap();
            close(&found.gradients.current.to_f64(), &alone[0].gradients.current.to_f64(), 1e-12);
            assert!((found.loss - alone[0].loss).abs() < 1e-12 && found.accuracy == alone[0].accuracy);
        }
        for (name, value) in &together.state().vectors {
            close(&value.to_f64(), &apart.state().vectors[name].to_f64(), 1e-12);
        }
        let wrong = [Vector::from(vec![0.0; 3])];
        assert!(together.gradients_at(&wrong, &jobs[..1]).is_err());
    }
}
