//! Laws: the order of the rows, the place of the origin and the unit of length do not matter where they must not.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stage::{Rows, assert_close, gaussian, output, scale};

/// Chains without draws, with index ties only where inputs tie.
fn chains() -> Vec<Vec<(&'static str, Value)>> {
    let bases = [
        "mean",
        "cwmed",
        "cwtm",
        "meamed",
        "phocas",
        "krum",
        "multi-krum",
        "bulyan",
        "smea",
        "caf",
        "cge",
        "dnc",
        "aksel",
        "norm-clipping",
        "clipped-clustering",
        "safeguard",
        "weighted-cwmed",
        "sign-majority",
        "robust-lr",
        "fools-gold",
        "fedseca",
        "lasa",
        "fl-defender",
        "reconstruction",
    ];
    let plain = |rules: &[&'static str]| rules.iter().map(|r| (*r, json!({}))).collect::<Vec<_>>();
    let mut all: Vec<_> = bases.iter().map(|rule| plain(&[rule])).collect();
    all.extend([plain(&["nnm", "cwmed"]), plain(&["ctma", "cwmed"]), plain(&["ctma", "nnm", "cwtm"])]);
    all.push(vec![("gas", json!({ "groups": 3 })), ("cwmed", json!({}))]);
    all.extend([plain(&["arc", "cwtm"]), plain(&["clipping", "cwmed"]), plain(&["centered-clipping"])]);
    all.push(plain(&["foundation-fl", "cwtm"]));
    all.push(vec![("geometric-median", json!({ "steps": 5, "nu": 0.0 }))]);
    // by a tolerance rounding may decide whether there is one more step
    all.push(vec![("auto-gm", json!({ "tolerance": 0.0, "iterations": 5 }))]);
    all.push(vec![("flame", json!({ "noise": 0.0 }))]);
    all
}

/// Rules that look at the origin.
const BOUND_TO_ORIGIN: [&str; 14] = [
    "robust-lr",
    "cge",
    "norm-clipping",
    "clipped-clustering",
    "arc",
    "clipping",
    "centered-clipping",
    "sign-majority",
    "flame",
    "fools-gold",
    "fedseca",
    "lasa",
    "fl-defender",
    "reconstruction",
];
/// Rules with a length among their parameters, or with a result of its own length.
const BOUND_TO_UNIT: [&str; 5] =
    ["auto-gm", "norm-clipping", "clipping", "centered-clipping", "sign-majority"];

/// Rules in which two rows that are each other's neighbours may tie whatever their values: Bulyan scores its last rows
/// by few neighbours, Safeguard a row by its one middle neighbour. The order of rows decides such ties.
const TIED_BY_NATURE: [&str; 2] = ["bulyan", "safeguard"];

/// How near the results of rows in another order are. The distance of a point to a row next to it comes from products, which
/// leave it half of the digits, and the steps of the auto-weighted median divide by it.
fn nearness(rules: &[(&str, Value)]) -> f64 {
    if has(rules, &["auto-gm"]) { 1e-8 } else { 1e-10 }
}

fn has(rules: &[(&str, Value)], names: &[&str]) -> bool {
    rules.iter().any(|(rule, _)| names.contains(rule))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_does_not_matter(seed in 0u64..1_000_000, turn in 1usize..11) {
        let x = gaussian(11, 6, seed);
        let mut y = x.clone();
        y.rotate_left(turn);
        y.swap(0, 5);
        for rules in chains().into_iter().filter(|rules| !has(rules, &TIED_BY_NATURE)) {
            let what = format!("{rules:?}");
            assert_close(&output(&rules, &y, 2), &output(&rules, &x, 2), scale(&x), nearness(&rules), &what);
        }
    }

    #[test]
    fn a_translation_moves_the_result_along(seed in 0u64..1_000_000) {
        let x = gaussian(11, 6, seed);
        let shift = gaussian(1, 6, seed + 1).remove(0).iter().map(|v| 30.0 * v).collect::<Vec<_>>();
        let add = |r: &Vec<f64>| r.iter().zip(&shift).map(|(a, b)| a + b).collect::<Vec<_>>();
        let y: Rows = x.iter().map(add).collect();
        for rules in chains().into_iter().filter(|rules| !has(rules, &BOUND_TO_ORIGIN)) {
            let expected = add(&output(&rules, &x, 2));
            assert_close(&output(&rules, &y, 2), &expected, scale(&y), 1e-9, &format!("{rules:?}"));
        }
    }

    #[test]
    fn a_scaling_scales_the_result(seed in 0u64..1_000_000, factor in 1e-3f64..1e3) {
        let x = gaussian(11, 6, seed);
        let times = |r: &Vec<f64>| r.iter().map(|v| factor * v).collect::<Vec<_>>();
        let y: Rows = x.iter().map(times).collect();
        for rules in chains().into_iter().filter(|rules| !has(rules, &BOUND_TO_UNIT)) {
            let expected = times(&output(&rules, &x, 2));
            assert_close(&output(&rules, &y, 2), &expected, scale(&y), 1e-9, &format!("{rules:?}"));
        }
    }
}

#[test]
fn without_byzantine_rows_many_rules_are_the_mean() {
    let x = gaussian(7, 9, 4);
    let mean = output(&[("mean", json!({}))], &x, 0);
    for rules in [
        &["cwtm"][..],
        &["meamed"],
        &["phocas"],
        &["cge"],
        &["monna"],
        &["mda"],
        &["smea"],
        &["dnc"],
        &["bulyan"],
    ] {
        let rules: Vec<_> = rules.iter().map(|r| (*r, json!({}))).collect();
        assert_close(&output(&rules, &x, 0), &mean, 1.0, 1e-12, &format!("{rules:?}"));
    }
    for over in ["ctma", "weighted-ctma", "gas", "nnm", "arc", "bucketing"] {
        let rules = [(over, json!({})), ("cwtm", json!({}))];
        assert_close(&output(&rules, &x, 0), &mean, 1.0, 1e-12, over);
    }
}
