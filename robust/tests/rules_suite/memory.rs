//! Rules with memory, rules with a reference, and rules that draw lots.

use std::collections::BTreeSet;

use phalanx_robust::{
    Batch, Dtype, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, Layer, MetaAggregator, RuleError},
    state::Stateful,
};
use serde_json::json;

use crate::{
    naive::{
        centered_clipping, clipped, distance, fltrust, mean_all, midpoint, norm, orders, sequential_clippings,
    },
    naive_selection::{larger_cluster, largest_mean_shift, order_by},
    stage::{
        Rows, aggregate, assert_close, chain, difference, gaussian, layer, output, plain, stream, vectors,
    },
};

#[test]
fn centered_clipping_goes_on_from_its_last_centre() {
    let parameters = json!({ "tau": 0.8, "iterations": 2 });
    let mut defence = chain(&[("centered-clipping", parameters.clone())]);
    let mut v = vec![0.0; 33];
    for round in 0..4 {
        let x = gaussian(9, 33, 60 + round);
        v = centered_clipping(&x, v, 0.8, 2);
        let got = aggregate(&mut defence, &x, 2).unwrap();
        assert_close(&got.output.to_f64(), &v, 1.0, 1e-11, "centre");
        let own: Vec<f64> = x.iter().map(|r| distance(r, &v)).collect();
        assert_close(&got.distances.unwrap(), &own, 1.0, 1e-10, "distances");
        // a copy that takes the memory back goes on alike
        let mut other = chain(&[("centered-clipping", parameters.clone())]);
        other.restore(&defence.state()).unwrap();
        let next = gaussian(9, 33, 99);
        let (a, b) =
            (aggregate(&mut other, &next, 2).unwrap(), aggregate(&mut defence.clone(), &next, 2).unwrap());
        assert_eq!(a.output.to_f64(), b.output.to_f64());
    }
    let mut stateless = chain(&[("centered-clipping", json!({ "stateful": false }))]);
    let x = gaussian(9, 33, 61);
    let first = aggregate(&mut stateless, &x, 2).unwrap().output.to_f64();
    assert_eq!(aggregate(&mut stateless, &x, 2).unwrap().output.to_f64(), first);
}

/// The rows by their cosine to v.
fn by_cosine(x: &Rows, v: &[f64]) -> Vec<usize> {
    let cosine = |i: usize| {
        let dot: f64 = x[i].iter().zip(v).map(|(a, b)| a * b).sum();
        if norm(&x[i]) == 0.0 { 0.0 } else { dot / norm(&x[i]) / norm(v) }
    };
    order_by(x.len(), cosine)
}

/// Which of the results is nearest, and how far it is.
fn nearest(results: &Rows, got: &[f64]) -> (usize, f64) {
    let at = order_by(results.len(), |i| distance(&results[i], got))[0];
    (at, distance(&results[at], got))
}

