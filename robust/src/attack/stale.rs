//! Replay.

use std::collections::{BTreeMap, VecDeque};

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

/// Replay: every worker sends what was right `rounds` rounds ago, or in the last round before that of
/// which there is something; until there is such a round, what was right in the first. Under `own` the
/// rounds of a worker are those that it took part in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stale {
    /// What is replayed.
    pub of: Replayed,
    /// Its age in rounds. Up to as many vectors are kept, under `own` of each worker.
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
        ParameterError::at_least_one("rounds", self.rounds)?;
        Ok(Box::new(Replay { rule: self.clone(), past: BTreeMap::new() }))
    }
}

#[derive(Clone)]
struct Replay {
    rule: Stale,
    /// What was right, by the worker that computed it; of none, what is the same for all.
    past: BTreeMap<Option<usize>, Past>,
}

/// Vectors with their rounds, which ascend.
#[derive(Clone, Default)]
struct Past(VecDeque<(u64, Vector)>);

impl Past {
    /// Adds what is right in `round`, and answers with what is sent in it.
    fn exchanged(&mut self, right: Vector, round: u64, age: u64) -> Vector {
        self.0.push_back((round, right));
        let sent = self.0[self.due(round, age)].1.clone();
        self.0.drain(..self.due(round + 1, age));
        sent
    }

    /// The place of the last vector that is `age` rounds old in `round`; if none is, of the first vector.
    fn due(&self, round: u64, age: u64) -> usize {
        let old = |made: u64| made <= round.saturating_sub(age);
        self.0.partition_point(|&(made, _)| old(made)).saturating_sub(1)
    }
}

impl Replay {
    fn exchanged(&mut self, whose: Option<usize>, right: Vector, round: u64) -> Vector {
        self.past.entry(whose).or_default().exchanged(right, round, self.rule.rounds as u64)
    }
}

/// What the state calls the vector of `whose` from the round `made`.
fn entry(whose: Option<usize>, made: u64) -> String {
    whose.map_or_else(|| format!("all.{made}"), |worker| format!("{worker}.{made}"))
}

impl Stateful for Replay {
    fn state(&self) -> State {
        let rounds = |past: &Past| past.0.iter().map(|&(made, _)| made).collect();
        let rounds: Vec<(Option<usize>, Vec<u64>)> =
            self.past.iter().map(|(&whose, past)| (whose, rounds(past))).collect();
        let mut state = State::default();
        state.values.insert("rounds".to_owned(), serde_json::json!(rounds));
        for (&whose, past) in &self.past {
            state.vectors.extend(past.0.iter().map(|(made, v)| (entry(whose, *made), v.clone())));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let rounds: Vec<(Option<usize>, Vec<u64>)> = state.value(Stale::NAME, "rounds")?;
        let vector = |whose, made| Ok((made, state.vector(Stale::NAME, &entry(whose, made))?.clone()));
        let past = |(whose, rounds): (Option<usize>, Vec<u64>)| {
            let vectors = rounds.into_iter().map(|made| vector(whose, made)).collect::<Result<_, _>>()?;
            Ok((whose, Past(vectors)))
        };
        self.past = rounds.into_iter().map(past).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.past.clear();
        Ok(())
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        let each = rounds.min(self.rule.rounds as u64);
        match self.rule.of {
            Replayed::Own => each.saturating_mul(workers as u64),
            Replayed::HonestMean => each,
        }
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
        let round = view.round;
        match self.rule.of {
            Replayed::HonestMean => {
                let sent = self.exchanged(None, view.honest()?.mean(), round);
                Ok(view.everyone(&sent))
            }
            Replayed::Own => {
                let right = view.members.iter().zip(view.own()?);
                Ok(right.map(|(&worker, own)| self.exchanged(Some(worker), own.clone(), round)).collect())
            }
        }
    }
}
