//! Rules of federated learning: by the directions of the vectors, by their signs, and with synthetic ones beside them.

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{Context, Mixer},
    random::Stream,
    state::Stateful,
};
use rand::RngExt;
use serde_json::json;

use crate::{
    naive::{cwtm, mean_all, midpoint, norm},
    naive_federated::{fedseca, fools_gold, foundation_fl},
    naive_selection::{flame, hdbscan, nnm},
    stage::{
        Rows, aggregate, assert_close, chain, difference, gaussian, layer, output, plain, stream, vectors,
    },
};

/// Rows along the axes, half of them one way, by powers of two long, so that cosines are exact and most of them tie.
fn along_axes(m: usize, axes: usize, rng: &mut Stream) -> Rows {
    let mut row = || {
        let mut row = vec![0.0; axes];
        let sign = if rng.random_bool(0.9) { 1.0 } else { -1.0 };
        let axis = rng.random_range(0..axes).min(rng.random_range(0..axes));
        row[axis] = sign * f64::from(1 << rng.random_range(0..4));
        row
    };
    (0..m).map(|_| row()).collect()
}

/// Else it would be no oracle, but the rule again.
#[test]
fn the_oracle_of_flame_finds_two_clusters_where_there_are_two() {
    let at = [0.0, 0.1, 0.25, 0.3, 9.0, 9.1, 9.2, 9.25, 40.0];
    let distances: Rows = at.iter().map(|a| at.iter().map(|b| f64::abs(a - b)).collect()).collect();
    for min_samples in [1, 3] {
        let mut found = hdbscan(&distances, min_samples, 3);
        found.sort();
        assert_eq!(found, [vec![0, 1, 2, 3], vec![4, 5, 6, 7]], "{min_samples}");
    }
    assert_eq!(hdbscan(&distances, 1, 8), [vec![0, 1, 2, 3, 4, 5, 6, 7]]);
}

#[test]
fn flame_keeps_all_that_join_its_majority_at_one_distance() {
    let mut rng = stream(1);
    let mut dropped = 0;
    for m in (1..=24).flat_map(|m| [m; 10]) {
        let x = along_axes(m, 3, &mut rng);
        let parameters = json!({ "noise": 0.0, "min_samples": 1 + m % 5 });
        let got = chain(&[("flame", parameters)]).aggregate(&vectors(&x, Dtype::F64), 0, stream(1)).unwrap();
        assert_close(&got.output.to_f64(), &flame(&x, 1 + m % 5), 1.0, 1e-12, &format!("{x:?}"));
        dropped += got.weights.unwrap().iter().filter(|weight| **weight == 0.0).count();
    }
    assert!(dropped > 100, "{dropped} rows were dropped: nothing is shown");
}

#[test]
fn the_core_distance_of_flame_is_that_to_the_nearest_asked_for() {
    let mut differ = 0;
    for seed in 0..40 {
        let x = gaussian(9 + seed % 2, 4, 600 + seed as u64);
        for min_samples in [1, 2, 3, 5, 9, 30] {
            let parameters = json!({ "noise": 0.0, "min_samples": min_samples });
            let got = output(&[("flame", parameters)], &x, 2);
            assert_close(&got, &flame(&x, min_samples), 1.0, 1e-11, &format!("{seed} and {min_samples}"));
            differ += usize::from(min_samples == 5 && difference(&got, &flame(&x, 1), 1.0) > 1e-6);
        }
    }
    assert!(differ > 5, "{differ}: it must matter to show anything");
}

#[test]
fn flame_drops_who_goes_the_other_way_and_shortens_who_goes_far() {
    let mut x = gaussian(11, 40, 7);
    x.iter_mut().flatten().for_each(|v| *v += 2.0);
    x[3] = x[0].iter().map(|v| 1e6 * v).collect();
    x[6].iter_mut().for_each(|v| *v = -*v);
    x[9] = vec![0.0; 40];
    let mut norms: Vec<f64> = x.iter().map(|row| norm(row)).collect();
    norms.sort_by(f64::total_cmp);
    let mut defence = chain(&[("flame", json!({ "noise": 0.0 }))]);
    let weights = defence.aggregate(&vectors(&x, Dtype::F64), 3, stream(1)).unwrap().weights.unwrap();
    assert_eq!([weights[6], weights[9]], [0.0, 0.0]);
    let most = weights.iter().copied().fold(0.0, f64::max);
    assert!((weights[3] * norm(&x[3]) / most / midpoint(&norms) - 1.0).abs() < 1e-12, "{weights:?}");
}

