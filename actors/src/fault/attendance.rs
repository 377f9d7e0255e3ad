//! Who takes part in rounds before and after the open one. A message that changes rounds must have been sent in the one
//! and can arrive in the other. Who takes part follows from seed, cohorts and crashes, so that a run which goes on knows it
//! too; that a worker failed by itself and sent nothing does not, and is remembered as long as some fault looks back so far.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use phalanx_robust::{
    random::Seed,
    state::{State, StateError, Stateful},
};

use super::{Downtime, Faults, What};
use crate::{cohort::cohort, settings::Settings};

/// What it is called in errors about a state, and what the one entry of its own.
const NAME: &str = "the attendance";
const UNSENT: &str = "unsent";

/// Who takes part in the rounds that messages come from and go to.
#[derive(Debug)]
pub(crate) struct Attendance {
    seed: Seed,
    rounds: u64,
    workers: Arc<Vec<usize>>,
    cohort: Option<usize>,
    /// By how many rounds they lie back.
    earlier: BTreeMap<u64, Roll>,
    /// By how many rounds they lie ahead.
    later: BTreeMap<u64, Roll>,
    /// The open round.
    round: u64,
    /// Rounds in which a worker took part and sent nothing.
    unsent: BTreeSet<(u64, usize)>,
}

/// Who takes part in a round.
#[derive(Debug, Default)]
struct Roll {
    downtime: Downtime,
    /// Whether there is such a round.
    exists: bool,
    /// Who is called, ascending, if not all.
    called: Option<Vec<usize>>,
    /// Who is down, ascending, and whether it remembers.
    down: Vec<(usize, bool)>,
}

impl Attendance {
    /// That of a run with these `workers`, whose ids ascend.
    pub fn new(settings: &Settings, workers: Arc<Vec<usize>>) -> Self {
        let rolls = |distance: fn(&What) -> Option<u64>| {
            let distances = settings.faults.0.iter().filter_map(|table| distance(&table.what));
            distances.map(|rounds| (rounds, Roll::default())).collect()
        };
        let Settings { seed, rounds, cohort, .. } = *settings;
        let (earlier, later) = (rolls(What::looks_back), rolls(What::looks_ahead));
        Self { seed, rounds, workers, cohort, earlier, later, round: 0, unsent: BTreeSet::new() }
    }

    /// Looks at the rounds around `round`, which ascends from one call to the next.
    pub fn open(&mut self, faults: &Faults, round: u64) {
        self.round = round;
        let furthest = self.earlier.keys().next_back().copied().unwrap_or(0);
        self.unsent = self.unsent.split_off(&(round.saturating_sub(furthest), 0));
        let (seed, rounds, workers, size) = (self.seed, self.rounds, &self.workers, self.cohort);
        let earlier = self.earlier.iter_mut().map(|(back, roll)| (round.checked_sub(*back), roll));
        let later = self.later.iter_mut().map(|(ahead, roll)| (round.checked_add(*ahead), roll));
        for (round, roll) in earlier.chain(later) {
            let round = round.filter(|round| (1..=rounds).contains(round));
            roll.exists = round.is_some();
            if let Some(round) = round {
                roll.called = size.map(|size| cohort(seed, round, workers, size));
                roll.down = roll.downtime.of(faults, seed, round);
            }
        }
    }

    /// Notes that `worker` sends nothing in the open round, though it takes part.
    pub fn unsent(&mut self, worker: usize) {
        if !self.earlier.is_empty() {
            self.unsent.insert((self.round, worker));
        }
    }

    /// Whether `worker` sent something in the round that lies so many rounds back, of which some fault tells.
    pub fn sent_before(&self, rounds: u64, worker: usize) -> bool {
        let took_part = self.earlier.get(&rounds).is_some_and(|roll| roll.holds(worker));
        took_part && !self.unsent.contains(&(self.round - rounds, worker))
    }

    /// Whether `worker` will take part in the round so many rounds ahead, of which some fault tells.
    pub fn after(&self, rounds: u64, worker: usize) -> bool {
        self.later.get(&rounds).is_some_and(|roll| roll.holds(worker))
    }
}

impl Stateful for Attendance {
    fn state(&self) -> State {
        let mut state = State::default();
        if !self.unsent.is_empty() {
            state.values.insert(UNSENT.to_owned(), serde_json::json!(self.unsent));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.unsent = state.value(NAME, UNSENT)?;
        Ok(())
    }
}

impl Roll {
    fn holds(&self, worker: usize) -> bool {
        let called = self.called.as_ref().is_none_or(|called| called.binary_search(&worker).is_ok());
        self.exists && called && self.down.binary_search_by_key(&worker, |(worker, _)| *worker).is_err()
    }
}
