//! m vectors of length d, seen through the few operations that rules and
//! attacks are written against. The rows stay where they are; nothing copies
//! the batch.
//!
//! Pre-aggregators are linear maps of the rows chosen from their Gram matrix,
//! so a mapped batch is "W over the same rows": W (k×m) is kept beside the
//! rows, maps compose, and the Gram matrix follows as W G Wᵀ without another
//! pass over memory.

mod columns;
mod gram;
mod groups;
mod host;
mod kernels;
mod map;
mod matrix;
mod measure;
mod passes;
mod places;
#[cfg(feature = "torch")]
mod torch;

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use rayon::prelude::*;

pub(crate) use columns::Elector;
pub use columns::{ColumnRule, Columns, Median};
pub use gram::Gram;
pub(crate) use groups::Groups;
pub use map::Map;
pub use matrix::Matrix;
pub use passes::{Pass, Watch};
pub(crate) use places::Places;

use crate::Vector;

/// A batch that cannot be aggregated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There are no rows.
    #[error("the batch is empty")]
    Empty,
    /// A row differs from row 0 in length, format or device.
    #[error("row {row} has {found}, row 0 has {expected}")]
    Unlike {
        /// Index of the row.
        row: usize,
        /// What it is.
        found: String,
        /// What row 0 is.
        expected: String,
    },
    /// Rows with NaN or infinite coordinates, or (for [`Batch::gram`]) whose squared norm is infinite in f64, by
    /// ascending index. [`Defence`](crate::aggregation::Defence)
    /// answers it by setting those rows aside.
    #[error("rows {0:?} are not finite, or have a squared norm that is not")]
    NonFinite(Vec<usize>),
}

/// Applies one expression to both host forms, with their number format as `$T`; torch rows take the last arm.
macro_rules! on_form {
    ($rows:expr, $T:ident => $host:expr, torch => $torch:expr) => {
        match &$rows[0] {
            Vector::F32(_) => {
                type $T = f32;
                $host
            }
            Vector::F64(_) => {
                type $T = f64;
                $host
            }
            #[cfg(feature = "torch")]
            Vector::Torch(_) => $torch,
        }
    };
}

/// Runs `work` on these rows, in rayon's pool as a whole if they are so many that its threads share a pass: else each pass
/// would wake them, and its caller would sleep meanwhile. Rows of libtorch stay with the caller, whose settings are its
/// thread's own.
pub(crate) fn in_pool<T: Send>(rows: &[Vector], work: impl FnOnce() -> T + Send) -> T {
    let values = rows.first().filter(|row| row.is_on_host()).map_or(0, |row| rows.len() * row.len());
    if kernels::are_few(values) { work() } else { rayon::scope(|_| work()) }
}

/// What rounding may change in a sum of so many weights, as a part of it.
pub(crate) fn rounding(weights: usize) -> f64 {
    4.0 * weights as f64 * f64::EPSILON
}

/// What is left of a row in a block of its coordinates, where short ones are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Left {
    /// The squared norm.
    pub norm2: f64,
    /// Number of coordinates above 0.
    pub up: usize,
    /// Number of those below 0.
    pub down: usize,
}

/// m alike vectors, possibly under a linear map.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    rows: &'a [Vector],
    map: Option<Arc<Map>>,
    raw_gram: Arc<OnceLock<Result<Gram, BatchError>>>,
    raw_norms2: Arc<OnceLock<Vec<f64>>>,
    gram: Arc<OnceLock<Gram>>,
    /// Set once a pass has found that every raw row is finite.
    finite: Arc<OnceLock<()>>,
    watch: Option<Arc<dyn Watch>>,
    /// Torch rows as one matrix.
    #[cfg(feature = "torch")]
    stack: Arc<OnceLock<crate::vector::Shared>>,
}

impl<'a> Batch<'a> {
    /// The batch of these rows.
    ///
    /// # Errors
    /// [`BatchError::Empty`] without rows or coordinates, [`BatchError::Unlike`] if the rows differ in kind.
    pub fn new(rows: &'a [Vector]) -> Result<Self, BatchError> {
        let first = rows.first().filter(|row| !row.is_empty()).ok_or(BatchError::Empty)?;
        match rows.iter().position(|row| !row.is_like(first)) {
            Some(row) => Err(BatchError::Unlike { row, found: rows[row].kind(), expected: first.kind() }),
            None => Ok(Self {
                rows,
                map: None,
                raw_gram: Arc::default(),
                raw_norms2: Arc::default(),
                gram: Arc::default(),
                finite: Arc::default(),
                watch: None,
                #[cfg(feature = "torch")]
                stack: Arc::default(),
            }),
        }
    }

