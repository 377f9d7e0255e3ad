//! FLDetector: what is foretold, who is left out, and what becomes of it where rounds are not as the paper has them.

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Aggregation, Context, Defence, RuleError},
    state::Stateful,
};
use serde_json::json;

use crate::{
    naive::{cwmed, mean_all},
    naive_detection::Detection,
    stage::{Rows, assert_close, chain, difference, gaussian, output, plain, rounded, stream, vectors},
};

/// A quadratic for each worker, around optima of their own, and what Byzantine ones make of it.
struct Task {
    curvature: Vec<f64>,
    optima: Rows,
    noise: f64,
}

impl Task {
    fn new(m: usize, d: usize, noise: f64) -> Self {
        let curvature = gaussian(1, d, 5).remove(0).iter().map(|v| 1.0 + v.abs()).collect();
        Self { curvature, optima: gaussian(m, d, 6), noise }
    }

    fn gradients(&self, point: &[f64], round: u64) -> Rows {
        let noise = gaussian(self.optima.len(), point.len(), 100 + round);
        let gradient = |(optimum, noise): (&Vec<f64>, Vec<f64>)| {
            let at = |j: usize| self.curvature[j] * (point[j] - optimum[j]) + self.noise * noise[j];
            (0..point.len()).map(at).collect()
        };
        self.optima.iter().zip(noise).map(gradient).collect()
    }
}

fn round(
    defence: &mut Defence,
    point: &[f64],
    rows: &[Vector],
    workers: &[usize],
    seed: u64,
) -> Result<Aggregation, RuleError> {
    let point = Some(rows[0].like(point));
    let context = Context { point, workers: workers.to_vec(), ..Context::new(2, stream(seed)) };
    defence.aggregate_in(rows, context)
}

/// Steps down from `start`, with what the workers send changed by `send`; the weights of all in every round.
fn weights(defence: &mut Defence, task: &Task, rounds: u64, send: impl Fn(u64, &mut Rows)) -> Vec<Vec<f64>> {
    let all: Vec<usize> = (0..task.optima.len()).collect();
    let mut point = vec![3.0; task.curvature.len()];
    let step = |t: u64| {
        let mut sent = task.gradients(&point, t);
        send(t, &mut sent);
        let made = round(defence, &point, &vectors(&sent, Dtype::F64), &all, t).unwrap();
        point.iter_mut().zip(made.output.to_f64()).for_each(|(x, g)| *x -= 0.05 * g);
        made.weights.unwrap()
    };
    (1..=rounds).map(step).collect()
}

#[test]
fn fldetector_leaves_out_whom_its_equations_do() {
    for (window, inner, dtype) in
        [(1, "mean", Dtype::F64), (2, "cwmed", Dtype::F64), (3, "mean", Dtype::F64), (3, "mean", Dtype::F32)]
    {
        let mut naive = Detection::new(window, 4);
        let fresh =
            || chain(&[("fldetector", json!({ "window": window, "references": 4 })), (inner, json!({}))]);
        let mut defence = fresh();
        let task = Task::new(7, 5, 0.3);
        let (mut point, mut counts) = (vec![2.0; 5], [0; 2]);
        for t in 1..40 {
            let present: Vec<usize> = (0..7).filter(|&i| t % 9 != 8 || i % 3 != 1).collect();
            let mut sent = task.gradients(&point, t);
            sent[6] = if t % 20 > 9 { gaussian(1, 5, t).remove(0) } else { sent[6].clone() };
            let sent: Rows = present.iter().map(|&i| sent[i].clone()).collect();
            let sent = rounded(&sent, dtype);
            let made = round(&mut defence, &point, &vectors(&sent, dtype), &present, t).unwrap();
            let out = naive.left_out(&point, &present, &sent, &mut stream(t));
            let rest: Rows =
                sent.iter().enumerate().filter(|(i, _)| !out.contains(i)).map(|(_, r)| r.clone()).collect();
            let expected = if inner == "mean" { mean_all(&rest) } else { cwmed(&rest) };
            let result = made.output.to_f64();
            assert_close(&result, &expected, 1.0, 1e-6, &format!("window {window}, round {t}, {out:?}"));
            counts[usize::from(out.is_empty())] += 1;
            naive.learn(&point, &present, &sent, &result);
            point = rounded(&vec![point.iter().zip(&result).map(|(x, g)| x - 0.1 * g).collect()], dtype)
                .remove(0);
            let mut other = fresh();
            other.restore(&defence.state()).unwrap();
            defence = other;
        }
        assert!(counts.iter().all(|count| *count > 3), "window {window}: {counts:?}");
    }
}

