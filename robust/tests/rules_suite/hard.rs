//! Inputs that break careless arithmetic.

use phalanx_robust::{Dtype, Size, aggregation::Defence};
use serde_json::{Value, json};

use crate::{
    agree::{Case, chain_cases, compare, coordinate_cases, distance_cases, one, spectral_cases, tolerance},
    naive::{distance, mean_all, norm},
    naive_selection::{krum_scores, mda},
    naive_spectral as spectral,
    stage::{Rows, assert_close, chain, gaussian, output, plain, scale, stream, vectors},
};

fn all_cases() -> Vec<Case> {
    let cases = coordinate_cases().into_iter().chain(distance_cases());
    cases.chain(spectral_cases()).chain(chain_cases()).collect()
}

/// Rows that differ by 0.01 a coordinate around one of norm 1e4.
fn near_equal(m: usize, d: usize, seed: u64) -> Rows {
    let size = 1e4 / (d as f64).sqrt();
    gaussian(m, d, seed).iter().map(|r| r.iter().map(|v| size + 0.01 * v).collect()).collect()
}

#[test]
fn nearly_equal_rows_of_large_norm() {
    let x = near_equal(11, 100, 3);
    for case in &all_cases() {
        compare(case, &x, 2, Dtype::F64, 1);
        compare(case, &x, 2, Dtype::F32, 1);
    }
    // whoever is chosen is chosen by differences that are a millionth of the norms
    let small = near_equal(9, 4, 4);
    compare(&one("mda", mda), &small, 3, Dtype::F64, 1);
    compare(&one("smea", spectral::smea), &small, 3, Dtype::F64, 1);
}

#[test]
fn distances_of_nearly_equal_rows_keep_three_digits() {
    for dtype in [Dtype::F32, Dtype::F64] {
        let x = crate::stage::rounded(&near_equal(8, 1000, 5), dtype);
        for rule in [&["krum"][..], &["ctma", "cwmed"], &["geometric-median"]] {
            let got = plain(rule).aggregate(&vectors(&x, dtype), 1, stream(1)).unwrap();
            let weights = got.weights.unwrap();
            let exact: Vec<f64> =
                (0..1000).map(|j| x.iter().zip(&weights).map(|(r, w)| w * r[j]).sum()).collect();
            let expected: Vec<f64> = x.iter().map(|r| distance(r, &exact)).collect();
            let reach = expected.iter().copied().fold(0.0, f64::max);
            for (d, expected) in got.distances.unwrap().iter().zip(&expected) {
                // the distance of a chosen row to itself is zero among distances of this reach
                let allowed = 1e-3 * if *expected == 0.0 { reach } else { *expected };
                assert!((d - expected).abs() <= allowed, "{rule:?} {dtype}: {d} {expected}");
            }
        }
    }
}

/// Distances under a map are computed from products, in which rounding must not tell i from j apart.
#[test]
fn the_least_diameter_is_found_under_a_map() {
    let shorter = |row: &Vec<f64>| {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter().map(|v| v * (2.0 / norm).min(1.0)).collect()
    };
    let mut inputs: Vec<(Rows, usize)> = (0..100).map(|seed| (gaussian(9, 2, seed), 2)).collect();
    inputs.push((vec![vec![-1.0, 2.0], vec![9.0, -8.0], vec![0.0, -3.0]], 1));
    for (x, f) in &inputs {
        let clipped: Rows = x.iter().map(shorter).collect();
        let got = output(&[("clipping", json!({})), ("mda", json!({}))], x, *f);
        assert_close(&got, &mda(&clipped, *f), 1.0, 1e-9, "clipping, mda");
    }
}