/// In both rounds the result is one that the draws allow, and each of these comes up. The last row is zero, of cosine 0.
#[test]
fn sequential_clipping_goes_bucket_by_bucket() {
    for ((m, size), dtype) in [(4, 2), (5, 2), (5, 3), (3, 1), (4, 9)]
        .map(|shape| (shape, Dtype::F64))
        .into_iter()
        .chain([((5, 2), Dtype::F32)])
    {
        let tolerance = if dtype == Dtype::F32 { 1e-5 } else { 1e-11 };
        let parameters = json!({ "tau": 2.0, "size": size });
        let [mut x, y] = [1, 2].map(|seed| crate::stage::rounded(&gaussian(m, 7, seed), dtype));
        x[m - 1] = vec![0.0; 7];
        let everyone: Vec<usize> = (0..m).collect();
        let first: Rows = orders(&everyone)
            .iter()
            .flat_map(|order| sequential_clippings(&y, &[0.0; 7], order, 2.0, size))
            .collect();
        let mut seen = BTreeSet::new();
        let mut centre = None;
        for seed in 0..400 {
            let mut defence = chain(&[("sequential-centered-clipping", parameters.clone())]);
            let run = |defence: &mut Defence, x: &Rows, seed| {
                defence.aggregate(&vectors(x, dtype), 1, stream(seed)).unwrap()
            };
            let v = run(&mut defence, &y, seed % 3).output.to_f64();
            assert!(nearest(&first, &v).1 < tolerance, "{m} in buckets of {size}, {dtype}");
            if centre.get_or_insert(v.clone()) != &v {
                continue; // of one centre all results are looked for
            }
            let results = sequential_clippings(&x, &v, &by_cosine(&x, &v), 2.0, size);
            let got = run(&mut defence, &x, seed);
            let (at, off) = nearest(&results, &got.output.to_f64());
            assert!(off < tolerance, "{m} in buckets of {size}, {dtype}: off by {off:e}");
            seen.insert(at);
            let own: Vec<f64> = x.iter().map(|r| distance(r, &results[at])).collect();
            assert_close(&got.distances.unwrap(), &own, 1.0, 10.0 * tolerance, "distances");
        }
        let all =
            sequential_clippings(&x, &centre.clone().unwrap(), &by_cosine(&x, &centre.unwrap()), 2.0, size);
        let different = (0..all.len()).filter(|&i| nearest(&all, &all[i]).0 == i).count();
        assert_eq!(seen.len(), different, "{m} in buckets of {size}, {dtype}");
    }
}

/// Many rows, with buckets of all of them: no draw matters.
#[test]
fn sequential_clipping_in_one_bucket_is_one_step_of_centered_clipping() {
    for (m, d, f) in [(9, 33, 4), (16, 100, 0), (1, 3, 0)] {
        for dtype in [Dtype::F32, Dtype::F64] {
            let mut defence = chain(&[("sequential-centered-clipping", json!({ "tau": 0.8, "size": m }))]);
            let mut v = vec![0.0; d];
            for round in 0..4 {
                let mut x = crate::stage::rounded(&gaussian(m, d, 60 + round), dtype);
                x[0].iter_mut().for_each(|v| *v *= 1e6); // one row alone is far away
                v = centered_clipping(&x, v, 0.8, 1);
                let got = defence.aggregate(&vectors(&x, dtype), f, stream(round)).unwrap();
                let tolerance = if dtype == Dtype::F32 { 1e-5 } else { 1e-9 };
                assert_close(&got.output.to_f64(), &v, 1.0, tolerance, "centre");
                let mut other = chain(&[("sequential-centered-clipping", json!({ "tau": 0.8, "size": m }))]);
                other.restore(&defence.state()).unwrap();
                defence = other;
            }
        }
    }
}

#[test]
fn an_error_leaves_the_memory_as_it_was() {
    let mut defence = plain(&["ctma", "centered-clipping"]);
    let x = gaussian(7, 5, 1);
    aggregate(&mut defence, &x, 2).unwrap();
    let before = defence.state().vectors["inner.centre"].to_f64();
    let shorter = gaussian(7, 4, 1);
    assert!(matches!(aggregate(&mut defence, &shorter, 2), Err(RuleError::Failed { .. })));
    let nothing = vec![vec![f64::NAN; 5]; 7];
    assert_eq!(aggregate(&mut defence, &nothing, 2).unwrap_err(), RuleError::NoneFinite { m: 7 });
    assert_eq!(defence.state().vectors["inner.centre"].to_f64(), before);

    // also when an outer layer fails after an inner one has gone on
    let mut failing =
        Defence::new(vec![Layer::Meta(Box::new(FailsAfterwards)), layer("centered-clipping", &json!({}))])
            .unwrap();
    assert!(matches!(aggregate(&mut failing, &x, 2), Err(RuleError::Failed { .. })));
    assert!(failing.state().vectors.is_empty(), "the centre is still unset");
}