#[test]
fn fldetector_leaves_out_those_who_change_their_minds() {
    let task = Task::new(12, 30, 0.01);
    let attacked = |t: u64, sent: &mut Rows| {
        let noise = gaussian(3, 30, 900 + t);
        sent[9..].iter_mut().zip(noise).for_each(|(row, noise)| *row = noise);
    };
    let rule = || chain(&[("fldetector", json!({ "window": 3 })), ("mean", json!({}))]);
    let all = weights(&mut rule(), &task, 30, attacked);
    assert!(all[..6].iter().flatten().all(|weight| *weight == 1.0 / 12.0), "nobody is judged before round 7");
    for weights in &all[6..] {
        assert_eq!(weights[9..], [0.0; 3], "{weights:?}");
        assert!(weights[..9].iter().all(|weight| *weight == 1.0 / 9.0), "{weights:?}");
    }
    let honest = weights(&mut rule(), &Task::new(12, 30, 1.0), 60, |_, _| {});
    let out = honest.iter().flatten().filter(|weight| **weight == 0.0).count();
    assert!(out < 60, "of 720 vectors of honest workers {out} are left out");
}

#[test]
fn fldetector_judges_anew_in_every_round() {
    let task = Task::new(9, 20, 0.01);
    let for_a_while = |t: u64, sent: &mut Rows| {
        if (8..14).contains(&t) {
            sent[0] = gaussian(1, 20, 900 + t).remove(0);
        }
    };
    let rule = &mut chain(&[("fldetector", json!({ "window": 3 })), ("mean", json!({}))]);
    let own: Vec<bool> = weights(rule, &task, 30, for_a_while).iter().map(|all| all[0] > 0.0).collect();
    assert!(own[..7].iter().all(|counts| *counts), "{own:?}");
    assert!(own[8..14].iter().all(|counts| !counts), "{own:?}");
    assert!(own[20..].iter().all(|counts| *counts), "{own:?}");
}

/// The weakness that the rule tells of: whoever sends the same always is foretold best.
#[test]
fn fldetector_believes_those_who_never_change() {
    let task = Task::new(9, 20, 1.0);
    let same = |_: u64, sent: &mut Rows| sent[7..].iter_mut().for_each(|row| *row = vec![1.0; 20]);
    let rule = &mut chain(&[("fldetector", json!({ "window": 3 })), ("mean", json!({}))]);
    let last = weights(rule, &task, 20, same).pop().unwrap();
    assert_eq!(last, [vec![0.0; 7], vec![0.5; 2]].concat());
}

#[test]
fn rows_that_do_not_differ_are_all_believed() {
    for (m, d) in [(1, 1), (2, 3), (5, 1), (8, 4)] {
        let task = Task { curvature: vec![1.0; d], optima: vec![vec![0.5; d]; m], noise: 0.0 };
        let rule = &mut chain(&[("fldetector", json!({ "window": 1 })), ("mean", json!({}))]);
        for weights in weights(rule, &task, 8, |_, _| {}) {
            assert_eq!(weights, vec![1.0 / m as f64; m]);
        }
        // at one point that stands still
        let rule = &mut chain(&[("fldetector", json!({ "window": 1 })), ("mean", json!({}))]);
        for t in 0..6 {
            let rows = vectors(&vec![vec![t as f64; d]; m], Dtype::F64);
            let made = round(rule, &vec![1.0; d], &rows, &[], 1).unwrap();
            assert_close(&made.output.to_f64(), &vec![t as f64; d], 1.0, 1e-15, "equal rows");
        }
    }
}

#[test]
fn lengths_that_are_no_numbers_judge_nobody() {
    let rule = &mut chain(&[("fldetector", json!({ "window": 1 })), ("mean", json!({}))]);
    let task = Task::new(5, 4, 0.1);
    for t in 0..8 {
        let scale = if t == 4 { 1e150 } else { 1.0 };
        let point = vec![scale * (t + 1) as f64; 4];
        let sent = task.gradients(&point, t);
        round(rule, &point, &vectors(&sent, Dtype::F64), &[], t).unwrap();
        let errors = rule.state().values["errors"].to_string();
        assert!(!errors.contains("null"), "{errors}");
    }
    let rows = vectors(&gaussian(5, 4, 1), Dtype::F32);
    let before = chain(&[("fldetector", json!({})), ("mean", json!({}))]);
    assert!(round(&mut before.clone(), &[3e38; 4], &rows, &[], 1).is_ok());
}