/// Two directions that the cosine in f64 cannot tell apart.
#[test]
fn clusters_of_nearly_parallel_rows_are_told_apart() {
    let [a, b] = [0, 1].map(|at| gaussian(2, 6, 77).swap_remove(at));
    let row = |i: usize| -> Vec<f64> {
        let side = if i.is_multiple_of(2) { 0.0 } else { 3e-9 };
        a.iter().zip(&b).map(|(a, b)| a + side * b).collect()
    };
    let x: Rows = (0..9).map(row).collect();
    let found = plain(&["clipped-clustering"]).aggregate(&vectors(&x, Dtype::F64), 2, stream(1)).unwrap();
    let kept: Vec<usize> = (0..9).filter(|&i| found.weights.as_ref().unwrap()[i] > 0.0).collect();
    assert_eq!(kept, [0, 2, 4, 6, 8]);
}

#[test]
fn identical_rows_come_back_as_they_are() {
    let row = gaussian(1, 37, 9).remove(0);
    for (m, f) in [(7, 1), (8, 1), (15, 3)] {
        let x = vec![row.clone(); m];
        for rule in
            ["mean", "cwmed", "cwtm", "meamed", "phocas", "krum", "multi-krum", "bulyan", "geometric-median"]
        {
            assert_close(&output(&[(rule, json!({}))], &x, f), &row, 1.0, 1e-12, rule);
        }
        for rule in [
            "mda",
            "smea",
            "caf",
            "dnc",
            "auto-gm",
            "monna",
            "cge",
            "aksel",
            "weighted-cwmed",
            "signguard",
            "safeguard",
            "reconstruction",
        ] {
            assert_close(&output(&[(rule, json!({}))], &x, f), &row, 1.0, 1e-12, rule);
        }
        for pre in ["nnm", "bucketing", "arc", "ctma", "gas", "foundation-fl"] {
            assert_close(&output(&[(pre, json!({})), ("cwmed", json!({}))], &x, f), &row, 1.0, 1e-12, pre);
        }
    }
}

#[test]
fn a_huge_row_moves_nothing_that_it_must_not() {
    let f32s = [1e8, 1e18, 1e30].map(|huge| (huge, Dtype::F32));
    let f64s = [1e60, 1e78, 1e120, 1e150, 1e153].map(|huge| (huge, Dtype::F64));
    for ((huge, dtype), at) in f32s.into_iter().chain(f64s).flat_map(|one| [0, 4, 10].map(|at| (one, at))) {
        let mut x = gaussian(11, 65, 8);
        x[at] = vec![huge; 65];
        let honest: Rows = x.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, r)| r.clone()).collect();
        let reach = honest.iter().map(|r| distance(r, &mean_all(&honest))).fold(0.0, f64::max);
        let off = |defence: &mut Defence| {
            let got = defence.aggregate(&vectors(&x, dtype), 2, stream(1)).unwrap();
            distance(&got.output.to_f64(), &mean_all(&honest))
        };
        for rule in [
            &["cwmed"][..],
            &["cwtm"],
            &["meamed"],
            &["phocas"],
            &["krum"],
            &["multi-krum"],
            &["bulyan"],
            &["mda"],
            &["smea"],
            &["cge"],
            &["aksel"],
            &["monna"],
            &["caf"],
            &["dnc"],
            &["nnm", "cwmed"],
            &["nnm", "smea"],
            &["nnm", "caf"],
            &["ctma", "cwmed"],
            &["ctma", "nnm", "cwmed"],
            &["gas", "cwmed"],
            &["gas", "krum"],
            &["weighted-cwmed"],
            &["arc", "cwmed"],
            &["foundation-fl", "cwmed"],
            &["foundation-fl", "cwtm"],
            // the geometric median goes on until the huge row weighs next to nothing
            &["geometric-median"],
            &["auto-gm"],
        ] {
            if at == 0 && rule == ["monna"] {
                continue; // the row that the others are compared with
            }
            let off = off(&mut plain(rule));
            assert!(off <= reach, "{rule:?} with {huge:e} at {at}: off by {off:e}, reach {reach}");
        }
        let off_greedily = off(&mut chain(&[("smea", json!({ "search": "greedy" }))]));
        assert!(off_greedily <= reach, "greedy smea with {huge:e} at {at}: off by {off_greedily:e}");
        let off_in_flame = off(&mut chain(&[("flame", json!({ "noise": 0.0 }))]));
        assert!(off_in_flame <= reach, "flame with {huge:e} at {at}: off by {off_in_flame:e}");
        for rule in ["centered-clipping", "sequential-centered-clipping", "norm-clipping"] {
            assert!(off(&mut plain(&[rule])) < 12.0, "{rule} with {huge:e} at {at}");
        }
    }
}

