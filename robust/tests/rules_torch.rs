//! Every rule on tensors against the same rule on host vectors.
#![cfg(feature = "torch")]

mod rules_by_name;

use std::sync::Arc;

use phalanx_robust::{
    Layout, Vector,
    aggregation::{
        Aggregation, Bucketing, Context, Cwmed, Defence, Fldetector, Grouping, Judge, Layer, Mean, Rule,
    },
    random::Seed,
    testing::Bowl,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use rules_by_name::{chain, layers};

/// 17 rows of 1,003 coordinates, the last three of them far off.
fn rows() -> Vec<Vec<f32>> {
    let row = |i: u64| {
        let mut rng = Seed(5).stream("test", i, "row", 0);
        let scale = if i >= 14 { 4.0 } else { 1.0 };
        (0..1003).map(|_| 0.5 + scale * rng.sample::<f32, _>(StandardNormal)).collect()
    };
    (0..17).map(row).collect()
}

fn aggregate(names: &[&str], rows: &[Vector]) -> Aggregation {
    let rng = Seed(1).stream("rule", 0, "aggregate", 1);
    chain(names).aggregate(rows, 3, rng).expect("an aggregate")
}

fn agree(names: &[&str]) {
    let [host, torch] = both();
    let (host, torch) = (aggregate(names, &host), aggregate(names, &torch));
    alike(names, &host, &torch);
}

/// The rows on the host, and as tensors.
fn both() -> [Vec<Vector>; 2] {
    let tensor = |row: &Vec<f32>| Vector::from(tch::Tensor::from_slice(row));
    [rows().into_iter().map(Vector::from).collect(), rows().iter().map(tensor).collect()]
}

fn alike(names: &[&str], host: &Aggregation, torch: &Aggregation) {
    assert!(matches!(torch.output, Vector::Torch(_)), "{names:?}: the result left its device");
    let (a, b) = (host.output.to_f64(), torch.output.to_f64());
    let scale = a.iter().fold(0f64, |all, x| all.max(x.abs()));
    let worst = a.iter().zip(&b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    assert!(worst <= 1e-5 * scale, "{names:?}: off by {worst:e} of {scale:e}");
}

#[test]
fn every_base_rule_agrees() {
    for (name, layer) in layers() {
        if matches!(layer, Layer::Base(_)) && !["fltrust", "zeno", "skymask"].contains(&name) {
            agree(&[name]);
        }
    }
}

/// Blocks of one coordinate, of a few and of many, which end where no register does.
#[test]
fn lasa_agrees_tensor_by_tensor() {
    let tensors = [("0.weight", 517), ("0.bias", 1), ("1.weight", 475), ("1.bias", 10)];
    let made = |rows: &[Vector]| {
        let mut rule = chain(&["lasa"]);
        rule.know_layout(&Layout::new(tensors)).expect("a layout of all coordinates");
        let rng = Seed(1).stream("rule", 0, "aggregate", 1);
        rule.aggregate(rows, 3, rng).expect("an aggregate")
    };
    let [host, torch] = both();
    let (found, whole) = (made(&host), aggregate(&["lasa"], &host));
    alike(&["lasa"], &found, &made(&torch));
    assert_ne!(found.output.to_f64(), whole.output.to_f64(), "one tensor or four");
}

/// From the origin every vector goes away from the point where the loss is least, but those far off.
#[test]
fn rules_that_ask_for_losses_agree() {
    for name in ["zeno", "skymask"] {
        let made = |rows: &[Vector]| {
            let reference = rows[0].clone();
            let judge: Arc<dyn Judge> = Arc::new(Bowl(reference.scaled(-1.0)));
            let rng = Seed(1).stream("rule", 0, "aggregate", 1);
            let point = Some(reference.zeros_like());
            let own =
                Context { reference: Some(reference), point, judge: Some(judge), ..Context::new(3, rng) };
            chain(&[name]).aggregate_in(rows, own).expect("an aggregate")
        };
        let [host, torch] = both().map(|rows| made(&rows));
        alike(&[name], &host, &torch);
        assert_eq!(host.weights, torch.weights, "{name}");
    }
}

/// In the second round, where there is a last aggregate.
#[test]
fn buckets_by_likeness_agree() {
    for by in [Grouping::Cosine, Grouping::Distance] {
        let made = |rows: &[Vector]| {
            let bucketing = Bucketing { size: Some(3), by }.build().expect("a rule");
            let median = Cwmed::default().build().expect("a rule");
            let mut rule = Defence::new(vec![bucketing, median]).expect("a chain");
            let rng = Seed(1).stream("rule", 0, "aggregate", 1);
            let mut round = || rule.aggregate(rows, 2, rng.clone()).expect("an aggregate");
            [round(), round()]
        };
        let [host, torch] = both().map(|rows| made(&rows));
        host.iter().zip(&torch).for_each(|(host, torch)| alike(&["bucketing", "cwmed"], host, torch));
        assert_ne!(host[0].output.to_f64(), host[1].output.to_f64(), "random buckets first");
    }
}

/// With points that move and rows that change, some of them at random.
#[test]
fn what_is_foretold_agrees() {
    let layer = Fldetector { window: 2, ..Fldetector::default() }.build().expect("a rule");
    let made =
        || Defence::new(vec![layer.clone(), Mean::default().build().expect("a rule")]).expect("a chain");
    let (mut host, mut torch, mut left_out) = (made(), made(), 0);
    for t in 1..12 {
        let change = |(i, row): (usize, Vec<f32>)| -> Vec<f32> {
            let mut rng = Seed(6).stream("test", i as u64, "row", if i < 14 { 0 } else { t });
            let shrunk = |v: f32| v * (1.0 - 0.05 * t as f32) + 0.3 * rng.sample::<f32, _>(StandardNormal);
            row.into_iter().map(shrunk).collect()
        };
        let rows: Vec<Vec<f32>> = rows().into_iter().enumerate().map(change).collect();
        let point = vec![1.0 - 0.05 * t as f32; 1003];
        let found = |defence: &mut Defence, form: &dyn Fn(&[f32]) -> Vector| {
            let rows: Vec<Vector> = rows.iter().map(|row| form(row)).collect();
            let rng = Seed(1).stream("rule", 0, "aggregate", t);
            let context = Context { point: Some(form(&point)), ..Context::new(3, rng) };
            defence.aggregate_in(&rows, context).expect("an aggregate").weights.expect("a mean")
        };
        let on_host = found(&mut host, &|row| row.to_vec().into());
        assert_eq!(on_host, found(&mut torch, &|row| tch::Tensor::from_slice(row).into()), "round {t}");
        left_out += on_host.iter().filter(|weight| **weight == 0.0).count();
    }
    assert!(left_out > 0);
}

#[test]
fn inner_products_are_added_in_f64() {
    for value in [1e20f32, 1e-30, 0.1] {
        let numbers = vec![value; 1003];
        let (host, torch) = (Vector::from(numbers.clone()), Vector::from(tch::Tensor::from_slice(&numbers)));
        let exact = 1003.0 * f64::from(value).powi(2);
        for (vector, form) in [(&host, "host"), (&torch, "torch")] {
            assert!((vector.dot(vector) / exact - 1.0).abs() < 1e-12, "{form}: {:e}", vector.dot(vector));
            assert!((vector.norm() / exact.sqrt() - 1.0).abs() < 1e-12, "{form}");
        }
    }
}

#[test]
fn chains_agree() {
    agree(&["ctma", "nnm", "cwmed"]);
    agree(&["arc", "nnm", "krum"]);
    agree(&["bucketing", "cwtm"]);
    agree(&["clipping", "mean"]);
    agree(&["gas", "cwmed"]);
    agree(&["nnm", "gas", "krum"]);
}
