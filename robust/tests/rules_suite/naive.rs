//! Oracles, plain loops in f64: coordinates, distances to a point, iterations.

use crate::stage::Rows;

pub fn mean(x: &[&Vec<f64>]) -> Vec<f64> {
    let d = x[0].len();
    (0..d).map(|j| x.iter().map(|r| r[j]).sum::<f64>() / x.len() as f64).collect()
}

pub fn mean_all(x: &Rows) -> Vec<f64> {
    mean(&x.iter().collect::<Vec<_>>())
}

pub fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

pub fn minus(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(a, b)| a - b).collect()
}

pub fn distance(x: &[f64], y: &[f64]) -> f64 {
    norm(&minus(x, y))
}

/// Applies `rule` to the sorted values of every coordinate.
pub fn by_column(x: &Rows, rule: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..x[0].len())
        .map(|j| {
            let mut column: Vec<f64> = x.iter().map(|r| r[j]).collect();
            column.sort_by(|a, b| a.partial_cmp(b).unwrap());
            rule(&column)
        })
        .collect()
}

pub fn average(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

pub fn lower_median(v: &[f64]) -> f64 {
    v[v.len().div_ceil(2) - 1]
}

pub fn upper_median(v: &[f64]) -> f64 {
    v[v.len() / 2]
}

pub fn midpoint(v: &[f64]) -> f64 {
    if v.len() % 2 == 1 { v[v.len() / 2] } else { (v[v.len() / 2 - 1] + v[v.len() / 2]) / 2.0 }
}

/// The mean of the `keep` values nearest to `centre`, found by dropping the farthest end again and again.
pub fn around(v: &[f64], centre: f64, keep: usize) -> f64 {
    let (mut low, mut high) = (0, v.len());
    while high - low > keep {
        if (v[high - 1] - centre).abs() >= (v[low] - centre).abs() { high -= 1 } else { low += 1 }
    }
    average(&v[low..high])
}

pub fn cwmed(x: &Rows) -> Vec<f64> {
    by_column(x, midpoint)
}

pub fn cwtm(x: &Rows, f: usize) -> Vec<f64> {
    by_column(x, |v| average(&v[f..v.len() - f]))
}

pub fn sign_majority(x: &Rows) -> Vec<f64> {
    by_column(x, |v| {
        let (up, down) = (v.iter().filter(|v| **v > 0.0).count(), v.iter().filter(|v| **v < 0.0).count());
        (up as f64 - down as f64).clamp(-1.0, 1.0)
    })
}

/// The mean, turned where the signs add up to less than theta either way.
pub fn robust_lr(x: &Rows, theta: usize) -> Vec<f64> {
    by_column(x, |v| {
        let sum: f64 = v.iter().map(|v| if *v == 0.0 { 0.0 } else { v.signum() }).sum();
        if sum.abs() < theta as f64 { -average(v) } else { average(v) }
    })
}

/// Weiszfeld's steps from `start`, each row counting `s` times.
pub fn weiszfeld(x: &Rows, s: &[f64], mut z: Vec<f64>, nu: f64, steps: usize) -> Vec<f64> {
    for _ in 0..steps {
        let w: Vec<f64> = x.iter().zip(s).map(|(r, s)| s / distance(r, &z).max(nu)).collect();
        let total: f64 = w.iter().sum();
        z = (0..z.len()).map(|j| x.iter().zip(&w).map(|(r, w)| w * r[j]).sum::<f64>() / total).collect();
    }
    z
}

pub fn clipped(x: &[f64], radius: f64) -> Vec<f64> {
    let factor = if norm(x) > radius { radius / norm(x) } else { 1.0 };
    x.iter().map(|v| v * factor).collect()
}

pub fn centered_clipping(x: &Rows, mut v: Vec<f64>, tau: f64, steps: usize) -> Vec<f64> {
    for _ in 0..steps {
        let moves: Rows = x.iter().map(|r| clipped(&minus(r, &v), tau)).collect();
        let step = mean_all(&moves);
        v.iter_mut().zip(step).for_each(|(v, s)| *v += s);
    }
    v
}

/// All orders of these.
pub fn orders(all: &[usize]) -> Vec<Vec<usize>> {
    if all.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let rest = [&all[..at], &all[at + 1..]].concat();
        orders(&rest).into_iter().map(move |order| [&[all[at]], &order[..]].concat())
    };
    (0..all.len()).flat_map(first).collect()
}

/// Every result that sequential centered clipping may have: the k-th bucket takes the k-th of each of `size` runs of
/// `order`, the longer runs first, in whatever order each run is drawn.
pub fn sequential_clippings(x: &Rows, v: &[f64], order: &[usize], tau: f64, size: usize) -> Rows {
    let (m, size) = (order.len(), size.min(order.len()));
    let mut runs = Vec::new();
    for run in 0..size {
        let start: usize = (0..run).map(|r| (m - r).div_ceil(size)).sum();
        runs.push(&order[start..start + (m - run).div_ceil(size)]);
    }
    let mut drawn: Vec<Vec<Vec<usize>>> = vec![Vec::new()];
    for run in runs {
        let with = |before: &Vec<Vec<usize>>| {
            let before = before.clone();
            orders(run).into_iter().map(move |order| [&before[..], &[order]].concat())
        };
        drawn = drawn.iter().flat_map(with).collect();
    }
    let result = |drawn: &Vec<Vec<usize>>| {
        (0..m.div_ceil(size)).fold(v.to_vec(), |v, k| {
            let bucket = drawn.iter().filter_map(|run| run.get(k)).map(|&i| x[i].clone()).collect();
            centered_clipping(&bucket, v, tau, 1)
        })
    };
    drawn.iter().map(result).collect()
}

pub fn arc(x: &Rows, f: usize) -> Rows {
    let m = x.len();
    let clip = (2.0 * (f as f64 / m as f64) * (m - f) as f64).floor() as usize;
    let mut norms: Vec<f64> = x.iter().map(|r| norm(r)).collect();
    norms.sort_by(|a, b| b.partial_cmp(a).unwrap());
    x.iter().map(|r| clipped(r, norms[clip])).collect()
}

pub fn fltrust(x: &Rows, g: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64]| a.iter().zip(g).map(|(x, y)| x * y).sum::<f64>();
    let trust: Vec<f64> = x.iter().map(|r| (dot(r) / norm(r) / norm(g)).max(0.0)).collect();
    let total: f64 = trust.iter().sum();
    let part =
        |j: usize| x.iter().zip(&trust).map(|(r, t)| t * norm(g) / norm(r) * r[j]).sum::<f64>() / total;
    (0..g.len()).map(part).collect()
}

/// The weighted median of (value, weight), by trying every value: at most half of the weight on either side.
pub fn weighted_median(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    let side = |v: f64, is: fn(f64, f64) -> bool| -> f64 {
        values.iter().zip(weights).filter(|(x, _)| is(**x, v)).map(|(_, w)| w).sum()
    };
    let good = |v: &&f64| side(**v, |x, v| x < v) <= total / 2.0 && side(**v, |x, v| x > v) <= total / 2.0;
    let all: Vec<f64> = values.iter().filter(good).copied().collect();
    let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    (low + high) / 2.0
}
