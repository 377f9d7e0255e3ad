//! Every rule agrees with its oracle, on f64 and f32 rows, at every f that it can stand.

use phalanx_robust::{Dtype, Size};
use serde_json::{Value, json};

use crate::{
    naive::{
        self, arc, around, average, by_column, clipped, cwmed, cwtm, lower_median, mean_all, midpoint,
        upper_median,
    },
    naive_federated as federated,
    naive_selection::{
        self as selection, bulyan, ctma, gas, least_norms, mda, multi_krum, nearest_mean, nnm,
    },
    naive_spectral as spectral,
    stage::{Rows, assert_close, chain, gaussian, rounded, scale, stream, vectors},
};

type Oracle = Box<dyn Fn(&Rows, usize) -> Vec<f64>>;

/// A chain and the oracle of the whole of it.
pub struct Case {
    pub rules: Vec<(&'static str, Value)>,
    pub oracle: Oracle,
}

pub fn case(rules: &[(&'static str, Value)], oracle: impl Fn(&Rows, usize) -> Vec<f64> + 'static) -> Case {
    Case { rules: rules.to_vec(), oracle: Box::new(oracle) }
}

pub fn one(rule: &'static str, oracle: impl Fn(&Rows, usize) -> Vec<f64> + 'static) -> Case {
    case(&[(rule, json!({}))], oracle)
}

fn zeros(x: &Rows) -> Vec<f64> {
    vec![0.0; x[0].len()]
}

fn krum_case(power: i32, neighbours: &'static str, spare: usize) -> Case {
    let parameters = json!({ "power": power, "neighbours": neighbours });
    case(&[("krum", parameters)], move |x, f| multi_krum(x, x.len() - f - spare, power, 1))
}

/// The start of rows that weigh differently: whole rows, nearest to the centre first, until they weigh more than half.
fn heavy_majority(x: &Rows, weights: &[f64]) -> Vec<f64> {
    let sum = |i: usize| x.iter().zip(weights).map(|(r, w)| w * naive::distance(&x[i], r)).sum::<f64>();
    let centre = selection::order_by(x.len(), sum)[0];
    let nearest = selection::order_by(x.len(), |i| naive::distance(&x[i], &x[centre]));
    let weight = |rows: &[usize]| rows.iter().map(|&i| weights[i]).sum::<f64>();
    let half = weights.iter().sum::<f64>() / 2.0;
    let enough = (1..=x.len()).find(|&n| weight(&nearest[..n]) > half).unwrap();
    let kept = &nearest[..enough];
    let mean = |j: usize| kept.iter().map(|&i| weights[i] * x[i][j]).sum::<f64>() / weight(kept);
    (0..x[0].len()).map(mean).collect()
}

fn weiszfeld_case(start: &'static str, nu: f64, steps: usize) -> Case {
    let parameters = json!({ "start": start, "nu": nu, "steps": steps, "tolerance": 0.0 });
    case(&[("geometric-median", parameters)], move |x, _| {
        let z = match start {
            "zero" => zeros(x),
            "mean" => mean_all(x),
            "majority" => selection::majority(x),
            _ => cwmed(x),
        };
        naive::weiszfeld(x, &vec![1.0; x.len()], z, nu, steps)
    })
}

/// Rules of coordinates.
pub fn coordinate_cases() -> Vec<Case> {
    vec![
        one("mean", |x, _| mean_all(x)),
        one("cwmed", |x, _| cwmed(x)),
        case(&[("cwmed", json!({ "even": "lower" }))], |x, _| by_column(x, lower_median)),
        case(&[("cwmed", json!({ "even": "upper" }))], |x, _| by_column(x, upper_median)),
        one("cwtm", cwtm),
        one("meamed", |x, f| by_column(x, |v| around(v, midpoint(v), v.len() - f))),
        case(&[("meamed", json!({ "even": "lower" }))], |x, f| {
            by_column(x, |v| around(v, lower_median(v), v.len() - f))
        }),
        case(&[("meamed", json!({ "even": "upper" }))], |x, f| {
            by_column(x, |v| around(v, upper_median(v), v.len() - f))
        }),
        one("phocas", |x, f| by_column(x, |v| around(v, average(&v[f..v.len() - f]), v.len() - f))),
        one("sign-majority", |x, _| naive::sign_majority(x)),
        one("robust-lr", |x, f| naive::robust_lr(x, f + 1)),
        case(&[("robust-lr", json!({ "theta": 0 }))], |x, _| mean_all(x)),
        case(&[("robust-lr", json!({ "theta": 1 }))], |x, _| naive::robust_lr(x, 1)),
        case(&[("nnm", json!({})), ("robust-lr", json!({}))], |x, f| naive::robust_lr(&nnm(x, f), f + 1)),
        one("weighted-cwmed", |x, _| cwmed(x)),
        case(&[("weighted-mean", json!({ "weights": [] }))], |x, _| mean_all(x)),
    ]
}

/// Rules of distances and norms.
pub fn distance_cases() -> Vec<Case> {
    vec![
        krum_case(2, "m-f-2", 2),
        krum_case(1, "m-f-2", 2),
        krum_case(2, "m-f-1", 1),
        krum_case(4, "m-f-1", 1),
        one("multi-krum", |x, f| multi_krum(x, x.len() - f - 2, 2, x.len() - f - 2)),
        case(&[("multi-krum", json!({ "neighbours": "m-f-1", "select": "m-f" }))], |x, f| {
            multi_krum(x, x.len() - f - 1, 2, x.len() - f)
        }),
        case(&[("multi-krum", json!({ "select": { "exactly": 3 } }))], |x, f| {
            multi_krum(x, x.len() - f - 2, 2, 3)
        }),
        one("bulyan", |x, f| bulyan(x, f, midpoint)),
        case(&[("bulyan", json!({ "even": "upper" }))], |x, f| bulyan(x, f, upper_median)),
        one("cge", |x, f| least_norms(x, x.len() - f)),
        case(&[("monna", json!({ "reference": 2 }))], |x, f| nearest_mean(x, &x[2], x.len() - f)),
        one("aksel", |x, _| nearest_mean(x, &cwmed(x), x.len().div_ceil(2))),
        case(&[("aksel", json!({ "keep": "m-f" }))], |x, f| nearest_mean(x, &cwmed(x), x.len() - f)),
        case(&[("norm-clipping", json!({ "radius": 0.7 }))], |x, _| {
            mean_all(&x.iter().map(|r| clipped(r, 0.7)).collect())
        }),
        weiszfeld_case("zero", 0.1, 3),
        weiszfeld_case("mean", 1e-3, 4),
        weiszfeld_case("median", 0.1, 5),
        weiszfeld_case("majority", 0.1, 2),
        case(&[("centered-clipping", json!({ "tau": 0.9, "iterations": 3 }))], |x, _| {
            naive::centered_clipping(x, zeros(x), 0.9, 3)
        }),
        case(&[("centered-clipping", json!({ "tau": 0.5, "stateful": false, "start": "mean" }))], |x, _| {
            naive::centered_clipping(x, mean_all(x), 0.5, 1)
        }),
        case(
            &[("centered-clipping", json!({ "tau": 2.0, "stateful": false, "start": "median" }))],
            |x, _| naive::centered_clipping(x, cwmed(x), 2.0, 1),
        ),
        case(&[("flame", json!({ "noise": 0.0 }))], |x, _| selection::flame(x, 1)),
        one("fedseca", |x, _| federated::fedseca(x, 0.9)),
        case(&[("fedseca", json!({ "sparsity": 0.25 }))], |x, _| federated::fedseca(x, 0.25)),
        one("lasa", |x, _| federated::lasa(x, &[x[0].len()], 0.3, [1.0, 1.0])),
        case(&[("lasa", json!({ "sparsity": 0.8, "lambda_n": 2.0, "lambda_s": 1.5 }))], |x, _| {
            federated::lasa(x, &[x[0].len()], 0.8, [2.0, 1.5])
        }),
    ]
}

/// Rules whose oracles take m³ steps, many times.
pub fn spectral_cases() -> Vec<Case> {
    vec![
        one("reconstruction", |x, _| spectral::reconstruction(x, 3, 0.6)),
        case(&[("reconstruction", json!({ "components": 1, "threshold": 0.95 }))], |x, _| {
            spectral::reconstruction(x, 1, 0.95)
        }),
        case(&[("reconstruction", json!({ "components": 6, "threshold": 0.5 }))], |x, _| {
            spectral::reconstruction(x, 6, 0.5)
        }),
        case(&[("reconstruction", json!({ "components": 2, "threshold": 1e-3 }))], |x, _| {
            spectral::reconstruction(x, 2, 1e-3)
        }),
    ]
}

/// All coordinates in one group.
fn whole(d: usize) -> Vec<Vec<usize>> {
    vec![(0..d).collect()]
}

/// Every coordinate in a group of its own.
fn alone(d: usize) -> Vec<Vec<usize>> {
    (0..d).map(|j| vec![j]).collect()
}

/// Chains.
pub fn chain_cases() -> Vec<Case> {
    let none = || json!({});
    vec![
        case(&[("nnm", none()), ("cwmed", none())], |x, f| cwmed(&nnm(x, f))),
        case(&[("nnm", none()), ("mean", none())], |x, f| mean_all(&nnm(x, f))),
        case(&[("nnm", none()), ("weighted-cwmed", none())], |x, f| cwmed(&nnm(x, f))),
        case(&[("nnm", none()), ("centered-clipping", json!({ "tau": 0.4, "start": "median" }))], |x, f| {
            naive::centered_clipping(&nnm(x, f), cwmed(&nnm(x, f)), 0.4, 1)
        }),
        case(&[("clipping", json!({ "radius": 1.1 })), ("cwtm", none())], |x, f| {
            cwtm(&x.iter().map(|r| clipped(r, 1.1)).collect(), f)
        }),
        case(&[("foundation-fl", none()), ("cwmed", none())], |x, _| {
            cwmed(&federated::foundation_fl(x, x.len() / 2))
        }),
        case(&[("foundation-fl", json!({ "copies": 3 })), ("cwtm", none())], |x, f| {
            cwtm(&federated::foundation_fl(x, 3), f)
        }),
        case(&[("arc", none()), ("mean", none())], |x, f| mean_all(&arc(x, f))),
        case(&[("arc", none()), ("nnm", none()), ("cwtm", none())], |x, f| cwtm(&nnm(&arc(x, f), f), f)),
        case(&[("ctma", none()), ("cwmed", none())], |x, f| ctma(x, f, &cwmed(x), false)),
        case(&[("ctma", json!({ "ties": "kept" })), ("cwmed", none())], |x, f| ctma(x, f, &cwmed(x), true)),
        case(&[("ctma", none()), ("mean", none())], |x, f| ctma(x, f, &mean_all(x), false)),
        case(&[("ctma", none()), ("nnm", none()), ("cwmed", none())], |x, f| {
            ctma(x, f, &cwmed(&nnm(x, f)), false)
        }),
        case(&[("nnm", none()), ("ctma", none()), ("cwmed", none())], |x, f| {
            let y = nnm(x, f);
            ctma(&y, f, &cwmed(&y), false)
        }),
        case(&[("ctma", none()), ("ctma", none()), ("cge", none())], |x, f| {
            ctma(x, f, &ctma(x, f, &least_norms(x, x.len() - f), false), false)
        }),
        case(&[("gas", json!({ "groups": 1 })), ("cwmed", none())], |x, f| gas(x, f, cwmed, whole)),
        case(&[("gas", json!({ "groups": 1 })), ("mean", none())], |x, f| gas(x, f, mean_all, whole)),
        case(&[("gas", json!({ "groups": 20_000 })), ("cwmed", none())], |x, f| gas(x, f, cwmed, alone)),
        case(&[("gas", json!({ "groups": 20_000 })), ("cwtm", none())], |x, f| {
            gas(x, f, |x| cwtm(x, f), alone)
        }),
        case(
            &[
                ("clipping", json!({ "radius": 1.1 })),
                ("gas", json!({ "groups": 20_000 })),
                ("cwmed", none()),
            ],
            |x, f| gas(&x.iter().map(|r| clipped(r, 1.1)).collect(), f, cwmed, alone),
        ),
        case(&[("gas", json!({ "groups": 20_000 })), ("nnm", none()), ("mean", none())], |x, f| {
            gas(x, f, |x| mean_all(&nnm(x, f)), alone)
        }),
        case(&[("weighted-ctma", none()), ("cwmed", none())], |x, f| {
            let delta = f as f64 / x.len() as f64;
            selection::weighted_ctma(x, &vec![1.0; x.len()], delta, &cwmed(x))
        }),
    ]
}

/// Every f at the limit, in the middle and none, that the chain accepts at this m.
fn accepted(case: &Case, m: usize) -> Vec<usize> {
    let defence = chain(&case.rules);
    let all: Vec<usize> = (0..m).filter(|&f| defence.check(Size::new(m, f)).is_ok()).collect();
    match all[..] {
        [] => all,
        _ => vec![all[0], all[all.len() / 2], all[all.len() - 1]],
    }
}

/// The largest difference that rounding may make, relative to the largest value.
pub fn tolerance(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => 3e-6,
        Dtype::F64 => 1e-10,
    }
}

pub fn compare(case: &Case, x: &Rows, f: usize, dtype: Dtype, seed: u64) {
    let x = rounded(x, dtype);
    let got = chain(&case.rules).aggregate(&vectors(&x, dtype), f, stream(seed)).unwrap_or_else(|e| {
        panic!("{:?} on {}x{}, f = {f}: {e}", case.rules, x.len(), x[0].len());
    });
    let what = format!("{:?} on {}x{} {dtype}, f = {f}", case.rules, x.len(), x[0].len());
    let expected = (case.oracle)(&x, f);
    assert_close(&got.output.to_f64(), &expected, scale(&x), tolerance(dtype), &what);
    // the report describes the output
    if let Some(distances) = &got.distances {
        let own: Vec<f64> = x.iter().map(|r| naive::distance(r, &expected)).collect();
        let size = own.iter().copied().fold(1e-300, f64::max);
        assert_close(distances, &own, size.max(scale(&x)), 1e3 * tolerance(dtype), &what);
    }
    if let Some(weights) = &got.weights {
        let combined: Vec<f64> =
            (0..x[0].len()).map(|j| x.iter().zip(weights).map(|(r, w)| w * r[j]).sum()).collect();
        assert_close(&combined, &expected, scale(&x), tolerance(dtype), &what);
    }
}

#[test]
fn coordinate_rules_agree_with_their_oracles() {
    everywhere(&coordinate_cases());
}

#[test]
fn distance_rules_agree_with_their_oracles() {
    everywhere(&distance_cases());
}

#[test]
fn rules_of_a_few_directions_agree_with_their_oracles() {
    everywhere(&spectral_cases());
}

#[test]
fn chains_agree_with_their_oracles() {
    everywhere(&chain_cases());
}

fn everywhere(cases: &[Case]) {
    for case in cases {
        let mut compared = 0;
        for (m, d) in [(1, 1), (2, 3), (3, 1), (5, 2), (8, 7), (9, 33), (16, 100), (17, 257), (11, 1001)] {
            let x = gaussian(m, d, (m * 1000 + d) as u64);
            for f in accepted(case, m) {
                if case.rules[0].0 == "monna" && m < 3 {
                    continue;
                }
                compare(case, &x, f, Dtype::F64, 1);
                compare(case, &x, f, Dtype::F32, 1);
                compared += 1;
            }
        }
        assert!(compared >= 8, "{:?} was hardly tried", case.rules);
        let x = gaussian(7, 10_000, 5);
        compare(case, &x, 1, Dtype::F32, 1);
    }
}

/// At the point of least Σ ‖x_i - z‖ the unit vectors towards the rows cancel.
#[test]
fn the_geometric_median_is_where_all_pulls_cancel() {
    for (m, d, far) in [(8, 3, 0.0), (11, 40, 0.0), (11, 5, 1e3), (30, 2, 1e6)] {
        let mut x = gaussian(m, d, (m + d) as u64);
        x[1].iter_mut().for_each(|v| *v += far);
        let z = crate::stage::output(&[("geometric-median", json!({}))], &x, 3);
        let pull = |j: usize| x.iter().map(|r| (r[j] - z[j]) / naive::distance(r, &z)).sum::<f64>();
        let left = naive::norm(&(0..d).map(pull).collect::<Vec<_>>());
        assert!(left < 1e-4 * m as f64, "{m}x{d}, {far:e}: {left:e}");
    }
}

/// What auto-gm makes least, with the best weights for z: by halving where the level of the weights must lie.
fn auto_weighted(x: &Rows, z: &[f64], lambda: f64) -> (f64, Vec<f64>) {
    let distances: Vec<f64> = x.iter().map(|r| naive::distance(r, z)).collect();
    let weights = |eta: f64| distances.iter().map(|d| (eta - d).max(0.0) / lambda).collect::<Vec<f64>>();
    let (mut low, mut high) = (0.0, lambda + distances.iter().copied().fold(f64::INFINITY, f64::min));
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if weights(middle).iter().sum::<f64>() > 1.0 { high = middle } else { low = middle }
    }
    let best = weights(high);
    let parts = distances.iter().zip(&best).map(|(d, w)| w * d + lambda / 2.0 * w * w);
    (parts.sum(), best)
}

/// Neither a step of z nor other weights make the sum less, and it is no more than at the geometric median. A large
/// lambda is that.
#[test]
fn the_auto_weighted_median_is_where_neither_turn_helps() {
    for (m, d, far) in
        [(8, 3, 0.0), (11, 40, 0.0), (11, 5, 1e3), (30, 2, 1e6), (9, 33, 5.0), (1, 4, 0.0), (2, 3, 1.0)]
    {
        for lambda in [Some(0.5), Some(3.0), None, Some(1e6)] {
            let mut x = gaussian(m, d, (m + d) as u64);
            x[m / 2].iter_mut().for_each(|v| *v += far);
            let parameters = json!({ "lambda": lambda, "tolerance": 1e-12 });
            let z = crate::stage::output(&[("auto-gm", parameters)], &x, (m - 1) / 2);
            let lambda = lambda.unwrap_or(m as f64);
            let (sum, weights) = auto_weighted(&x, &z, lambda);
            let median = crate::stage::output(&[("geometric-median", json!({}))], &x, (m - 1) / 2);
            assert!(sum <= auto_weighted(&x, &median, lambda).0 * (1.0 + 1e-9), "{m}x{d}, lambda {lambda}");
            let better = naive::weiszfeld(&x, &weights, z.clone(), 1e-9, 2000);
            let (least, _) = auto_weighted(&x, &better, lambda);
            assert!(
                sum <= least * (1.0 + 1e-5),
                "{m}x{d}, {far:e}, lambda {lambda}: {sum} where {least} can be"
            );
            if lambda == 1e6 && far < 1e3 {
                assert_close(&z, &median, scale(&x), 1e-3, "equal weights");
            }
        }
    }
}

/// Whoever is farther from the point than the level of the weights has no part in it, wherever its row is.
#[test]
fn auto_weights_leave_out_who_is_far_away() {
    let mut x = gaussian(11, 6, 31);
    x[2] = vec![40.0; 6];
    x[9] = vec![-1e9; 6];
    let rule = [("auto-gm", json!({ "iterations": 300, "tolerance": 0.0 }))];
    let found = |x: &Rows| crate::stage::aggregate(&mut chain(&rule), x, 2).unwrap();
    let straight = found(&x);
    let weights = straight.weights.unwrap();
    assert!(weights[2] == 0.0 && weights[9] == 0.0, "{weights:?}");
    assert!(weights.iter().filter(|w| **w > 0.0).count() >= 6, "{weights:?}");
    for turn in 1..11 {
        let mut turned = x.clone();
        turned.rotate_left(turn);
        assert_close(&found(&turned).output.to_f64(), &straight.output.to_f64(), 1.0, 1e-6, "turned");
    }
}

#[test]
fn mda_agrees_with_the_enumeration() {
    for (m, d, seed) in [(3, 2, 1), (6, 1, 2), (8, 3, 3), (9, 40, 4), (11, 5, 5), (12, 2, 6)] {
        for f in 0..=(m - 1) / 2 {
            compare(&one("mda", mda), &gaussian(m, d, seed), f, Dtype::F64, 1);
        }
    }
    // values on a grid: many equal distances, many sets of the least diameter
    for seed in 0..20 {
        let x: Rows =
            gaussian(9, 2, 100 + seed).iter().map(|r| r.iter().map(|v| v.round()).collect()).collect();
        for f in 0..=4 {
            compare(&one("mda", mda), &x, f, Dtype::F64, 1);
        }
    }
}

#[test]
fn spectral_rules_agree_with_their_oracles() {
    let smea = one("smea", spectral::smea);
    let caf = one("caf", spectral::caf);
    let dnc = one("dnc", spectral::dnc);
    for (m, d, seed) in [(4, 2, 1), (5, 1, 2), (7, 3, 3), (9, 4, 4), (10, 6, 5)] {
        for f in 0..=(m - 1) / 2 {
            let x = gaussian(m, d, 50 + seed);
            compare(&smea, &x, f, Dtype::F64, 1);
            compare(&caf, &x, f, Dtype::F64, 1);
            compare(&dnc, &x, f, Dtype::F64, 1);
        }
    }
    for (m, f) in [(30, 7), (60, 12)] {
        let x = gaussian(m, 12, 77);
        compare(&caf, &x, f, Dtype::F64, 1);
        compare(&dnc, &x, f, Dtype::F64, 1);
    }
}

#[test]
fn many_rows() {
    let cases: Vec<Case> =
        coordinate_cases().into_iter().chain(distance_cases()).chain(chain_cases()).collect();
    for (m, f) in [(100, 24), (1000, 249)] {
        let x = gaussian(m, 3, m as u64);
        // oracles that take m³ steps, and second variants, are for the smaller batch
        let first = |at: usize| cases[..at].iter().all(|case| case.rules[0].0 != cases[at].rules[0].0);
        let quick = |at: usize| {
            first(at) && !["bulyan", "flame", "nnm", "clipping", "arc"].contains(&cases[at].rules[0].0)
        };
        for at in (0..cases.len()).filter(|&at| m < 1000 || quick(at)) {
            compare(&cases[at], &x, f, Dtype::F64, 1);
        }
    }
}

#[test]
fn weights_count_as_repetitions_do() {
    // a row of weight 3 is three rows of weight 1
    let x = gaussian(7, 5, 3);
    let counts = [1usize, 3, 2, 1, 1, 4, 2];
    let weights: Vec<f64> = counts.iter().map(|&c| c as f64).collect();
    let repeated: Rows = x.iter().zip(counts).flat_map(|(r, c)| vec![r.clone(); c]).collect();
    let own = |more: Value| {
        let mut all = json!({ "weights": weights });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let mean = crate::stage::output(&[("weighted-mean", own(json!({})))], &x, 2);
    assert_close(&mean, &mean_all(&repeated), 1.0, 1e-12, "weighted-mean");
    let median = crate::stage::output(&[("weighted-cwmed", own(json!({})))], &x, 2);
    assert_close(&median, &cwmed(&repeated), 1.0, 1e-12, "weighted-cwmed");
    let column = |j: usize| naive::weighted_median(&x.iter().map(|r| r[j]).collect::<Vec<_>>(), &weights);
    assert_close(&median, &(0..5).map(column).collect::<Vec<_>>(), 1.0, 1e-12, "weighted-cwmed by trial");

    let steps = json!({ "start": "zero", "nu": 0.1, "steps": 3, "tolerance": 0.0 });
    let point = crate::stage::output(&[("weighted-geometric-median", own(steps))], &x, 2);
    let expected = naive::weiszfeld(&repeated, &[1.0; 14], vec![0.0; 5], 0.1, 3);
    assert_close(&point, &expected, 1.0, 1e-12, "weighted-geometric-median");
    let majority = json!({ "start": "majority", "nu": 0.1, "steps": 2, "tolerance": 0.0 });
    let point = crate::stage::output(&[("weighted-geometric-median", own(majority))], &x, 2);
    let expected = naive::weiszfeld(&repeated, &[1.0; 14], heavy_majority(&x, &weights), 0.1, 2);
    assert_close(&point, &expected, 1.0, 1e-12, "weighted-geometric-median from a majority");

    for delta in [0.0, 0.2, 5.0 / 14.0, 0.49] {
        let trimmed = crate::stage::output(
            &[("weighted-ctma", own(json!({ "delta": delta }))), ("weighted-cwmed", own(json!({})))],
            &x,
            2,
        );
        let expected = selection::weighted_ctma(&x, &weights, delta, &median);
        assert_close(&trimmed, &expected, 1.0, 1e-12, "weighted-ctma");
    }
}

#[test]
fn fractions_of_weight_add_up_in_any_order() {
    let median = |pairs: &[(f64, f64)]| {
        let x: Rows = pairs.iter().map(|(value, _)| vec![*value]).collect();
        let weights: Vec<f64> = pairs.iter().map(|(_, weight)| *weight).collect();
        crate::stage::output(&[("weighted-cwmed", json!({ "weights": weights }))], &x, 1)[0]
    };
    for weight in [0.1, 0.3, 0.7, 1.0 / 3.0] {
        let equal: Vec<(f64, f64)> = (0..6).map(|i| (f64::from(i), weight)).collect();
        assert_eq!(median(&equal), 2.5, "{weight}");
    }
    let mut pairs = [(0.0, 0.1), (1.0, 0.2), (2.0, 0.3), (10.0, 0.1), (11.0, 0.2), (12.0, 0.3)];
    for turn in 0..pairs.len() {
        for swapped in 1..pairs.len() {
            pairs.swap(0, swapped);
            assert_eq!(median(&pairs), 6.0, "{pairs:?}");
        }
        pairs.rotate_left(turn);
    }
}

#[test]
fn half_of_the_weight_is_told_apart() {
    let x: Rows = vec![vec![1.0], vec![2.0], vec![4.0], vec![8.0]];
    for (half, expected) in [("lower", 2.0), ("midpoint", 3.0), ("upper", 4.0)] {
        assert_eq!(crate::stage::output(&[("weighted-cwmed", json!({ "half": half }))], &x, 1), [expected]);
        let weights = json!({ "half": half, "weights": [5.0, 1.0, 1.0, 1.0] });
        assert_eq!(crate::stage::output(&[("weighted-cwmed", weights)], &x, 1), [1.0]);
    }
}
