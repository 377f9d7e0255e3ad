//! The batch kernels against brute force in f64, written from the definitions.

#![cfg_attr(feature = "torch", expect(clippy::unwrap_used, reason = "a test fails by panicking"))]

use phalanx_robust::{Batch, BatchError, ColumnRule, Dtype, Map, Matrix, Median, Vector, random::Seed};
use rand::RngExt;

// Few and small where an interpreter of the language (Miri) looks at every step of the unsafe code.
const SIZES: &[usize] =
    if cfg!(miri) { &[1, 3, 5] } else { &[1, 2, 3, 4, 5, 8, 16, 17, 31, 33, 64, 100, 257, 1000] };
const LENGTHS: &[usize] = if cfg!(miri) { &[1, 17, 40] } else { &[1, 2, 7, 8, 15, 16, 17, 1000, 10_007] };
const THREADED: &[(usize, usize)] =
    if cfg!(miri) { &[(5, 40)] } else { &[(17, 30_011), (100, 4099), (200, 2500), (3, 100_003)] };

/// Every (m, d) that does not take long.
fn shapes() -> impl Iterator<Item = (usize, usize)> {
    SIZES.iter().flat_map(|&m| LENGTHS.iter().map(move |&d| (m, d))).filter(|(m, d)| m * m * d <= 4_000_000)
}

fn uniform(m: usize, d: usize, id: u64) -> Vec<Vec<f64>> {
    let mut rng = Seed(id).stream("test", m as u64, "row", d as u64);
    (0..m).map(|_| (0..d).map(|_| f64::from(rng.random_range(-1f32..1.0))).collect()).collect()
}

/// Small integers: many ties, and every sum is exact in f32.
fn ties(m: usize, d: usize) -> Vec<Vec<f64>> {
    uniform(m, d, 2).into_iter().map(|row| row.into_iter().map(|v| (v * 4.0).round()).collect()).collect()
}

