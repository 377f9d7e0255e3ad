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
    let mut search = Search { distances2, size: guess.len(), bound, best: guess, factor: Factor::default() };
    search.extend(&mut Vec::new());
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
    /// Looks at every subset that begins with `chosen`, in lexicographic order.
    fn extend(&mut self, chosen: &mut Vec<usize>) {
        if chosen.len() == self.size {
            self.bound = top(&scatter(self.distances2, chosen)).0 * (1.0 - SAME);
            self.best.clone_from(chosen);
            return;
        }
        let from = chosen.last().map_or(0, |last| last + 1);
        let left = self.size - chosen.len();
        for row in from..=self.distances2.rows() - left {
            chosen.push(row);
            if self.factor.follows(self.distances2, chosen, self.bound) {
                self.extend(chosen);
            }
            chosen.pop();
        }
    }
}

/// The Cholesky factor of the matrix of a set, row under row; the first row of the set is the origin and has none.
#[derive(Default)]
struct Factor {
    bound: f64,
    rows: Vec<Vec<f64>>,
}

impl Factor {
    /// Takes the last of `chosen` in, the others being there already. Whether the eigenvalues stay below `bound`.
    fn follows(&mut self, distances2: &Matrix, chosen: &[usize], bound: f64) -> bool {
        if bound != self.bound {
            *self = Self { bound, rows: Vec::new() };
        }
        self.rows.truncate(chosen.len().saturating_sub(2));
        (self.rows.len() + 1..chosen.len()).all(|n| self.grow(distances2, &chosen[..=n]))
    }

    /// One more row, for the last of `chosen`; `false` if the matrix is not positive definite with it.
    fn grow(&mut self, distances2: &Matrix, chosen: &[usize]) -> bool {
        let (origin, last) = (chosen[0], chosen[chosen.len() - 1]);
        let entry = |i: usize| {
            let product =
                (distances2[(origin, i)] + distances2[(origin, last)] - distances2[(i, last)]) / 2.0;
            self.bound * if i == last { 2.0 } else { 1.0 } - product
        };
        let mut row: Vec<f64> = Vec::with_capacity(chosen.len());
        for (above, &i) in self.rows.iter().zip(&chosen[1..]) {
            let along: f64 = above.iter().zip(&row).map(|(a, b)| a * b).sum();
            row.push((entry(i) - along) / above[above.len() - 1]);
        }
        let pivot = entry(last) - row.iter().map(|x| x * x).sum::<f64>();
        if pivot.is_nan() || pivot <= 0.0 {
            return false;
        }
        row.push(pivot.sqrt());
        self.rows.push(row);
        true
    }
}
