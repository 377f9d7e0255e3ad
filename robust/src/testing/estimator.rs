//! The promises of estimators.

use super::{
    Broken, Promise,
    memory::{ROUNDS, hand_over, requires_room},
    trial::{D, Same, Trial},
};
use crate::{
    Dtype, Vector,
    estimator::{Estimator, Gradients, Points},
    random::Seed,
};

/// A worker and a seed, as an experiment tells them.
const PLACE: (usize, Seed) = (3, Seed(1));

/// Holds an estimator against what runs rely on.
///
/// # Errors
/// The first [`Promise`] that is broken.
pub fn conform_estimator(make: impl Fn() -> Box<dyn Estimator> + Sync) -> Result<(), Broken> {
    for dtype in [Dtype::F32, Dtype::F64] {
        let first = trial(dtype, 1);
        first.repeated(|| {
            let mut estimator = fresh(&make, &first)?;
            let all = ROUNDS.into_iter().flatten();
            all.map(|round| update(estimator.as_mut(), &trial(dtype, round))).collect::<Result<Vec<_>, _>>()
        })?;
        goes_on_from_memory(&make, dtype)?;
    }
    Ok(())
}

/// The gradients of one batch at two points.
fn trial(dtype: Dtype, round: u64) -> Trial {
    Trial::drawn(2, 0, D, dtype, round)
}

fn fresh(make: &dyn Fn() -> Box<dyn Estimator>, trial: &Trial) -> Result<Box<dyn Estimator>, Broken> {
    trial.calm(|| {
        let mut estimator = make();
        estimator.place(PLACE.0, PLACE.1);
        estimator
    })
}

/// What the estimator makes of the gradients that it asks for; before the first round there is no other point.
fn update(estimator: &mut dyn Estimator, trial: &Trial) -> Result<Vector, Broken> {
    let [current, previous] = [0, 1].map(|at| trial.vectors[at].clone());
    let made = trial.calm(|| {
        let both = estimator.points(trial.round) == Points::CurrentAndPrevious && trial.round > 1;
        estimator.update(trial.round, Gradients { current, previous: both.then_some(previous) })
    })?;
    let gradient = &trial.vectors[0];
    trial.require(Promise::Fits, made.is_like(gradient), || format!("a vector of {}", made.kind()))?;
    trial.require(Promise::Finite, made.is_finite(), || "a vector that is not".to_owned())?;
    Ok(made)
}

fn goes_on_from_memory(make: &dyn Fn() -> Box<dyn Estimator>, dtype: Dtype) -> Result<(), Broken> {
    let first = trial(dtype, 1);
    let (mut estimator, mut other) = (fresh(make, &first)?, fresh(make, &first)?);
    let [before, after] = ROUNDS;
    let mut beginning = None;
    for round in before {
        let trial = trial(dtype, round);
        let made = update(estimator.as_mut(), &trial)?;
        beginning.get_or_insert(made);
        requires_room(estimator.as_ref(), &trial, 1)?;
    }
    hand_over(estimator.as_ref(), other.as_mut(), &first)?;
    for round in after {
        let trial = trial(dtype, round);
        let is_same = update(estimator.as_mut(), &trial)?.is_same(&update(other.as_mut(), &trial)?);
        trial.require(Promise::Memory, is_same, || "other bits after memory was given back".to_owned())?;
    }
    if first.calm(|| estimator.forget())?.is_ok() {
        let anew = update(estimator.as_mut(), &first)?;
        let is_same = beginning.is_some_and(|beginning| anew.is_same(&beginning));
        first.require(Promise::Forgets, is_same, || "another vector than at the beginning".to_owned())?;
    }
    Ok(())
}
