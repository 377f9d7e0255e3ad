//! Who begins anew: workers that come back from a crash without their memory,
//! and workers whose code panicked, as often as they may. The aggregator's
//! floor keeps it; it is memory of the run.

use std::collections::{BTreeMap, BTreeSet};

use phalanx_robust::state::{State, StateError, Stateful};

/// What it is called in errors about a state.
const NAME: &str = "the supervisor";

/// Who begins anew, and how often a panic may be followed by that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revivals {
    limit: u64,
    /// How often each worker has begun anew after a panic.
    spent: BTreeMap<usize, u64>,
    /// Those that begin anew when they are called next.
    due: BTreeSet<usize>,
}

impl Revivals {
    /// So many for each worker whose code panics.
    pub fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes one from a worker whose code panicked; says whether there was one left.
    pub fn spend(&mut self, worker: usize) -> bool {
        let spent = self.spent.get(&worker).copied().unwrap_or(0);
        if spent >= self.limit {
            return false;
        }
        self.spent.insert(worker, spent + 1);
        self.due.insert(worker);
        true
    }

    /// These begin anew when they are called next.
    pub fn lose(&mut self, workers: impl Iterator<Item = usize>) {
        self.due.extend(workers);
    }

    /// Those of `workers` that begin anew.
    pub fn of(&self, workers: &[usize]) -> Vec<usize> {
        if self.due.is_empty() {
            return Vec::new();
        }
        workers.iter().copied().filter(|worker| self.due.contains(worker)).collect()
    }

    /// These have been told.
    pub fn told(&mut self, workers: &[usize]) {
        for worker in workers {
            self.due.remove(worker);
        }
    }
}

impl Stateful for Revivals {
    fn state(&self) -> State {
        let mut state = State::default();
        if self.spent.is_empty() && self.due.is_empty() {
            return state;
        }
        let spent: Vec<(usize, u64)> = self.spent.iter().map(|(worker, n)| (*worker, *n)).collect();
        state.values.insert("spent".to_owned(), serde_json::json!(spent));
        state.values.insert("due".to_owned(), serde_json::json!(self.due));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let spent: Vec<(usize, u64)> = state.value(NAME, "spent")?;
        let due: BTreeSet<usize> = state.value(NAME, "due")?;
        (self.spent, self.due) = (spent.into_iter().collect(), due);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revival_is_spent_once_and_survives_in_the_state() {
        let mut first = Revivals::new(2);
        first.lose([4].into_iter());
        assert!(first.spend(1));
        let mut revivals = Revivals::new(2);
        revivals.restore(&first.state()).unwrap();
        assert_eq!(revivals.of(&[0, 1, 4]), [1, 4]);
        revivals.told(&[1]);
        assert_eq!(revivals.of(&[0, 1, 4]), [4]);
        assert!(revivals.spend(1));
        assert!(!revivals.spend(1), "two are two");
        assert!(!Revivals::new(0).spend(1));
    }
}
