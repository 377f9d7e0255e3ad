//! Replay.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// What is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replayed {
    /// What the worker itself computed by the honest protocol.
    #[default]
    Own,
    /// The mean of the honest vectors, the same from all.
    HonestMean,
}

/// Replay: every worker sends what was right `rounds` rounds ago; until there is such a round, what
/// was right in the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stale {
    /// What is replayed.
    pub of: Replayed,
    /// Its age in rounds. As many rounds of vectors are kept.
    #[schemars(range(min = 1))]
    pub rounds: usize,
}

impl Default for Stale {
    fn default() -> Self {
        Self { of: Replayed::Own, rounds: 10 }
    }
}

impl Described for Stale {
    const NAME: &'static str = "stale";
    const SOURCE: &'static str = "folklore (stale or replayed gradients)";
}

impl AttackRule for Stale {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if self.rounds == 0 {
            return Err(ParameterError::new("rounds", 0, "at least 1"));
        }
        Ok(Box::new(Replay { rule: self.clone(), past: VecDeque::new() }))
    }
}

#[derive(Clone)]
struct Replay {
    rule: Stale,
    /// What was right, oldest round first.
    past: VecDeque<Vec<Vector>>,
}

impl Stateful for Replay {
    fn state(&self) -> State {
        let mut state = State::default();
        let lengths: Vec<usize> = self.past.iter().map(Vec::len).collect();
        state.values.insert("past".to_owned(), lengths.into());
        for (i, vectors) in self.past.iter().enumerate() {
            state.vectors.extend(vectors.iter().enumerate().map(|(j, v)| (format!("{i}.{j}"), v.clone())));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let lengths: Vec<usize> = state.value(Stale::NAME, "past")?;
        let vector = |i, j| state.vector(Stale::NAME, &format!("{i}.{j}")).cloned();
        let round = |(i, n)| (0..n).map(|j| vector(i, j)).collect();
        self.past = lengths.into_iter().enumerate().map(round).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.past.clear();
        Ok(())
    }
}

impl Attack for Replay {
    fn knowledge(&self) -> Knowledge {
        match self.rule.of {
            Replayed::Own => Knowledge::Own,
            Replayed::HonestMean => Knowledge::Honest,
        }
    }

    fn follows_protocol(&self) -> bool {
        self.rule.of == Replayed::Own
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        self.past.push_back(match self.rule.of {
            Replayed::Own => view.own()?.to_vec(),
            Replayed::HonestMean => view.everyone(&view.honest()?.mean()),
        });
        if self.past.len() > self.rule.rounds {
            let old = self.past.pop_front();
            return old.ok_or_else(|| AttackError::Failed("no round to replay".to_owned()));
        }
        Ok(self.past[0].clone())
    }
}