/// Two rows that are so far apart that the squared distance is infinite, though their squared norms are not.
#[test]
fn distances_too_large_for_a_number_move_nothing() {
    let mut x = gaussian(11, 65, 8);
    (x[3], x[7]) = (vec![1.6e153; 65], vec![-1.6e153; 65]);
    let honest: Rows = (0..11).filter(|i| ![3, 7].contains(i)).map(|i| x[i].clone()).collect();
    for rule in [
        &["smea"][..],
        &["caf"],
        &["dnc"],
        &["krum"],
        &["bulyan"],
        &["mda"],
        &["geometric-median"],
        &["auto-gm"],
        &["sequential-centered-clipping"],
    ] {
        let got = crate::stage::aggregate(&mut plain(rule), &x, 2).unwrap();
        let off = distance(&got.output.to_f64(), &mean_all(&honest));
        assert!(off <= 9.0, "{rule:?}: off by {off:e}");
    }
}

/// Rows whose squared norm is no number in f64 are as good as not there, for rules that need it.
#[test]
fn a_row_whose_squared_norm_overflows_is_set_aside() {
    for (huge, at) in [1e155, 1e200, 1e300].into_iter().flat_map(|huge| [0, 4, 10].map(|at| (huge, at))) {
        let mut x = gaussian(11, 65, 8);
        x[at] = vec![huge; 65];
        let honest: Rows = x.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, r)| r.clone()).collect();
        for rule in [
            &["smea"][..],
            &["caf"],
            &["dnc"],
            &["nnm", "caf"],
            &["krum"],
            &["geometric-median"],
            &["auto-gm"],
            &["sequential-centered-clipping"],
        ] {
            let got = crate::stage::aggregate(&mut plain(rule), &x, 2).unwrap();
            assert_eq!(got.set_aside, [at], "{rule:?} with {huge:e}");
            let expected = crate::stage::aggregate(&mut plain(rule), &honest, 1).unwrap().output.to_f64();
            assert_close(&got.output.to_f64(), &expected, 1.0, 1e-12, &format!("{rule:?} with {huge:e}"));
        }
    }
}

/// Two vectors of the largest numbers are finite, and what a rule makes of them with others must be too.
#[test]
fn sums_of_the_largest_numbers_do_not_overflow() {
    let most = f64::MAX;
    let mut x = gaussian(9, 40, 9);
    x[7..].iter_mut().for_each(|row| row.fill(most));
    let got = output(&[("robust-lr", json!({}))], &x, 2);
    assert!(got.iter().all(|v| (v.abs() / most - 2.0 / 9.0).abs() < 1e-12), "{got:?}");
    for rule in ["mean", "cwmed", "cwtm", "meamed", "phocas", "robust-lr"] {
        let got = output(&[(rule, json!({}))], &vec![vec![most; 40]; 9], 2);
        assert!(got.iter().all(|v| (v / most - 1.0).abs() < 1e-12), "{rule}: {got:?}");
    }
}

