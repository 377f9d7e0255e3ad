//! Batches on the host: the operations of `Batch` by the kernels, over f32 or f64 rows.

use std::{borrow::Cow, cell::Cell, ops::Range};

use super::{
    BatchError, ColumnRule, Columns, Elector, Gram, Groups, Left, Map, Matrix, Median, Places, kernels,
    measure::{self, Rows, Trust},
};
use crate::{Vector, simd::Real, vector::dot};

/// The rows as slices; they are all of this format.
fn views<'a, T: Real>(rows: impl IntoIterator<Item = &'a Vector>) -> Vec<&'a [T]> {
    rows.into_iter().filter_map(T::view).collect()
}

/// The geometry of the rows.
pub(super) fn gram<T: Real>(rows: &[Vector]) -> Result<Gram, BatchError> {
    let all = |kept: Vec<usize>| {
        vec![Host::<T> { rows: views(kept.iter().map(|&i| &rows[i])), places: None, first: Cell::default() }]
    };
    Ok(measure::grams(rows, all)?.remove(0))
}

/// The geometry of the rows' coordinates at each of these sets of places.
pub(super) fn grams_at<T: Real>(rows: &[Vector], samples: &[Places]) -> Result<Vec<Gram>, BatchError> {
    measure::grams(rows, |kept| {
        let rows = views::<T>(kept.iter().map(|&i| &rows[i]));
        let firsts = kernels::centred_at::<T, T>(&rows, 0, &samples.iter().collect::<Vec<_>>());
        let host = |(first, places)| Host {
            rows: rows.clone(),
            places: Some(places),
            first: Cell::new(Some(first)),
        };
        firsts.into_iter().zip(samples).map(host).collect()
    })
}

pub(super) fn columns<T: Real>(
    rows: &[Vector],
    map: Option<&Map>,
    rule: &ColumnRule,
    distances: bool,
) -> Result<Columns, BatchError> {
    let mut output = vec![T::default(); rows[0].len()];
    let found = kernels::columns(&views::<T>(rows), map, rule, distances, &mut output);
    if !found.bad.is_empty() {
        return Err(BatchError::NonFinite(found.bad));
    }
    Ok(Columns { output: T::vector(output), distances: found.distances })
}

pub(super) fn weighted_median<T: Real>(
    rows: &[Vector],
    map: Option<&Map>,
    weights: &[f64],
    median: Median,
) -> Result<Vector, BatchError> {
    let mut output = vec![T::default(); rows[0].len()];
    let bad = kernels::weighted_median(&views::<T>(rows), map, weights, median, &mut output);
    if bad.is_empty() { Ok(T::vector(output)) } else { Err(BatchError::NonFinite(bad)) }
}

pub(super) fn combine<T: Real>(rows: &[Vector], coefficients: &[f64]) -> Vector {
    T::vector(kernels::combine(&views::<T>(rows), coefficients))
}

/// What is left of every row in every block without its short coordinates.
pub(super) fn left<T: Real>(rows: &[Vector], blocks: &[Range<usize>], least: &[f64]) -> Vec<Vec<Left>> {
    kernels::left(&views::<T>(rows), blocks, least)
}

/// In every block the combination of the rows without their short coordinates.
pub(super) fn combine_left<T: Real>(
    rows: &[Vector],
    blocks: &[Range<usize>],
    least: &[f64],
    coefficients: &[Vec<f64>],
) -> Vector {
    T::vector(kernels::combine_left(&views::<T>(rows), blocks, least, coefficients))
}

/// The rows of `map` times the rows.
pub(super) fn mixed<T: Real>(rows: &[Vector], map: &Map) -> Vec<Vector> {
    kernels::mixed(&views::<T>(rows), map).into_iter().map(T::vector).collect()
}

pub(super) fn distances<T: Real>(rows: &[Vector], map: Option<&Map>, point: &Vector) -> Vec<f64> {
    kernels::distances(&views::<T>(rows), map, views([point])[0])
}

/// For every row its squared distances from `point` over each of these groups of coordinates.
pub(super) fn distances_within<T: Real>(rows: &[Vector], groups: &Groups, point: &Vector) -> Vec<Vec<f64>> {
    kernels::distances_within(&views::<T>(rows), groups, views([point])[0])
}

/// The inner product of every row and `point`.
pub(super) fn dots<T: Real>(rows: &[Vector], point: &Vector) -> Vec<f64> {
    kernels::dots(&views::<T>(rows), views([point])[0])
}

/// The squared distances of these pairs of rows.
pub(super) fn distances_between<T: Real>(rows: &[Vector], pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
    kernels::differences(&views::<T>(rows), pairs)
}

/// The inner products of the signs of the rows.
pub(super) fn sign_products<T: Real>(rows: &[Vector]) -> Matrix {
    kernels::sign_products(&views::<T>(rows))
}

/// The k-th smallest absolute value of every row.
pub(super) fn ranked_lengths<T: Real>(rows: &[Vector], k: usize) -> Vec<f64> {
    kernels::ranked(&views::<T>(rows), k)
}

/// The mean of what has the elected sign.
pub(super) fn elected_mean<T: Real>(rows: &[Vector], electors: &[Elector]) -> Vector {
    let mut output = vec![T::default(); rows[0].len()];
    kernels::elected_mean(&views::<T>(rows), electors, &mut output);
    T::vector(output)
}

/// The squared norm of every row.
pub(super) fn norms2<T: Real>(rows: &[Vector]) -> Vec<f64> {
    kernels::norms2(&views::<T>(rows))
}

/// Rows, or their coordinates at some places.
struct Host<'a, T> {
    rows: Vec<&'a [T]>,
    places: Option<&'a Places>,
    /// The first products around row 0, where several forms of the rows have come by them in one pass; they are
    /// handed out once.
    first: Cell<Option<Matrix>>,
}

impl<T: Real> Host<'_, T> {
    /// What is seen of row i.
    fn seen(&self, i: usize) -> Cow<'_, [T]> {
        match self.places {
            None => self.rows[i].into(),
            Some(places) => places.iter().map(|at| self.rows[i][at]).collect(),
        }
    }
}

impl<T: Real> Rows for Host<'_, T> {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn products(&self, centre: usize, exact: bool) -> Matrix {
        if let Some(first) = self.first.take().filter(|_| centre == 0 && !exact) {
            return first;
        }
        match (self.places, exact) {
            (None, true) => kernels::centred::<T, f64>(&self.rows, centre),
            (None, false) => kernels::centred::<T, T>(&self.rows, centre),
            (Some(places), true) => kernels::centred_at::<T, f64>(&self.rows, centre, &[places]).remove(0),
            (Some(places), false) => kernels::centred_at::<T, T>(&self.rows, centre, &[places]).remove(0),
        }
    }

    fn trust(&self, exact: bool) -> Trust {
        let d = self.places.map_or(self.rows[0].len(), Places::len) as f64;
        if exact || size_of::<T>() == size_of::<f64>() {
            Trust::OF_F64
        } else {
            Trust { part: 1e-2, floor: d * 1e-33 }
        }
    }

    fn differences(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
        if self.places.is_none() {
            return kernels::differences(&self.rows, pairs);
        }
        let seen: Vec<Cow<'_, [T]>> = (0..self.count()).map(|i| self.seen(i)).collect();
        kernels::differences(&seen.iter().map(|row| &**row).collect::<Vec<_>>(), pairs)
    }

    fn is_finite(&self, i: usize) -> bool {
        let row = self.seen(i);
        dot::dot(&row, &row).is_finite()
    }

    fn same(&self, i: usize, j: usize) -> bool {
        self.seen(i) == self.seen(j)
    }
}
