//! How often a rule of columns used each row, on a sample of the coordinates.

use super::{ColumnRule, Median};
use crate::Vector;

/// At most this many coordinates are looked at.
const SAMPLE: usize = 1024;

/// For each row, at what part of the sampled coordinates its value is one of those that `rule` used.
pub(super) fn shares(rows: &[Vector], rule: &ColumnRule) -> Vec<f64> {
    let d = rows[0].len();
    let count = d.min(SAMPLE);
    let places: Vec<usize> = (0..count).map(|k| k * d / count).collect();
    let sample: Vec<Vec<f64>> = rows.iter().map(|row| row.at(&places)).collect();
    let mut used = vec![0usize; rows.len()];
    for k in 0..count {
        let mut column: Vec<f64> = sample.iter().map(|row| row[k]).collect();
        column.sort_by(f64::total_cmp);
        let (low, high) = range(rule, &column);
        used.iter_mut()
            .zip(&sample)
            .for_each(|(used, row)| *used += usize::from((low..=high).contains(&row[k])));
    }
    used.iter().map(|&used| used as f64 / count as f64).collect()
}

/// The lowest and the highest value of a sorted column that the rule uses.
fn range(rule: &ColumnRule, sorted: &[f64]) -> (f64, f64) {
    let n = sorted.len();
    let middle = |median: Median| {
        let (low, high) = median.places(n);
        (sorted[low], sorted[high])
    };
    let trimmed = |f: usize| sorted[f..n - f].iter().sum::<f64>() / (n - 2 * f) as f64;
    match *rule {
        ColumnRule::Median(median) => middle(median),
        ColumnRule::TrimmedMean { f } => (sorted[f], sorted[n - f - 1]),
        ColumnRule::MeanAroundMedian { keep, median } => {
            let (low, high) = middle(median);
            window(sorted, 0.5 * low + 0.5 * high, keep)
        }
        ColumnRule::MeanAroundTrimmedMean { keep, f } => window(sorted, trimmed(f), keep),
        ColumnRule::SignMajority => {
            let up = sorted.iter().filter(|v| **v > 0.0).count();
            let down = sorted.iter().filter(|v| **v < 0.0).count();
            match up.cmp(&down) {
                std::cmp::Ordering::Greater => (f64::MIN_POSITIVE, f64::INFINITY),
                std::cmp::Ordering::Less => (f64::NEG_INFINITY, -f64::MIN_POSITIVE),
                std::cmp::Ordering::Equal => (0.0, 0.0),
            }
        }
    }
}

fn window(sorted: &[f64], centre: f64, keep: usize) -> (f64, f64) {
    let pairs = sorted.iter().zip(&sorted[keep..]);
    let start = pairs.take_while(|(leaving, entering)| *leaving + *entering < 2.0 * centre).count();
    (sorted[start], sorted[start + keep - 1])
}
