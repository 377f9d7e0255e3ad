//! What components remember: taken as a checkpoint takes it, and given to another of their kind.

use super::{
    Broken, Promise,
    trial::{Same, Trial},
};
use crate::state::{State, Stateful};

/// Rounds before the memory is taken, and after.
pub(super) const ROUNDS: [std::ops::RangeInclusive<u64>; 2] = [1..=3, 4..=6];

/// Gives what `from` remembers, written and read as a checkpoint's text is, to `to`.
pub(super) fn hand_over<S: Stateful + ?Sized>(from: &S, to: &mut S, trial: &Trial) -> Result<(), Broken> {
    let told = trial.calm(|| from.state())?;
    let broken = |message: String| trial.breaks(Promise::Memory, message);
    let text = serde_json::to_string(&told.values).map_err(|error| broken(error.to_string()))?;
    let values = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let saved = State { values, ..told };
    let taken = trial.calm(|| to.restore(&saved))?;
    taken.map_err(|error| broken(format!("{error}{}", voids(&saved))))?;
    let again = trial.calm(|| to.state())?;
    trial.require(Promise::Memory, is_same(&saved, &again), || {
        "another memory after it was given back".to_owned() + &voids(&saved)
    })
}

/// The number of vectors that it remembers, each as long as those of a round.
pub(super) fn requires_room<S: Stateful + ?Sized>(
    component: &S,
    trial: &Trial,
    workers: usize,
) -> Result<(), Broken> {
    let length = trial.vectors.first().map_or(0, crate::Vector::len);
    let state = trial.calm(|| component.state())?;
    let held = state.vectors.values().filter(|vector| vector.len() == length).count() as u64;
    let told = trial.calm(|| component.holds(workers, trial.round))?;
    trial.require(Promise::Holds, held <= told, || format!("{held} vectors are held where {told} are told"))
}

fn is_same(a: &State, b: &State) -> bool {
    let vectors = a.vectors.iter().zip(&b.vectors);
    a.values == b.values
        && a.vectors.len() == b.vectors.len()
        && vectors.into_iter().all(|((name, a), (other, b))| name == other && a.is_same(b))
}

/// What may be behind a value that does not come back.
fn voids(state: &State) -> String {
    let void = state.values.iter().find(|(_, value)| crate::state::holds_null(value));
    void.map_or_else(String::new, |(name, _)| {
        format!("; `{name}` holds null, which is what JSON has for NaN and infinities")
    })
}
