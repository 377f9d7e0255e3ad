//! Published bounds, alone and through chains, and the coefficient of a round against them.

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Meaning, robustness_coefficient},
};
use serde_json::json;

use crate::stage::{Rows, chain, gaussian, plain, stream, vectors};

#[test]
fn bounds_are_those_of_the_table() {
    let size = Size::new(17, 4); // r = 4/9
    let r: f64 = 4.0 / 9.0;
    let kappa = |rules: &[&str]| plain(rules).bound(size).map(|b| b.coefficient);
    let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12 * b, "{a:?} {b}");
    close(kappa(&["cwmed"]), 4.0 * (1.0 + r).powi(2));
    close(kappa(&["geometric-median"]), 4.0 * (1.0 + r).powi(2));
    close(kappa(&["cwtm"]), 6.0 * r * (1.0 + r));
    let krum = chain(&[("krum", json!({ "neighbours": "m-f-1" }))]);
    close(krum.bound(size).map(|b| b.coefficient), 6.0 * (1.0 + r));
    let nnm = 8.0 * 4.0 / 13.0 * (1.0 + 4.0 * (1.0 + r).powi(2));
    close(kappa(&["nnm", "cwmed"]), nnm);
    close(kappa(&["arc", "cwtm"]), 6.0 * r * (1.0 + r) + 2.0 * r);
    close(kappa(&["ctma", "nnm", "cwmed"]), 16.0 * 4.0 / 17.0 * (1.0 + nnm));
    let bound = plain(&["ctma", "nnm", "cwmed"]).bound(size).unwrap();
    assert_eq!(bound.meaning, Meaning::C);
    assert_eq!(bound.formula, "16 delta (1 + 8f/(m - f) (1 + 4 (1 + r)^2))");
    assert_eq!(bound.source, "Dahan & Levy, 2024, over Allouah et al., 2023, over Allouah et al., 2023");
    // where nothing is proved, nothing is claimed
    for rules in [
        &["mean"][..],
        &["krum"],
        &["bucketing", "cwmed"],
        &["nnm", "ctma", "cwmed"],
        &["ctma", "mean"],
        &["gas", "cwmed"],
    ] {
        assert_eq!(kappa(rules), None, "{rules:?}");
    }
    let three_steps = json!({ "start": "zero", "nu": 0.1, "steps": 3, "tolerance": 0.0 });
    assert!(chain(&[("geometric-median", three_steps)]).bound(size).is_none());
    assert!(chain(&[("geometric-median", json!({ "nu": 1e3 }))]).bound(size).is_none());
    assert!(chain(&[("geometric-median", json!({ "start": "mean" }))]).bound(size).is_none());
    assert!(chain(&[("ctma", json!({ "ties": "kept" })), ("cwmed", json!({}))]).bound(size).is_none());
    assert_eq!(plain(&["cwtm"]).bound(Size::new(17, 0)).unwrap().coefficient, 0.0);
}

/// What smooths the steps must not grow beside small vectors, as gradients are late in training.
#[test]
fn the_geometric_median_keeps_its_bound_at_every_scale() {
    for scale in [1.0, 1e-8, 1e-30, 1e30] {
        for far in [20.0, 3e2, 3e5] {
            let mut x = gaussian(9, 3, 4);
            x[5..].iter_mut().for_each(|row| *row = vec![far; 3]);
            let rows: Vec<Vector> =
                x.iter().map(|row| row.iter().map(|v| scale * v).collect::<Vec<_>>().into()).collect();
            let mut rule = plain(&["geometric-median"]);
            let bound = rule.bound(Size::new(9, 4)).unwrap().coefficient;
            let output = rule.aggregate(&rows, 4, stream(1)).unwrap().output;
            let forced = robustness_coefficient(&rows, &[0, 1, 2, 3, 4], &output);
            assert!(forced <= bound, "{scale:e} and {far:e}: {forced} beyond {bound}");
        }
    }
}

