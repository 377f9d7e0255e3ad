//! From rows to their geometry: which row is the centre, what number format a
//! pass needs, and which distances must be computed from the difference
//! itself. Called by `Batch::gram` and `Batch::grams_at`; it sees rows of any device through [`Rows`].
//!
//! A pass gives products relative to a centre. The distance of two rows that
//! lie close together but far from the centre cancels in them. So every pair is
//! tested. If more than half of the rows are in bad pairs, of one crowd or of many
//! pairs, the centre was a bad one, an outlier, and the pass is repeated around a
//! row in the midst of the crowd. Bad pairs of fewer rows are computed again, one by
//! one: what rules make of a majority is a combination of rows near the centre.

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
    /// Products of f64. Sums in registers of four lose up to a hundred roundings, so that seven digits are left.
    pub(super) const OF_F64: Self = Self { part: 1e-7, floor: 1e-280 };
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

/// At most this many passes look for a centre amid a majority. A pass brings the centre as near to it as rounding can
/// tell, to 1e-8 of the old distance in f64; more than two passes take rows put far away, in steps, for it.
const PASSES: usize = 24;

/// … and this many for one amid a minority, where no crowd is more.
const FEW_PASSES: usize = 4;

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
    let mut copies = vec![0; first.len()];
    shared.iter().for_each(|&i| copies[i] += 1);
    let gram = |rows: R| {
        let measured = measure(&rows, &copies).map_err(|bad| BatchError::NonFinite(all(bad)))?;
        let class: Vec<usize> = shared.iter().map(|&i| measured.class[i]).collect();
        Ok(Gram::new(measured, &class))
    };
    rows(first).into_iter().map(gram).collect()
}

