//! The largest eigenvalue of a small symmetric matrix, and covariance matrices made from distances.

use super::order::pairwise2;
use crate::{Gram, Matrix, vector::dot::dot};

/// The eigenvalue of the process so far takes longer to find than some steps: after so many it is asked for, and not
/// before the end of a process of few of these.
const LOOK: usize = 8;

/// Squared distances above this are taken in a smaller unit, for sums over rows must stay numbers.
const LARGE: f64 = 1e280;
/// … which is 1 over this many of the old one.
const SMALLER: f64 = 1.0 / (1u128 << 64) as f64;

/// All squared distances between rows, up to a common factor, such that sums of them do not overflow.
pub(super) fn distances2(gram: &Gram) -> Matrix {
    let all = pairwise2(gram);
    let m = all.rows();
    if (0..m).all(|i| all.row(i).iter().all(|d2| *d2 <= LARGE)) {
        return all;
    }
    Matrix::from_fn(m, m, |i, j| all[(i, j)].min(f64::MAX) * SMALLER)
}

/// The Gram matrix of the rows around their mean under `weights`, from their squared distances:
/// entry ij is ⟨x_i - μ, x_j - μ⟩ with μ = Σ w_i x_i / Σ w_i.
pub(super) fn centred(distances2: &Matrix, weights: &[f64]) -> Matrix {
    let m = distances2.rows();
    let total: f64 = weights.iter().sum();
    let mean = |values: &[f64]| values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total;
    let rows: Vec<f64> = (0..m).map(|i| mean(distances2.row(i))).collect();
    let all = mean(&rows);
    Matrix::from_fn(m, m, |i, j| (rows[i] + rows[j] - all - distances2[(i, j)]) / 2.0)
}

/// The inner products of the rows, up to a common factor, such that sums of them do not overflow.
pub(super) fn products(gram: &Gram) -> Matrix {
    let m = gram.m();
    let norms2: Vec<f64> = (0..m).map(|i| gram.row_norm2(i)).collect();
    let unit = if norms2.iter().all(|norm2| *norm2 <= LARGE) { 1.0 } else { SMALLER };
    let small = |square: f64| square.min(f64::MAX) * unit;
    Matrix::from_fn(m, m, |i, j| (small(norms2[i]) + small(norms2[j]) - small(gram.distance2(i, j))) / 2.0)
}

/// Where points with these squared distances lie in the plane of their two first principal components, up to turns of it.
pub(super) fn plane(distances2: &Matrix) -> Vec<[f64; 2]> {
    let n = distances2.rows();
    let axes = leading(centred(distances2, &vec![1.0; n]), 2);
    (0..n).map(|i| [0, 1].map(|at: usize| axes[at].1[i] * axes[at].0.sqrt())).collect()
}

/// So many of the largest eigenvalues of a symmetric positive semi-definite matrix, and their unit eigenvectors.
pub(super) fn leading(mut matrix: Matrix, count: usize) -> Vec<(f64, Vec<f64>)> {
    let n = matrix.rows();
    let mut next = || {
        let (value, vector) = top(&matrix);
        matrix = Matrix::from_fn(n, n, |i, j| matrix[(i, j)] - value * vector[i] * vector[j]);
        (value.max(0.0), vector)
    };
    (0..count).map(|_| next()).collect()
}

/// The largest eigenvalue of a symmetric positive semi-definite matrix and its unit eigenvector, by the
/// Lanczos process with full reorthogonalisation, run until the residual is that of rounding, which is
/// looked at every [`LOOK`] steps.
pub(super) fn top(matrix: &Matrix) -> (f64, Vec<f64>) {
    let n = matrix.rows();
    let any = unit((0..n).map(|i| 0.5 + (i as f64 * 0.618_033_988_749_895).fract()).collect());
    let widest = (0..n).max_by(|&i, &j| matrix[(i, i)].total_cmp(&matrix[(j, j)])).unwrap_or(0);
    let scale = matrix[(widest, widest)].abs();
    if scale == 0.0 {
        return (0.0, any);
    }
    // where one eigenvalue outweighs all others the row lies along its eigenvector, to which `any` may be orthogonal
    let row = unit(matrix.row(widest).to_vec());
    let start = any.iter().zip(&row).map(|(a, b)| a + b).collect();
    // a power of two, so that it rounds nothing: the squares of what it multiplies neither overflow nor vanish
    let shrink = 2f64.powi(-(scale.max(f64::MIN_POSITIVE).log2() as i32));
    let mut basis = vec![unit(start)];
    let (mut alpha, mut beta): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    loop {
        let last = &basis[basis.len() - 1];
        let mut next = matrix.transposed_times(last);
        next.iter_mut().for_each(|x| *x *= shrink);
        alpha.push(dot(last, &next));
        for _ in 0..2 {
            for q in &basis {
                let along = dot(q, &next);
                next.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
            }
        }
        let left = dot(&next, &next).sqrt();
        let last = basis.len() == n || left <= 1e-15 * shrink * scale;
        if last || (n > 3 * LOOK && basis.len().is_multiple_of(LOOK)) {
            let (value, vector) = top_of_tridiagonal(&alpha, &beta);
            let residual = left * vector[vector.len() - 1].abs();
            if last || residual <= 1e-14 * value {
                return (value.max(0.0) / shrink, combined(&basis, &vector));
            }
        }
        beta.push(left);
        basis.push(unit(next));
    }
}