/// Rules whose result the order of the vectors has no part in, if f of them are far away; the number of vectors from
/// which on no two of them tie.
fn without_order() -> Vec<(Vec<(&'static str, Value)>, usize)> {
    let none = || json!({});
    let median = || json!({ "tolerance": 0.0, "steps": 50 });
    let clipping = |start: &str| json!({ "iterations": 3, "start": start, "tau": 1.0 });
    let mut all = vec![
        (vec![("geometric-median", median())], 3),
        (vec![("geometric-median", json!({ "start": "median", "tolerance": 0.0, "steps": 50 }))], 3),
        (vec![("geometric-median", json!({ "start": "zero", "tolerance": 0.0, "steps": 50 }))], 3),
        (vec![("weighted-geometric-median", median())], 3),
        (vec![("centered-clipping", clipping("zero"))], 3),
        (vec![("centered-clipping", clipping("median"))], 3),
        (vec![("krum", json!({ "neighbours": "m-f-1" }))], 7),
        (vec![("multi-krum", json!({ "neighbours": "m-f-1", "select": "m-f" }))], 3),
    ];
    for rule in
        ["cwmed", "cwtm", "meamed", "phocas", "mda", "smea", "caf", "dnc", "cge", "aksel", "weighted-cwmed"]
    {
        all.push((vec![(rule, none())], 3));
    }
    for rule in ["sign-majority", "norm-clipping"] {
        all.push((vec![(rule, none())], 3));
    }
    for pre in ["nnm", "ctma", "weighted-ctma", "gas", "arc", "clipping"] {
        all.push((vec![(pre, none()), ("geometric-median", median())], 3));
        all.push((vec![(pre, none()), ("cwmed", none())], 3));
    }
    for rule in ["smea", "caf", "cwtm"] {
        all.push((vec![("nnm", none()), (rule, none())], 3));
    }
    all
}

#[test]
fn the_order_of_rows_does_not_matter_where_some_are_far_away() {
    for (dtype, common) in [(Dtype::F32, 0.0), (Dtype::F32, 30.0), (Dtype::F64, 0.0), (Dtype::F64, 1e5)] {
        for (m, far) in (3..=15).flat_map(|m| [1e6, 1e8, 1e10, 1e15].map(|far| (m, far))) {
            for f in [1, (m - 1) / 2] {
                let (x, shift) = (gaussian(m, 10, 7 * m as u64), gaussian(1, 10, 5).remove(0));
                let honest =
                    |r: &Vec<f64>| r.iter().zip(&shift).map(|(v, s)| v + common * s).collect::<Vec<_>>();
                let rows: Rows = x[f..].iter().map(honest).collect();
                let byzantine = x[..f].iter().map(|r| r.iter().map(|v| far * v).collect());
                let last: Rows = rows.iter().cloned().chain(byzantine).collect();
                for (rules, least) in without_order() {
                    if m < least || chain(&rules).check(Size::new(m, f)).is_err() {
                        continue;
                    }
                    let run = |rows: &Rows| {
                        let got = chain(&rules).aggregate(&vectors(rows, dtype), f, stream(1)).unwrap();
                        got.output.to_f64()
                    };
                    let expected = run(&last);
                    // dnc may take vectors in that are far away, and other rules are then held to what it is good for
                    let largest = expected.iter().fold(scale(&rows), |all, v| all.max(v.abs()));
                    let under_map = rules.len() > 1 && dtype == Dtype::F64; // where distances come from products
                    let tolerance = if under_map { 1e-8 } else { tolerance(dtype) };
                    for turn in 1..m {
                        let mut turned = last.clone();
                        turned.rotate_left(turn);
                        let what = format!(
                            "{rules:?} {dtype}, m = {m}, f = {f}, {far:e}, {common:e}, turned by {turn}"
                        );
                        assert_close(&run(&turned), &expected, largest, tolerance, &what);
                    }
                }
            }
        }
    }
}

/// The honest vectors are one vector, in memory of its own each or not; the others come first.
#[test]
fn a_majority_of_equal_rows_is_the_geometric_median() {
    let row = gaussian(1, 10, 3).remove(0);
    for (m, dtype) in (3..=9).flat_map(|m| [(m, Dtype::F32), (m, Dtype::F64)]) {
        let f = (m - 1) / 2;
        let byzantine = gaussian(f, 10, 4).iter().map(|r| r.iter().map(|v| 1e15 * v).collect()).collect();
        let equal = vectors(&vec![row.clone(); m - f], dtype);
        let shared = vec![equal[0].clone(); m - f];
        for honest in [equal, shared] {
            let all: Vec<_> = vectors(&byzantine, dtype).into_iter().chain(honest).collect();
            let got = plain(&["geometric-median"]).aggregate(&all, f, stream(1)).unwrap();
            let what = format!("m = {m}, {dtype}");
            assert_close(&got.output.to_f64(), &row, 1.0, tolerance(dtype), &what);
        }
    }
}

/// Σ s_i ‖x_i - z‖.
fn sum_of_distances(x: &Rows, s: &[f64], z: &[f64]) -> f64 {
    x.iter().zip(s).map(|(r, s)| s * distance(r, z)).sum()
}

/// Where a convex function is least between -9 and 9, by ternary search.
fn least(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..90 {
        let third = (high - low) / 3.0;
        if f(low + third) < f(high - third) { high -= third } else { low += third }
    }
    low
}

/// With `nu` = 0 a step from one of the vectors has no weight for it; the vector must not win for that.
#[test]
fn a_vector_at_the_start_is_the_geometric_median_only_if_it_is_the_optimum() {
    let mut optima = 0;
    for seed in 0..60 {
        let m = 4 + seed as usize % 6;
        let mut x = gaussian(m, 2, 900 + seed);
        x.iter_mut().for_each(|r| r[0] += (seed % 2) as f64);
        x[seed as usize % m] = vec![0.0; 2];
        let mut s: Vec<f64> = (0..m).map(|i| 1.0 + ((i + seed as usize) % 3) as f64 / 2.0).collect();
        s[seed as usize % m] = 1.0 + (seed % 3) as f64;
        let best_of = |a: f64| least(|b| sum_of_distances(&x, &s, &[a, b]));
        let a = least(|a| sum_of_distances(&x, &s, &[a, best_of(a)]));
        let expected = sum_of_distances(&x, &s, &[a, best_of(a)]);
        optima += usize::from(sum_of_distances(&x, &s, &[0.0, 0.0]) <= expected * (1.0 + 1e-12));
        let parameters = json!({ "weights": s, "start": "zero", "nu": 0.0, "steps": 3000, "tolerance": 0.0 });
        let got = output(&[("weighted-geometric-median", parameters)], &x, 1);
        let found = sum_of_distances(&x, &s, &got);
        assert!(
            found <= expected * (1.0 + 1e-7),
            "seed {seed}: {got:?} has {found}, the least is {expected}"
        );
    }
    assert!((5..55).contains(&optima), "both cases should come up: {optima}");
}

/// As Dahan & Levy start it: three steps from the origin, without smoothing.
#[test]
fn one_zero_vector_does_not_hold_the_geometric_median_at_the_origin() {
    let mut x = gaussian(17, 30, 6);
    x.iter_mut().flatten().for_each(|v| *v += 1.0);
    let honest = mean_all(&x[..16].to_vec());
    x[16] = vec![0.0; 30];
    let parameters = json!({ "start": "zero", "nu": 0.0, "steps": 3, "tolerance": 0.0 });
    for rule in ["geometric-median", "weighted-geometric-median"] {
        let off = distance(&output(&[(rule, parameters.clone())], &x, 1), &honest);
        assert!(off < 0.1 * norm(&honest), "{rule}: off by {off} of {}", norm(&honest));
    }
}

/// (1 - f/m) m is more than m - f by a rounding at some sizes: nothing of that may go to a trimmed row.
#[test]
fn weights_leave_nothing_to_a_trimmed_row() {
    for (m, f) in [(9, 3), (15, 5), (19, 9), (50, 21), (17, 4)] {
        let mut x = gaussian(m, 20, 8);
        x[m - f..].iter_mut().for_each(|row| *row = vec![1e30; 20]);
        for weights in [vec![], vec![1.0; m], vec![0.1; m], vec![2.0; m], vec![0.7; m]] {
            let rules = [("weighted-ctma", json!({ "weights": weights })), ("cwmed", json!({}))];
            let got = output(&rules, &x, f);
            let expected = mean_all(&x[..m - f].to_vec());
            assert_close(&got, &expected, 1.0, 1e-9, &format!("m = {m}, f = {f}, weights {weights:?}"));
        }
    }
}

#[test]
fn ties_on_a_grid() {
    for seed in 0..30 {
        let x: Rows =
            gaussian(9, 3, 500 + seed).iter().map(|r| r.iter().map(|v| v.round()).collect()).collect();
        for case in &coordinate_cases() {
            compare(case, &x, 2, Dtype::F64, 1);
            compare(case, &x, 4, Dtype::F32, 1);
        }
        // whichever of the equal ones is taken, it must be among the best
        let krum = output(&[("krum", json!({}))], &x, 2);
        let scores = krum_scores(&x, &(0..9).collect::<Vec<_>>(), 5, 2);
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let best = (0..9).filter(|&i| scores[i] <= least + 1e-9).any(|i| distance(&x[i], &krum) < 1e-12);
        assert!(best, "{krum:?}");
    }
}

#[test]
fn rows_that_are_not_finite_are_set_aside() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for case in &all_cases() {
        for dtype in [Dtype::F64, Dtype::F32] {
            let clean = crate::stage::rounded(&gaussian(11, 40, 12), dtype);
            let mut x = clean.clone();
            for (at, value) in [(3usize, bad[0]), (7, bad[1]), (10, bad[2])] {
                x[at][at] = value;
            }
            let rest: Rows = clean
                .iter()
                .enumerate()
                .filter(|(i, _)| ![3, 7, 10].contains(i))
                .map(|(_, r)| r.clone())
                .collect();
            for (f, left) in [(2, 0), (4, 1)] {
                let mut defence = chain(&case.rules);
                if defence.check(Size::new(11, f)).is_err() {
                    continue;
                }
                let got = defence.aggregate(&vectors(&x, dtype), f, stream(1)).unwrap();
                assert_eq!(got.set_aside, [3, 7, 10]);
                let what = format!("{:?} without three rows", case.rules);
                let scale = scale(&rest);
                assert_close(
                    &got.output.to_f64(),
                    &(case.oracle)(&rest, left),
                    scale,
                    tolerance(dtype),
                    &what,
                );
                for i in [3, 7, 10] {
                    assert!(got.weights.as_ref().is_none_or(|w| w[i] == 0.0));
                    assert!(got.distances.as_ref().is_none_or(|d| d[i].is_nan()));
                }
            }
        }
    }
}