#[test]
fn the_rule_inside_is_told_of_those_who_are_left() {
    let task = Task::new(9, 20, 0.01);
    let attacked = |t: u64, sent: &mut Rows| {
        let noise = gaussian(2, 20, 900 + t);
        sent[7..].iter_mut().zip(noise).for_each(|(row, noise)| *row = noise);
    };
    // told f = 2; of seven with f = 0 five nearest remain, or all seven are averaged
    let weights_under = |inner: (&str, serde_json::Value)| {
        let rule = &mut chain(&[("fldetector", json!({ "window": 2 })), inner]);
        weights(rule, &task, 12, attacked).pop().unwrap()
    };
    assert_eq!(weights_under(("cge", json!({}))), [vec![1.0 / 7.0; 7], vec![0.0; 2]].concat());
    assert_eq!(weights_under(("monna", json!({ "reference": 3 })))[7..], [0.0; 2], "who is known by id");
    // without its trusted worker the rule inside fails, as it would without the detector
    let rule = &mut chain(&[("fldetector", json!({ "window": 2 })), ("monna", json!({ "reference": 8 }))]);
    let (all, mut failed): (Vec<usize>, _) = ((0..9).collect(), false);
    let mut point = vec![3.0; 20];
    for t in 1..12 {
        let mut sent = task.gradients(&point, t);
        attacked(t, &mut sent);
        match round(rule, &point, &vectors(&sent, Dtype::F64), &all, t) {
            Ok(_) => point.iter_mut().for_each(|x| *x *= 0.9),
            Err(error) => failed = error.to_string().starts_with("monna: reference = 8"),
        }
    }
    assert!(failed);
}

#[test]
fn nobody_is_left_out_of_a_rule_that_could_not_stand_the_rest() {
    let task = Task::new(5, 20, 0.01);
    for (theta, stands) in [(4, true), (5, false)] {
        let inner = ("robust-lr", json!({ "theta": theta }));
        let mut rule = chain(&[("fldetector", json!({ "window": 2 })), inner.clone()]);
        let mut without = false;
        for t in 1..12 {
            let point = vec![3.0 * 0.9_f64.powi(t); 20];
            let mut sent = task.gradients(&point, t as u64);
            sent[4] = gaussian(1, 20, 900 + t as u64).remove(0);
            let made = round(&mut rule, &point, &vectors(&sent, Dtype::F64), &[], 1).unwrap().output.to_f64();
            without |= difference(&made, &output(std::slice::from_ref(&inner), &sent, 0), 1.0) > 1e-9;
        }
        assert_eq!(without, stands, "theta = {theta}");
    }
}

#[test]
fn fldetector_needs_the_servers_point() {
    let x = gaussian(5, 6, 1);
    let mut rule = plain(&["fldetector", "mean"]);
    assert!(rule.needs_point() && plain(&["nnm", "fldetector", "mean"]).needs_point());
    assert!(!plain(&["ctma", "cwmed"]).needs_point() && !rule.needs_reference());
    let error = rule.aggregate(&vectors(&x, Dtype::F64), 1, stream(1)).unwrap_err();
    assert_eq!(error, RuleError::NoPoint { rule: "fldetector" });
    assert_eq!(
        error.to_string(),
        "fldetector needs the point of the server at which the vectors were computed"
    );
    for unlike in [Vector::from(vec![1.0; 7]), vec![1f32; 6].into()] {
        let context = Context { point: Some(unlike), ..Context::new(1, stream(1)) };
        let error = rule.aggregate_in(&vectors(&x, Dtype::F64), context).unwrap_err();
        assert!(error.to_string().starts_with("fldetector: the server's vector has"), "{error}");
    }
}

#[test]
fn fldetector_remembers_no_row_that_is_not_finite() {
    let mut rule = plain(&["fldetector", "mean"]);
    let mut x = gaussian(5, 6, 1);
    round(&mut rule, &[0.0; 6], &vectors(&x, Dtype::F64), &[], 1).unwrap();
    x[2][3] = f64::NAN;
    let made = round(&mut rule, &[1.0; 6], &vectors(&x, Dtype::F64), &[], 1).unwrap();
    assert_eq!(made.set_aside, [2]);
    let state = rule.state();
    assert!(!state.vectors.contains_key("sent.2") && state.vectors.contains_key("sent.3"));
    assert!(round(&mut rule, &[2.0; 6], &vec![Vector::from(vec![f64::NAN; 6]); 5], &[], 1).is_err());
    assert_eq!(rule.state().values, state.values);
}

#[test]
fn fldetector_is_for_rounds_that_call_all_workers() {
    let rule = plain(&["fldetector", "mean"]);
    rule.check_workers(9, Size::new(9, 2)).unwrap();
    let error = rule.check_workers(9, Size::new(5, 2)).unwrap_err().to_string();
    assert!(error.ends_with("and a round calls 5 of 9 workers"), "{error}");
}
