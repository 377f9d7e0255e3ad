//! What the last points and the gradients there tell of a Hessian: the compact form of L-BFGS (Byrd, Nocedal & Schnabel,
//! 1994). Called by `fldetector`.

use super::RuleError;
use crate::{Batch, Vector};

/// Differences of successive points and of the gradients there, oldest first, with their products.
#[derive(Clone, Debug, Default)]
pub(super) struct Curvature {
    /// s_1 … s_n.
    pub(super) steps: Vec<Vector>,
    /// y_1 … y_n.
    pub(super) changes: Vec<Vector>,
    /// ⟨s_i, s_j⟩.
    pub(super) of_steps: Vec<Vec<f64>>,
    /// ⟨s_i, y_j⟩.
    pub(super) of_both: Vec<Vec<f64>>,
}

/// A step beside those remembered.
pub(super) struct Beside {
    /// s_1 … s_n, y_1 … y_n, and the step.
    rows: Vec<Vector>,
    /// Their products with the step.
    products: Vec<f64>,
}

impl Curvature {
    /// `step` beside the steps and changes. One pass over all of them, of which the watch of `batch` is told.
    pub(super) fn beside(&self, batch: &Batch<'_>, step: Vector) -> Result<Beside, RuleError> {
        let rows: Vec<Vector> = self.steps.iter().chain(&self.changes).chain([&step]).cloned().collect();
        let products = batch.alike(&rows)?.dots(&step);
        Ok(Beside { rows, products })
    }

    /// B times the step, if there is an approximation B:
    /// B = σ I - [σ S, Y] M^-1 [σ S, Y]ᵀ, where M = [[σ SᵀS, L], [Lᵀ, -D]] and σ = ⟨y_n, s_n⟩ / ⟨s_n, s_n⟩; SᵀY has L below its
    /// diagonal D.
    pub(super) fn times(&self, batch: &Batch<'_>, beside: &Beside) -> Result<Option<Vector>, RuleError> {
        let Some(last) = self.steps.len().checked_sub(1) else { return Ok(None) };
        let n = last + 1;
        let scale = self.of_both[last][last] / self.of_steps[last][last];
        let below = |i: usize, j: usize| if i > j { self.of_both[i][j] } else { 0.0 };
        let entry = |i: usize, j: usize| match (i < n, j < n) {
            (true, true) => scale * self.of_steps[i][j],
            (true, false) => below(i, j - n),
            (false, true) => below(j, i - n),
            (false, false) if i == j => -self.of_both[i - n][i - n],
            (false, false) => 0.0,
        };
        let factor = |i: usize| if i < n { scale } else { 1.0 };
        let mut equations: Vec<Vec<f64>> = (0..2 * n)
            .map(|i| (0..2 * n).map(|j| entry(i, j)).chain([factor(i) * beside.products[i]]).collect())
            .collect();
        let Some(solution) = solved(&mut equations) else { return Ok(None) };
        let mut all: Vec<f64> = solution.iter().enumerate().map(|(i, x)| -factor(i) * x).collect();
        all.push(scale);
        Ok(Some(batch.alike(&beside.rows)?.combine(&all)))
    }