/// The measured rows, each of which counts so many times, or those that are not finite.
fn measure(rows: &impl Rows, copies: &[usize]) -> Result<Measured, Vec<usize>> {
    let m = rows.count();
    let (mut centre, mut exact) = (0, false);
    let mut class: Vec<usize> = (0..m).collect();
    for pass in 1.. {
        let products = rows.products(centre, exact);
        let infinite: Vec<usize> = (0..=m).filter(|&i| !products[(i, i)].is_finite()).collect();
        if infinite.is_empty() {
            let distances = distances_of(&products);
            let trust = rows.trust(exact);
            let weak = weak_pairs(rows, &products, &distances, trust, &mut class);
            let next = crowded(&class, copies, &weak, &distances, pass);
            // rows whose squares are below the floor stay weak around any centre
            let Some(row) = next.filter(|&row| !exact || products[(row, row)] > trust.floor) else {
                return Ok(settled(rows, Measured { products, distances, class }, &weak));
            };
            centre = row;
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

/// A row for the centre after this pass, if more than half of all rows are in weak pairs. Its crowd are the rows equal
/// to it or in a weak pair with it: a majority, of several such rows the one with the least sum of squared distances to
/// it, or the largest crowd where none is a majority and the pairs are many.
fn crowded(
    class: &[usize],
    copies: &[usize],
    weak: &[(usize, Option<usize>)],
    distances: &Matrix,
    pass: usize,
) -> Option<usize> {
    let m = class.len();
    let mut counts = vec![0; m];
    class.iter().zip(copies).for_each(|(&class, copies)| counts[class] += copies);
    let (mut crowd, mut sums, mut is_weak) = (counts.clone(), vec![0.0; m], vec![false; m]);
    for &(i, j) in weak {
        is_weak[i] = true;
        let Some(j) = j else { continue };
        is_weak[j] = true;
        for (i, j) in [(i, j), (j, i)] {
            crowd[i] += counts[j];
            sums[i] += counts[j] as f64 * distances[(i, j)];
        }
    }
    let half = copies.iter().sum::<usize>() / 2;
    let weak_rows: Vec<usize> = (0..m).filter(|&i| is_weak[i]).collect();
    let amid = weak_rows.iter().filter(|&&i| crowd[i] > half);
    if let Some(&row) = amid.min_by(|&&i, &&j| sums[i].total_cmp(&sums[j])) {
        return Some(row).filter(|_| pass < PASSES);
    }
    let many = weak.len() > m + m * m / 16 && weak_rows.iter().map(|&i| counts[i]).sum::<usize>() > half;
    weak_rows.into_iter().rev().max_by_key(|&i| crowd[i]).filter(|_| many && pass < FEW_PASSES)
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Matrix, Rows, Trust, measure};
    use crate::vector::dot::{distance2, dot};

    /// Rows in f64, and how many passes were made.
    struct Counted {
        rows: Vec<Vec<f64>>,
        passes: Cell<usize>,
    }

    impl Rows for Counted {
        fn count(&self) -> usize {
            self.rows.len()
        }

        fn products(&self, centre: usize, _: bool) -> Matrix {
            self.passes.set(self.passes.get() + 1);
            let minus = |row: &Vec<f64>| row.iter().zip(&self.rows[centre]).map(|(a, b)| a - b).collect();
            let mut all: Vec<Vec<f64>> = self.rows.iter().map(minus).collect();
            all.push(self.rows[centre].clone());
            Matrix::from_fn(all.len(), all.len(), |i, j| dot(&all[i], &all[j]))
        }

        fn trust(&self, _: bool) -> Trust {
            Trust::OF_F64
        }

        fn differences(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
            let origin = vec![0.0; self.rows[0].len()];
            let row = |j: Option<usize>| j.map_or(&origin, |j| &self.rows[j]);
            pairs.iter().map(|&(i, j)| distance2(&self.rows[i], row(j))).collect()
        }

        fn is_finite(&self, i: usize) -> bool {
            dot(&self.rows[i], &self.rows[i]).is_finite()
        }

        fn same(&self, i: usize, j: usize) -> bool {
            self.rows[i] == self.rows[j]
        }
    }

    /// So many passes are made for rows near 1, to which those of `far` are added at these places; the largest
    /// diagonal product of any of the former.
    fn passes(m: usize, far: &[(usize, f64)]) -> (usize, f64) {
        let row = |i: usize| vec![(i as f64).sin(), (7.0 * i as f64).cos(), 0.1 * i as f64 / m as f64];
        let mut rows: Vec<Vec<f64>> = (0..m).map(row).collect();
        far.iter().for_each(|&(i, far)| rows[i].iter_mut().for_each(|v| *v += far));
        let counted = Counted { rows, passes: Cell::default() };
        let products = measure(&counted, &vec![1; m]).unwrap().products;
        let near = (0..m).filter(|i| far.iter().all(|(at, _)| at != i));
        (counted.passes.get(), near.map(|i| products[(i, i)]).fold(0.0, f64::max))
    }

    #[test]
    fn a_second_pass_is_made_where_the_centre_is_far_from_the_majority() {
        for m in 3..=20 {
            assert_eq!(passes(m, &[]).0, 1, "m = {m}");
            assert_eq!(passes(m, &[(m - 1, 1e9)]).0, 1, "m = {m}");
            let (passes, reach) = passes(m, &[(0, 1e9)]);
            assert!(passes == 2 && reach < 10.0, "m = {m}: {passes} passes, {reach:e}");
        }
        // a minority far away is none, however near its rows are to each other
        let crowd: Vec<(usize, f64)> = (1..20).map(|i| (i, 1e9)).collect();
        assert_eq!(passes(40, &crowd).0, 1);
    }

    #[test]
    fn rows_far_away_in_steps_do_not_keep_the_centre_from_the_majority() {
        let far: Vec<(usize, f64)> = (0..8).map(|i| (i, 10f64.powi(72 - 8 * i as i32))).collect();
        let (passes, reach) = passes(17, &far);
        assert!(passes <= 9 && reach < 10.0, "{passes} passes, {reach:e}");
    }
}