#[test]
fn flame_leaves_equal_vectors_as_they_are() {
    let quiet = [("flame", json!({ "noise": 0.0 }))];
    for row in [gaussian(1, 37, 9).remove(0), vec![0.0; 37]] {
        for m in [1, 2, 7, 8] {
            assert_close(&output(&quiet, &vec![row.clone(); m], 0), &row, 1.0, 1e-12, "flame");
        }
    }
}

/// Twice the product of their norms is beyond f64, and so is the squared distance of those that are opposed.
#[test]
fn flame_tells_directions_apart_at_the_largest_norms() {
    let x: Rows = [1.2e154, -1.3e154, 1.1e154, -1.2e154, 1.3e154].map(|v| vec![0.0, v, 0.0]).to_vec();
    let got = output(&[("flame", json!({ "noise": 0.0 }))], &x, 2);
    assert_close(&got, &[0.0, (1.2e154 + 1.1e154 + 1.2e154) / 3.0, 0.0], 1e154, 1e-12, "flame");
}

#[test]
fn the_noise_of_flame_follows_the_median_norm() {
    for scale in [1.0, 1e-3] {
        let x: Rows = gaussian(6, 20_000, 82).iter().map(|r| r.iter().map(|v| scale * v).collect()).collect();
        let mut norms: Vec<f64> = x.iter().map(|row| norm(row)).collect();
        norms.sort_by(f64::total_cmp);
        let quiet = output(&[("flame", json!({ "noise": 0.0 }))], &x, 1);
        for (parameters, lambda) in [(json!({}), 1e-3), (json!({ "noise": 0.05 }), 0.05)] {
            let noisy = output(&[("flame", parameters)], &x, 1);
            let noise: Vec<f64> = noisy.iter().zip(&quiet).map(|(a, b)| a - b).collect();
            let deviation = norm(&noise) / 2e4f64.sqrt() / midpoint(&norms);
            assert!((deviation / lambda - 1.0).abs() < 0.03, "{deviation} for {lambda}");
            let mean = mean_all(&noise.iter().map(|v| vec![*v]).collect())[0] / midpoint(&norms);
            assert!(mean.abs() < 0.03 * lambda, "{mean}");
        }
    }
    let rows = vectors(&gaussian(6, 50, 83), Dtype::F64);
    let [one, same, other] =
        [1, 1, 2].map(|seed| plain(&["flame"]).aggregate(&rows, 1, stream(seed)).unwrap().output.to_f64());
    assert!(one == same && one != other);
}

/// The mean of the rows under these weights, over all rows or over the weights.
fn weighted(x: &Rows, weights: &[f64], over: &str) -> Vec<f64> {
    let whole = if over == "weights" { weights.iter().sum() } else { x.len() as f64 };
    (0..x[0].len()).map(|j| x.iter().zip(weights).map(|(r, w)| w * r[j]).sum::<f64>() / whole).collect()
}

