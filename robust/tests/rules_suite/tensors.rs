//! Rules that go by the tensors of a model, and how they are told of them.

use phalanx_robust::{
    Dtype, Layout,
    aggregation::{Context, Defence, RuleError},
    state::Stateful,
};
use serde_json::{Value, json};

use crate::{
    naive::{clipped, mean_all, norm},
    naive_federated::{fl_defender, lasa},
    naive_selection::nnm,
    stage::{
        Rows, aggregate, assert_close, chain, gaussian, layer, output, plain, rounded, scale, stream, vectors,
    },
};

/// Tensors of these lengths, each a layer of its own.
fn tensors(lengths: &[usize]) -> Layout {
    Layout::new(lengths.iter().enumerate().map(|(at, length)| (at.to_string(), *length)))
}

/// The chain of these rules, told of tensors of these lengths.
fn told(rules: &[(&str, Value)], lengths: &[usize]) -> Defence {
    let mut defence = chain(rules);
    defence.know_layout(&tensors(lengths)).unwrap();
    defence
}

fn parameters(sparsity: f64, lambdas: [f64; 2]) -> Value {
    json!({ "sparsity": sparsity, "lambda_n": lambdas[0], "lambda_s": lambdas[1] })
}

/// Tensors of one coordinate, and such as are longer than what a kernel takes at once.
#[test]
fn lasa_agrees_tensor_by_tensor() {
    let shapes = [
        (1, vec![1]),
        (2, vec![1, 2]),
        (3, vec![5]),
        (5, vec![1; 9]),
        (8, vec![3, 1, 30, 7]),
        (9, vec![400, 16, 33]),
        (17, vec![1, 1500, 2]),
        (6, vec![70_000, 5, 30_000]),
    ];
    for (m, lengths) in shapes {
        let d = lengths.iter().sum();
        for (sparsity, lambdas) in [(0.3, [1.0, 1.0]), (0.0, [2.0, 0.5]), (0.95, [0.7, 1.5])] {
            for dtype in [Dtype::F64, Dtype::F32] {
                let x = rounded(&gaussian(m, d, (10 * m + d) as u64), dtype);
                let mut defence = told(&[("lasa", parameters(sparsity, lambdas))], &lengths);
                let got = defence.aggregate(&vectors(&x, dtype), 0, stream(1)).unwrap();
                let expected = lasa(&x, &lengths, sparsity, lambdas);
                let tolerance = if dtype == Dtype::F32 { 1e-6 } else { 1e-12 };
                let what = format!("{m} rows of {lengths:?} in {dtype}, {sparsity}, {lambdas:?}");
                assert_close(&got.output.to_f64(), &expected, scale(&x), tolerance, &what);
            }
        }
    }
}

/// Values on a grid: lengths at the quantile, balances that tie, and one row of zeros and one that is huge.
#[test]
fn lasa_agrees_where_values_tie() {
    for seed in 0..60 {
        let m = 4 + seed as usize % 7;
        let mut x: Rows =
            gaussian(m, 23, 700 + seed).iter().map(|r| r.iter().map(|v| v.round()).collect()).collect();
        x[seed as usize % m].iter_mut().for_each(|v| *v *= 1e12);
        x[(seed as usize + 2) % m] = vec![0.0; 23];
        for (sparsity, lambdas) in [(0.0, [1.0, 1.0]), (0.5, [2.0, 1.0]), (0.9, [1.0, 0.5])] {
            let lengths = [4, 9, 1, 9];
            let mut defence = told(&[("lasa", parameters(sparsity, lambdas))], &lengths);
            let got = aggregate(&mut defence, &x, 1).unwrap().output.to_f64();
            let what = format!("{seed}, {sparsity}, {lambdas:?}");
            assert_close(&got, &lasa(&x, &lengths, sparsity, lambdas), 1.0, 1e-11, &what);
        }
    }
}

#[test]
fn lasa_looks_at_the_rows_that_it_is_given() {
    let lengths = [11, 1, 28];
    for (m, f) in [(8, 1), (9, 3), (12, 5)] {
        let x = gaussian(m, 40, 200 + m as u64);
        let shorter: Rows = nnm(&x, f).iter().map(|r| clipped(r, 1.1)).collect();
        let rules = [("nnm", json!({})), ("clipping", json!({ "radius": 1.1 })), ("lasa", json!({}))];
        let got = aggregate(&mut told(&rules, &lengths), &x, f).unwrap().output.to_f64();
        assert_close(&got, &lasa(&shorter, &lengths, 0.3, [1.0, 1.0]), 1.0, 1e-11, &format!("{m} and {f}"));
    }
}

