//! How much memory a run will need, before it is needed: a run that cannot fit
//! is refused by the plan, not ended by the system.

use std::fmt;

use phalanx_robust::{
    Dtype, Size, Vector,
    describe::ParameterError,
    estimator::{Estimator, Gradients, Points},
};

use super::cast::{Group, Part};
use crate::machine;

/// Vectors that the server holds, whatever the number of workers: query points, aggregate, the honest mean ...
const SERVER: u64 = 8;
/// Numbers that a chain of rules holds for every pair of vectors: the Gram matrix, distances, weights.
const PAIRS: u64 = 3;

/// What a run needs beyond what the plan itself holds (data set, objective) and one pass of a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Number of workers in a round.
    m: usize,
    /// Number of parameters.
    d: usize,
    /// Bytes of a number.
    number: u64,
    /// Vectors of d numbers alive at once.
    vectors: u64,
}

/// A run for which the memory does not suffice.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the run needs about {}, {} {what}: {need}", gigabytes(.need.bytes()), gigabytes(*.limit))]
pub struct MemoryError {
    need: Need,
    limit: u64,
    what: &'static str,
}

impl Need {
    /// The need of these groups for vectors like `start`, where a round calls `called` of their workers: every
    /// worker keeps what its estimator remembers, those called hold gradients.
    ///
    /// # Errors
    /// That of an estimator that cannot be made.
    pub fn of(groups: &[Group], called: usize, start: &Vector) -> Result<Self, ParameterError> {
        let m = groups.iter().map(|group| group.ids.len()).sum();
        let (mut asked, mut kept) = (0, SERVER);
        for group in groups {
            let members = group.ids.len() as u64;
            if learns(group, m)? {
                let (gradients, memory) = appetite((group.estimator)()?.as_mut(), start.dtype());
                asked += gradients * members;
                kept += memory * members;
            } else {
                // Colluders who do not learn send one common vector.
                kept += 1;
            }
        }
        let vectors = kept + (asked * called as u64).div_ceil(m.max(1) as u64);
        Ok(Self { m: called, d: start.len(), number: start.dtype().size() as u64, vectors })
    }

    /// All of it; the largest number for more than that.
    pub fn bytes(&self) -> u64 {
        let product =
            |factors: &[u64]| factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor));
        let m = self.m as u64;
        let pairs = product(&[PAIRS, m, m, size_of::<f64>() as u64]);
        product(&[self.vectors, self.d as u64, self.number]).saturating_add(pairs)
    }

    /// `Ok` if it fits: into `limit` bytes, or without one into what the machine has available.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn check(self, limit: Option<u64>) -> Result<(), MemoryError> {
        let found = limit.map(|limit| (limit, "are allowed by machine.memory_gb"));
        let found = found.or_else(|| Some((machine::available_memory()?, "are available")));
        match found {
            Some((limit, what)) if self.bytes() > limit => Err(MemoryError { need: self, limit, what }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { m, d, number, vectors, .. } = self;
        write!(f, "{m} workers hold {vectors} vectors of {d} numbers of {number} bytes")
    }
}

/// Whether the members of the group compute gradients.
fn learns(group: &Group, m: usize) -> Result<bool, ParameterError> {
    match &group.part {
        Part::Honest | Part::Actor(_) => Ok(true),
        Part::Attack { make, .. } => Ok(make(Size::new(m, group.ids.len()))?.follows_protocol()),
    }
}

/// Vectors that one worker has alive at once: the gradients it asked for, and beside them what its estimator keeps
/// from round to round. Found by letting the estimator work through two rounds of one parameter.
fn appetite(estimator: &mut dyn Estimator, dtype: Dtype) -> (u64, u64) {
    let mut gradients = 1;
    for round in 1..=2 {
        let both = estimator.points(round) == Points::CurrentAndPrevious;
        gradients = 1 + u64::from(both);
        let vector = || Vector::zeros(1, dtype);
        let previous = Some(vector()).filter(|_| both && round > 1);
        estimator.update(round, Gradients { current: vector(), previous });
    }
    (gradients, estimator.state().vectors.len() as u64)
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use phalanx_robust::estimator::{EstimatorRule, Momentum, Sgd, Storm};

    use super::{Dtype, Need, appetite};

    fn need(m: usize, d: usize) -> Need {
        Need { m, d, number: 4, vectors: 3 * m as u64 + 8 }
    }

    #[test]
    fn estimators_are_known_by_what_they_keep() {
        let of = |rule: &dyn Fn() -> Box<dyn super::Estimator>| appetite(rule().as_mut(), Dtype::F32);
        assert_eq!(of(&|| Sgd::default().build().unwrap()), (1, 0));
        assert_eq!(of(&|| Momentum::default().build().unwrap()), (1, 1));
        assert_eq!(of(&|| Storm::default().build().unwrap()), (2, 1));
    }

    #[test]
    fn ten_thousand_workers_of_ten_million_parameters_are_refused() {
        let error = need(10_000, 10_000_000).check(None).unwrap_err().to_string();
        assert!(error.contains("1202.7 GB"), "{error}");
        assert!(error.contains("10000 workers hold 30008 vectors of 10000000 numbers of 4 bytes"), "{error}");
    }

    #[test]
    fn a_limit_of_ones_own_holds_in_place_of_the_machines() {
        let small = need(17, 1000);
        assert_eq!(small.bytes(), 59 * 4000 + 3 * 17 * 17 * 8);
        assert!(small.check(None).is_ok());
        assert!(small.check(Some(small.bytes())).is_ok());
        let error = small.check(Some(small.bytes() - 1)).unwrap_err().to_string();
        assert!(error.contains("machine.memory_gb"), "{error}");
    }

    #[test]
    fn no_size_overflows() {
        assert_eq!(need(usize::MAX / 4, usize::MAX).bytes(), u64::MAX);
    }
}