#[test]
fn fools_gold_judges_by_the_sums_of_all_rounds() {
    let mut between = 0;
    for (m, over, confidence) in [(9, "workers", 1.0), (10, "weights", 0.4), (2, "workers", 2.0)] {
        let fresh = || chain(&[("fools-gold", json!({ "over": over, "confidence": confidence }))]);
        let mut defence = fresh();
        let mut sums = vec![vec![0.0; 6]; m];
        for round in 0..8 {
            let mut x = gaussian(m, 6, 40 * m as u64 + round);
            x[1] = x[0].iter().zip(&x[1]).map(|(a, b)| 3.0 * a + b).collect();
            sums.iter_mut().zip(&x).for_each(|(s, r)| s.iter_mut().zip(r).for_each(|(s, v)| *s += v));
            let weights = fools_gold(&sums, confidence);
            between += weights.iter().filter(|w| **w > 0.0 && **w < 1.0).count();
            let got = aggregate(&mut defence, &x, 3).unwrap().output.to_f64();
            assert_close(&got, &weighted(&x, &weights, over), 1.0, 1e-9, &format!("{m} in round {round}"));
            let mut other = fresh();
            other.restore(&defence.state()).unwrap();
            defence = other;
        }
    }
    assert!(between > 30, "{between} weights were neither 0 nor 1");
}

#[test]
fn fools_gold_stops_sybils_that_no_single_round_gives_away() {
    let mut defence = plain(&["fools-gold"]);
    let target = gaussian(1, 60, 900).remove(0);
    let mut weights = Vec::new();
    for round in 0..60 {
        let mut x = gaussian(8, 60, 901 + round);
        let own = gaussian(8, 60, 1); // each goes its own way, and three the same
        x.iter_mut().zip(&own).for_each(|(r, o)| r.iter_mut().zip(o).for_each(|(v, o)| *v += o));
        x[5..].iter_mut().zip(&own[5..]).for_each(|(r, o)| {
            r.iter_mut().zip(o.iter().zip(&target)).for_each(|(v, (o, t))| *v += t - o);
        });
        weights = aggregate(&mut defence, &x, 3).unwrap().weights.unwrap();
        assert!(round > 0 || weights[5] > 0.0, "{weights:?}");
    }
    assert_eq!(weights[5..], [0.0; 3]);
    assert!(weights[..5].iter().all(|w| *w > 0.1), "{weights:?}");
}

#[test]
fn fools_gold_counts_all_where_none_differ() {
    let row = gaussian(1, 37, 9).remove(0);
    for m in [1, 2, 7, 8] {
        for row in [row.clone(), vec![0.0; 37]] {
            assert_close(
                &output(&[("fools-gold", json!({}))], &vec![row.clone(); m], 0),
                &row,
                1.0,
                1e-12,
                "equal",
            );
        }
    }
    // two opposite ones and one of a length of its own among them: parallel ones are told apart from none by rounding
    let x = vec![row.clone(), row.iter().map(|v| 1e5 * v).collect(), row.iter().map(|v| -v).collect()];
    let weights = aggregate(&mut plain(&["fools-gold"]), &x, 0).unwrap().weights.unwrap();
    assert_eq!(weights, [0.0, 0.0, 1.0 / 3.0]);
}

