//! Oracles of rules of federated learning: weights by history, synthetic vectors.

use crate::{
    naive::{by_column, distance, norm},
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