fn vectors(rows: &[Vec<f64>], dtype: Dtype) -> Vec<Vector> {
    let vector = |row: &Vec<f64>| match dtype {
        Dtype::F32 => row.iter().map(|&v| v as f32).collect::<Vec<_>>().into(),
        Dtype::F64 => row.clone().into(),
    };
    rows.iter().map(vector).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn distance2(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn combination(rows: &[Vec<f64>], c: &[f64]) -> Vec<f64> {
    (0..rows[0].len()).map(|j| rows.iter().zip(c).map(|(row, c)| c * row[j]).sum()).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64, scale: f64) {
    let gap = (found - expected).abs();
    assert!(
        gap <= relative * expected.abs().max(scale),
        "found {found:e}, expected {expected:e}, gap {gap:e}"
    );
}

#[track_caller]
fn all_close(found: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0f64, |a, b| a.max(b.abs())).min(1.0);
    found.iter().zip(expected).for_each(|(&a, &b)| close(a, b, relative, scale));
}

/// The rule on one column, from its definition: nearest values first, the lower one on a tie.
fn by_definition(column: &[f64], rule: &ColumnRule) -> f64 {
    let mut sorted = column.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let nearest = |centre: f64, keep: usize| {
        let mut near = sorted.clone();
        near.sort_by(|a, b| (a - centre).abs().total_cmp(&(b - centre).abs()).then(a.total_cmp(b)));
        mean(&near[..keep])
    };
    let (lower, upper) = (sorted[(n - 1) / 2], sorted[n / 2]);
    let middle = |median: Median| match median {
        Median::Lower => lower,
        Median::Midpoint => (lower + upper) / 2.0,
        Median::Upper => upper,
    };
    match *rule {
        ColumnRule::Median(median) => middle(median),
        ColumnRule::TrimmedMean { f } => mean(&sorted[f..n - f]),
        ColumnRule::MeanAroundMedian { keep, median } => nearest(middle(median), keep),
        ColumnRule::MeanAroundTrimmedMean { keep, f } => nearest(mean(&sorted[f..n - f]), keep),
        ColumnRule::SignMajority => {
            let up = column.iter().filter(|v| **v > 0.0).count();
            let down = column.iter().filter(|v| **v < 0.0).count();
            f64::from(i8::from(up > down) - i8::from(down > up))
        }
        ColumnRule::TurnedMean { votes } => {
            let up = column.iter().filter(|v| **v > 0.0).count();
            let down = column.iter().filter(|v| **v < 0.0).count();
            if up.abs_diff(down) < votes { -mean(column) } else { mean(column) }
        }
        ColumnRule::Minimum => sorted[0],
        ColumnRule::Maximum => sorted[n - 1],
    }
}

/// All rules for n values, f = 0 and f at its limit among them.
fn rules(n: usize) -> Vec<ColumnRule> {
    let most = (n - 1) / 2;
    let medians = [Median::Lower, Median::Midpoint, Median::Upper];
    let mut rules: Vec<ColumnRule> = medians.into_iter().map(ColumnRule::Median).collect();
    rules.extend([0, 1, most + 1, n, n + 1].map(|votes| ColumnRule::TurnedMean { votes }));
    rules.extend([ColumnRule::SignMajority, ColumnRule::Minimum, ColumnRule::Maximum]);
    for f in [0, most / 2, most] {
        rules.push(ColumnRule::TrimmedMean { f });
        for keep in [1, (n - f).max(1), n / 3 + 1, n] {
            rules.extend(medians.map(|median| ColumnRule::MeanAroundMedian { keep, median }));
            rules.push(ColumnRule::MeanAroundTrimmedMean { keep, f });
        }
    }
    rules
}

/// The value up to which there is half of the weight, from its definition: the least and the greatest value with at
/// most half of the weight on either side.
fn weighted_by_definition(column: &[f64], weights: &[f64], median: Median) -> f64 {
    let total: f64 = weights.iter().sum();
    let weight = |of: &dyn Fn(f64) -> bool| -> f64 {
        column.iter().zip(weights).filter(|(x, _)| of(**x)).map(|(_, w)| w).sum()
    };
    let is_median = |x: f64| 2.0 * weight(&|y| y < x) <= total && 2.0 * weight(&|y| y > x) <= total;
    let medians: Vec<f64> = column.iter().copied().filter(|&x| is_median(x)).collect();
    let low = medians.iter().copied().fold(f64::INFINITY, f64::min);
    let high = medians.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match median {
        Median::Lower => low,
        Median::Midpoint => (low + high) / 2.0,
        Median::Upper => high,
    }
}

#[test]
fn weighted_medians_are_those_of_the_definition() {
    for (m, d) in shapes().filter(|(m, d)| m * d <= 40_000) {
        let weights: Vec<f64> = (0..m).map(|i| (1 + i * 7 % 4) as f64).collect();
        for (rows, half) in [
            (uniform(m, d, 3), Median::Midpoint),
            (ties(m, d), Median::Lower),
            (ties(m, d), Median::Midpoint),
            (ties(m, d), Median::Upper),
        ] {
            let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<_>>();
            let expected: Vec<f64> =
                (0..d).map(|j| weighted_by_definition(&column(j), &weights, half)).collect();
            for dtype in [Dtype::F32, Dtype::F64] {
                let vectors = vectors(&rows, dtype);
                let found = Batch::new(&vectors).unwrap().weighted_median(&weights, half).unwrap();
                all_close(&found.to_f64(), &expected, 1e-6);
            }
        }
    }
}

#[test]
fn weighted_medians_of_any_number_of_rows_are_those_of_the_definition() {
    for m in (1..=if cfg!(miri) { 4 } else { 64 }).chain(if cfg!(miri) { None } else { Some(150) }) {
        let rows = uniform(m, 3, 23);
        let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<_>>();
        for weights in [vec![1.0; m], (0..m).map(|i| (1 + i % 5) as f64).collect(), vec![0.375; m]] {
            let expected: Vec<f64> =
                (0..3).map(|j| weighted_by_definition(&column(j), &weights, Median::Midpoint)).collect();
            for dtype in [Dtype::F32, Dtype::F64] {
                let vectors = vectors(&rows, dtype);
                let found =
                    Batch::new(&vectors).unwrap().weighted_median(&weights, Median::Midpoint).unwrap();
                all_close(&found.to_f64(), &expected, 1e-6);
            }
        }
    }
}

#[test]
fn weights_of_any_size_find_the_median() {
    let (m, d) = if cfg!(miri) { (5, 40) } else { (23, 997) };
    let drawn = uniform(1, m, 21).remove(0);
    let spread: Vec<f64> = drawn.iter().map(|w| (6.0 * w).exp()).collect();
    let heavy: Vec<f64> = (0..m).map(|i| if i == 3 { m as f64 } else { 1.0 }).collect();
    let few: Vec<f64> = (0..m).map(|i| if i < 2 { 1.0 } else { 1e-12 }).collect();
    // whole, and with a total of 2^25 + 1, which f32 does not know
    let vast: Vec<f64> =
        [16_777_216, 16_777_218 - m, 2].into_iter().chain(vec![1; m - 3]).map(|w| w as f64).collect();
    for weights in [spread, heavy, few, vast] {
        for rows in [uniform(m, d, 22), ties(m, d)] {
            let vectors = vectors(&rows, Dtype::F32);
            let found = Batch::new(&vectors).unwrap().weighted_median(&weights, Median::Midpoint).unwrap();
            for (j, &found) in found.to_f64().iter().enumerate() {
                let column: Vec<f64> = rows.iter().map(|row| row[j]).collect();
                close(found, weighted_by_definition(&column, &weights, Median::Midpoint), 1e-6, 1e-6);
            }
        }
    }
}

#[test]
fn the_geometry_is_that_of_the_rows() {
    for (m, d) in shapes().chain(if cfg!(miri) { None } else { Some((140, 1100)) }) {
        for (dtype, tolerance) in [(Dtype::F32, 1e-4), (Dtype::F64, 1e-12)] {
            let rows = uniform(m, d, 1);
            let vectors = vectors(&rows, dtype);
            let gram = Batch::new(&vectors).unwrap().gram().unwrap().clone();
            assert_eq!(gram.m(), m);
            let scale = d as f64;
            for i in (0..m).step_by(m / 20 + 1) {
                close(gram.row_norm2(i), dot(&rows[i], &rows[i]), tolerance, 0.0);
                for j in (0..m).step_by(m / 20 + 1) {
                    close(gram.distance2(i, j), distance2(&rows[i], &rows[j]), tolerance, 0.0);
                    let unit = |at: usize| (0..m).map(|k| f64::from(u8::from(k == at))).collect::<Vec<_>>();
                    close(gram.dot(&unit(i), &unit(j)), dot(&rows[i], &rows[j]), tolerance, scale);
                }
            }
            for total in [1.0, 0.3] {
                let a: Vec<f64> = (1..=m).map(|i| total * 2.0 * i as f64 / (m * (m + 1)) as f64).collect();
                let point = combination(&rows, &a);
                close(gram.norm2(&a), dot(&point, &point), tolerance, scale);
                let expected: Vec<f64> = rows.iter().map(|row| distance2(row, &point)).collect();
                let found = gram.distances2_to(&a);
                found.iter().zip(expected).for_each(|(&a, b)| close(a, b, tolerance, scale));
            }
        }
    }
}

/// Rows whose coordinates differ by about 1e-3 in a norm of 1e4, as their f32 values.
fn crowd(m: usize, d: usize) -> Vec<Vec<f64>> {
    let common = 1e4 / (d as f64).sqrt();
    let narrow = |v: f64| f64::from((common + 1e-2 * v) as f32);
    uniform(m, d, 3).into_iter().map(|row| row.into_iter().map(narrow).collect()).collect()
}

#[test]
fn nearly_equal_rows_of_large_norm_keep_their_distances() {
    for (m, d) in [(5, 1000), (17, 1000), (17, 10_007), (100, 1000)] {
        for huge in [None, Some(0), Some(m / 2), Some(m - 1)] {
            for size in [1e8f32, 1e20, 1e30, 3e38] {
                let mut rows = crowd(m, d);
                if let Some(at) = huge {
                    rows[at].iter_mut().for_each(|v| *v = f64::from(-size));
                }
                let vectors = vectors(&rows, Dtype::F32);
                let gram = Batch::new(&vectors).unwrap().gram().unwrap().clone();
                for i in 0..m {
                    for j in 0..i {
                        close(gram.distance2(i, j), distance2(&rows[i], &rows[j]), 1e-4, 0.0);
                    }
                    close(gram.row_norm2(i), dot(&rows[i], &rows[i]), 1e-4, 0.0);
                }
                let honest = (m - usize::from(huge.is_some())) as f64;
                let mean: Vec<f64> =
                    (0..m).map(|i| if Some(i) == huge { 0.0 } else { 1.0 / honest }).collect();
                let point = combination(&rows, &mean);
                for (i, found) in gram.distances2_to(&mean).into_iter().enumerate() {
                    close(found, distance2(&rows[i], &point), 1e-3, 0.0);
                }
                if huge.is_none() {
                    break;
                }
            }
        }
    }
}

#[test]
fn distances_survive_crowds_within_crowds_and_underflow() {
    // two crowds far apart, one of them with a crowd of its own; and vectors whose squares vanish in f32
    let (d, scales) = (300, [1e6, 1e6 + 1.0, -1e3]);
    let noise = uniform(12, d, 4);
    let nested: Vec<Vec<f64>> = (0..12)
        .map(|i| noise[i].iter().map(|v| f64::from((scales[i % 3] + v * 1e-1) as f32)).collect())
        .collect();
    let tiny: Vec<Vec<f64>> =
        noise.iter().map(|row| row.iter().map(|v| f64::from((v * 1e-25) as f32)).collect()).collect();
    for rows in [nested, tiny] {
        let vectors = vectors(&rows, Dtype::F32);
        let batch = Batch::new(&vectors).unwrap();
        let gram = batch.gram().unwrap();
        for i in 0..12 {
            (0..i).for_each(|j| close(gram.distance2(i, j), distance2(&rows[i], &rows[j]), 1e-3, 0.0));
        }
    }
}

#[test]
fn equal_rows_are_at_distance_zero() {
    let rows = uniform(9, if cfg!(miri) { 70 } else { 501 }, 5);
    let mut vectors = vectors(&rows, Dtype::F32);
    vectors[4] = vectors[1].clone(); // shares memory
    vectors[7] = Vector::from(vectors[1].as_f32().unwrap().to_vec()); // a copy
    vectors[8] = Vector::from(vectors[0].as_f32().unwrap().to_vec());
    let batch = Batch::new(&vectors).unwrap();
    let gram = batch.gram().unwrap();
    for (i, j) in [(1, 4), (1, 7), (4, 7), (0, 8)] {
        assert_eq!(gram.distance2(i, j), 0.0);
        (0..9).for_each(|k| assert_eq!(gram.distance2(i, k), gram.distance2(j, k)));
    }
    let all = vec![vectors[0].clone(); 6];
    let gram = Batch::new(&all).unwrap().gram().unwrap().clone();
    assert!((0..36).all(|at| gram.distance2(at / 6, at % 6) == 0.0));
}

#[test]
fn a_map_of_the_geometry_is_the_geometry_of_the_map() {
    let rows = uniform(9, if cfg!(miri) { 70 } else { 700 }, 6);
    let vectors = vectors(&rows, Dtype::F64);
    let weights = uniform(6, 9, 7);
    let mut w = Matrix::from_fn(6, 9, |i, j| weights[i][j]);
    let first = w.row(0).to_vec();
    w.row_mut(5).copy_from_slice(&first);
    let mapped = Batch::new(&vectors).unwrap().mapped(Map::from(w.clone()));
    let made: Vec<Vec<f64>> = (0..6).map(|i| combination(&rows, w.row(i))).collect();
    let gram = mapped.gram().unwrap();
    for i in 0..6 {
        all_close(&mapped.row(i).to_f64(), &made[i], 1e-12);
        close(gram.row_norm2(i), dot(&made[i], &made[i]), 1e-10, 0.0);
        (0..6).for_each(|j| close(gram.distance2(i, j), distance2(&made[i], &made[j]), 1e-10, 0.0));
    }
    assert_eq!(gram.distance2(0, 5), 0.0);
}

#[test]
fn a_map_that_is_mostly_zeros_has_its_geometry_too() {
    let m = 24;
    let rows = uniform(m, if cfg!(miri) { 70 } else { 700 }, 6);
    let vectors = vectors(&rows, Dtype::F64);
    let scaled = Map::scaling(&(0..m).map(|i| 0.5 + i as f64).collect::<Vec<_>>());
    let buckets = Map::from_rows(m, (0..m / 2).map(|i| [(2 * i, 0.4), (2 * i + 1, 0.4)]));
    for w in [scaled, buckets] {
        let made: Vec<Vec<f64>> = (0..w.rows()).map(|i| combination(&rows, &w.weights(i))).collect();
        let mapped = Batch::new(&vectors).unwrap().mapped(w);
        let gram = mapped.gram().unwrap();
        for (i, row) in made.iter().enumerate() {
            close(gram.row_norm2(i), dot(row, row), 1e-10, 0.0);
            let others = made.iter().enumerate();
            others.for_each(|(j, other)| close(gram.distance2(i, j), distance2(row, other), 1e-10, 0.0));
        }
        let [a, b]: [Vec<f64>; 2] = [3, 4].map(|seed| uniform(1, made.len(), seed).remove(0));
        close(gram.dot(&a, &b), dot(&combination(&made, &a), &combination(&made, &b)), 1e-10, 1e-8);
    }
}

#[test]
fn distances_between_rows_are_those_of_their_differences() {
    for (m, d) in shapes() {
        let rows = uniform(m, d, 24);
        let pairs: Vec<_> = (0..m).map(|i| (i, (i % 3 > 0).then_some((i * i + 1) % m))).collect();
        let origin = vec![0.0; d];
        let expected = pairs.iter().map(|&(i, j)| distance2(&rows[i], j.map_or(&origin, |j| &rows[j])));
        let expected: Vec<f64> = expected.collect();
        for dtype in [Dtype::F32, Dtype::F64] {
            let vectors = vectors(&rows, dtype);
            all_close(&Batch::new(&vectors).unwrap().distances_between(&pairs), &expected, 1e-12);
        }
    }
}

#[test]
fn a_map_of_a_map_is_their_product() {
    // of every row one weight, all weights, or some: among them one that cancels
    let some = |k: usize, m: usize, part: usize| {
        Matrix::from_fn(k, m, |i, j| if (i + 2 * j) % part == 0 { (1 + i) as f64 - j as f64 } else { 0.0 })
    };
    for (k, m, d, parts) in
        [(9, 9, 9, [9, 9]), (12, 31, 20, [1, 1]), (12, 31, 20, [7, 1]), (5, 40, 63, [40, 3])]
    {
        let (outer, inner) = (some(k, m, parts[0]), some(m, d, parts[1]));
        let product = Matrix::from_fn(k, d, |i, j| (0..m).map(|l| outer[(i, l)] * inner[(l, j)]).sum());
        let rows = vectors(&uniform(d, 3, 1), Dtype::F64);
        let batch = Batch::new(&rows).unwrap().mapped(Map::from(inner)).mapped(Map::from(outer));
        assert_eq!(batch.map(), Some(&Map::from(product)), "{parts:?}");
    }
}

#[test]
fn every_rule_of_columns_meets_its_definition() {
    for (m, d) in shapes() {
        for (rows, dtype) in
            [(uniform(m, d, 8), Dtype::F32), (ties(m, d), Dtype::F32), (uniform(m, d, 9), Dtype::F64)]
        {
            let vectors = vectors(&rows, dtype);
            let batch = Batch::new(&vectors).unwrap();
            for rule in rules(m) {
                let found = batch.columns(&rule, true).unwrap();
                let output = found.output.to_f64();
                // all columns if there are few, else some, with both ends
                for j in (0..d).filter(|j| d < 100 || j % (d / 20) == 0 || *j > d - 20) {
                    let column: Vec<f64> = rows.iter().map(|row| row[j]).collect();
                    close(output[j], by_definition(&column, &rule), 2e-7, 1e-9);
                }
                let expected: Vec<f64> = rows.iter().map(|row| distance2(row, &output)).collect();
                all_close(&found.distances.unwrap(), &expected, 1e-9);
                assert!(batch.columns(&rule, false).unwrap().distances.is_none());
            }
        }
    }
}

#[test]
fn rules_of_columns_see_the_mapped_rows() {
    let sizes = [(5, 3, 17), (17, 17, 1000), (8, 1, 33), (33, 40, 100), (100, 99, 50)];
    // maps of which all, a fifth and a fortieth of the weights need not be zero
    for ((m, k, d), part) in sizes.into_iter().flat_map(|size| [1, 5, 40].map(|part| (size, part))) {
        let rows = ties(m, d);
        // weights of a few quarters keep every sum exact
        let draw = uniform(k, m, 10);
        let weight = |i: usize, j: usize| (draw[i][j] * 4.0).round() / 4.0;
        let w = Map::from(Matrix::from_fn(k, m, |i, j| if (i + j) % part == 0 { weight(i, j) } else { 0.0 }));
        let made: Vec<Vec<f64>> = (0..k).map(|i| combination(&rows, &w.weights(i))).collect();
        for dtype in [Dtype::F32, Dtype::F64] {
            let vectors = vectors(&rows, dtype);
            let batch = Batch::new(&vectors).unwrap().mapped(w.clone());
            let own: Vec<Vec<f64>> = batch.to_rows().iter().map(Vector::to_f64).collect();
            assert_eq!(own, made, "{m} x {d} to {k}, a part of {part}");
            for rule in rules(k) {
                let found = batch.columns(&rule, true).unwrap();
                let output = found.output.to_f64();
                for (j, &value) in output.iter().enumerate() {
                    let column: Vec<f64> = made.iter().map(|row| row[j]).collect();
                    close(value, by_definition(&column, &rule), 2e-7, 1e-9);
                }
                let expected: Vec<f64> = rows.iter().map(|row| distance2(row, &output)).collect();
                all_close(&found.distances.unwrap(), &expected, 1e-9);
                let expected: Vec<f64> = made.iter().map(|row| distance2(row, &output)).collect();
                all_close(&batch.distances(&found.output), &expected, 1e-6);
            }
        }
    }
}

#[test]
fn a_map_that_picks_rows_is_those_rows() {
    let rows = uniform(19, 333, 23);
    let mut vectors = vectors(&rows, Dtype::F32);
    let at = [17, 2, 3, 11, 2, 8, 5];
    let w = Map::from_rows(19, at.map(|i| [(i, 1.0)]));
    let picked: Vec<Vector> = at.iter().map(|&i| vectors[i].clone()).collect();
    for rule in rules(at.len()) {
        let batch = Batch::new(&vectors).unwrap();
        let unmeasured = batch.mapped(w.clone()).columns(&rule, true).unwrap();
        batch.gram().unwrap();
        let measured = batch.mapped(w.clone()).columns(&rule, true).unwrap();
        let alone = Batch::new(&picked).unwrap().columns(&rule, false).unwrap();
        for found in [unmeasured, measured] {
            assert_eq!(found.output.to_f64(), alone.output.to_f64());
            let expected: Vec<f64> = rows.iter().map(|row| distance2(row, &found.output.to_f64())).collect();
            all_close(&found.distances.unwrap(), &expected, 1e-9);
        }
    }
    vectors[0] = Vector::from(vec![f32::NAN; 333]); // not picked
    let batch = Batch::new(&vectors).unwrap();
    assert!(batch.gram().is_err());
    let found = batch.mapped(w).columns(&ColumnRule::Median(Median::Lower), false);
    assert_eq!(found.err(), Some(BatchError::NonFinite(vec![0])));
}

#[test]
fn a_combination_is_a_chain_in_f64_that_is_rounded_once() {
    for (m, d) in shapes().chain(THREADED.iter().copied()) {
        let rows = uniform(m, d, 24);
        let c: Vec<f64> = (0..m).map(|i| if i % 5 == 4 { 0.0 } else { 1.0 - 0.37 * i as f64 }).collect();
        let chain = |j: usize| rows.iter().zip(&c).fold(0.0, |sum, (row, c)| c.mul_add(row[j], sum));
        let f32s: Vec<f32> = (0..d).map(|j| chain(j) as f32).collect();
        if m == 1 {
            continue; // a row alone is shared
        }
        let vectors = vectors(&rows, Dtype::F32);
        assert_eq!(Batch::new(&vectors).unwrap().combine(&c).as_f32().unwrap(), f32s, "{m} x {d}");
    }
}

#[test]
fn combinations_and_distances_are_those_of_f64() {
    for (m, d) in shapes() {
        for (dtype, tolerance) in [(Dtype::F32, 1e-6), (Dtype::F64, 1e-13)] {
            let rows = uniform(m, d, 11);
            let vectors = vectors(&rows, dtype);
            let batch = Batch::new(&vectors).unwrap();
            let c: Vec<f64> = (0..m).map(|i| if i % 3 == 1 { 0.0 } else { 1.0 / (i + 1) as f64 }).collect();
            let point = batch.combine(&c);
            all_close(&point.to_f64(), &combination(&rows, &c), tolerance);
            let expected: Vec<f64> = rows.iter().map(|row| distance2(row, &point.to_f64())).collect();
            all_close(&batch.distances(&point), &expected, 1e-12);
        }
    }
}

#[test]
fn a_huge_row_leaves_means_of_the_others_alone() {
    let mut rows = uniform(17, 100, 12);
    rows[3].iter_mut().for_each(|v| *v = f64::from(3e38f32));
    rows[9].iter_mut().for_each(|v| *v = f64::from(-3e38f32));
    let vectors = vectors(&rows, Dtype::F32);
    let batch = Batch::new(&vectors).unwrap();
    for rule in
        [ColumnRule::TrimmedMean { f: 1 }, ColumnRule::MeanAroundMedian { keep: 15, median: Median::Lower }]
    {
        for (j, value) in batch.columns(&rule, true).unwrap().output.to_f64().into_iter().enumerate() {
            let column: Vec<f64> = rows.iter().map(|row| row[j]).collect();
            close(value, by_definition(&column, &rule), 2e-7, 1e-9);
        }
    }
}

/// The greatest power of two in f64.
const HUGE: f64 = f64::from_bits(2046 << 52);

/// Columns of which the two values in the middle have a sum beyond f64.
fn huge() -> Vec<Vec<f64>> {
    [1.0, 1.75, -1.0, 1.5].map(|x| vec![x * HUGE, -x * HUGE]).to_vec()
}

#[test]
fn a_midpoint_of_huge_values_is_finite() {
    let vectors = vectors(&huge(), Dtype::F64);
    let found = Batch::new(&vectors).unwrap().columns(&ColumnRule::Median(Median::Midpoint), false);
    assert_eq!(found.unwrap().output.to_f64(), [1.25 * HUGE, -1.25 * HUGE]);
}

#[test]
fn rows_that_are_not_finite_are_named() {
    for dtype in [Dtype::F32, Dtype::F64] {
        for (m, d) in [(1, 1), (5, 17), (17, 1000), (17, 10_007), (40, 333)] {
            let places = [(0, 0, f64::NAN), (m / 2, d / 2, f64::INFINITY), (m - 1, d - 1, f64::NEG_INFINITY)];
            for count in 1..=3 {
                let mut rows = uniform(m, d, 13);
                places[3 - count..].iter().for_each(|&(i, j, value)| rows[i][j] = value);
                let mut bad: Vec<usize> = places[3 - count..].iter().map(|place| place.0).collect();
                bad.dedup();
                let vectors = vectors(&rows, dtype);
                let batch = Batch::new(&vectors).unwrap();
                let named = Some(BatchError::NonFinite(bad));
                assert_eq!(batch.gram().err(), named);
                assert_eq!(batch.columns(&ColumnRule::Median(Median::Lower), false).err(), named);
                let mixed = batch.mapped(Map::from_rows(m, (0..2).map(|i| (i < m).then_some((i, 1.0)))));
                assert_eq!(mixed.gram().err(), named);
                assert_eq!(mixed.columns(&ColumnRule::SignMajority, true).err(), named);
                assert!(
                    vectors
                        .iter()
                        .zip(&rows)
                        .all(|(v, row)| v.is_finite() == row.iter().all(|x| x.is_finite()))
                );
            }
        }
    }
    let shared = Vector::from(vec![1f32, f32::NAN]);
    let rows = [shared.clone(), Vector::from(vec![0f32, 0.0]), shared];
    assert_eq!(Batch::new(&rows).unwrap().gram().err(), Some(BatchError::NonFinite(vec![0, 2])));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let with = |threads: usize, m: usize, d: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let vectors = vectors(&uniform(m, d, 14), Dtype::F32);
            let batch = Batch::new(&vectors).unwrap();
            let gram = batch.gram().unwrap();
            let mut bits: Vec<u64> = (0..m * m).map(|at| gram.distance2(at / m, at % m).to_bits()).collect();
            let mapped = batch.mapped(Map::from(Matrix::from_fn(3, m, |i, j| 1.0 / (i + j + 1) as f64)));
            for batch in [&batch, &mapped] {
                let rule = ColumnRule::MeanAroundMedian { keep: 2, median: Median::Midpoint };
                let found = batch.columns(&rule, true).unwrap();
                let mean = batch.mean();
                let distances = batch.distances(&mean).into_iter().chain(found.distances.unwrap());
                let values = found.output.to_f64().into_iter().chain(mean.to_f64()).chain(distances);
                bits.extend(values.map(f64::to_bits));
            }
            bits
        })
    };
    for &(m, d) in THREADED {
        let one = with(1, m, d);
        assert!(one == with(2, m, d) && one == with(3, m, d), "m = {m}, d = {d}");
    }
}

