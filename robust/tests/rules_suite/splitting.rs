//! Gradient splitting: how the coordinates are dealt, what each group is judged by, and what cannot stand inside.

use std::sync::{Arc, Mutex};

use phalanx_robust::{
    Batch, Dtype, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, Layer, RuleError},
    state::{State, Stateful},
};
use serde_json::json;

use crate::{
    naive::{distance, mean_all},
    naive_selection::order_by,
    stage::{Rows, aggregate, assert_close, chain, gaussian, layer, plain, stream, vectors},
};

/// The mean, which notes what it is given: the rows of each group.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<Rows>>>);

impl Stateful for Noting {}

impl Aggregator for Noting {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        self.0.lock().unwrap().push(batch.to_rows().iter().map(Vector::to_f64).collect());
        Ok(Aggregate::vector(batch.mean()))
    }
}

/// The weights that m rows get over the mean, and the groups they were seen in, which threads judge in any order: in that of
/// their values.
fn noted(x: &Rows, f: usize, groups: usize, seed: u64, dtype: Dtype) -> (Vec<f64>, Vec<Rows>) {
    let noting = Noting::default();
    let layers = vec![layer("gas", &json!({ "groups": groups })), Layer::Base(Box::new(noting.clone()))];
    let got = Defence::new(layers).unwrap().aggregate(&vectors(x, dtype), f, stream(seed)).unwrap();
    let mut seen = noting.0.lock().unwrap().clone();
    seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
    (got.weights.unwrap(), seen)
}

#[test]
fn each_group_is_judged_by_itself_and_every_coordinate_is_in_one() {
    for (m, d, groups) in [(7, 30, 4), (8, 31, 5), (9, 12, 12), (6, 5, 9), (10, 40, 1)] {
        let x = crate::stage::rounded(&gaussian(m, d, 3), Dtype::F32);
        for (f, dtype) in [(0, Dtype::F32), (2, Dtype::F32), ((m - 1) / 2, Dtype::F64)] {
            let (weights, seen) = noted(&x, f, groups, 1, dtype);
            assert_eq!(seen.len(), groups.min(d));
            let mut columns: Vec<Vec<f64>> = seen.iter().flat_map(columns_of).collect();
            let mut expected = columns_of(&x);
            for all in [&mut columns, &mut expected] {
                all.sort_by(|a, b| a.partial_cmp(b).unwrap());
            }
            assert_eq!(columns, expected, "{m}x{d} in {groups}");
            let score =
                |i: usize| seen.iter().map(|group| distance(&group[i], &mean_all(group))).sum::<f64>();
            let mut kept = order_by(m, score)[..m - f].to_vec();
            kept.sort_unstable();
            let got: Vec<usize> = (0..m).filter(|&i| weights[i] > 0.0).collect();
            assert_eq!(got, kept, "{m}x{d} in {groups}, f = {f}");
        }
    }
    let x = gaussian(7, 30, 3);
    assert_eq!(noted(&x, 2, 4, 1, Dtype::F64).1, noted(&x, 2, 4, 1, Dtype::F64).1);
    assert_ne!(noted(&x, 2, 4, 1, Dtype::F64).1, noted(&x, 2, 4, 2, Dtype::F64).1, "the groups are drawn");
}

/// The same, and it says that it works coordinate by coordinate.
#[derive(Clone, Default)]
struct Telling(Noting);

impl Stateful for Telling {}

impl Aggregator for Telling {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.0.check(size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        self.0.aggregate(batch, context)
    }

    fn is_coordinate_wise(&self) -> bool {
        true
    }
}

#[test]
fn a_rule_that_works_coordinate_by_coordinate_is_asked_once() {
    let x = gaussian(9, 30, 3);
    for rules in [&["gas"][..], &["ctma", "gas"]] {
        let telling = Telling::default();
        let mut layers: Vec<Layer> = rules.iter().map(|rule| layer(rule, &json!({}))).collect();
        layers.push(Layer::Base(Box::new(telling.clone())));
        Defence::new(layers).unwrap().aggregate(&vectors(&x, Dtype::F64), 2, stream(1)).unwrap();
        assert_eq!(*telling.0.0.lock().unwrap(), std::slice::from_ref(&x), "{rules:?}");
    }
}

/// A rule that does not say how it works.
#[derive(Clone)]
struct Silent(Box<dyn Aggregator>);

impl Stateful for Silent {}

impl Aggregator for Silent {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.0.check(size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        self.0.aggregate(batch, context)
    }
}

const COORDINATE_WISE: [&str; 8] =
    ["cwmed", "cwtm", "mean", "meamed", "phocas", "robust-lr", "sign-majority", "weighted-cwmed"];

/// Asked once for all groups, such a rule gives the scores that it gives group by group.
#[test]
fn scores_are_the_same_at_once_and_group_by_group() {
    for name in COORDINATE_WISE {
        let Layer::Base(rule) = layer(name, &json!({})) else { panic!("{name}") };
        assert!(rule.is_coordinate_wise(), "{name}");
        for (m, d, groups, f) in [(9, 30, 4, 3), (12, 100, 7, 2), (7, 20, 20, 0)] {
            for dtype in [Dtype::F32, Dtype::F64] {
                let rows = vectors(&gaussian(m, d, 6), dtype);
                let of = |rule: Box<dyn Aggregator>| {
                    let layers = vec![layer("gas", &json!({ "groups": groups })), Layer::Base(rule)];
                    Defence::new(layers).unwrap().aggregate(&rows, f, stream(3)).unwrap()
                };
                let (once, each) = (of(rule.clone()), of(Box::new(Silent(rule.clone()))));
                assert_eq!(once.weights, each.weights, "{name}, {m}x{d} in {groups}");
                assert_eq!(once.output.to_f64(), each.output.to_f64(), "{name}, {m}x{d} in {groups}");
            }
        }
    }
}

