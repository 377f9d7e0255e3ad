//! Oracles of rules of federated learning: weights by history, synthetic vectors, elected signs.

use crate::{
    naive::{average, by_column, clipped, distance, midpoint, norm},
    naive_selection::order_by,
    stage::Rows,
};

/// The weights of FoolsGold for workers whose vectors have these sums.
pub fn fools_gold(sums: &Rows, confidence: f64) -> Vec<f64> {
    let m = sums.len();
    let cosine = |a: &[f64], b: &[f64]| {
        let both = norm(a) * norm(b);
        if both == 0.0 { 0.0 } else { a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / both }
    };
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

pub fn fedseca(x: &Rows, sparsity: f64) -> Vec<f64> {
    let (m, d) = (x.len(), x[0].len());
    let concordance = |a: &[f64], b: &[f64]| {
        sign(a.iter().zip(b).map(|(a, b)| sign(*a) * sign(*b)).sum::<f64>() / d as f64)
    };
    let ratio = |a: &Vec<f64>| (x.iter().map(|b| concordance(a, b)).sum::<f64>() / m as f64).max(0.0);
    let ratios: Vec<f64> = x.iter().map(ratio).collect();
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
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
