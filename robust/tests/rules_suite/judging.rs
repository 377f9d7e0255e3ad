//! Rules that ask the server how good other points are.

use std::sync::Arc;

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Context, Defence, Judge, RuleError},
};
use serde_json::json;

use crate::{
    naive::{mean_all, norm},
    naive_selection::order_by,
    stage::{Rows, assert_close, chain, gaussian, plain, rounded, stream, vectors},
};

/// Σ_j (j + 1) |y_j|³ / d, or why not.
#[derive(Debug)]
pub struct Cubic(pub Option<String>);

/// What coordinate j of d adds to it where it is y.
pub fn part(j: usize, y: f64, d: usize) -> f64 {
    (j + 1) as f64 * y.abs().powi(3) / d as f64
}

fn loss(y: &[f64]) -> f64 {
    y.iter().enumerate().map(|(j, &one)| part(j, one, y.len())).sum()
}

impl Judge for Cubic {
    fn loss(&self, point: &Vector) -> Result<f64, String> {
        self.0.clone().map_or_else(|| Ok(loss(&point.to_f64())), Err)
    }

    fn gradient(&self, point: &Vector) -> Result<Vector, String> {
        let d = point.len() as f64;
        let slope = |(j, y): (usize, f64)| 3.0 * (j + 1) as f64 * y * y.abs() / d;
        let slopes: Vec<f64> = point.to_f64().into_iter().enumerate().map(slope).collect();
        self.0.clone().map_or_else(|| Ok(point.like(&slopes)), Err)
    }
}

fn context(point: Vector, f: usize) -> Context {
    Context { point: Some(point), judge: Some(Arc::new(Cubic(None))), ..Context::new(f, stream(1)) }
}

/// The mean of the m - b vectors of the highest scores of Xie, Koyejo & Gupta (2019).
fn zeno(x: &Rows, point: &[f64], gamma: f64, rho: f64, b: usize) -> Vec<f64> {
    let score = |i: usize| {
        let there: Vec<f64> = point.iter().zip(&x[i]).map(|(w, u)| w - gamma * u).collect();
        loss(point) - loss(&there) - rho * norm(&x[i]).powi(2)
    };
    let best = &order_by(x.len(), |i| -score(i))[..x.len() - b];
    mean_all(&best.iter().map(|&i| x[i].clone()).collect())
}

#[test]
fn zeno_keeps_the_vectors_of_the_highest_scores() {
    for (seed, (m, d)) in [(1, 1), (5, 1), (7, 4), (20, 33), (9, 100)].into_iter().enumerate() {
        for (gamma, rho, trimmed) in [(0.1, 0.0005, None), (1.0, 0.0, None), (0.01, 2.0, Some(m / 2))] {
            for dtype in [Dtype::F64, Dtype::F32] {
                let x = rounded(&gaussian(m, d, seed as u64), dtype);
                let point = rounded(&gaussian(1, d, 50 + seed as u64), dtype).remove(0);
                let parameters = json!({ "gamma": gamma, "rho": rho, "trimmed": trimmed });
                for f in [0, m / 4, m - 1] {
                    let rows = vectors(&x, dtype);
                    let mut rule = chain(&[("zeno", parameters.clone())]);
                    let made = rule.aggregate_in(&rows, context(rows[0].like(&point), f)).unwrap();
                    let expected = zeno(&x, &point, gamma, rho, trimmed.unwrap_or(f));
                    assert_close(&made.output.to_f64(), &expected, 1.0, 1e-6, &format!("{m} x {d}, f = {f}"));
                }
            }
        }
    }
}

#[test]
fn equal_scores_go_by_index_and_what_is_no_number_goes_first() {
    let mut x = vec![vec![1.0, 2.0]; 5];
    let weights = |x: &Rows, f| {
        let mut rule = plain(&["zeno"]);
        rule.aggregate_in(&vectors(x, Dtype::F64), context(vec![0.5; 2].into(), f)).unwrap().weights.unwrap()
    };
    assert_eq!(weights(&x, 2), [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
    x[1] = vec![1e120, 0.0]; // the loss overflows, and its squared norm does not
    assert_eq!(weights(&x, 1), [0.25, 0.0, 0.25, 0.25, 0.25]);
    x[0][0] = f64::NAN;
    assert_eq!(weights(&x, 2), [0.0, 0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0], "one set aside, and one of four");
}

#[test]
fn zeno_withstands_a_majority_whose_steps_are_bad() {
    let point = vec![1.0; 20];
    let gradient: Vec<f64> = (0..20).map(|j| 0.15 * (j + 1) as f64).collect();
    let noisy =
        |noise: Vec<f64>| noise.iter().zip(&gradient).map(|(n, g)| g + 0.01 * n).collect::<Vec<f64>>();
    let mut x: Rows = gaussian(9, 20, 4).into_iter().map(noisy).collect();
    x[3..].iter_mut().for_each(|row| row.iter_mut().for_each(|v| *v *= -1.0));
    let rows = vectors(&x, Dtype::F64);
    let weights = plain(&["zeno"]).aggregate_in(&rows, context(point.into(), 6)).unwrap().weights.unwrap();
    assert!(weights[..3].iter().all(|w| *w > 0.3) && weights[3..] == [0.0; 6], "{weights:?}");
}

#[test]
fn zeno_says_what_it_lacks() {
    let rows = vectors(&gaussian(5, 6, 1), Dtype::F64);
    let mut rule = plain(&["nnm", "zeno"]);
    assert!(rule.needs_judge() && rule.needs_point() && !rule.needs_reference());
    assert!(!plain(&["fldetector", "cwmed"]).needs_judge());
    let whole = context(vec![0.0; 6].into(), 1);
    rule.aggregate_in(&rows, whole.clone()).unwrap();
    let blind = Context { judge: None, ..whole.clone() };
    let error = rule.aggregate_in(&rows, blind).unwrap_err();
    assert_eq!(error, RuleError::NoJudge { rule: "zeno" });
    assert_eq!(error.to_string(), "zeno needs losses on data of the server's own, which only a run has");
    let nowhere = Context { point: None, ..whole.clone() };
    assert_eq!(rule.aggregate_in(&rows, nowhere).unwrap_err(), RuleError::NoPoint { rule: "zeno" });
    let broken = Context { judge: Some(Arc::new(Cubic(Some("no data".into())))), ..whole };
    assert_eq!(rule.aggregate_in(&rows, broken).unwrap_err().to_string(), "zeno: no data");
    let trimmed = chain(&[("zeno", json!({ "trimmed": 4 }))]);
    assert!(trimmed.check(Size::new(5, 0)).is_ok() && trimmed.check(Size::new(4, 0)).is_err());
    let layers = ["gas", "zeno"].map(|name| crate::stage::layer(name, &json!({}))).to_vec();
    let error = Defence::new(layers).unwrap_err();
    assert!(matches!(&error, RuleError::Chain(why) if why.contains("groups of coordinates")), "{error}");
}
