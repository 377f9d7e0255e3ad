//! The geometry of a batch: inner products and distances of its rows, kept so
//! that the distances of nearly equal vectors of large norm survive. Made by
//! one pass over memory (`measure`), or from another by a linear map.

use super::{Map, Matrix, measure::Measured};

/// The geometry of m rows: every inner product among them and the origin.
///
/// With a centre c, one of the rows, the m+1 vectors y_1 = x_1 - c, …, y_m = x_m - c and c itself
/// are enough to express any combination Σ a_i x_i = Σ a_i y_i + (Σ a_i) c;
/// where Σ a_i = 0, as in every difference, the large common part c drops out exactly.
/// Distances between rows, and from the origin, are kept beside the products: where
/// the products would cancel, they are computed from the difference itself.
#[derive(Clone, Debug)]
pub struct Gram {
    /// (m+1)×(m+1): products of y_1 … y_m and c.
    products: Matrix,
    /// (m+1)×(m+1): squared distances of x_1 … x_m and the origin.
    distances: Matrix,
}

/// Below this part of the larger product, a distance under a map is computed from the difference.
const CANCELLED: f64 = 1e-9;

impl Gram {
    /// The geometry of rows of which row i is row `class[i]` of those measured.
    pub(super) fn new(measured: Measured, class: &[usize]) -> Self {
        let m = class.len();
        let last = measured.products.rows() - 1;
        if m == last && class.iter().enumerate().all(|(i, &class)| i == class) {
            return Self { products: measured.products, distances: measured.distances };
        }
        let at = |i: usize| if i == m { last } else { class[i] };
        let of = |matrix: &Matrix| Matrix::from_fn(m + 1, m + 1, |i, j| matrix[(at(i), at(j))]);
        Self { products: of(&measured.products), distances: of(&measured.distances) }
    }

    /// The geometry of the rows of W over these rows.
    pub fn mapped(&self, w: &Map) -> Self {
        let k = w.rows();
        let lift = lift(w);
        // Lᵀ last and as L, for L is mostly zeros where rows are scaled or taken in buckets
        let mut products = lift.times(&lift.times(&self.products).transposed());
        // Rounding differs from one side to the other, and a distance is one number.
        pairs(k + 1).for_each(|(i, j)| products[(j, i)] = products[(i, j)]);
        let mut distances = distances_of(&products);
        for (i, j) in pairs(k + 1) {
            if distances[(i, j)] <= CANCELLED * products[(i, i)].max(products[(j, j)]) {
                let exact = self.difference2(&lift.weights(i), &lift.weights(j), j == k);
                (distances[(i, j)], distances[(j, i)]) = (exact, exact);
            }
        }
        Self { products, distances }
    }

    /// The squared norm of the difference of two combinations of the y and c; with `origin`, the second is -c.
    fn difference2(&self, a: &[f64], b: &[f64], origin: bool) -> f64 {
        let sign = if origin { -1.0 } else { 1.0 };
        let all = a.iter().zip(b).map(|(a, b)| a - sign * b).enumerate();
        let support: Vec<(usize, f64)> = all.filter(|(_, c)| *c != 0.0).collect();
        let image = |i: usize| support.iter().map(|&(j, c)| c * self.products[(i, j)]).sum::<f64>();
        support.iter().map(|&(i, c)| c * image(i)).sum::<f64>().max(0.0)
    }

    /// Number of rows.
    pub fn m(&self) -> usize {
        self.products.rows() - 1
    }

    /// ‖x_i - x_j‖²; exactly 0 for rows that are equal.
    pub fn distance2(&self, i: usize, j: usize) -> f64 {
        self.distances[(i, j)]
    }

    /// ⟨Σ a_i x_i, Σ b_i x_i⟩.
    pub fn dot(&self, a: &[f64], b: &[f64]) -> f64 {
        let (a, b) = (lifted(a), lifted(b));
        let image = self.products.transposed_times(&a);
        image.iter().zip(&b).map(|(x, y)| x * y).sum()
    }

