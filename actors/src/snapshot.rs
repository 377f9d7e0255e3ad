//! A run between two rounds as a value: everything that a later round depends
//! on, and nothing that it does not. The aggregator takes one when its
//! [`Keeper`] wants it, with one message to every actor; a cast that is given
//! one ([`Cast::resume`](crate::Cast::resume)) is built from it and goes on
//! with the round after.
//!
//! Not in it, because they follow from (seed, name, round): random streams,
//! who is called in a round, and where a sampler stands in its data.
//!
//! | part | what |
//! |---|---|
//! | `server` | x_t, x_{t-1}, the last aggregate, the last evaluation |
//! | `rule`, `step`, `learner` | memory of the defence, the optimiser and the model |
//! | `floor` | workers that are not asked any more |
//! | `attendance` | who took part in a round and sent nothing, as far back as some fault looks |
//! | `revivals`, `understudies` | who begins anew, and whose last submission stands in |
//! | `worker.N` | memory of worker N: its estimator, or what a custom actor tells |
//! | `group.N` | the adversary behind group N of attackers |
//! | names of observers | what they have added up |
//!
//! A component without memory has no part.

use std::collections::BTreeMap;

use phalanx_robust::state::{State, StateError, Stateful};

/// A run as it stands after a round.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The round, 0 before the first.
    pub round: u64,
    /// What each part of the run remembers, by name.
    pub parts: BTreeMap<String, State>,
}

/// A part of a snapshot that does not fit the component it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part `{part}` of the snapshot: {error}")]
pub struct Unfit {
    /// Name of the part.
    pub part: String,
    /// What is wrong with it.
    pub error: StateError,
}

impl Snapshot {
    /// Adds a part, unless it is empty.
    pub fn add(&mut self, name: impl Into<String>, state: State) {
        if !state.is_empty() {
            self.parts.insert(name.into(), state);
        }
    }

    /// Gives `component` its memory back; one without a part stays as it was made.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(&self, part: &str, component: &mut (impl Stateful + ?Sized)) -> Result<(), Unfit> {
        let unfit = |error| Unfit { part: part.to_owned(), error };
        self.parts.get(part).map_or(Ok(()), |state| component.restore(state).map_err(unfit))
    }
}

/// The name of a worker's part.
pub fn worker(id: usize) -> String {
    format!("worker.{id}")
}

/// The name of the part of a group of attackers.
pub fn group(number: u64) -> String {
    format!("group.{number}")
}

/// Keeps snapshots of a run. Called on the aggregator's thread, between rounds: be quick.
pub trait Keeper: Send {
    /// Whether a snapshot is wanted after `round`. One is taken anyway when a run ends before its last round.
    fn wants(&mut self, round: u64) -> bool;

    /// Takes one.
    fn keep(&mut self, snapshot: Snapshot);

    /// There is none after `round`, and why; the run goes on without any more of them.
    fn cannot(&mut self, round: u64, reason: &str);
}