fn columns_of(x: &Rows) -> Vec<Vec<f64>> {
    (0..x[0].len()).map(|j| x.iter().map(|row| row[j]).collect()).collect()
}

#[test]
fn equal_scores_go_by_index() {
    let x = vec![vec![1.0, 2.0, 3.0]; 5];
    for groups in [1, 2, 3] {
        let mut rule = chain(&[("gas", json!({ "groups": groups })), ("cwmed", json!({}))]);
        let weights = aggregate(&mut rule, &x, 2).unwrap().weights.unwrap();
        let third = 1.0 / 3.0;
        assert_eq!(weights, [third, third, third, 0.0, 0.0]);
    }
}

#[test]
fn the_servers_own_vector_is_split_alike() {
    let (x, g) = (gaussian(9, 25, 71), gaussian(1, 25, 72).remove(0));
    let context = Context { reference: Some(g.clone().into()), ..Context::new(3, stream(1)) };
    let got = plain(&["gas", "fltrust"]).aggregate_in(&vectors(&x, Dtype::F64), context.clone()).unwrap();
    // in one coordinate whoever agrees in sign is scaled to the server's value
    let trusted = |j: usize| if x.iter().any(|row| row[j] * g[j] > 0.0) { g[j] } else { 0.0 };
    let score = |i: usize| (0..25).map(|j| (x[i][j] - trusted(j)).abs()).sum::<f64>();
    let kept: Rows = order_by(9, score)[..6].iter().map(|&i| x[i].clone()).collect();
    assert_close(&got.output.to_f64(), &mean_all(&kept), 1.0, 1e-12, "gas, fltrust");
    let short = Context { reference: Some(vec![1.0; 24].into()), ..context };
    let error = plain(&["gas", "fltrust"]).aggregate_in(&vectors(&x, Dtype::F64), short).unwrap_err();
    assert!(matches!(error, RuleError::Failed { .. }), "{error}");
}

/// No group sees all of the rows that are not finite, or whose squared norm is not.
#[test]
fn rows_that_no_group_sees_together_are_set_aside_together() {
    for (bad, inner) in [(f64::NAN, "cwmed"), (f64::INFINITY, "mean"), (1e200, "krum"), (1e200, "cwmed")] {
        let mut x = gaussian(11, 6, 8);
        (x[2][0], x[7][5]) = (bad, bad);
        let rest: Rows = (0..11).filter(|i| ![2, 7].contains(i)).map(|i| x[i].clone()).collect();
        for groups in [1, 6] {
            let rules = [("gas", json!({ "groups": groups })), (inner, json!({}))];
            let got = aggregate(&mut chain(&rules), &x, 3).unwrap();
            assert_eq!(got.set_aside, [2, 7], "{inner} with {bad} in {groups}");
            let expected = aggregate(&mut chain(&rules), &rest, 1).unwrap().output.to_f64();
            assert_eq!(got.output.to_f64(), expected, "{inner} with {bad} in {groups}");
        }
    }
}

/// Has a memory that is empty before its first round, and takes no vector.
#[derive(Clone, Default)]
struct Counting(u64);

impl Stateful for Counting {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.extend((self.0 > 0).then(|| ("rounds".to_owned(), self.0.into())));
        state
    }
}

impl Aggregator for Counting {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        self.0 += 1;
        Ok(Aggregate::vector(batch.mean()))
    }
}

#[test]
fn a_rule_that_remembers_cannot_stand_inside() {
    let made =
        |rules: &[&str]| Defence::new(rules.iter().map(|rule| layer(rule, &json!({}))).collect()).map(|_| ());
    for rules in [
        &["gas", "centered-clipping"][..],
        &["gas", "safeguard"],
        &["gas", "fldetector", "mean"],
        &["gas", "clipped-clustering"],
        &["gas", "nnm", "centered-clipping"],
        &["ctma", "gas", "ctma", "safeguard"],
    ] {
        let error = made(rules).unwrap_err();
        assert!(matches!(&error, RuleError::Chain(why) if why.contains("remembers")), "{rules:?}: {error}");
    }
    made(&["gas", "ctma", "nnm", "cwmed"]).unwrap();
    made(&["nnm", "gas", "gas", "krum"]).unwrap();
    let stateless = chain(&[("gas", json!({})), ("centered-clipping", json!({ "stateful": false }))]);
    assert!(stateless.check(Size::new(5, 2)).is_ok() && stateless.check(Size::new(4, 2)).is_err());

    let counting = Layer::Base(Box::new(Counting::default()));
    let mut late = Defence::new(vec![layer("gas", &json!({})), counting]).unwrap();
    assert!(matches!(aggregate(&mut late, &gaussian(5, 3, 1), 1), Err(RuleError::Chain(_))));
}
