//! A linear map of rows, kept as what of it is not zero: scalings, buckets and
//! choices of rows have few terms, mixtures of neighbours have many.

use super::{Matrix, kernels};

/// A k×m matrix W: row i of its result is Σ_j w_ij · (row j).
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    columns: usize,
    /// The columns and values that are not zero, row after row, by ascending column.
    terms: Vec<(usize, f64)>,
    /// Where the terms of each row end.
    ends: Vec<usize>,
}

impl Map {
    /// The map over `columns` rows with these terms (column, weight) in each of its rows; of the terms of a row
    /// no two may have the same column, and those of weight 0 are left out.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn from_rows<R>(columns: usize, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = (usize, f64)>,
    {
        let (mut terms, mut ends): (Vec<(usize, f64)>, Vec<usize>) = (Vec::new(), Vec::new());
        for row in rows {
            let start = terms.len();
            terms.extend(row.into_iter().filter(|(_, w)| *w != 0.0));
            terms[start..].sort_unstable_by_key(|(j, _)| *j);
            assert!(terms[start..].last().is_none_or(|(j, _)| *j < columns), "a column beyond the rows");
            ends.push(terms.len());
        }
        Self { columns, terms, ends }
    }

    /// The map that multiplies every row by its factor.
    pub fn scaling(factors: &[f64]) -> Self {
        Self::from_rows(factors.len(), factors.iter().enumerate().map(|(i, &factor)| [(i, factor)]))
    }

    /// The map that takes the mean of each of these groups of `m` rows.
    pub fn means<'a>(groups: impl IntoIterator<Item = &'a [usize]>, m: usize) -> Self {
        let mean = |group: &'a [usize]| group.iter().map(|&i| (i, 1.0 / group.len() as f64));
        Self::from_rows(m, groups.into_iter().map(mean))
    }

    /// The map that picks these of `m` rows.
    pub(crate) fn picking(rows: &[usize], m: usize) -> Self {
        Self::from_rows(m, rows.iter().map(|&i| [(i, 1.0)]))
    }

    /// This map, and one more row, which it leaves as it is.
    pub(crate) fn beside_one(&self) -> Self {
        let (m, rows) = (self.columns, (0..self.rows()).map(|i| self.row(i)));
        Self::from_rows(m + 1, rows.chain([&[(m, 1.0)][..]]).map(|row| row.iter().copied()))
    }

    /// Number of rows it makes, k.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Number of rows it is given, m.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The columns and weights of row i that are not zero, by ascending column.
    pub fn row(&self, i: usize) -> &[(usize, f64)] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.terms[start..self.ends[i]]
    }

    /// All m weights of row i.
    pub fn weights(&self, i: usize) -> Vec<f64> {
        let mut all = vec![0.0; self.columns];
        self.row(i).iter().for_each(|&(j, w)| all[j] = w);
        all
    }

    /// Number of weights that are not zero.
    pub(crate) fn terms(&self) -> usize {
        self.terms.len()
    }

    /// The only row that row i takes, if it takes it as it is.
    pub(crate) fn alone(&self, i: usize) -> Option<usize> {
        match self.row(i) {
            [(at, 1.0)] => Some(*at),
            _ => None,
        }
    }

    /// The factor of every row, if the map does no more than to scale them.
    pub(crate) fn factors(&self) -> Option<Vec<f64>> {
        let factor = |i: usize| match self.row(i) {
            [] => Some(0.0),
            [(at, factor)] if *at == i => Some(*factor),
            _ => None,
        };
        (self.rows() == self.columns).then(|| (0..self.rows()).map(factor).collect())?
    }

    /// These of its rows.
    pub(crate) fn of_rows(&self, rows: &[usize]) -> Self {
        Self::from_rows(self.columns, rows.iter().map(|&i| self.row(i).iter().copied()))
    }

    /// This map over `columns` rows, of which its own are those `at` these places.
    pub(crate) fn spread(&self, at: &[usize], columns: usize) -> Self {
        let row = |i: usize| self.row(i).iter().map(|&(j, w)| (at[j], w));
        Self::from_rows(columns, (0..self.rows()).map(row))
    }

    /// This map after `inner`.
    pub(crate) fn after(&self, inner: &Self) -> Self {
        assert_eq!(self.columns, inner.rows(), "maps that do not fit");
        let work: usize = self.terms.iter().map(|&(j, _)| inner.row(j).len()).sum();
        if work > self.rows() * inner.columns {
            return self.times(&inner.to_matrix()).into();
        }
        let rows = (0..self.rows()).map(|i| {
            let through = |&(j, w): &(usize, f64)| inner.row(j).iter().map(move |&(l, v)| (l, w * v));
            let mut row: Vec<(usize, f64)> = self.row(i).iter().flat_map(through).collect();
            row.sort_by_key(|(l, _)| *l);
            row.dedup_by(|next, sum| {
                next.0 == sum.0 && {
                    sum.1 += next.1;
                    true
                }
            });
            row
        });
        Self::from_rows(inner.columns, rows)
    }

    /// W · `matrix`.
    pub(super) fn times(&self, matrix: &Matrix) -> Matrix {
        kernels::product(self, matrix)
    }

    /// Wᵀ · x: the weights, over the rows it is given, of the sum with weights x over those it makes.
    pub(crate) fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        for (i, &a) in x.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            self.row(i).iter().for_each(|&(j, w)| out[j] += a * w);
        }
        out
    }

    /// W with its zeros.
    pub fn to_matrix(&self) -> Matrix {
        let mut matrix = Matrix::zeros(self.rows(), self.columns);
        for i in 0..self.rows() {
            let row = matrix.row_mut(i);
            self.row(i).iter().for_each(|&(j, w)| row[j] = w);
        }
        matrix
    }
}

impl From<Matrix> for Map {
    fn from(matrix: Matrix) -> Self {
        let rows = (0..matrix.rows()).map(|i| matrix.row(i).iter().copied().enumerate());
        Self::from_rows(matrix.columns(), rows)
    }
}
