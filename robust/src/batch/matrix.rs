//! A small dense matrix of f64: Gram matrices, distances.

/// A dense matrix in row order.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// The `rows`×`columns` matrix with the value of `f(i, j)` at row i, column j.
    pub fn from_fn(rows: usize, columns: usize, f: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = Vec::with_capacity(rows * columns);
        (0..rows).for_each(|i| values.extend((0..columns).map(|j| f(i, j))));
        Self { rows, columns, values }
    }

    /// The zero matrix.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// The symmetric n×n matrix with this lower triangle, whatever lies above it.
    pub(super) fn symmetric(n: usize, mut lower: Vec<f64>) -> Self {
        assert_eq!(lower.len(), n * n, "a square");
        for (top, left) in squares(n) {
            for i in top..n.min(top + SQUARE) {
                (left..i.min(left + SQUARE)).for_each(|j| lower[j * n + i] = lower[i * n + j]);
            }
        }
        Self { rows: n, columns: n, values: lower }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// Row i, to write.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// All values, in row order.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// From all values, in row order.
    pub(super) fn from_values(columns: usize, values: Vec<f64>) -> Self {
        Self { rows: values.len() / columns, columns, values }
    }

    /// selfᵀ · x.
    pub fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        for (i, &a) in x.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            out.iter_mut().zip(self.row(i)).for_each(|(o, &b)| *o += a * b);
        }
        out
    }

    /// selfᵀ.
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |i, j| self[(j, i)])
    }
}

/// Side of a square that stays in a cache while it is turned over.
const SQUARE: usize = 32;

/// The first row and column of every square on and below the diagonal.
fn squares(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(SQUARE).flat_map(|top| (0..=top).step_by(SQUARE).map(move |left| (top, left)))
}

impl std::ops::Index<(usize, usize)> for Matrix {
    type Output = f64;

    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        &self.row(i)[j]
    }
}

impl std::ops::IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        &mut self.row_mut(i)[j]
    }
}