/// A layer that lets the inner rule go on, and then fails.
#[derive(Clone)]
struct FailsAfterwards;

impl Stateful for FailsAfterwards {}

impl MetaAggregator for FailsAfterwards {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError> {
        inner.aggregate(batch, context)?;
        assert!(!inner.state().vectors.is_empty());
        Err(RuleError::Failed { rule: "test".into(), message: "afterwards".into() })
    }
}

#[test]
fn clipped_clustering_remembers_norms() {
    let mut defence = plain(&["clipped-clustering"]);
    let mut seen = Vec::new();
    for round in 0..3 {
        let mut x = gaussian(9, 20, 40 + round);
        x.iter_mut().take(6).for_each(|r| r.iter_mut().for_each(|v| *v += 1.0 + round as f64));
        x.iter_mut().skip(6).for_each(|r| r.iter_mut().for_each(|v| *v -= 2.0));
        seen.extend(x.iter().map(|r| norm(r)));
        let mut sorted = seen.clone();
        sorted.sort_by(f64::total_cmp);
        let radius = midpoint(&sorted);
        let kept: Rows = larger_cluster(&x).iter().map(|&i| clipped(&x[i], radius)).collect();
        assert_eq!(kept.len(), 6);
        let got = aggregate(&mut defence, &x, 3).unwrap().output.to_f64();
        assert_close(&got, &mean_all(&kept), 1.0, 1e-11, "clipped-clustering");
        let mut other = plain(&["clipped-clustering"]);
        other.restore(&defence.state()).unwrap();
        defence = other;
    }
    // no structure: the linkage itself
    for seed in 0..10 {
        let x = gaussian(10, 4, 700 + seed);
        let mut norms: Vec<f64> = x.iter().map(|r| norm(r)).collect();
        norms.sort_by(f64::total_cmp);
        let kept: Rows = larger_cluster(&x).iter().map(|&i| clipped(&x[i], midpoint(&norms))).collect();
        assert_close(
            &output(&[("clipped-clustering", json!({}))], &x, 2),
            &mean_all(&kept),
            1.0,
            1e-11,
            "linkage",
        );
    }
}

#[test]
fn safeguard_evicts_who_strays_slowly() {
    // no single round gives worker 3 away, the sum does
    let mut defence = plain(&["safeguard"]);
    let mut evicted_at = None;
    let mut sums = vec![vec![0.0; 50]; 9];
    let mut good: Vec<usize> = (0..9).collect();
    for round in 0..40 {
        let mut x = gaussian(9, 50, 900 + round);
        x[3].iter_mut().for_each(|v| *v += 0.5);
        sums.iter_mut().zip(&x).for_each(|(s, r)| s.iter_mut().zip(r).for_each(|(s, v)| *s += v));
        // both windows hold the same sums so far
        let radius = |i: usize| {
            let mut all: Vec<f64> = good.iter().map(|&j| distance(&sums[i], &sums[j])).collect();
            all.sort_by(f64::total_cmp);
            all[4.min(all.len() - 1)]
        };
        let median = *good.iter().min_by(|a, b| radius(**a).total_cmp(&radius(**b))).unwrap();
        let limit = 1.5 * radius(median);
        good.retain(|&i| distance(&sums[i], &sums[median]) <= limit);
        let expected: Rows = good.iter().map(|&i| x[i].clone()).collect();
        let got = aggregate(&mut defence, &x, 4).unwrap();
        assert_close(&got.output.to_f64(), &mean_all(&expected), 1.0, 1e-11, "safeguard");
        if evicted_at.is_none() && !good.contains(&3) {
            evicted_at = Some(round);
        }
        let mut other = plain(&["safeguard"]);
        other.restore(&defence.state()).unwrap();
        defence = other;
    }
    assert!(evicted_at.is_some_and(|round| round > 0), "{evicted_at:?}");
    assert!(good.len() >= 7, "{good:?}");
}

