//! The last submission of every worker, which stands in for it in rounds that
//! it misses (`Policy::Reuse`).

use std::collections::BTreeMap;

use phalanx_robust::{
    Vector,
    state::{State, StateError, Stateful},
};

use crate::{barrier::Outcome, messages::Submission};

/// What they are called in errors about a state.
const NAME: &str = "the understudies";

/// The last submission of every worker: its round and its vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Understudies(BTreeMap<usize, (u64, Vector)>);

impl Understudies {
    /// The vector that would stand in for `worker`.
    pub fn of(&self, worker: usize) -> Option<&Vector> {
        self.0.get(&worker).map(|(_, vector)| vector)
    }

    /// Keeps the submissions of a round, and lets those of earlier ones stand in for who is absent.
    pub fn fill(&mut self, outcome: &mut Outcome) {
        for submission in &outcome.submissions {
            self.0.insert(submission.worker, (submission.round, submission.vector.clone()));
        }
        let absent =
            outcome.absences.iter().map(|(worker, _)| *worker).chain(outcome.missing.iter().copied());
        let old = absent.filter_map(|worker| {
            let (round, vector) = self.0.get(&worker)?.clone();
            Some(Submission { worker, round, vector, loss: None, accuracy: None })
        });
        let old: Vec<Submission> = old.collect();
        outcome.stood_in.extend(old.iter().map(|submission| (submission.worker, submission.round)));
        outcome.stood_in.sort_unstable();
        outcome.submissions.extend(old);
        outcome.submissions.sort_by_key(|submission| submission.worker);
    }
}

impl Stateful for Understudies {
    fn state(&self) -> State {
        let vectors = self.0.iter().map(|(worker, (_, vector))| (worker.to_string(), vector.clone()));
        let rounds = self.0.iter().map(|(worker, (round, _))| (worker.to_string(), (*round).into()));
        State { vectors: vectors.collect(), values: rounds.collect() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let entry = |worker: &String| {
            let unusable = |_| StateError::Unusable { component: NAME, entry: worker.clone() };
            let id = worker.parse().map_err(unusable)?;
            Ok((id, (state.value(NAME, worker)?, state.vector(NAME, worker)?.clone())))
        };
        self.0 = state.vectors.keys().map(entry).collect::<Result<_, _>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    fn outcome(round: u64, present: &[usize], absent: &[usize]) -> Outcome {
        let submission = |&worker: &usize| {
            let vector = Vector::from(vec![round as f64, worker as f64]);
            Submission { worker, round, vector, loss: Some(1.0), accuracy: None }
        };
        Outcome {
            round,
            submissions: present.iter().map(submission).collect(),
            absences: absent.iter().map(|&worker| (worker, Reason::Lost)).collect(),
            missing: Vec::new(),
            stood_in: Vec::new(),
        }
    }

    #[test]
    fn the_last_submission_stands_in_at_its_place() {
        let mut kept = Understudies::default();
        kept.fill(&mut outcome(1, &[0, 1], &[2]));
        kept.fill(&mut outcome(2, &[0], &[1, 2]));
        let state = kept.state();
        let mut kept = Understudies::default();
        kept.restore(&state).unwrap();
        let mut third = outcome(3, &[2], &[0, 1]);
        kept.fill(&mut third);
        let rows: Vec<_> = third.submissions.iter().map(|s| (s.worker, s.round, s.vector.to_f64())).collect();
        assert_eq!(rows, [(0, 2, vec![2.0, 0.0]), (1, 1, vec![1.0, 1.0]), (2, 3, vec![3.0, 2.0])]);
        assert_eq!(third.stood_in, [(0, 2), (1, 1)]);
        assert!(third.submissions[0].loss.is_none());
        assert_eq!(third.absences.len(), 2, "who is stood in for is absent all the same");
    }
}
