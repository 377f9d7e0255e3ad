//! Oracles of rules of federated learning: weights by history, synthetic vectors, elected signs, tensors.

use crate::{
    naive::{average, by_column, clipped, distance, mean_all, midpoint, norm},
    naive_selection::order_by,
    naive_spectral::eigen,
    stage::Rows,
};

/// That of the angle between two vectors; 0 if one is none.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let both = norm(a) * norm(b);
    if both == 0.0 { 0.0 } else { a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / both }
}

/// The weights of FoolsGold for workers whose vectors have these sums.
pub fn fools_gold(sums: &Rows, confidence: f64) -> Vec<f64> {
    let m = sums.len();
    let mut likeness: Rows = sums.iter().map(|a| sums.iter().map(|b| cosine(a, b)).collect()).collect();
    (0..m).for_each(|i| likeness[i][i] = 0.0);
    let most = |likeness: &Rows| -> Vec<f64> {
        likeness.iter().map(|row| row.iter().copied().fold(f64::MIN, f64::max)).collect()
    };
    let before = most(&likeness);
    for i in 0..m {
        for j in 0..m {
            if before[j] > before[i] {
                likeness[i][j] *= before[i] / before[j];
            }
        }
    }
    let unlike: Vec<f64> = most(&likeness).iter().map(|most| 1.0 - most).collect();
    let largest = unlike.iter().copied().fold(f64::MIN, f64::max);
    let logit = |a: f64| confidence * ((a / (1.0 - a)).ln() + 0.5);
    unlike.iter().map(|a| logit(a / largest).clamp(0.0, 1.0)).collect()
}

/// All vectors, and copies of the one that is farthest from both extremes.
pub fn foundation_fl(x: &Rows, copies: usize) -> Rows {
    let (low, high) = (by_column(x, |v| v[0]), by_column(x, |v| v[v.len() - 1]));
    let best = order_by(x.len(), |i| -f64::min(distance(&x[i], &low), distance(&x[i], &high)))[0];
    x.iter().cloned().chain(vec![x[best].clone(); copies]).collect()
}

/// The sign as FedSECA has it, with a zero.
fn sign(v: f64) -> f64 {
    if v == 0.0 { 0.0 } else { v.signum() }
}

/// The value at the part q of the way through the sorted values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * (place - place.floor())
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

pub fn fedseca(x: &Rows, sparsity: f64) -> Vec<f64> {
    let (m, d) = (x.len(), x[0].len());
    let concordance = |a: &[f64], b: &[f64]| {
        sign(a.iter().zip(b).map(|(a, b)| sign(*a) * sign(*b)).sum::<f64>() / d as f64)
    };
    let ratio = |a: &Vec<f64>| (x.iter().map(|b| concordance(a, b)).sum::<f64>() / m as f64).max(0.0);
    let ratios: Vec<f64> = x.iter().map(ratio).collect();
    let radius = midpoint(&sorted(x.iter().map(|r| norm(r)).collect()));
    let shorter: Rows = x.iter().map(|r| clipped(r, radius)).collect();
    let thresholds: Vec<f64> =
        x.iter().map(|r| quantile(&sorted(r.iter().map(|v| v.abs()).collect()), sparsity)).collect();
    let value = |j: usize| {
        let vote = x.iter().zip(&ratios).map(|(r, ratio)| ratio * sign(r[j])).sum::<f64>();
        let elected = if vote.abs() < 1e-12 { 0.0 } else { sign(vote) };
        let clamp = midpoint(&sorted(shorter.iter().map(|r| r[j].abs()).collect()));
        let sparse = |i: usize| {
            let clamped = sign(shorter[i][j]) * shorter[i][j].abs().min(clamp);
            if x[i][j].abs() > thresholds[i] { clamped } else { 0.0 }
        };
        let aligned: Vec<f64> = (0..m).map(sparse).filter(|v| elected * v > 0.0).collect();
        if aligned.is_empty() { 0.0 } else { average(&aligned) }
    };
    (0..d).map(value).collect()
}

/// The mean and the standard deviation of values.
fn spread(values: &[f64]) -> (f64, f64) {
    let mean = average(values);
    (mean, average(&values.iter().map(|v| (v - mean).powi(2)).collect::<Vec<_>>()).sqrt())
}

