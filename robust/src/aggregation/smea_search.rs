//! The search of SMEA: of all subsets of k rows, the one whose scatter has the least largest eigenvalue, exactly.
//!
//! The scatter of a set around its own mean grows with the set, so a set whose largest eigenvalue is not below that
//! of the best subset known is part of no better one. Whether it is below b is whether b · I - C G C is positive
//! definite across the vector of ones, with the Gram matrix G of the rows and the projection C = I - 1 1ᵀ / n. In
//! the basis e_i - e_1 that is the matrix b (δ_ij + 1) - ⟨x_i - x_1, x_j - x_1⟩, which does not change when a row
//! is added: its Cholesky factor grows by one row.

use super::spectrum::{centred, top};
use crate::Matrix;

/// Eigenvalues that differ by less than this, relative, are the same.
const SAME: f64 = 1e-9;

/// The scatter of the chosen rows, that is their covariance times their number, as a Gram matrix.
pub(super) fn scatter(distances2: &Matrix, chosen: &[usize]) -> Matrix {
    let n = chosen.len();
    let own = Matrix::from_fn(n, n, |i, j| distances2[(chosen[i], chosen[j])]);
    centred(&own, &vec![1.0; n])
}

/// The best subset as large as `guess`, which is one to begin with; of equal ones the first in lexicographic order.
pub(super) fn exact(distances2: &Matrix, guess: Vec<usize>) -> Vec<usize> {
    // a subset as good as the guess, to rounding, must not lose to it: it may come first
    let bound = top(&scatter(distances2, &guess)).0 * (1.0 + SAME) + f64::MIN_POSITIVE;
    let (size, factor) = (guess.len(), Factor::new(guess.len()));
    let mut search = Search { distances2, size, bound, best: guess, factor };
    search.extend(&mut Vec::new(), &(0..distances2.rows()).collect::<Vec<_>>());
    search.best
}

struct Search<'a> {
    distances2: &'a Matrix,
    /// Rows of a subset.
    size: usize,
    /// What the largest eigenvalue must be below.
    bound: f64,
    best: Vec<usize>,
    factor: Factor,
}

impl Search<'_> {
    /// Looks at every subset that begins with `chosen` and goes on with some of `candidates`, in lexicographic order.
    fn extend(&mut self, chosen: &mut Vec<usize>, candidates: &[usize]) {
        if chosen.len() == self.size {
            self.bound = top(&scatter(self.distances2, chosen)).0 * (1.0 - SAME);
            self.best.clone_from(chosen);
            return;
        }
        for (at, &row) in candidates.iter().enumerate() {
            let after = self.beside(row, &candidates[at + 1..]);
            if chosen.len() + 1 + after.len() < self.size {
                continue;
            }
            chosen.push(row);
            if self.factor.follows(self.distances2, chosen, self.bound) {
                self.extend(chosen, &after);
            }
            chosen.pop();
        }
    }

    /// Those of `candidates` that can be in one set with `row`: the eigenvalue of a pair is half its squared distance.
    fn beside(&self, row: usize, candidates: &[usize]) -> Vec<usize> {
        let distances2 = self.distances2.row(row);
        candidates.iter().copied().filter(|&other| distances2[other] / 2.0 < self.bound).collect()
    }
}

/// The Cholesky factor L of the matrix of a set, whose first row is the origin and has no part in it.
struct Factor {
    bound: f64,
    /// Rows of L that are there.
    rows: usize,
    /// The columns of L one after the other.
    columns: Matrix,
    /// What is left of a row while the columns are taken out of it.
    rest: Vec<f64>,
}

impl Factor {
    /// For sets of up to `size` rows.
    fn new(size: usize) -> Self {
        Self { bound: f64::NAN, rows: 0, columns: Matrix::zeros(size, size), rest: vec![0.0; size] }
    }

    /// Takes the last of `chosen` in, the others being there already. Whether the eigenvalues stay below `bound`.
    fn follows(&mut self, distances2: &Matrix, chosen: &[usize], bound: f64) -> bool {
        if bound != self.bound {
            (self.bound, self.rows) = (bound, 0);
        }
        self.rows = self.rows.min(chosen.len().saturating_sub(2));
        (self.rows + 1..chosen.len()).all(|n| self.grow(distances2, &chosen[..=n]))
    }

    /// One more row, for the last of `chosen`; `false` if the matrix is not positive definite with it.
    fn grow(&mut self, distances2: &Matrix, chosen: &[usize]) -> bool {
        let (n, last) = (self.rows, chosen[chosen.len() - 1]);
        let (from_origin, from_last) = (distances2.row(chosen[0]), distances2.row(last));
        let base = self.bound - from_origin[last] / 2.0;
        let rest = &mut self.rest[..=n];
        for (entry, &i) in rest.iter_mut().zip(&chosen[1..]) {
            *entry = base - (from_origin[i] - from_last[i]) / 2.0;
        }
        rest[n] += self.bound;
        for j in 0..n {
            let column = &mut self.columns.row_mut(j)[..=n];
            let along = rest[j] / column[j];
            column[n] = along;
            rest[j + 1..].iter_mut().zip(&column[j + 1..]).for_each(|(rest, l)| *rest -= along * l);
        }
        let pivot = rest[n];
        if pivot.is_nan() || pivot <= 0.0 {
            return false;
        }
        self.columns[(n, n)] = pivot.sqrt();
        self.rows += 1;
        true
    }
}
