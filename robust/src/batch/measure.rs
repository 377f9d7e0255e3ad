//! From rows to their geometry: which row is the centre, what number format a
//! pass needs, and which distances must be computed from the difference
//! itself. Called by `Batch::gram` and `Batch::grams_at`; it sees rows of any device through [`Rows`].
//!
//! A pass gives products relative to a centre. The distance of two rows that
//! lie close together but far from the centre cancels in them. So every pair is
//! tested. Few bad pairs are computed again, one by one. If there are many the
//! centre was a bad one, an outlier, and the pass is repeated around the row with
//! the most bad pairs, which lies in the largest crowd far from the old one.

use std::collections::HashMap;

use super::{
    BatchError, Gram, Matrix,
    gram::{distances_of, pairs},
};
use crate::Vector;

/// Rows on one device.
pub(super) trait Rows {
    /// Number of rows, m.
    fn count(&self) -> usize;

    /// The (m+1)×(m+1) products of y_1 = x_1 - c, … y_m and c, where c is row `centre`. With `exact`, in f64 throughout.
    fn products(&self, centre: usize, exact: bool) -> Matrix;

    /// How far [`Rows::products`] can be trusted.
    fn trust(&self, exact: bool) -> Trust;

    /// ‖x_i - x_j‖² in f64 for each of these pairs; `None` is the origin.
    fn differences(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64>;

    /// Whether no coordinate of row i is NaN or infinite, nor is its squared norm in f64.
    fn is_finite(&self, i: usize) -> bool;

    /// Whether two rows are equal.
    fn same(&self, i: usize, j: usize) -> bool;
}

/// Which squared distances the products of a pass are good for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    /// Those above this part of the larger of the two squared distances from the centre …
    pub part: f64,
    /// … and above this, where products do not underflow.
    pub floor: f64,
}

impl Trust {
    /// Products of f64.
    pub(super) const OF_F64: Self = Self { part: 1e-8, floor: 1e-280 };
}

/// Products and distances of rows, and which of the rows are equal.
pub(super) struct Measured {
    /// As [`Rows::products`].
    pub products: Matrix,
    /// (m+1)×(m+1): squared distances of the rows and the origin.
    pub distances: Matrix,
    /// The first row equal to row i.
    pub class: Vec<usize>,
}

/// At most this many passes look for a good centre.
const PASSES: usize = 4;

/// Measures `vectors`, once for each of the forms that `rows` makes of those at the places it is given, which share no
/// memory.
///
/// # Errors
/// [`BatchError::NonFinite`].
pub(super) fn grams<R: Rows>(
    vectors: &[Vector],
    rows: impl FnOnce(Vec<usize>) -> Vec<R>,
) -> Result<Vec<Gram>, BatchError> {
    let (mut known, mut first) = (HashMap::new(), Vec::new());
    let mut shared = Vec::with_capacity(vectors.len());
    for (i, vector) in vectors.iter().enumerate() {
        shared.push(*known.entry(vector.address()).or_insert(first.len()));
        if shared[i] == first.len() {
            first.push(i);
        }
    }
    let all = |bad: Vec<usize>| (0..vectors.len()).filter(|&i| bad.contains(&shared[i])).collect();
    let gram = |rows: R| {
        let measured = measure(&rows).map_err(|bad| BatchError::NonFinite(all(bad)))?;
        let class: Vec<usize> = shared.iter().map(|&i| measured.class[i]).collect();
        Ok(Gram::new(measured, &class))
    };
    rows(first).into_iter().map(gram).collect()
}

/// The measured rows, or those that are not finite.
fn measure(rows: &impl Rows) -> Result<Measured, Vec<usize>> {
    let m = rows.count();
    let few = m + m * m / 16;
    let (mut centre, mut exact) = (0, false);
    let mut class: Vec<usize> = (0..m).collect();
    for pass in 1.. {
        let products = rows.products(centre, exact);
        let infinite: Vec<usize> = (0..=m).filter(|&i| !products[(i, i)].is_finite()).collect();
        if infinite.is_empty() {
            let distances = distances_of(&products);
            let weak = weak_pairs(rows, &products, &distances, rows.trust(exact), &mut class);
            if weak.len() <= few || pass >= PASSES {
                return Ok(settled(rows, Measured { products, distances, class }, &weak));
            }
            centre = crowded(m, &weak);
            exact |= pass > 1;
            continue;
        }
        let bad: Vec<usize> = (0..m).filter(|&i| !rows.is_finite(i)).collect();
        if !bad.is_empty() || exact {
            return Err(if bad.is_empty() { infinite } else { bad });
        }
        exact = true;
    }
    unreachable!("the last pass returns")
}

/// Pairs of rows, and of a row and the origin, whose distance cancelled; equal rows are put in one class instead.
fn weak_pairs(
    rows: &impl Rows,
    products: &Matrix,
    distances: &Matrix,
    trust: Trust,
    class: &mut [usize],
) -> Vec<(usize, Option<usize>)> {
    let m = class.len();
    let limits: Vec<f64> = (0..=m).map(|i| trust.floor.max(trust.part * products[(i, i)])).collect();
    let mut weak = Vec::new();
    for (i, j) in pairs(m + 1) {
        if distances[(i, j)] > limits[i].max(limits[j]) || class[i] != i || (j < m && class[j] != j) {
            continue;
        }
        if j < m && rows.same(i, j) {
            class[j] = i;
        } else {
            weak.push((i, (j < m).then_some(j)));
        }
    }
    weak.retain(|&(i, j)| class[i] == i && j.is_none_or(|j| class[j] == j));
    weak
}

/// The row in the most pairs.
fn crowded(m: usize, weak: &[(usize, Option<usize>)]) -> usize {
    let mut count = vec![0; m];
    for &(i, j) in weak {
        count[i] += 1;
        j.into_iter().for_each(|j| count[j] += 1);
    }
    (0..m).rev().max_by_key(|&i| count[i]).unwrap_or(0)
}

/// Puts the distances of the weak pairs right, and the products with them.
fn settled(rows: &impl Rows, measured: Measured, weak: &[(usize, Option<usize>)]) -> Measured {
    let Measured { mut products, mut distances, class } = measured;
    let m = class.len();
    let exact = if weak.is_empty() { Vec::new() } else { rows.differences(weak) };
    for (&(i, j), d2) in weak.iter().zip(exact) {
        let (at, sign) = (j.unwrap_or(m), if j.is_some() { 1.0 } else { -1.0 });
        let product = sign * (products[(i, i)] + products[(at, at)] - d2) / 2.0;
        (distances[(i, at)], distances[(at, i)]) = (d2, d2);
        (products[(i, at)], products[(at, i)]) = (product, product);
    }
    Measured { products, distances, class }
}
