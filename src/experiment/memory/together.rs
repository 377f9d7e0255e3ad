//! Whether runs fit beside one another.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    super::Plan,
    limit::{Limit, size},
};

/// Runs for which the memory does not suffice when they are at work at the same time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{jobs} runs at the same time may need about {}, {} {}", size(*.bytes), size(.limit.bytes), .limit.what)]
pub struct TogetherError {
    jobs: usize,
    bytes: u64,
    limit: Limit,
}

/// What runs need that may be at work at the same time, by GPU (None: the CPU). A run with a limit of its own,
/// `machine.memory_gb`, answers for itself.
#[derive(Debug, Default)]
pub struct Demands(BTreeMap<Option<usize>, Vec<u64>>);

impl Demands {
    /// Adds what the run of `plan` needs.
    pub fn add(&mut self, plan: &Plan) {
        let machine = &plan.config.machine;
        if machine.memory_gb == 0.0 {
            self.0.entry(machine.gpu()).or_default().push(plan.need.bytes());
        }
    }

    /// Whether any `jobs` of the runs fit beside one another.
    ///
    /// # Errors
    /// [`TogetherError`].
    pub fn check(mut self, jobs: usize) -> Result<(), TogetherError> {
        self.0.iter_mut().try_for_each(|(gpu, needs)| together(needs, jobs, Limit::find(0.0, *gpu)))
    }
}

/// Whether the `jobs` largest of `needs` fit together. One alone does: its plan has looked.
fn together(needs: &mut [u64], jobs: usize, limit: Option<Limit>) -> Result<(), TogetherError> {
    needs.sort_unstable_by_key(|&bytes| Reverse(bytes));
    let jobs = jobs.min(needs.len());
    let bytes = needs[..jobs].iter().fold(0, |sum: u64, &bytes| sum.saturating_add(bytes));
    match limit {
        Some(limit) if jobs > 1 && bytes > limit.bytes => Err(TogetherError { jobs, bytes, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::limit::tests::bytes, together};

    #[test]
    fn the_largest_that_may_meet_must_fit_together() {
        let limit = bytes(1_000_000);
        for (needs, jobs, fits) in [
            (vec![600_000, 300_000, 400_000], 2, true),
            (vec![300_000, 600_001, 400_000], 2, false),
            (vec![1_000_001, 600_001], 1, true),
            (vec![1_000_001], 2, true),
            (vec![1, 2], 9, true),
            (vec![], 2, true),
            (vec![u64::MAX, u64::MAX], 2, false),
        ] {
            assert_eq!(
                together(&mut needs.clone(), jobs, limit).is_ok(),
                fits,
                "{needs:?}, {jobs} at a time"
            );
            assert!(together(&mut needs.clone(), jobs, None).is_ok());
        }
        let error = together(&mut [300_000, 600_001, 400_000], 2, limit).unwrap_err().to_string();
        assert_eq!(error, "2 runs at the same time may need about 1.0 MB, 1.0 MB are enough");
    }
}