/// Without sparsity all that is left out is who does not pass.
#[test]
fn lasa_leaves_out_whoever_stands_out_and_only_where_it_does() {
    let mut x = gaussian(10, 600, 8);
    x.iter_mut().flatten().for_each(|v| *v = 1.0 + 0.3 * *v);
    x[2][..200].iter_mut().for_each(|v| *v = -*v); // by its signs
    x[7][400..].iter_mut().for_each(|v| *v *= 0.05); // by its length
    let loose = parameters(0.0, [2.5, 2.5]);
    let got = aggregate(&mut told(&[("lasa", loose)], &[200, 200, 200]), &x, 3).unwrap().output.to_f64();
    let radius = {
        let mut norms: Vec<f64> = x.iter().map(|row| norm(row)).collect();
        norms.sort_by(f64::total_cmp);
        (norms[4] + norms[5]) / 2.0
    };
    for (tensor, out) in [(0..200, Some(2)), (200..400, None), (400..600, Some(7))] {
        let kept: Rows = (0..10)
            .filter(|i| Some(*i) != out)
            .map(|i| clipped(&x[i], radius)[tensor.clone()].to_vec())
            .collect();
        assert_close(&got[tensor.clone()], &mean_all(&kept), 1.0, 1e-12, &format!("{tensor:?}"));
    }
    let whole = output(&[("lasa", parameters(0.0, [2.5, 2.5]))], &x, 3);
    assert!(norm(&whole[..200]) < norm(&got[..200]), "as one tensor nobody stands out by signs");
}

#[test]
fn lasa_thins_equal_vectors_out() {
    let row: Vec<f64> = (1..=10).map(|v| f64::from(v) * if v % 2 == 0 { 1.0 } else { -1.0 }).collect();
    for m in [1, 2, 7, 8] {
        let got = aggregate(&mut told(&[("lasa", json!({}))], &[4, 6]), &vec![row.clone(); m], 0).unwrap();
        let expected: Vec<f64> = row.iter().map(|v| if v.abs() < 3.7 { 0.0 } else { *v }).collect();
        assert_close(&got.output.to_f64(), &expected, 1.0, 1e-12, "lasa");
    }
}

/// The weighted mean of the rows.
fn weighted(x: &Rows, weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    (0..x[0].len()).map(|j| x.iter().zip(weights).map(|(r, w)| w * r[j]).sum::<f64>() / total).collect()
}

#[test]
fn fl_defender_trusts_by_the_last_layer_of_all_rounds() {
    let layout = Layout::new([("0.weight", 20), ("0.bias", 3), ("2.weight", 9), ("2.bias", 2)]);
    let mut between = 0;
    for m in [3, 5, 8, 11, 17] {
        let fresh = || {
            let mut defence = plain(&["fl-defender"]);
            defence.know_layout(&layout).unwrap();
            defence
        };
        let (mut defence, mut trust) = (fresh(), vec![0.0; m]);
        for round in 0..6 {
            let x = gaussian(m, 34, 40 * m as u64 + round);
            let last: Rows = x.iter().map(|r| r[23..].to_vec()).collect();
            let weights = fl_defender(&last, &mut trust, &(0..m).collect::<Vec<_>>());
            between += weights.iter().filter(|w| **w > 0.0).count();
            let got = aggregate(&mut defence, &x, (m - 1) / 2).unwrap();
            let what = format!("{m} rows in round {round}");
            assert_close(&got.output.to_f64(), &weighted(&x, &weights), 1.0, 1e-7, &what);
            assert!(
                got.weights.unwrap().iter().zip(&weights).all(|(a, b)| (*a > 0.0) == (*b > 0.0)),
                "{what}"
            );
            let mut other = fresh();
            other.restore(&defence.state()).unwrap();
            defence = other;
        }
    }
    assert!(between > 100, "{between} weights were above 0");
}

#[test]
fn fl_defender_takes_all_coordinates_where_there_is_one_layer() {
    for dtype in [Dtype::F64, Dtype::F32] {
        for m in [4, 9, 16] {
            let x = rounded(&gaussian(m, 300, m as u64), dtype);
            let got = plain(&["fl-defender"]).aggregate(&vectors(&x, dtype), 1, stream(1)).unwrap();
            let weights = fl_defender(&x, &mut vec![0.0; m], &(0..m).collect::<Vec<_>>());
            assert_close(&got.output.to_f64(), &weighted(&x, &weights), 1.0, 1e-4, &format!("{m} {dtype}"));
        }
    }
}

