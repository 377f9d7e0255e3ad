//! Oracles that look at the d×d covariance, by Jacobi's rotations.

use crate::{
    naive::{mean, mean_all, minus},
    naive_selection::{best_subset, order_by},
    stage::Rows,
};

/// Eigenvalues and eigenvectors of a symmetric matrix.
pub fn eigen(mut a: Rows) -> Vec<(f64, Vec<f64>)> {
    let n = a.len();
    let mut v: Rows = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..60 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in a.iter_mut() {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(below[0].iter_mut()) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
                for row in v.iter_mut() {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    (0..n).map(|i| (a[i][i], v.iter().map(|row| row[i]).collect())).collect()
}

/// Weighted mean, and top eigenvalue and eigenvector of the weighted covariance.
fn spectrum(x: &[&Vec<f64>], c: &[f64]) -> (Vec<f64>, f64, Vec<f64>) {
    let (d, total) = (x[0].len(), c.iter().sum::<f64>());
    let mu: Vec<f64> = (0..d).map(|j| x.iter().zip(c).map(|(r, c)| c * r[j]).sum::<f64>() / total).collect();
    let entry = |a: usize, b: usize| {
        x.iter().zip(c).map(|(r, c)| c * (r[a] - mu[a]) * (r[b] - mu[b])).sum::<f64>() / total
    };
    let covariance = (0..d).map(|a| (0..d).map(|b| entry(a, b)).collect()).collect();
    let top = eigen(covariance).into_iter().max_by(|x, y| x.0.partial_cmp(&y.0).unwrap()).unwrap();
    (mu, top.0, top.1)
}

/// The largest eigenvalue of the covariance.
pub fn largest_variance(x: &[&Vec<f64>]) -> f64 {
    spectrum(x, &vec![1.0; x.len()]).1
}

pub fn smea(x: &Rows, f: usize) -> Vec<f64> {
    best_subset(x, f, |s| {
        let rows: Vec<&Vec<f64>> = s.iter().map(|&i| &x[i]).collect();
        largest_variance(&rows)
    })
}

pub fn caf(x: &Rows, f: usize) -> Vec<f64> {
    let rows: Vec<&Vec<f64>> = x.iter().collect();
    let mut c = vec![1.0; x.len()];
    let mut best = (f64::INFINITY, mean(&rows));
    while c.iter().sum::<f64>() > (x.len() - 2 * f) as f64 {
        let (mu, value, v) = spectrum(&rows, &c);
        if value < best.0 {
            best = (value, mu.clone());
        }
        let project = |r: &Vec<f64>| minus(r, &mu).iter().zip(&v).map(|(a, b)| a * b).sum::<f64>().powi(2);
        let tau: Vec<f64> = x.iter().map(project).collect();
        let largest = tau.iter().zip(&c).filter(|(_, c)| **c > 1e-14).map(|(t, _)| *t).fold(0.0, f64::max);
        c.iter_mut().zip(&tau).for_each(|(c, t)| *c = (*c * (1.0 - t / largest)).max(0.0));
    }
    best.1
}

/// Divide and conquer when a test sees all coordinates, so that all tests agree.
pub fn dnc(x: &Rows, f: usize) -> Vec<f64> {
    let rows: Vec<&Vec<f64>> = x.iter().collect();
    let (mu, _, v) = spectrum(&rows, &vec![1.0; x.len()]);
    let project = |i: usize| minus(&x[i], &mu).iter().zip(&v).map(|(a, b)| a * b).sum::<f64>().powi(2);
    let kept: Vec<&Vec<f64>> = order_by(x.len(), project)[..x.len() - f].iter().map(|&i| &x[i]).collect();
    mean(&kept)
}

/// The mean of the rows of which the leading right singular vectors leave less than a part; each of these is made, and
/// projected on.
pub fn reconstruction(x: &Rows, components: usize, threshold: f64) -> Vec<f64> {
    let m = x.len();
    if m <= 2 {
        return mean_all(x);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let products = x.iter().map(|a| x.iter().map(|b| dot(a, b)).collect()).collect();
    let mut found = eigen(products);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let real = found.iter().take(components.min(m - 1)).filter(|(value, _)| *value > 1e-12 * found[0].0);
    let right: Rows = real
        .map(|(value, u)| {
            let along = |j: usize| x.iter().zip(u).map(|(row, u)| u * row[j]).sum::<f64>() / value.sqrt();
            (0..x[0].len()).map(along).collect()
        })
        .collect();
    let error = |row: &Vec<f64>| {
        let mut left = row.clone();
        for v in &right {
            let length = dot(row, v);
            left.iter_mut().zip(v).for_each(|(left, v)| *left -= length * v);
        }
        dot(&left, &left) / dot(row, row)
    };
    let errors: Vec<f64> = x.iter().map(error).collect();
    let mut kept: Vec<usize> = (0..m).filter(|&i| errors[i] < threshold).collect();
    if kept.is_empty() {
        kept = order_by(m, |i| errors[i])[..m / 2].to_vec();
    }
    mean(&kept.iter().map(|&i| &x[i]).collect::<Vec<_>>())
}
