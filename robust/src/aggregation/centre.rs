//! A centre that is kept from round to round, and how the forms of centered clipping pull one towards the vectors.

use crate::{
    Vector,
    state::{State, StateError, Stateful},
};

/// The centre of the last round; none before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered(pub Option<Vector>);

impl Stateful for Remembered {
    fn state(&self) -> State {
        let vectors = self.0.iter().map(|centre| ("centre".to_owned(), centre.clone())).collect();
        State { vectors, ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.0 = state.vectors.get("centre").cloned();
        Ok(())
    }

    fn holds(&self, _: usize, _: u64) -> u64 {
        1
    }
}

/// Moves a centre v, given as coefficients over the rows of a batch, by Σ s_i (x_i - v) over these (i, s_i).
pub(super) fn pull(v: &mut [f64], steps: &[(usize, f64)]) {
    let stay = 1.0 - steps.iter().map(|(_, s)| s).sum::<f64>();
    v.iter_mut().for_each(|c| *c *= stay);
    steps.iter().for_each(|&(i, s)| v[i] += s);
}