/// Rows 1 and 3 are not finite; row 2 is, though f32 does not hold its square.
fn odd_rows() -> Vec<Vector> {
    let mut rows = vec![vec![1.0; 1001]; 5];
    rows[1][1000] = f64::NAN;
    rows[2][7] = 3e38;
    rows[3][0] = f64::NEG_INFINITY;
    vectors(&rows, Dtype::F32)
}

#[test]
fn finiteness_is_asked_of_every_coordinate() {
    let rows = odd_rows();
    assert_eq!(Batch::new(&rows).unwrap().require_finite(), Err(BatchError::NonFinite(vec![1, 3])));
    assert_eq!(Batch::new(&rows[..1]).unwrap().require_finite(), Ok(()));
}

/// The same batches as tensors on the CPU.
#[cfg(feature = "torch")]
mod torch {
    use phalanx_robust::{Batch, BatchError, ColumnRule, Map, Matrix, Median, Vector};
    use tch::Tensor;

    use super::{HUGE, all_close, close, crowd, huge, rules, uniform, vectors};
    use phalanx_robust::Dtype;

    fn tensors(host: &[Vector]) -> Vec<Vector> {
        host.iter().map(|row| Tensor::from_slice(row.as_f32().unwrap()).into()).collect()
    }

    #[test]
    fn tensors_give_what_the_host_gives() {
        for (m, d) in [(1, 1), (5, 33), (17, 1000), (100, 301)] {
            let host = vectors(&uniform(m, d, 20), Dtype::F32);
            let torch = tensors(&host);
            let (host, torch) = (Batch::new(&host).unwrap(), Batch::new(&torch).unwrap());
            let weight = |i: usize, j: usize| if (i + j).is_multiple_of(3) { 0.25 } else { 0.0 };
            let w = Map::from(Matrix::from_fn(m.div_ceil(2), m, weight));
            for (host, torch) in [(&host, &torch), (&host.mapped(w.clone()), &torch.mapped(w))] {
                agree(host, torch);
            }
        }
    }