/// With two rows set aside f = 1 is left, which makes three buckets, and f = 2 five: too few for krum. With f = 3 every
/// row is a bucket.
#[test]
fn buckets_do_not_grow_too_large_for_the_rule_where_rows_are_set_aside() {
    let mut x = gaussian(12, 6, 5);
    (x[3][0], x[8][2]) = (f64::NAN, f64::INFINITY);
    let got = plain(&["bucketing", "krum"]).aggregate(&vectors(&x, Dtype::F64), 3, stream(1)).unwrap();
    assert_eq!((got.set_aside, got.f), (vec![3, 8], 3));
    let median = plain(&["cwmed"]).aggregate(&vectors(&x, Dtype::F64), 3, stream(1)).unwrap();
    assert_eq!((median.set_aside, median.f), (vec![3, 8], 1));
    let rest: Rows = (0..12).filter(|i| ![3, 8].contains(i)).map(|i| x[i].clone()).collect();
    let alone = plain(&["krum"]).aggregate(&vectors(&rest, Dtype::F64), 3, stream(1)).unwrap();
    assert_eq!(got.output.to_f64(), alone.output.to_f64());
}

#[test]
fn mda_is_exact_at_sixty_rows() {
    // 45 rows in a ball of diameter 2, 15 beyond it in directions of their own
    let mut x = gaussian(60, 20, 21);
    for r in &mut x {
        let norm = norm(r);
        r.iter_mut().for_each(|v| *v /= norm);
    }
    (0..15).for_each(|i| x[4 * i].iter_mut().for_each(|v| *v *= 2.5 + i as f64));
    let inside: Vec<usize> = (0..60).filter(|i| i % 4 != 0).collect();
    let planted: Rows = inside.iter().map(|&i| x[i].clone()).collect();
    assert_close(&output(&[("mda", json!({}))], &x, 15), &mean_all(&planted), 1.0, 1e-12, "mda");
    // no structure at all, in few dimensions and in many: no swap of two rows shortens the diameter
    for (d, seed) in [(3, 22), (3, 23), (300, 24), (300, 25)] {
        let x = gaussian(60, d, seed);
        let got = crate::stage::aggregate(&mut plain(&["mda"]), &x, 15).unwrap();
        let kept: Vec<usize> = (0..60).filter(|&i| got.weights.as_ref().unwrap()[i] > 0.0).collect();
        let gone: Vec<usize> = (0..60).filter(|i| !kept.contains(i)).collect();
        assert_eq!(kept.len(), 45);
        let pairs: Rows = x.iter().map(|r| x.iter().map(|s| distance(r, s)).collect()).collect();
        let diameter = |rows: &[usize]| {
            rows.iter()
                .flat_map(|&i| rows.iter().map(move |&j| (i, j)))
                .map(|(i, j)| pairs[i][j])
                .fold(0.0, f64::max)
        };
        let least = diameter(&kept);
        for at in 0..45 {
            for &other in &gone {
                let mut swapped = kept.clone();
                swapped[at] = other;
                assert!(diameter(&swapped) >= least);
            }
        }
    }
}