    /// The same batch, of whose passes `watch` is told.
    pub fn watched(self, watch: Option<Arc<dyn Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// The batch of other rows, with the watch of this one.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub(crate) fn alike<'b>(&self, rows: &'b [Vector]) -> Result<Batch<'b>, BatchError> {
        Ok(Batch::new(rows)?.watched(self.watch.clone()))
    }

    /// The batch of other rows in place of the raw ones, under the map and with the watch of this one.
    ///
    /// # Errors
    /// As [`Batch::new`].
    ///
    /// # Panics
    /// If there is a map, and another number of rows.
    pub(crate) fn over<'b>(&self, rows: &'b [Vector]) -> Result<Batch<'b>, BatchError> {
        let other = self.alike(rows)?;
        Ok(match &self.map {
            None => other,
            Some(w) => other.mapped(w.clone()),
        })
    }

    /// Does the work of a pass.
    fn pass<T>(&self, pass: Pass, work: impl FnOnce() -> T) -> T {
        pass.seen(self.watch.as_deref(), work)
    }

    /// Number of (mapped) rows.
    pub fn m(&self) -> usize {
        self.map.as_ref().map_or(self.rows.len(), |w| w.rows())
    }

    /// Number of coordinates.
    pub fn d(&self) -> usize {
        self.rows[0].len()
    }

    /// The rows in memory, before any map.
    pub fn raw(&self) -> &'a [Vector] {
        self.rows
    }

    /// The map W (k×m) over the raw rows; `None` is the identity.
    pub fn map(&self) -> Option<&Map> {
        self.map.as_deref()
    }

    /// The batch whose row i is Σ_j w_ij · (row j of this one). No pass over memory.
    ///
    /// # Panics
    /// Unless the map has a column for each row of this one.
    pub fn mapped(&self, w: impl Into<Arc<Map>>) -> Self {
        let w = w.into();
        assert_eq!(w.columns(), self.m(), "a map of another number of rows");
        let map = match &self.map {
            Some(inner) => Arc::new(w.after(inner)),
            None => w,
        };
        Self { map: Some(map), gram: Arc::default(), ..self.clone() }
    }

    /// Inner products of the (mapped) rows; the first call for these rows is one pass over memory.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not finite.
    pub fn gram(&self) -> Result<&Gram, BatchError> {
        let raw = self.raw_gram.get_or_init(|| self.measured()).as_ref().map_err(Clone::clone)?;
        Ok(self.mapped_gram(raw))
    }

    /// Inner products of the (mapped) rows over some of the coordinates, once for each set of their places. One pass
    /// over these; nothing of them is kept.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not finite at some of the places.
    pub(crate) fn grams_at(&self, samples: &[Places]) -> Result<Vec<Gram>, BatchError> {
        let raw = self.pass(Pass::Gram, || {
            on_form!(
                self.rows,
                T => host::grams_at::<T>(self.rows, samples),
                torch => torch::grams_at(self.rows, self.stack(), samples)
            )
        });
        match self.map() {
            None => raw,
            Some(w) => Ok(raw?.iter().map(|gram| gram.mapped(w)).collect()),
        }
    }

    /// [`gram`](Self::gram), if a pass for it has been made.
    pub(crate) fn known_gram(&self) -> Option<&Gram> {
        self.raw_gram.get()?.as_ref().ok().map(|raw| self.mapped_gram(raw))
    }

    fn mapped_gram<'b>(&'b self, raw: &'b Gram) -> &'b Gram {
        match &self.map {
            None => raw,
            Some(w) => self.gram.get_or_init(|| raw.mapped(w)),
        }
    }

    #[cfg(feature = "torch")]
    fn stack(&self) -> &crate::vector::Shared {
        self.stack.get_or_init(|| torch::stack(self.rows))
    }

    fn measured(&self) -> Result<Gram, BatchError> {
        let gram = self.pass(
            Pass::Gram,
            || on_form!(self.rows, T => host::gram::<T>(self.rows), torch => torch::gram(self.rows, self.stack())),
        );
        self.found_finite(gram.is_ok());
        gram
    }

    /// Σ_i c_i · (row i). One pass over the rows whose coefficient is not zero; none for a row alone, which is shared.
    ///
    /// # Panics
    /// Unless there is one coefficient for each (mapped) row.
    pub fn combine(&self, coefficients: &[f64]) -> Vector {
        assert_eq!(coefficients.len(), self.m(), "one coefficient for each row");
        match &self.map {
            None => self.combine_raw(coefficients),
            Some(w) => self.combine_raw(&w.transposed_times(coefficients)),
        }
    }

    fn combine_raw(&self, coefficients: &[f64]) -> Vector {
        if let Some(i) = alone(coefficients) {
            return self.rows[i].clone();
        }
        self.pass(Pass::Combine, || {
            on_form!(
                self.rows,
                T => host::combine::<T>(self.rows, coefficients),
                torch => torch::combine(self.stack(), coefficients)
            )
        })
    }

    /// Applies a rule to every column. One pass over memory. With `distances`,
    /// the squared distance of each *raw* row to the output comes with it, in the same pass.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not finite.
    ///
    /// # Panics
    /// If the rule leaves no value of the (mapped) rows: trimming half of them at each end, or keeping none.
    pub fn columns(&self, rule: &ColumnRule, distances: bool) -> Result<Columns, BatchError> {
        rule.check(self.m());
        if let Some(rows) = self.picked() {
            let output = self.alike(&rows)?.columns(rule, false)?.output;
            let distances = distances.then(|| self.unmapped().distances(&output));
            return Ok(Columns { output, distances });
        }
        let columns = self.pass(Pass::Columns, || {
            on_form!(
                self.rows,
                T => host::columns::<T>(self.rows, self.map(), rule, distances),
                torch => torch::columns(self.stack(), self.map(), rule, distances)
            )
        });
        self.found_finite(columns.is_ok());
        columns
    }

    /// The raw rows that the map picks, if it does no more than that, they are on the host and all are known to be finite.
    fn picked(&self) -> Option<Vec<Vector>> {
        let w = self.map().filter(|_| self.rows[0].is_on_host() && self.known_finite())?;
        (0..w.rows()).map(|i| w.alone(i).map(|at| self.rows[at].clone())).collect()
    }

    /// The batch of the raw rows, with what is known of them.
    fn unmapped(&self) -> Self {
        Self { map: None, gram: Arc::default(), ..self.clone() }
    }

    /// The weighted median of every column, where (mapped) row i counts `weights[i]` > 0: the value up to which there
    /// is half of the weight. One pass over memory.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not finite.
    ///
    /// # Panics
    /// Unless there is one weight for each (mapped) row.
    pub fn weighted_median(&self, weights: &[f64], median: Median) -> Result<Vector, BatchError> {
        assert_eq!(weights.len(), self.m(), "one weight for each row");
        let found = self.pass(Pass::Columns, || {
            on_form!(
                self.rows,
                T => host::weighted_median::<T>(self.rows, self.map(), weights, median),
                torch => torch::weighted_median(self.stack(), self.map(), weights, median)
            )
        });
        self.found_finite(found.is_ok());
        found
    }

    /// For every two raw rows, in how many coordinates their signs are equal, less in how many they are opposite. One
    /// pass over memory.
    pub(crate) fn sign_products(&self) -> Matrix {
        self.pass(Pass::Gram, || {
            on_form!(
                self.rows,
                T => host::sign_products::<T>(self.rows),
                torch => torch::sign_products(self.stack())
            )
        })
    }

    /// The k-th smallest, counted from 0, of the absolute values of every raw row. One pass over memory, a row
    /// at a time.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] as [`check_finite`](Self::check_finite).
    ///
    /// # Panics
    /// Unless k < d.
    pub(crate) fn ranked_lengths(&self, k: usize) -> Result<Vec<f64>, BatchError> {
        assert!(k < self.d(), "length {k} of {}", self.d());
        self.check_finite()?;
        Ok(self.pass(Pass::Columns, || {
            on_form!(
                self.rows,
                T => host::ranked_lengths::<T>(self.rows, k),
                torch => torch::ranked_lengths(self.stack(), k)
            )
        }))
    }

    /// At every coordinate, the mean of what of the raw rows has the sign of Σ votes_i sign(x_ij), or 0 of nothing: those
    /// longer than the threshold of their row, scaled by its factor and cut to the median length of all scaled values
    /// (midpoint), without those that are 0 then. One pass over memory.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] as [`check_finite`](Self::check_finite).
    ///
    /// # Panics
    /// Unless there is one elector for each raw row.
    pub(crate) fn elected_mean(&self, electors: &[Elector]) -> Result<Vector, BatchError> {
        assert_eq!(electors.len(), self.rows.len(), "one elector for each row");
        self.check_finite()?;
        Ok(self.pass(Pass::Columns, || {
            on_form!(
                self.rows,
                T => host::elected_mean::<T>(self.rows, electors),
                torch => torch::elected_mean(self.stack(), electors)
            )
        }))
    }

    /// Squared distance of every (mapped) row to `point`. One pass over memory.
    ///
    /// # Panics
    /// Unless the point is [alike](Vector::is_like).
    pub fn distances(&self, point: &Vector) -> Vec<f64> {
        assert!(point.is_like(&self.rows[0]), "a point that is not like the rows");
        self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::distances::<T>(self.rows, self.map(), point),
                torch => torch::distances(self.stack(), self.map(), point)
            )
        })
    }

    /// ⟨row i, `point`⟩ of every (mapped) row, in f64. One pass over memory.
    ///
    /// # Panics
    /// Unless the point is [alike](Vector::is_like).
    pub fn dots(&self, point: &Vector) -> Vec<f64> {
        assert!(point.is_like(&self.rows[0]), "a point that is not like the rows");
        let raw = self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::dots::<T>(self.rows, point),
                torch => torch::dots(self.stack(), point)
            )
        });
        let of = |i: usize, w: &Map| w.row(i).iter().map(|&(j, weight)| weight * raw[j]).sum();
        self.map().map_or_else(|| raw.clone(), |w| (0..w.rows()).map(|i| of(i, w)).collect())
    }

    /// Squared distance of raw rows i and j for each of these pairs, or of row i and the origin where there is no j. One
    /// pass over them, and a device is waited for once.
    ///
    /// # Panics
    /// For the number of a row that is not there.
    pub fn distances_between(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
        self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::distances_between::<T>(self.rows, pairs),
                torch => torch::distances_between(self.stack(), pairs)
            )
        })
    }

    /// Squared distance of every (mapped) row to Σ_i c_i · (row i). From the Gram matrix if it is there; else in two
    /// passes.
    pub fn distances_to_span(&self, coefficients: &[f64]) -> Vec<f64> {
        match self.known_gram() {
            Some(gram) => gram.distances2_to(coefficients),
            None => self.distances(&self.combine(coefficients)),
        }
    }

    /// ‖row i‖² of every (mapped) row. From the Gram matrix if it is there; else in a pass of its own.
    ///
    /// # Errors
    /// As [`Batch::gram`].
    pub fn norms2(&self) -> Result<Vec<f64>, BatchError> {
        if self.raw_gram.get().is_some() {
            let gram = self.gram()?;
            return Ok((0..self.m()).map(|i| gram.row_norm2(i)).collect());
        }
        let norms2 = match &self.map {
            None => self.raw_norms2().clone(),
            Some(_) => self.distances(&self.rows[0].zeros_like()),
        };
        if norms2.iter().any(|norm2| !norm2.is_finite()) {
            self.check_finite()?;
        }
        Ok(norms2)
    }

    /// That every raw row is finite, by their norms; a pass of its own unless these are known.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not.
    pub(crate) fn check_finite(&self) -> Result<(), BatchError> {
        let norms2 = self.raw_norms2();
        let bad: Vec<usize> = (0..norms2.len()).filter(|&i| !norms2[i].is_finite()).collect();
        if bad.is_empty() { Ok(()) } else { Err(BatchError::NonFinite(bad)) }
    }

    /// That every coordinate of every raw row is finite, however large. A pass of its own.
    ///
    /// # Errors
    /// [`BatchError::NonFinite`] naming the raw rows that are not.
    pub fn require_finite(&self) -> Result<(), BatchError> {
        let finite: Vec<bool> = on_form!(
            self.rows,
            _T => self.rows.par_iter().map(Vector::is_finite).collect(),
            torch => torch::finite(self.stack())
        );
        let bad: Vec<usize> = (0..finite.len()).filter(|&i| !finite[i]).collect();
        self.found_finite(bad.is_empty());
        if bad.is_empty() { Ok(()) } else { Err(BatchError::NonFinite(bad)) }
    }

    fn raw_norms2(&self) -> &Vec<f64> {
        self.raw_norms2.get_or_init(|| self.measured_norms2())
    }

    fn measured_norms2(&self) -> Vec<f64> {
        let norms2: Vec<f64> = self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::norms2::<T>(self.rows),
                torch => torch::distances(self.stack(), None, &self.rows[0].zeros_like())
            )
        });
        self.found_finite(norms2.iter().all(|norm2| norm2.is_finite()));
        norms2
    }

    fn found_finite(&self, all: bool) {
        if all {
            self.finite.get_or_init(|| ());
        }
    }

    /// Whether a pass has found that every raw row is finite.
    pub(crate) fn known_finite(&self) -> bool {
        self.finite.get().is_some()
    }

    /// Row i as a vector of its own; under a map it is computed.
    pub fn row(&self, i: usize) -> Vector {
        match &self.map {
            None => self.rows[i].clone(),
            Some(w) => self.combine_raw(&w.weights(i)),
        }
    }

    /// The raw rows at these places alone, in their order.
    pub(crate) fn raw_at(&self, places: &[usize]) -> Vec<Vector> {
        let picked = |row: &Vector| row.picked(places);
        on_form!(
            self.rows,
            _T => if kernels::are_few(self.rows.len() * places.len()) {
                self.rows.iter().map(picked).collect()
            } else {
                self.rows.par_iter().map(picked).collect()
            },
            torch => torch::at(self.stack(), places)
        )
    }

    /// For every raw row the squared distances from `point` over each of these groups of coordinates. One pass over memory.
    pub(crate) fn raw_distances_within(&self, groups: &Groups, point: &Vector) -> Vec<Vec<f64>> {
        self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::distances_within::<T>(self.rows, groups, point),
                torch => torch::distances_within(self.stack(), groups, point)
            )
        })
    }

    /// What is left of every raw row in every one of these blocks of coordinates, where those shorter than `least` of the
    /// row are left out. One pass over memory.
    pub(crate) fn raw_left(&self, blocks: &[Range<usize>], least: &[f64]) -> Vec<Vec<Left>> {
        self.pass(Pass::Distances, || {
            on_form!(
                self.rows,
                T => host::left::<T>(self.rows, blocks, least),
                torch => torch::left(self.stack(), blocks, least)
            )
        })
    }

    /// In every one of these blocks, which follow each other from the first coordinate to the last, the combination of the
    /// raw rows with its own coefficients, where coordinates shorter than `least` of the row are left out. One pass over
    /// memory.
    pub(crate) fn combine_raw_left(
        &self,
        blocks: &[Range<usize>],
        least: &[f64],
        coefficients: &[Vec<f64>],
    ) -> Vector {
        self.pass(Pass::Combine, || {
            on_form!(
                self.rows,
                T => host::combine_left::<T>(self.rows, blocks, least, coefficients),
                torch => torch::combine_left(self.stack(), blocks, least, coefficients)
            )
        })
    }

    /// All (mapped) rows as vectors of their own. Under a map those that are no raw row are computed, in one pass.
    pub fn to_rows(&self) -> Vec<Vector> {
        let Some(w) = self.map() else { return self.rows.to_vec() };
        let made: Vec<usize> = (0..w.rows()).filter(|&i| w.alone(i).is_none()).collect();
        let mut made = self.mixed(&w.of_rows(&made)).into_iter();
        let row = |i: usize| w.alone(i).map(|at| self.rows[at].clone()).or_else(|| made.next());
        (0..w.rows()).filter_map(row).collect()
    }

    /// The rows of W times the raw rows.
    fn mixed(&self, w: &Map) -> Vec<Vector> {
        on_form!(
            self.rows,
            T => self.pass(Pass::Combine, || host::mixed::<T>(self.rows, w)),
            torch => (0..w.rows()).map(|i| self.combine_raw(&w.weights(i))).collect()
        )
    }

    /// The mean of the (mapped) rows.
    pub fn mean(&self) -> Vector {
        self.combine(&vec![1.0 / self.m() as f64; self.m()])
    }
}

/// The only row that these coefficients take, if they take it as it is.
fn alone(coefficients: &[f64]) -> Option<usize> {
    let mut taken = coefficients.iter().enumerate().filter(|(_, c)| **c != 0.0);
    taken.next().filter(|(_, c)| **c == 1.0).filter(|_| taken.next().is_none()).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::in_pool;
    use crate::{Dtype, Vector};

    #[test]
    fn rows_of_many_numbers_are_worked_on_in_the_pool() {
        let is_there = |d: usize| {
            let rows = vec![Vector::zeros(d, Dtype::F32); 3];
            in_pool(&rows, || rayon::current_thread_index().is_some())
        };
        assert!(!is_there(1000));
        assert!(is_there(100_000));
    }
}