/// The unit vector along Σ c_i q_i.
fn combined(basis: &[Vec<f64>], c: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; basis[0].len()];
    for (q, c) in basis.iter().zip(c) {
        out.iter_mut().zip(q).for_each(|(o, q)| *o += c * q);
    }
    unit(out)
}

/// The same for the tridiagonal matrix with diagonal `a` and off-diagonal `b`: bisection, then inverse iteration
/// from above the eigenvalue, where the matrix is definite and elimination is stable.
fn top_of_tridiagonal(a: &[f64], b: &[f64]) -> (f64, Vec<f64>) {
    let n = a.len();
    let reach = |i: usize| b.get(i).map_or(0.0, |b| b.abs()) + if i > 0 { b[i - 1].abs() } else { 0.0 };
    let mut low = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut high = (0..n).map(|i| a[i] + reach(i)).fold(f64::NEG_INFINITY, f64::max);
    let spread = high.abs().max(low.abs()).max(f64::MIN_POSITIVE);
    high += 4.0 * f64::EPSILON * spread;
    // of elimination in the matrix less `shift`; all are negative if no eigenvalue is at or above it
    let pivots = |shift: f64| {
        (0..n).scan(f64::INFINITY, move |pivot, i| {
            let coupled = if i > 0 { b[i - 1] * b[i - 1] / *pivot } else { 0.0 };
            *pivot = a[i] - shift - coupled;
            Some(*pivot)
        })
    };
    let is_above = |shift: f64| pivots(shift).all(|pivot| pivot < 0.0);
    while high - low > 2.0 * f64::EPSILON * spread {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_above(middle) { high = middle } else { low = middle }
    }
    if !is_above(high) {
        return (high, unit(vec![1.0; n]));
    }
    let p: Vec<f64> = pivots(high).collect();
    let mut x = unit((0..n).map(|i| 1.0 + 0.1 * (i % 3) as f64).collect());
    for _ in 0..3 {
        for i in 1..n {
            x[i] -= b[i - 1] / p[i - 1] * x[i - 1];
        }
        for i in (0..n).rev() {
            let above = if i + 1 < n { b[i] * x[i + 1] } else { 0.0 };
            x[i] = (x[i] - above) / p[i];
        }
        x = unit(x);
    }
    (high, x)
}

fn unit(mut x: Vec<f64>) -> Vec<f64> {
    let largest = x.iter().fold(0.0f64, |all, v| all.max(v.abs()));
    if largest > 0.0 {
        x.iter_mut().for_each(|v| *v /= largest);
        let norm = dot(&x, &x).sqrt();
        x.iter_mut().for_each(|v| *v /= norm);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::{dot, top};
    use crate::Matrix;

    /// Eigenvalues n - 1 (once) and -1 plus n on the diagonal: known in closed form.
    #[test]
    fn a_matrix_of_ones_and_a_ramp() {
        for n in [1, 2, 3, 17, 60] {
            let (value, vector) = top(&Matrix::from_fn(n, n, |i, j| if i == j { 3.0 } else { 1.0 }));
            assert!((value - (n as f64 + 2.0)).abs() < 1e-12 * value);
            assert!(vector.iter().all(|v| (v.abs() - (n as f64).powf(-0.5)).abs() < 1e-12));
            // 2 - 2 cos(k π / (n + 1)) for the second difference
            let laplace = Matrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
            let (value, vector) = top(&laplace);
            let known = 2.0 - 2.0 * (n as f64 * std::f64::consts::PI / (n as f64 + 1.0)).cos();
            assert!((value - known).abs() < 1e-12 * known, "{value} {known}");
            let image = laplace.transposed_times(&vector);
            assert!((dot(&image, &vector) - known).abs() < 1e-12 * known);
        }
        assert_eq!(top(&Matrix::zeros(4, 4)).0, 0.0);
    }

    /// One row among many: the eigenvector is e_k less its mean, to which a start must not be orthogonal.
    #[test]
    fn an_outlier_is_found_wherever_it_stands() {
        for (n, k) in (2..40).flat_map(|n| (0..n).map(move |k| (n, k))) {
            let one = |i: usize| f64::from(u8::from(i == k)) - 1.0 / n as f64;
            for noise in [0.0, 1e-20] {
                let entry = |i: usize, j: usize| one(i) * one(j) + if i == j { noise } else { 0.0 };
                let (_, vector) = top(&Matrix::from_fn(n, n, entry));
                let along = (0..n).map(|i| one(i) * vector[i]).sum::<f64>().abs();
                let length = (1.0 - 1.0 / n as f64).sqrt();
                assert!((along - length).abs() < 1e-12, "{k} of {n}: {along}");
            }
        }
    }

    #[test]
    fn the_unit_of_a_matrix_does_not_matter() {
        let entry = |i: usize, j: usize| 1.0 / (1 + i + j) as f64;
        let (value, vector) = top(&Matrix::from_fn(9, 9, entry));
        for unit in [1e-300, 1e-170, 1e170, 1e300] {
            let (scaled, direction) = top(&Matrix::from_fn(9, 9, |i, j| unit * entry(i, j)));
            assert!((scaled / unit - value).abs() < 1e-12 * value, "{unit:e}: {scaled:e}");
            assert!((dot(&direction, &vector).abs() - 1.0).abs() < 1e-12, "{unit:e}");
        }
    }
}