#[test]
fn smea_is_exact_at_twenty_rows() {
    // the Byzantine rows hide in one direction, where the honest ones do not vary more than they do elsewhere
    let mut x = gaussian(20, 40, 31);
    let hidden = [0, 6, 7, 13, 19];
    for i in hidden {
        x[i] = x[i].iter().enumerate().map(|(j, v)| if j == 3 { 9.0 } else { 0.1 * v }).collect();
    }
    let rest: Rows = (0..20).filter(|i| !hidden.contains(i)).map(|i| x[i].clone()).collect();
    assert_close(&output(&[("smea", json!({}))], &x, 5), &mean_all(&rest), 1.0, 1e-12, "smea");
    // no structure at all: no swap of two rows makes the largest eigenvalue smaller
    let x = gaussian(20, 6, 32);
    let got = crate::stage::aggregate(&mut plain(&["smea"]), &x, 5).unwrap().weights.unwrap();
    let (kept, gone): (Vec<usize>, Vec<usize>) = (0..20).partition(|&i| got[i] > 0.0);
    let value = |rows: &[usize]| spectral::largest_variance(&rows.iter().map(|&i| &x[i]).collect::<Vec<_>>());
    let least = value(&kept);
    for at in 0..15 {
        for &other in &gone {
            let mut swapped = kept.clone();
            swapped[at] = other;
            assert!(value(&swapped) >= least * (1.0 - 1e-9));
        }
    }
}

#[test]
fn smea_says_how_many_subsets_are_too_many() {
    let refused = plain(&["smea"]).check(Size::new(60, 15)).unwrap_err().to_string();
    assert!(refused.contains("53194089192720 subsets") && refused.contains("200000"), "{refused}");
    let greedy = chain(&[("smea", json!({ "search": "greedy" }))]);
    assert!(greedy.check(Size::new(60, 15)).is_ok());
    // where the outliers stand out, the approximation finds the same subset
    let mut x = gaussian(12, 30, 30);
    [2, 5, 9].into_iter().for_each(|i| x[i].iter_mut().for_each(|v| *v += 9.0));
    let exact = output(&[("smea", json!({}))], &x, 3);
    assert_close(&output(&[("smea", json!({ "search": "greedy" }))], &x, 3), &exact, 1.0, 1e-12, "greedy");
}