#[test]
fn fl_defender_knows_workers_when_some_are_absent() {
    let mut defence = told(&[("fl-defender", json!({}))], &[4, 9]);
    let mut trust = Vec::new();
    // worker 6 comes first in the last round: until then there are six to take the quartile of
    let rounds = [vec![0, 1, 2, 3, 4, 5], vec![1, 3, 4], vec![4, 2, 0, 1, 6]];
    for (round, present) in rounds.into_iter().enumerate() {
        let x = gaussian(present.len(), 13, 70 + round as u64);
        trust.resize(if round < 2 { 6 } else { 7 }, 0.0);
        let last: Rows = x.iter().map(|r| r[4..].to_vec()).collect();
        let weights = fl_defender(&last, &mut trust, &present);
        let context = Context { workers: present, ..Context::new(1, stream(1)) };
        let got = defence.aggregate_in(&vectors(&x, Dtype::F64), context).unwrap().output.to_f64();
        assert_close(&got, &weighted(&x, &weights), 1.0, 1e-8, &format!("round {round}"));
    }
    let before = defence.state().values;
    let mut first = gaussian(5, 13, 1);
    first.iter_mut().for_each(|row| row[0] = f64::NAN); // not in the last layer
    for refused in [gaussian(5, 12, 1), first] {
        assert!(aggregate(&mut defence, &refused, 1).is_err());
        assert_eq!(defence.state().values, before);
    }
}

#[test]
fn fl_defender_leaves_equal_vectors_as_they_are() {
    for row in [gaussian(1, 37, 9).remove(0), vec![0.0; 37]] {
        for m in [1, 2, 3, 7, 8] {
            let got = output(&[("fl-defender", json!({}))], &vec![row.clone(); m], 0);
            assert_close(&got, &row, 1.0, 1e-12, "equal");
        }
    }
    // of two workers neither is more like the other
    let pair = aggregate(&mut plain(&["fl-defender"]), &gaussian(2, 9, 4), 0).unwrap();
    assert_eq!(pair.weights.unwrap(), [0.5, 0.5]);
}

/// Flippers send what all send but for their own direction in the last layer.
#[test]
fn fl_defender_puts_out_who_turns_the_last_layer() {
    let layout = Layout::new([("0.weight", 300), ("1.weight", 60), ("1.bias", 6)]);
    let mut defence = plain(&["fl-defender"]);
    defence.know_layout(&layout).unwrap();
    let common = gaussian(2, 366, 5);
    let mut weights = Vec::new();
    for round in 0..10 {
        let mut x = gaussian(10, 366, 300 + round);
        for (i, row) in x.iter_mut().enumerate() {
            row.iter_mut().zip(&common[0]).for_each(|(v, c)| *v += 2.0 * c);
            if i >= 7 {
                row[300..].iter_mut().zip(&common[1][300..]).for_each(|(v, c)| *v += 4.0 * c);
            }
        }
        weights = aggregate(&mut defence, &x, 3).unwrap().weights.unwrap();
    }
    assert!(weights[7..].iter().all(|w| *w < 0.02), "{weights:?}");
    assert!(weights[..7].iter().sum::<f64>() > 0.95, "{weights:?}");
}

#[test]
fn every_layer_of_a_chain_hands_on_what_it_is_told() {
    let x = gaussian(9, 12, 3);
    let outer = ["nnm", "clipping", "ctma", "weighted-ctma"].map(|layer| (layer, json!({})));
    for rule in ["lasa", "fl-defender"] {
        for over in (0..outer.len()).map(|at| vec![outer[at].clone()]).chain([outer.to_vec(), vec![]]) {
            let rules = [over, vec![(rule, json!({}))]].concat();
            let found = |lengths: &[usize]| {
                aggregate(&mut told(&rules, lengths), &x, 2).map(|found| found.output.to_f64())
            };
            assert_eq!(
                found(&[12]).unwrap(),
                output(&rules, &x, 2),
                "{rules:?}: one tensor is as good as none"
            );
            assert!(chain(&rules).needs_layout(), "{rules:?}");
            let refused = found(&[5, 8]).unwrap_err();
            let said =
                format!("{rule}: it was told of tensors of 13 coordinates together; the vectors have 12");
            assert_eq!(refused.to_string(), said, "{rules:?}");
            assert!(!refused.is_turnout() && !refused.is_own());
        }
    }
    assert!(!plain(&["ctma", "nnm", "cwmed"]).needs_layout());
}

/// A group of coordinates has pieces of tensors.
#[test]
fn what_goes_by_tensors_does_not_stand_under_groups_of_coordinates() {
    for rule in ["lasa", "fl-defender"] {
        for over in [&["gas"][..], &["ctma", "gas", "nnm"]] {
            let layers = over.iter().chain([&rule]).map(|name| layer(name, &json!({}))).collect();
            let error = Defence::new(layers).map(|_| ()).unwrap_err();
            assert!(
                matches!(&error, RuleError::Chain(why) if why.contains("tensors of the model")),
                "{error}"
            );
        }
    }
    plain(&["gas", "cwmed"]);
}