#[test]
fn fools_gold_knows_workers_when_some_are_absent() {
    let mut defence = plain(&["fools-gold"]);
    let rounds = [vec![0, 1, 2, 3, 4], vec![1, 3, 4], vec![4, 2, 0, 1]];
    let mut sums = vec![vec![0.0; 9]; 5];
    for (round, present) in rounds.into_iter().enumerate() {
        let x = gaussian(present.len(), 9, 70 + round as u64);
        for (&worker, row) in present.iter().zip(&x) {
            sums[worker].iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        let own: Rows = present.iter().map(|&worker| sums[worker].clone()).collect();
        let context = Context { workers: present, ..Context::new(1, stream(1)) };
        let got = defence.aggregate_in(&vectors(&x, Dtype::F64), context).unwrap().output.to_f64();
        assert_close(&got, &weighted(&x, &fools_gold(&own, 1.0), "workers"), 1.0, 1e-10, "absent");
    }
    let before = defence.state().vectors["sum.3"].to_f64();
    for refused in [gaussian(5, 8, 1), vec![vec![f64::NAN; 9]; 5]] {
        assert!(aggregate(&mut defence, &refused, 1).is_err());
        assert_eq!(defence.state().vectors["sum.3"].to_f64(), before);
    }
}

#[test]
fn foundation_fl_copies_the_first_of_those_that_are_equally_far_from_the_extremes() {
    // 1 and 2 are as far from both extremes
    let x: Rows = [[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0], [-9.0, -9.0]].map(|r| r.to_vec()).to_vec();
    let extremes = [[4.0f64, 4.0], [-9.0, -9.0]];
    let scores: Vec<f64> = x
        .iter()
        .map(|r| extremes.iter().map(|e| (r[0] - e[0]).powi(2) + (r[1] - e[1]).powi(2)).fold(1e9, f64::min))
        .collect();
    assert_eq!(scores, [16.0, 13.0, 13.0, 16.0, 0.0]);
    for copies in [1, 2, 7] {
        let mixer = || Mixer::new(vec![layer("foundation-fl", &json!({ "copies": copies }))]).unwrap();
        let mixed = mixer().mix(&vectors(&x, Dtype::F64), 1, stream(1)).unwrap();
        let got: Rows = mixed.rows.iter().map(Vector::to_f64).collect();
        assert_eq!(got, foundation_fl(&x, copies));
        assert_eq!(got[5], x[0]);
        assert_eq!(mixed.size, Size::new(5 + copies, 1));
    }
    let refused = plain(&["foundation-fl", "cwmed"]).check(Size::new(6, 3)).unwrap_err().to_string();
    assert_eq!(refused, "foundation-fl needs m > 2f, which m = 6, f = 3 does not meet");
}

#[test]
fn foundation_fl_looks_at_the_rows_that_it_is_given() {
    for (m, f) in [(8, 1), (9, 3), (12, 5)] {
        let x = gaussian(m, 40, 200 + m as u64);
        let rules = ["nnm", "foundation-fl", "cwtm"].map(|rule| (rule, json!({})));
        let expected = cwtm(&foundation_fl(&nnm(&x, f), m / 2), f);
        assert_close(&output(&rules, &x, f), &expected, 1.0, 1e-11, &format!("{m} and {f}"));
    }
}

/// Values on a grid: signs and votes that cancel, zeros, lengths at the threshold, and one huge row.
#[test]
fn fedseca_agrees_where_values_tie() {
    let mut zeros = 0;
    for seed in 0..40 {
        let m = 4 + seed as usize % 6;
        let mut x: Rows =
            gaussian(m, 23, 300 + seed).iter().map(|r| r.iter().map(|v| v.round()).collect()).collect();
        x[seed as usize % m].iter_mut().for_each(|v| *v *= 1e12);
        x[(seed as usize + 2) % m] = vec![0.0; 23];
        for sparsity in [0.0, 0.3, 0.9] {
            let got = output(&[("fedseca", json!({ "sparsity": sparsity }))], &x, 1);
            assert_close(&got, &fedseca(&x, sparsity), 1.0, 1e-12, &format!("{seed} and {sparsity}"));
            zeros += got.iter().filter(|v| **v == 0.0).count();
        }
    }
    assert!((100..2660).contains(&zeros), "{zeros}");
}

/// Rows of several pieces, each of which has agreements of its own.
#[test]
fn fedseca_agrees_on_long_rows() {
    for dtype in [Dtype::F64, Dtype::F32] {
        let x = crate::stage::rounded(&gaussian(7, 9_001, 55), dtype);
        let got = plain(&["fedseca"]).aggregate(&vectors(&x, dtype), 2, stream(1)).unwrap();
        assert_close(&got.output.to_f64(), &fedseca(&x, 0.9), 1.0, 1e-6, "long");
    }
}

#[test]
fn fedseca_keeps_to_the_sign_of_those_who_agree() {
    let mut x = gaussian(9, 200, 12);
    x.iter_mut().flatten().for_each(|v| *v = 2.0 + 0.1 * *v);
    x[6..].iter_mut().flatten().for_each(|v| *v *= -1e6);
    let got = output(&[("fedseca", json!({ "sparsity": 0.2 }))], &x, 3);
    assert!(got.iter().all(|v| *v == 0.0 || (1.5..2.5).contains(v)), "{got:?}");
    assert!(got.iter().filter(|v| **v > 0.0).count() > 150);
}