#[test]
fn safeguard_starts_its_windows_anew() {
    let mut defence = chain(&[("safeguard", json!({ "short": 2, "long": 3, "floor": 1e9 }))]);
    let x = vec![vec![1.0]; 5];
    let expected = [(1.0, 1.0), (2.0, 2.0), (1.0, 3.0), (2.0, 1.0), (1.0, 2.0), (2.0, 3.0), (1.0, 1.0)];
    for (short, long) in expected {
        aggregate(&mut defence, &x, 1).unwrap();
        let state = defence.state();
        assert_eq!(
            (state.vectors["short.2"].to_f64()[0], state.vectors["long.4"].to_f64()[0]),
            (short, long)
        );
    }
}

#[test]
fn safeguard_knows_workers_when_some_are_absent() {
    let mut defence = plain(&["safeguard"]);
    let mut x = gaussian(7, 50, 5);
    x[2].iter_mut().for_each(|v| *v += 30.0);
    aggregate(&mut defence, &x, 3).unwrap(); // 2 is out
    let present: Vec<usize> = vec![0, 2, 4, 5, 6];
    let rows: Rows = present.iter().map(|&i| if i == 2 { vec![1e3; 50] } else { x[i].clone() }).collect();
    let mut context = Context::new(1, stream(1));
    context.workers = present;
    let got = defence.aggregate_in(&vectors(&rows, Dtype::F64), context).unwrap();
    let weights = got.weights.unwrap();
    assert_eq!(weights[1], 0.0, "worker 2 is row 1");
    assert!([0, 2, 3, 4].iter().all(|&i| weights[i] > 0.0), "{weights:?}");
}

/// A worker that missed rounds has shorter sums, which are no straying.
#[test]
fn safeguard_does_not_hold_absences_against_workers() {
    let mut defence = plain(&["safeguard"]);
    for round in 0..40usize {
        let mut x = gaussian(9, 200, 900 + round as u64);
        x.iter_mut().flatten().for_each(|v| *v += 3.0); // they agree on where to go
        let present: Vec<usize> = (0..9).filter(|&worker| (worker + round) % 4 != 0 || worker < 3).collect();
        let rows: Rows = present.iter().map(|&worker| x[worker].clone()).collect();
        let context = Context { workers: present.clone(), ..Context::new(1, stream(1)) };
        let got = defence.aggregate_in(&vectors(&rows, Dtype::F64), context).unwrap();
        let weights = got.weights.unwrap();
        assert!(weights.iter().all(|w| *w > 0.0), "round {round}, {present:?}: {weights:?}");
    }
    let refused = defence.check_workers(20, Size::new(10, 1)).unwrap_err().to_string();
    assert!(refused.contains("a round calls 10 of 20 workers"), "{refused}");
}

/// Worker 4 goes the other way until it is out; then it comes alone.
#[test]
fn safeguard_says_that_nobody_is_left_whom_it_has_not_put_out() {
    let mut defence = plain(&["safeguard"]);
    for round in 0..30 {
        let mut x = gaussian(5, 40, 500 + round);
        x.iter_mut().flatten().for_each(|v| *v = *v * 0.1 + 1.0);
        x[4].iter_mut().for_each(|v| *v = -*v);
        aggregate(&mut defence, &x, 1).unwrap();
    }
    let (before, row) = (defence.state(), vectors(&gaussian(1, 40, 1), Dtype::F64));
    let of = |workers: Vec<usize>| Context { workers, ..Context::new(0, stream(1)) };
    let error = defence.aggregate_in(&row, of(vec![4])).unwrap_err();
    assert!(error.is_turnout() && !error.is_own(), "{error}");
    assert_eq!(error.to_string(), "safeguard: every worker that is there was evicted in an earlier round");
    assert_eq!(defence.state().values, before.values);
    assert!(defence.aggregate_in(&row, of(vec![2])).is_ok());
}