    #[test]
    fn rows_that_are_not_finite_are_the_same() {
        let host = super::odd_rows();
        let (host, torch) = (Batch::new(&host).unwrap().require_finite(), tensors(&host));
        assert_eq!(Batch::new(&torch).unwrap().require_finite(), host);
    }

    fn agree(host: &Batch<'_>, torch: &Batch<'_>) {
        let m = host.m();
        let (a, b) = (host.gram().unwrap(), torch.gram().unwrap());
        for i in 0..m {
            (0..m).for_each(|j| close(b.distance2(i, j), a.distance2(i, j), 1e-5, 0.1));
            close(b.row_norm2(i), a.row_norm2(i), 1e-5, 0.1);
        }
        let mean = host.mean();
        all_close(&torch.mean().to_f64(), &mean.to_f64(), 1e-5);
        all_close(&torch.distances(&torch.mean()), &host.distances(&mean), 1e-5);
        let raw = host.raw().len();
        let pairs: Vec<_> = (0..raw).map(|i| (i, (i % 3 > 0).then_some((i * i + 1) % raw))).collect();
        all_close(&torch.distances_between(&pairs), &host.distances_between(&pairs), 1e-5);
        for rule in rules(m) {
            let (a, b) = (host.columns(&rule, true).unwrap(), torch.columns(&rule, true).unwrap());
            all_close(&b.output.to_f64(), &a.output.to_f64(), 1e-5);
            all_close(&b.distances.unwrap(), &a.distances.unwrap(), 1e-5);
        }
    }

