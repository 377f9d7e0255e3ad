//! Batches on the host: the operations of `Batch` by the kernels, over f32 or f64 rows.

use super::{
    BatchError, ColumnRule, Columns, Gram, Half, Map, Matrix, kernels,
    measure::{self, Rows, Trust},
};
use crate::{Vector, simd::Real, vector::dot};

/// The rows as slices; they are all of this format.
fn views<'a, T: Real>(rows: impl IntoIterator<Item = &'a Vector>) -> Vec<&'a [T]> {
    rows.into_iter().filter_map(T::view).collect()
}

pub(super) fn gram<T: Real>(rows: &[Vector]) -> Result<Gram, BatchError> {
    measure::gram(rows, |kept| Host::<T>(views(kept.iter().map(|&i| &rows[i]))))
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
    half: Half,
) -> Result<Vector, BatchError> {
    let mut output = vec![T::default(); rows[0].len()];
    let bad = kernels::weighted_median(&views::<T>(rows), map, weights, half, &mut output);
    if bad.is_empty() { Ok(T::vector(output)) } else { Err(BatchError::NonFinite(bad)) }
}

pub(super) fn combine<T: Real>(rows: &[Vector], coefficients: &[f64]) -> Vector {
    T::vector(kernels::combine(&views::<T>(rows), coefficients))
}

/// The rows of `map` times the rows.
pub(super) fn mixed<T: Real>(rows: &[Vector], map: &Map) -> Vec<Vector> {
    kernels::mixed(&views::<T>(rows), map).into_iter().map(T::vector).collect()
}

pub(super) fn distances<T: Real>(rows: &[Vector], map: Option<&Map>, point: &Vector) -> Vec<f64> {
    kernels::distances(&views::<T>(rows), map, views([point])[0])
}

/// The squared distances of these pairs of rows.
pub(super) fn distances_between<T: Real>(rows: &[Vector], pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
    kernels::differences(&views::<T>(rows), pairs)
}

/// The squared norm of every row.
pub(super) fn norms2<T: Real>(rows: &[Vector]) -> Vec<f64> {
    kernels::norms2(&views::<T>(rows))
}

struct Host<'a, T>(Vec<&'a [T]>);

impl<T: Real> Rows for Host<'_, T> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn products(&self, centre: usize, exact: bool) -> Matrix {
        if exact {
            kernels::centred::<T, f64>(&self.0, centre)
        } else {
            kernels::centred::<T, T>(&self.0, centre)
        }
    }

    fn trust(&self, exact: bool) -> Trust {
        let d = self.0[0].len() as f64;
        if exact || size_of::<T>() == size_of::<f64>() {
            Trust::OF_F64
        } else {
            Trust { part: 1e-2, floor: d * 1e-33 }
        }
    }

    fn differences(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
        kernels::differences(&self.0, pairs)
    }

    fn is_finite(&self, i: usize) -> bool {
        dot::dot(self.0[i], self.0[i]).is_finite()
    }

    fn same(&self, i: usize, j: usize) -> bool {
        self.0[i] == self.0[j]
    }
}