#[test]
fn safeguard_refuses_vectors_of_another_length() {
    let mut defence = plain(&["safeguard"]);
    aggregate(&mut defence, &gaussian(5, 8, 1), 1).unwrap();
    let before = defence.state();
    let refused = aggregate(&mut defence, &gaussian(5, 9, 1), 1).unwrap_err();
    let said = "safeguard: the server's vector has 8 coordinates of f64, the rows have 9 coordinates of f64";
    assert_eq!(refused.to_string(), said);
    assert_eq!(defence.state().values, before.values);
    aggregate(&mut defence, &gaussian(5, 8, 2), 1).unwrap();
}

#[test]
fn fltrust_follows_the_servers_own_vector() {
    let x = gaussian(9, 25, 71);
    let g = gaussian(1, 25, 72).remove(0);
    let mut defence = plain(&["fltrust"]);
    assert!(defence.needs_reference() && plain(&["nnm", "fltrust"]).needs_reference());
    assert!(!plain(&["ctma", "cwmed"]).needs_reference());
    assert_eq!(aggregate(&mut defence, &x, 2).unwrap_err(), RuleError::NoReference { rule: "fltrust" });
    let mut context = Context::new(2, stream(1));
    context.reference = Some(Vector::from(g.clone()));
    let got = defence.aggregate_in(&vectors(&x, Dtype::F64), context.clone()).unwrap();
    assert_close(&got.output.to_f64(), &fltrust(&x, &g), 1.0, 1e-11, "fltrust");
    let opposed: Rows = vec![g.iter().map(|v| -v).collect(); 5];
    let got = defence.aggregate_in(&vectors(&opposed, Dtype::F64), context.clone()).unwrap();
    assert_eq!(got.output.to_f64(), vec![0.0; 25]);
    for unusable in [vec![1.0; 24], vec![f64::NAN; 25]] {
        context.reference = Some(Vector::from(unusable));
        let result = defence.aggregate_in(&vectors(&x, Dtype::F64), context.clone());
        assert!(matches!(result, Err(RuleError::Failed { .. })), "{result:?}");
    }
}

#[test]
fn the_noise_of_norm_clipping_has_the_deviation_asked_for() {
    let x = gaussian(5, 20_000, 81);
    let quiet = output(&[("norm-clipping", json!({ "radius": 2.0 }))], &x, 1);
    let noisy = output(&[("norm-clipping", json!({ "radius": 2.0, "noise": 0.3 }))], &x, 1);
    let noise: Vec<f64> = noisy.iter().zip(&quiet).map(|(a, b)| a - b).collect();
    let mean = noise.iter().sum::<f64>() / 2e4;
    let deviation = (noise.iter().map(|v| v * v).sum::<f64>() / 2e4).sqrt();
    assert!(mean.abs() < 0.01 && (deviation - 0.3).abs() < 0.01, "{mean} {deviation}");
    assert!(noisy.iter().any(|v| *v != noisy[0]));
}

#[test]
fn dnc_finds_a_shift_on_any_coordinates() {
    let mut x = gaussian(15, 400, 91);
    [1, 4, 8].into_iter().for_each(|i| x[i].iter_mut().for_each(|v| *v += 3.0));
    let honest: Rows = (0..15).filter(|i| ![1, 4, 8].contains(i)).map(|i| x[i].clone()).collect();
    for iterations in [5, 130] {
        let got = output(&[("dnc", json!({ "sub_dim": 60, "iterations": iterations }))], &x, 3);
        assert_close(&got, &mean_all(&honest), 1.0, 1e-12, "dnc");
    }
    // without structure the tests disagree, and the draw matters
    let y = gaussian(15, 400, 92);
    let mut defence = chain(&[("dnc", json!({ "sub_dim": 20, "iterations": 3 }))]);
    let once = defence.aggregate(&vectors(&y, Dtype::F64), 3, stream(1)).unwrap();
    let again = defence.aggregate(&vectors(&y, Dtype::F64), 3, stream(1)).unwrap();
    let other = defence.aggregate(&vectors(&y, Dtype::F64), 3, stream(2)).unwrap();
    assert_eq!(once.weights, again.weights);
    assert_ne!(once.weights, other.weights);
}