    #[test]
    fn a_midpoint_of_huge_values_is_finite() {
        let torch: Vec<Vector> = huge().iter().map(|row| Tensor::from_slice(row).into()).collect();
        let found = Batch::new(&torch).unwrap().columns(&ColumnRule::Median(Median::Midpoint), false);
        assert_eq!(found.unwrap().output.to_f64(), [1.25 * HUGE, -1.25 * HUGE]);
    }

    #[test]
    fn tensors_keep_small_distances_and_name_what_is_not_finite() {
        let mut rows = crowd(9, 500);
        rows[0].iter_mut().for_each(|v| *v = 1e30);
        let host = vectors(&rows, Dtype::F32);
        let mut torch = tensors(&host);
        torch[4] = torch[3].clone();
        let batch = Batch::new(&torch).unwrap();
        let gram = batch.gram().unwrap();
        assert_eq!(gram.distance2(3, 4), 0.0);
        let host = Batch::new(&host).unwrap().gram().unwrap().clone();
        for (i, j) in [(1, 2), (2, 3), (7, 8), (0, 5)] {
            close(gram.distance2(i, j), host.distance2(i, j), 1e-3, 0.0);
        }
        let mut bad = torch.clone();
        bad[2] = Tensor::from_slice(&[f32::NAN; 500]).into();
        let batch = Batch::new(&bad).unwrap();
        assert_eq!(batch.gram().err(), Some(BatchError::NonFinite(vec![2])));
        let found = batch.columns(&ColumnRule::SignMajority, false);
        assert_eq!(found.err(), Some(BatchError::NonFinite(vec![2])));
    }
}