    /// ‖Σ a_i x_i‖².
    pub fn norm2(&self, a: &[f64]) -> f64 {
        self.dot(a, a).max(0.0)
    }

    /// ‖x_i - x_j‖² for every j.
    pub fn distances2_from(&self, i: usize) -> &[f64] {
        &self.distances.row(i)[..self.m()]
    }

    /// ‖x_i‖².
    pub fn row_norm2(&self, i: usize) -> f64 {
        self.distances[(i, self.m())]
    }

    /// ‖x_i - Σ a_j x_j‖² for every i.
    pub fn distances2_to(&self, a: &[f64]) -> Vec<f64> {
        let (p, m) = (&self.products, self.m());
        // x_i - Σ a_j x_j = y_i - z, where z = Σ a_j y_j + (Σ a_j - 1) c
        let mut a = lifted(a);
        a[m] = beyond_one(a[m]);
        let image = p.transposed_times(&a);
        let norm2: f64 = image.iter().zip(&a).map(|(x, y)| x * y).sum();
        (0..m).map(|i| (p[(i, i)] - 2.0 * image[i] + norm2).max(0.0)).collect()
    }
}

/// total - 1, and exactly 0 if only rounding keeps it from that: the centre may be large.
fn beyond_one(total: f64) -> f64 {
    if (total - 1.0).abs() < 1e-12 { 0.0 } else { total - 1.0 }
}

/// The combinations of x_1 … x_m less c, and c, as combinations of y_1 … y_m and c.
fn lift(w: &Map) -> Map {
    let m = w.columns();
    let row = |i: usize| {
        let total = w.row(i).iter().map(|(_, w)| w).sum();
        w.row(i).iter().copied().chain([(m, beyond_one(total))]).collect()
    };
    Map::from_rows(m + 1, (0..w.rows()).map(row).chain([vec![(m, 1.0)]]))
}

/// Coefficients over x_1 … x_m as coefficients over y_1 … y_m, c.
fn lifted(a: &[f64]) -> Vec<f64> {
    let total = a.iter().sum();
    a.iter().copied().chain([total]).collect()
}

/// Squared distances of x_1 … x_m and the origin (as y: -c), from the products of y_1 … y_m and c.
pub(super) fn distances_of(products: &Matrix) -> Matrix {
    let n = products.rows();
    let norms2: Vec<f64> = (0..n).map(|i| products[(i, i)]).collect();
    let mut distances = Matrix::zeros(n, n);
    for i in 0..n {
        let terms = products.row(i).iter().zip(&norms2);
        let row = distances.row_mut(i);
        row.iter_mut().zip(terms).for_each(|(d2, (p, n2))| *d2 = (norms2[i] + n2 - 2.0 * p).max(0.0));
        row[i] = 0.0;
    }
    for i in 0..n - 1 {
        let sum = (norms2[i] + norms2[n - 1] + 2.0 * products[(i, n - 1)]).max(0.0);
        (distances[(i, n - 1)], distances[(n - 1, i)]) = (sum, sum);
    }
    distances
}

/// All (i, j) with i < j < n.
pub(super) fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use crate::{Batch, Map, Matrix, Vector, random::Seed};

    #[test]
    fn a_distance_under_a_map_is_one_number() {
        let mut rng = Seed(7).stream("test", 0, "gram", 0);
        let rows: Vec<Vector> = (0..9)
            .map(|_| (0..5).map(|_| rng.random_range(-9.0..9.0)).collect::<Vec<f64>>().into())
            .collect();
        let batch = Batch::new(&rows).unwrap();
        for k in 2..12 {
            let weights = (0..9 * k).map(|_| rng.random_range(-1.0..1.0)).collect();
            let gram = batch.gram().unwrap().mapped(&Map::from(Matrix::from_values(9, weights)));
            for (i, j) in super::pairs(k) {
                assert_eq!(
                    gram.distance2(i, j).to_bits(),
                    gram.distance2(j, i).to_bits(),
                    "{i} and {j} of {k}"
                );
            }
        }
    }
}
