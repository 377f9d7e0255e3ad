//! The search that the optimised attacks share: along a line of candidate
//! vectors, for the one that moves the server furthest from the honest mean.

use super::{AttackError, View};
use crate::{Vector, describe::ParameterError};

/// A search along t: in doubling steps from `start` in both directions, however good the values on the
/// way (robust rules ignore far vectors, so the best t may lie behind a plateau), then in shrinking
/// steps in both directions around the best point.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineSearch {
    /// The first t tried.
    pub start: f64,
    /// The first step; each further one in the same direction is twice as long.
    pub step: f64,
    /// What the step shrinks by around the best point.
    pub ratio: f64,
    /// How often the objective may be evaluated. A quarter of them, but at most [`DOUBLINGS`], go into
    /// doubling steps in one direction.
    pub evaluations: u32,
}

/// The largest number of doubling steps in one direction.
const DOUBLINGS: u32 = 8;

impl LineSearch {
    /// This search, if its numbers can be used.
    pub fn checked(self) -> Result<Self, ParameterError> {
        ParameterError::finite("start", self.start)?;
        ParameterError::positive("step", self.step)?;
        let shrinks = self.ratio > 0.0 && self.ratio < 1.0;
        ParameterError::unless(shrinks, "ratio", self.ratio, "a number above 0, below 1")?;
        ParameterError::at_least_one("evaluations", self.evaluations)?;
        Ok(self)
    }

    /// The t with the largest `objective` among those tried; the first of equal ones.
    pub fn maximise<E>(&self, mut objective: impl FnMut(f64) -> Result<f64, E>) -> Result<f64, E> {
        let mut best = (self.start, objective(self.start)?);
        let (mut reach, mut left) = (self.step, self.evaluations - 1);
        let doublings = (self.evaluations / 4).clamp(1, DOUBLINGS);
        for side in [1.0, -1.0] {
            for step in (0..doublings.min(left)).map(|k| self.step * 2f64.powi(k as i32)) {
                let t = self.start + side * step;
                let value = objective(t)?;
                left -= 1;
                if value > best.1 {
                    (best, reach) = ((t, value), step);
                }
            }
        }
        while left > 0 {
            reach *= self.ratio;
            let centre = best.0;
            for t in [centre + reach, centre - reach].into_iter().take(left as usize) {
                let value = objective(t)?;
                left -= 1;
                if value > best.1 {
                    best = (t, value);
                }
            }
        }
        Ok(best.0)
    }

    /// The vector base + t · direction that moves the server's aggregate furthest from `mean` if all
    /// members send it; the first candidate where the rule refuses the number of vectors.
    pub fn strongest(
        &self,
        view: &View<'_>,
        mean: &Vector,
        base: &Vector,
        direction: &Vector,
    ) -> Result<Vector, AttackError> {
        let candidate = |t: f64| {
            let mut vector = base.clone();
            vector.axpy(t, direction);
            vector
        };
        let damage = |t| Ok(view.outcome(&view.everyone(&candidate(t)))?.minus(mean).norm());
        match self.maximise::<AttackError>(damage) {
            // A rule that cannot stand who is there tells nothing, which is no reason not to attack.
            Err(AttackError::Probe(error)) if error.is_turnout() => Ok(candidate(self.start)),
            found => found.map(candidate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LineSearch;

    fn search(start: f64, objective: impl Fn(f64) -> f64, evaluations: u32) -> (f64, u32) {
        let mut calls = 0;
        let found = LineSearch { start, step: 1.0, ratio: 0.5, evaluations }.maximise(|t| {
            calls += 1;
            Ok::<_, ()>(objective(t))
        });
        (found.unwrap(), calls)
    }

    #[test]
    fn finds_a_peak_on_either_side() {
        for peak in [-37.0, -0.3, 0.0, 2.6, 19.0] {
            let (t, calls) = search(0.0, |t| -(t - peak).abs(), 60);
            assert!((t - peak).abs() < 0.01, "{t} instead of {peak}");
            assert_eq!(calls, 60);
        }
    }

    #[test]
    fn the_contraction_moves_left_too() {
        // The best of the doubling steps is 4, beyond the peak at 3.1.
        let (t, _) = search(0.0, |t| -(t - 3.1).abs(), 40);
        assert!((t - 3.1).abs() < 0.01, "{t}");
    }

    #[test]
    fn looks_behind_a_plateau() {
        let (t, _) = search(-1.2, |t| if (5.0..6.9).contains(&t) { t } else { 0.0 }, 40);
        assert!((6.5..6.9).contains(&t), "{t}");
    }

    #[test]
    fn keeps_the_start_where_nothing_is_better() {
        assert_eq!(search(1.22, |_| 1.0, 20), (1.22, 20));
        assert_eq!(search(1.22, |t| if t == 1.22 { 1.0 } else { f64::NAN }, 20), (1.22, 20));
        assert_eq!(search(5.0, |t| t, 1), (5.0, 1));
    }
}
