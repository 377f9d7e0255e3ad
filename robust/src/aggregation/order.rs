//! Orders, distances and weights that several rules share. Nothing here looks at the coordinates.

use rayon::prelude::*;

use super::radius::norms;
use crate::{Gram, Matrix};

/// From this number on, what is done for each vector is worth handing to threads.
const MANY: usize = 64;

/// What rounding may make of a difference of squares, as a part of what is subtracted.
const ROUNDING: f64 = 16.0 * f64::EPSILON;

/// f(0), …, f(m - 1).
pub(super) fn each<T: Send>(m: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    if m < MANY { (0..m).map(f).collect() } else { (0..m).into_par_iter().map(f).collect() }
}

/// Indices by ascending value; equal values go by index, and what is not a number goes last.
pub(super) fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by_key(|&i| (rank(values[i]), i));
    order
}

/// A number that is the larger, the larger the value; for what is not a number, that of infinity.
fn rank(value: f64) -> i64 {
    let bits = if value.is_nan() { f64::INFINITY } else { value }.to_bits() as i64;
    if bits < 0 { bits ^ i64::MAX } else { bits } // of two negative values the one with larger bits is smaller
}

/// The indices of the `keep` smallest values, ascending by index; equal values go by index.
pub(crate) fn smallest(values: &[f64], keep: usize) -> Vec<usize> {
    if keep >= values.len() {
        return (0..values.len()).collect();
    }
    let ranked = || values.iter().map(|&value| rank(value)).zip(0..);
    let mut order: Vec<(i64, usize)> = ranked().collect();
    let (_, &mut first_left, _) = order.select_nth_unstable(keep);
    ranked().filter(|one| *one < first_left).map(|(_, i)| i).collect()
}

/// The coefficients, over m rows, of the mean of the `kept` ones.
pub(super) fn mean_of(kept: &[usize], m: usize) -> Vec<f64> {
    let mut c = vec![0.0; m];
    kept.iter().for_each(|&i| c[i] = 1.0 / kept.len() as f64);
    c
}

/// All squared distances between rows; infinite where they are too large for a number.
pub(super) fn pairwise2(gram: &Gram) -> Matrix {
    let m = gram.m();
    let mut all = Matrix::zeros(m, m);
    (0..m).for_each(|i| all.row_mut(i).copy_from_slice(gram.distances2_from(i)));
    all
}

/// 1 - cos of the angle between every two rows; between a zero vector and any other it is 1.
pub(super) fn cosine_distances(gram: &Gram) -> Matrix {
    let norms = norms(gram);
    // 2 ‖x_i‖ ‖x_j‖ (1 - cos) without the difference of two numbers near 1; what rounding makes of parallel rows is none
    let apart = |i: usize, j: usize| {
        let (sum, difference) = (norms[i] + norms[j], (norms[i] - norms[j]).abs());
        let distance2 = gram.distance2(i, j);
        let across = distance2 - difference * difference;
        if across < ROUNDING * distance2 + ROUNDING * sum * difference { 0.0 } else { across }
    };
    let distance = |i: usize, j: usize| match norms[i] * norms[j] {
        0.0 => 1.0,
        scale => (apart(i, j) / scale / 2.0).min(2.0),
    };
    Matrix::from_fn(gram.m(), gram.m(), distance)
}

/// The middle value; the mean of the two middle ones if their number is even.
pub(super) fn median(values: &[f64]) -> f64 {
    let order = ascending(values);
    let n = order.len();
    (values[order[(n - 1) / 2]] + values[order[n / 2]]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::{ascending, smallest};

    const VALUES: [f64; 11] =
        [1.0, f64::NAN, 0.0, -0.0, f64::INFINITY, 1.0, -2.5, f64::NEG_INFINITY, f64::NAN, 5e-324, -1e300];

    /// By comparisons of all pairs: how many come before each.
    fn by_definition(values: &[f64]) -> Vec<usize> {
        let value = |i: usize| if values[i].is_nan() { f64::INFINITY } else { values[i] };
        let before = |i: usize, j: usize| value(i).total_cmp(&value(j)).then(i.cmp(&j)).is_lt();
        let place = |i: usize| (0..values.len()).filter(|&j| before(j, i)).count();
        let mut order = vec![0; values.len()];
        (0..values.len()).for_each(|i| order[place(i)] = i);
        order
    }

    #[test]
    fn values_of_every_kind_have_their_place() {
        assert_eq!(ascending(&VALUES), by_definition(&VALUES));
        assert_eq!(ascending(&VALUES)[..5], [7, 10, 6, 3, 2], "-inf, -1e300, -2.5, -0, 0");
        assert_eq!(ascending(&VALUES)[8..], [1, 4, 8], "NaN as infinity, by index");
    }

    #[test]
    fn the_smallest_are_the_first_in_order_whatever_ties() {
        for keep in 0..=VALUES.len() + 2 {
            let mut expected = by_definition(&VALUES);
            expected.truncate(keep);
            expected.sort_unstable();
            assert_eq!(smallest(&VALUES, keep), expected, "{keep}");
        }
        assert_eq!(smallest(&[3.0; 6], 2), [0, 1]);
    }
}