#[test]
fn signguard_keeps_the_largest_crowd_of_signs() {
    let mut dropped = 0;
    for seed in 0..30 {
        let (m, d) = (9 + seed as usize % 9, 60);
        let mut x = gaussian(m, d, 300 + seed);
        for (i, row) in x.iter_mut().enumerate() {
            let (bias, length) = (0.7 * (i % 4) as f64 - 0.5, [1.0, 1.0, 4.0, 0.05][(i + seed as usize) % 4]);
            row.iter_mut().for_each(|v| *v = length * if v.abs() < 0.2 { 0.0 } else { *v + bias });
        }
        let norms: Vec<f64> = x.iter().map(|row| norm(row)).collect();
        let mut ascending = norms.clone();
        ascending.sort_by(f64::total_cmp);
        let middle = midpoint(&ascending);
        let share = |row: &[f64], sign: f64| {
            row.iter().filter(|v| if sign == 0.0 { **v == 0.0 } else { **v * sign > 0.0 }).count() as f64
                / d as f64
        };
        let signs: Rows =
            x.iter().map(|row| [1.0, 0.0, -1.0].map(|sign| share(row, sign)).to_vec()).collect();
        let crowd = largest_mean_shift(&signs, (0.3 * m as f64) as usize);
        let in_band = |i: &usize| norms[*i] >= 0.1 * middle && norms[*i] <= 3.0 * middle;
        let band: Vec<usize> = (0..m).filter(in_band).collect();
        let both: Vec<usize> = crowd.iter().copied().filter(in_band).collect();
        let kept = if both.is_empty() { band } else { both };
        dropped += m - kept.len();
        let expected = mean_all(&kept.iter().map(|&i| clipped(&x[i], middle)).collect());
        let parameters = json!({ "coordinates": 1.0, "quantile": 0.3 });
        let got = output(&[("signguard", parameters)], &x, (m - 1) / 2);
        assert_close(&got, &expected, 1.0, 1e-11, &format!("seed {seed}"));
    }
    assert!(
        dropped > 60,
        "{dropped} rows of 30 batches were dropped: the crowds must differ to show anything"
    );
}

#[test]
fn signguard_drops_odd_norms_and_odd_signs() {
    let mut x = gaussian(12, 300, 93);
    x.iter_mut().for_each(|r| r.iter_mut().for_each(|v| *v += 0.8));
    x[2].iter_mut().for_each(|v| *v *= 50.0); // too long
    x[5].iter_mut().for_each(|v| *v *= 0.01); // too short
    x[9].iter_mut().for_each(|v| *v = -*v); // signs of its own
    let mut norms: Vec<f64> = x.iter().map(|r| norm(r)).collect();
    norms.sort_by(f64::total_cmp);
    let kept: Rows =
        (0..12).filter(|i| ![2, 5, 9].contains(i)).map(|i| clipped(&x[i], midpoint(&norms))).collect();
    let parameters = json!({ "coordinates": 1.0, "quantile": 0.5 });
    assert_close(&output(&[("signguard", parameters)], &x, 3), &mean_all(&kept), 1.0, 1e-11, "signguard");
    // with the band wide open only the signs speak
    let wide = json!({ "coordinates": 1.0, "lower": 0.0, "upper": 1e9 });
    let kept: Rows = (0..12).filter(|i| *i != 9).map(|i| clipped(&x[i], midpoint(&norms))).collect();
    let got = output(&[("signguard", wide)], &x, 3);
    assert!(difference(&got, &mean_all(&kept), 1.0) < 1e-11);
}