/// Whether the median-based score |v - median| / deviation of each value is less than lambda; it is 0 where all are equal,
/// and not less where it is equal but for rounding.
fn score_is_less(values: &[f64], lambda: f64) -> Vec<bool> {
    let (median, (_, deviation)) = (midpoint(&sorted(values.to_vec())), spread(values));
    let largest = values.iter().fold(0.0, |all: f64, v| all.max(v.abs()));
    let score = |v: f64| if deviation <= 1e-9 * largest { 0.0 } else { (v - median).abs() / deviation };
    values.iter().map(|v| score(*v) < lambda * (1.0 - 1e-9)).collect()
}

/// LASA, for tensors of these lengths.
pub fn lasa(x: &Rows, lengths: &[usize], sparsity: f64, [lambda_n, lambda_s]: [f64; 2]) -> Vec<f64> {
    let radius = midpoint(&sorted(x.iter().map(|r| norm(r)).collect()));
    let sparse = |r: &Vec<f64>| -> Vec<f64> {
        let short = clipped(r, radius);
        let least = quantile(&sorted(short.iter().map(|v| v.abs()).collect()), sparsity);
        short.into_iter().map(|v| if v.abs() < least { 0.0 } else { v }).collect()
    };
    let sparse: Rows = x.iter().map(sparse).collect();
    let mut out = Vec::new();
    for length in lengths {
        let parts: Rows = sparse.iter().map(|r| r[out.len()..out.len() + length].to_vec()).collect();
        let norms: Vec<f64> = parts.iter().map(|p| norm(p)).collect();
        let purity = |p: &Vec<f64>| {
            let signs: Vec<f64> = p.iter().map(|v| sign(*v)).collect();
            let all: f64 = signs.iter().map(|s| s.abs()).sum();
            if all == 0.0 { 0.5 } else { 0.5 * (1.0 + signs.iter().sum::<f64>() / all) }
        };
        // scores do not change with 2p - 1, which is 0 where both signs are as frequent
        let purities: Vec<f64> = parts.iter().map(|p| 2.0 * purity(p) - 1.0).collect();
        let (by_norm, by_sign) = (score_is_less(&norms, lambda_n), score_is_less(&purities, lambda_s));
        let mut kept: Rows =
            (0..x.len()).filter(|&i| by_norm[i] && by_sign[i]).map(|i| parts[i].clone()).collect();
        if kept.is_empty() {
            kept = parts;
        }
        out.extend(mean_all(&kept));
    }
    out
}

/// The weights of FL-Defender for vectors of `present` workers that have this in the last layer, and whose trust this was.
pub fn fl_defender(last: &Rows, trust: &mut [f64], present: &[usize]) -> Vec<f64> {
    let m = last.len();
    let entry = |i: usize, j: usize| if i == j { 0.0 } else { cosine(&last[i], &last[j]) };
    let likeness: Rows = (0..m).map(|i| (0..m).map(|j| entry(i, j)).collect()).collect();
    let columns: Vec<(f64, f64)> =
        (0..m).map(|j| spread(&likeness.iter().map(|r| r[j]).collect::<Vec<_>>())).collect();
    let standard = |(v, (mean, deviation)): (&f64, &(f64, f64))| {
        if *deviation < 1e-9 { 0.0 } else { (v - mean) / deviation }
    };
    let features: Rows = likeness.iter().map(|r| r.iter().zip(&columns).map(standard).collect()).collect();
    let covariance = |a: usize, b: usize| features.iter().map(|r| r[a] * r[b]).sum::<f64>();
    let mut axes = eigen((0..m).map(|a| (0..m).map(|b| covariance(a, b)).collect()).collect());
    axes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let along = |r: &Vec<f64>, axis: &Vec<f64>| r.iter().zip(axis).map(|(a, b)| a * b).sum::<f64>();
    let points: Rows =
        features.iter().map(|r| axes.iter().take(2).map(|(_, axis)| along(r, axis)).collect()).collect();
    let centre = by_column(&points, midpoint);
    let none = |p: &[f64]| norm(p) <= 1e-9 * points.iter().map(|p| norm(p)).fold(0.0, f64::max);
    for (worker, point) in present.iter().zip(&points) {
        trust[*worker] += if none(&centre) || none(point) { 0.0 } else { cosine(point, &centre) };
    }
    let first = quantile(&sorted(trust.to_vec()), 0.25);
    let above: Vec<f64> = present.iter().map(|worker| (trust[*worker] - first).max(0.0)).collect();
    if above.iter().all(|w| *w == 0.0) { vec![1.0; m] } else { above }
}