    /// Remembers the step, and by what the gradient changed, beside the `kept` - 1 before; not if their products are no
    /// numbers.
    pub(super) fn remember(
        &mut self,
        batch: &Batch<'_>,
        beside: Beside,
        change: Vector,
        kept: usize,
    ) -> Result<(), RuleError> {
        let n = self.steps.len();
        let Beside { mut rows, products } = beside;
        rows.drain(n..2 * n);
        let with_change = batch.alike(&rows)?.dots(&change);
        if !products.iter().chain(&with_change).all(|product| product.is_finite()) {
            return Ok(());
        }
        for (i, row) in self.of_steps.iter_mut().enumerate() {
            row.push(products[i]);
        }
        self.of_steps.push([&products[..n], &products[2 * n..]].concat());
        self.of_both.push(products[n..2 * n].to_vec());
        self.of_both.iter_mut().zip(with_change).for_each(|(row, product)| row.push(product));
        self.steps.extend(rows.pop());
        self.changes.push(change);
        if n == kept {
            self.forget_oldest();
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        self.steps.remove(0);
        self.changes.remove(0);
        for products in [&mut self.of_steps, &mut self.of_both] {
            products.remove(0);
            for row in products.iter_mut() {
                row.remove(0);
            }
        }
    }
}

/// The solution of linear equations, each with its right side last, by elimination with row pivots; none if they do not
/// have one solution of finite numbers.
fn solved(equations: &mut [Vec<f64>]) -> Option<Vec<f64>> {
    let n = equations.len();
    for at in 0..n {
        let size = |i: &usize| equations[*i][at].abs();
        let pivot = (at..n).max_by(|i, j| size(i).total_cmp(&size(j)))?;
        equations.swap(at, pivot);
        let (above, below) = equations.split_at_mut(at + 1);
        let row = &above[at];
        for other in below {
            let factor = other[at] / row[at];
            other[at..].iter_mut().zip(&row[at..]).for_each(|(value, by)| *value -= factor * by);
        }
    }
    let mut solution = vec![0.0; n];
    for at in (0..n).rev() {
        let row = &equations[at];
        let known: f64 = (at + 1..n).map(|j| row[j] * solution[j]).sum();
        solution[at] = (row[n] - known) / row[at];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::{Curvature, solved};
    use crate::{Batch, Vector, random::Seed};
    use rand::RngExt;

    /// What L-BFGS makes of so many steps along a quadratic whose Hessian has these values on its diagonal, and the last of
    /// its steps and changes.
    fn along(diagonal: &[f64], steps: usize) -> (Curvature, Vector, Vector) {
        let mut rng = Seed(3).stream("test", 0, "curvature", 0);
        let mut found = (Curvature::default(), Vector::from(vec![0.0]), Vector::from(vec![0.0]));
        for _ in 0..steps {
            let step: Vec<f64> = diagonal.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let change: Vector = step.iter().zip(diagonal).map(|(s, h)| s * h).collect::<Vec<f64>>().into();
            let rows = [Vector::from(step)];
            let batch = Batch::new(&rows).unwrap();
            let beside = found.0.beside(&batch, rows[0].clone()).unwrap();
            found.0.remember(&batch, beside, change.clone(), 4).unwrap();
            (found.1, found.2) = (rows[0].clone(), change);
        }
        found
    }

    fn times(curvature: &Curvature, step: &Vector) -> Option<Vec<f64>> {
        let rows = [step.clone()];
        let batch = Batch::new(&rows).unwrap();
        let beside = curvature.beside(&batch, step.clone()).unwrap();
        curvature.times(&batch, &beside).unwrap().map(|made| made.to_f64())
    }

    #[test]
    fn the_last_step_makes_the_last_change() {
        for steps in [1, 2, 4, 9] {
            let (curvature, step, change) = along(&[1.0, 2.5, 0.3, 7.0, 1.1, 0.8], steps);
            assert_eq!((curvature.steps.len(), curvature.of_both.len()), (steps.min(4), steps.min(4)));
            let made = times(&curvature, &step).unwrap();
            let error = made.iter().zip(change.to_f64()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-9, "{steps}: {error}");
        }
    }

    #[test]
    fn a_point_that_stood_still_tells_nothing() {
        let (none, still) = (Curvature::default(), Vector::from(vec![0.0; 3]));
        assert!(times(&none, &still).is_none());
        let mut curvature = none;
        let rows = [still.clone()];
        let batch = Batch::new(&rows).unwrap();
        let beside = curvature.beside(&batch, still.clone()).unwrap();
        curvature.remember(&batch, beside, Vector::from(vec![1.0; 3]), 2).unwrap();
        assert!(times(&curvature, &Vector::from(vec![1.0; 3])).is_none());
    }

    #[test]
    fn products_that_are_no_numbers_are_not_remembered() {
        let huge = Vector::from(vec![1e300; 3]);
        let rows = [huge.clone()];
        let batch = Batch::new(&rows).unwrap();
        let mut curvature = Curvature::default();
        let beside = curvature.beside(&batch, huge.clone()).unwrap();
        curvature.remember(&batch, beside, huge, 2).unwrap();
        assert!(curvature.steps.is_empty() && curvature.of_steps.is_empty());
    }

    #[test]
    fn equations_without_one_solution_have_none() {
        let solve = |rows: &[&[f64]]| solved(&mut rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
        assert_eq!(solve(&[&[0.0, 2.0, 4.0], &[1.0, 0.0, 3.0]]).unwrap(), [3.0, 2.0]);
        assert!(solve(&[&[1.0, 2.0, 4.0], &[2.0, 4.0, 3.0]]).is_none());
        assert!(solve(&[&[f64::NAN, 2.0, 4.0], &[2.0, 4.0, 3.0]]).is_none());
    }
}