/// Steps from the mean, which far vectors move, would be too few where nearly half of the vectors are far.
#[test]
fn the_geometric_median_keeps_its_bound_with_nearly_half_of_the_vectors_far() {
    for (m, f) in [(17, 8), (25, 12), (51, 25), (101, 50)] {
        for far in [1e2, 1e6, 1e8] {
            for together in [true, false] {
                let mut x = gaussian(m, 8, m as u64);
                let away = x[m - 1].clone();
                for row in &mut x[m - f..] {
                    let direction = if together { &away } else { &row.clone() };
                    *row = direction.iter().map(|v| far * v).collect();
                }
                let mut rule = plain(&["geometric-median"]);
                let bound = rule.bound(Size::new(m, f)).unwrap().coefficient;
                let rows = vectors(&x, Dtype::F64);
                let output = rule.aggregate(&rows, f, stream(1)).unwrap().output;
                let honest: Vec<usize> = (0..m - f).collect();
                let forced = robustness_coefficient(&rows, &honest, &output);
                assert!(forced <= bound / 10.0, "{m}, {f} and {far:e}: {forced} beyond a tenth of {bound}");
            }
        }
    }
}

#[test]
fn the_coefficient_of_a_round_by_hand() {
    let rows: Vec<Vector> =
        [[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]].iter().map(|r| Vector::from(r.to_vec())).collect();
    // honest mean (1, 0), variance 1
    assert_eq!(robustness_coefficient(&rows, &[0, 1], &Vector::from(vec![1.0, 3.0])), 9.0);
    assert_eq!(robustness_coefficient(&rows, &[0, 1], &Vector::from(vec![1.0, 0.0])), 0.0);
    assert_eq!(robustness_coefficient(&rows, &[2], &Vector::from(vec![1.0, 0.0])), f64::INFINITY);
    assert_eq!(robustness_coefficient(&rows, &[2], &Vector::from(vec![9.0, 9.0])), 0.0);
}

/// Placements of the Byzantine rows: far, near, among, and just outside of the honest ones.
fn attacks(d: usize, seed: u64) -> Rows {
    let direction = gaussian(1, d, seed).remove(0);
    [0.3, 0.8, 1.5, 3.0, 10.0, 1e3].iter().map(|c| direction.iter().map(|v| c * v).collect()).collect()
}

#[test]
fn no_round_beats_a_proved_bound() {
    let chains = [
        (vec![("cwmed", json!({}))], 0),
        (vec![("cwtm", json!({}))], 0),
        (vec![("geometric-median", json!({}))], 0),
        (vec![("krum", json!({ "neighbours": "m-f-1" }))], 0),
        (vec![("smea", json!({}))], 0),
        (vec![("nnm", json!({})), ("cwmed", json!({}))], 0),
        (vec![("arc", json!({})), ("cwtm", json!({}))], 0),
    ];
    for (rules, _) in chains {
        let mut worst = 0.0f64;
        for (m, f) in [(5, 1), (9, 4), (11, 3)] {
            let bound = chain(&rules).bound(Size::new(m, f)).unwrap();
            assert_eq!(bound.meaning, Meaning::Kappa);
            for seed in 0..12u64 {
                let d = 1 + (seed % 4) as usize;
                for bad in attacks(d, 7000 + seed) {
                    let mut x = gaussian(m, d, 6000 + seed);
                    x.iter_mut().skip(m - f).for_each(|r| r.clone_from(&bad));
                    let rows = vectors(&x, Dtype::F64);
                    let output = chain(&rules).aggregate(&rows, f, stream(seed)).unwrap().output;
                    let honest: Vec<usize> = (0..m - f).collect();
                    let share = robustness_coefficient(&rows, &honest, &output) / bound.coefficient;
                    worst = worst.max(share);
                }
            }
        }
        assert!(worst > 0.01 && worst <= 1.0, "{rules:?}: {worst}");
    }
}
