//! The rounds of a run as a [`Snapshot`], taken and put back.

use std::time::Duration;

use phalanx_robust::{
    Vector,
    state::{State, StateError, Stateful},
};

use super::Rounds;
use crate::{
    contain::of_part,
    error::{Part, RunError},
    learner::Evaluation,
    snapshot::{Snapshot, Unfit},
};

const SERVER: &str = "server";

impl Rounds {
    /// Has a snapshot of the run kept, as it stands after the round that is over. What cannot be told ends the
    /// keeping, not the run.
    pub(super) async fn keep(&mut self) -> Result<(), RunError> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        let learner = self.floor.remember().await?;
        if !learner.is_empty() {
            // An evaluation under way, which whoever goes on asks for again, is of what the learner remembered before.
            while let Some(evaluation) = self.evaluations.oldest().await? {
                self.evaluated(evaluation)?;
            }
        }
        match self.snapshot(learner).await? {
            Ok(snapshot) => {
                of_part(self.done, Part::Keeper, || keeper.keep(snapshot))?;
                self.keeper = Some(keeper);
            }
            Err(reason) => of_part(self.done, Part::Keeper, || keeper.cannot(self.done, &reason))?,
        }
        Ok(())
    }

    /// The run as it stands, with what the learner remembers, or why it cannot be told.
    async fn snapshot(&self, learner: State) -> Result<Result<Snapshot, String>, RunError> {
        let mut snapshot = Snapshot { round: self.done, ..Snapshot::default() };
        match self.floor.recall().await {
            Ok(parts) => parts.into_iter().for_each(|(name, state)| snapshot.add(name, state)),
            Err(reason) => return Ok(Err(reason)),
        }
        if let Some(server) = &self.server {
            let rule = || server.defence.state().retaken(|told| server.defence.clone().restore(told));
            let step = || server.step.state().retaken(|told| server.step.clone().restore(told));
            let parts = [
                ("rule", of_part(self.done, Part::Rule, rule)?),
                ("step", of_part(self.done, Part::Step, step)?),
            ];
            for (part, told) in parts {
                match told {
                    Ok(state) => snapshot.add(part, state),
                    Err(error) => return Ok(Err(format!("the {part} would not take it back: {error}"))),
                }
            }
        }
        snapshot.add("learner", learner);
        self.floor.memories().into_iter().for_each(|(name, state)| snapshot.add(name, state));
        snapshot.add(SERVER, self.state());
        for observer in &self.observers {
            if let Some((name, state)) = of_part(self.done, Part::Observer, || observer.state())? {
                if snapshot.parts.contains_key(name) {
                    let message =
                        format!("an observer calls its state `{name}`, as another part of the run does");
                    return Err(RunError::Observer { round: self.done, message });
                }
                snapshot.add(name, state);
            }
        }
        Ok(Ok(snapshot))
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.vectors.insert("point".to_owned(), self.point.clone());
        state.vectors.extend(self.previous.clone().map(|point| ("previous".to_owned(), point)));
        state.vectors.insert("last_aggregate".to_owned(), self.last_aggregate.clone());
        state.values.insert("asked".to_owned(), self.evaluations.asked().into());
        let (rounds, points): (Vec<u64>, Vec<&Vector>) = self.evaluations.under_way().unzip();
        let named = |(round, point): (&u64, &Vector)| (under_way(*round), point.clone());
        state.vectors.extend(rounds.iter().zip(points).map(named));
        state.values.insert("under_way".to_owned(), rounds.into());
        if let Some(e) = &self.evaluation {
            // The confusion is with the observers, who have seen it.
            let numbers = [e.loss, e.accuracy, e.gap, e.validation_loss, e.validation_accuracy];
            let rest = [e.took.as_secs_f64(), e.attack_success];
            let numbers = numbers.into_iter().chain(rest).collect::<Vec<f64>>();
            state.values.insert("evaluated".to_owned(), e.round.into());
            state.vectors.insert("evaluation".to_owned(), numbers.into());
        }
        state
    }

    /// Takes up the run where `snapshot` left it. The rule, the step, the learner and the actors have been made
    /// from it already.
    pub(super) fn resume(&mut self, snapshot: &Snapshot) -> Result<(), Unfit> {
        self.floor.restore(snapshot)?;
        let nothing = State::default();
        self.restore(snapshot.parts.get(SERVER).unwrap_or(&nothing))
            .map_err(|error| Unfit { part: SERVER.to_owned(), error })?;
        self.done = snapshot.round;
        Ok(())
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.point = self.like(state, "point")?;
        let previous = state.vectors.contains_key("previous");
        self.previous = previous.then(|| self.like(state, "previous")).transpose()?;
        self.last_aggregate = self.like(state, "last_aggregate")?;
        if let Some(server) = &mut self.server {
            server.point = self.point.clone();
        }
        let known = state.values.contains_key("under_way");
        let rounds: Vec<u64> = if known { state.value(SERVER, "under_way")? } else { Vec::new() };
        for round in rounds {
            self.evaluations.ask(round, self.like(state, &under_way(round))?);
        }
        self.evaluations.made(state.value(SERVER, "asked")?);
        self.evaluation = state.values.contains_key("evaluated").then(|| evaluation(state)).transpose()?;
        Ok(())
    }

    /// The vector of that name, which must be of the run's kind.
    fn like(&self, state: &State, entry: &str) -> Result<Vector, StateError> {
        let vector = state.vector(SERVER, entry)?;
        if vector.is_like(&self.shape) { Ok(vector.clone()) } else { Err(unusable(entry)) }
    }
}

fn evaluation(state: &State) -> Result<Evaluation, StateError> {
    let numbers = state.vector(SERVER, "evaluation")?.to_f64();
    // Checkpoints of old have no success of the attack.
    let &[loss, accuracy, gap, validation_loss, validation_accuracy, took, ref rest @ ..] =
        numbers.as_slice()
    else {
        return Err(unusable("evaluation"));
    };
    let took = Duration::try_from_secs_f64(took).map_err(|_| unusable("evaluation"))?;
    let round = state.value(SERVER, "evaluated")?;
    let attack_success = rest.first().copied().unwrap_or(f64::NAN);
    let known = Evaluation {
        loss,
        accuracy,
        gap,
        validation_loss,
        validation_accuracy,
        took,
        attack_success,
        ..Evaluation::unknown(round)
    };
    Ok(known)
}

/// The name of the point whose evaluation after `round` is under way.
fn under_way(round: u64) -> String {
    format!("under_way.{round}")
}

fn unusable(entry: &str) -> StateError {
    StateError::Unusable { component: SERVER, entry: entry.to_owned() }
}
