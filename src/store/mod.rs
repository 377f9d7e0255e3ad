//! Where workers keep what their estimators remember between rounds, when that
//! is not the estimators themselves: in a file, or rounded to bf16. The
//! experiment wraps each estimator on its way to its worker; neither knows.
//!
//! Between two of its rounds a wrapped estimator holds its values alone and no
//! vector, if it can be without: one that does not take its values back alone
//! keeps all it has. `Estimator::points` may therefore look at values only.

mod file;
mod format;

use std::{fmt::Display, io, sync::Arc};

use phalanx_robust::{
    Dtype, Vector,
    estimator::{Estimator, Gradients, Points},
    random::Seed,
    state::{State, StateError, Stateful},
};

pub use file::{SpillFile, StoreError};
pub use format::Format;

/// How vectors are kept, and where.
#[derive(Clone, Debug)]
pub struct Store {
    /// In which number format.
    pub format: Format,
    /// In which file; in memory without one.
    pub file: Option<Arc<SpillFile>>,
}

impl Store {
    /// The estimator with its vectors in this store. They must be on the host; others stay where they are.
    pub fn wrap(&self, estimator: Box<dyn Estimator>) -> Box<dyn Estimator> {
        if self.format == Format::Full && self.file.is_none() {
            return estimator;
        }
        let mut keeper =
            Keeper { store: self.clone(), inner: estimator, packed: Vec::new(), spare: Vec::new() };
        keeper.pack();
        Box::new(keeper)
    }

    fn pack(&self, name: String, vector: &Vector, old: Option<Place>) -> io::Result<Option<Packed>> {
        let Some(bytes) = self.format.bytes(vector) else { return Ok(None) };
        let place = match (&self.file, old) {
            (None, _) => Place::Memory(bytes.into_owned()),
            (Some(file), Some(Place::File(at, len))) if len == bytes.len() => {
                file.write(at, &bytes)?;
                Place::File(at, len)
            }
            (Some(file), _) => Place::File(file.append(&bytes)?, bytes.len()),
        };
        Ok(Some(Packed { name, dtype: vector.dtype(), len: vector.len(), place }))
    }

    fn unpack(&self, packed: &Packed) -> io::Result<Vector> {
        self.format.vector(packed.dtype, packed.len, |bytes| match (&packed.place, &self.file) {
            (Place::Memory(kept), _) => {
                bytes.copy_from_slice(kept);
                Ok(())
            }
            (Place::File(at, _), Some(file)) => file.read(*at, bytes),
            (Place::File(..), None) => Err(io::ErrorKind::NotFound.into()),
        })
    }
}

/// A vector that was put away.
struct Packed {
    name: String,
    dtype: Dtype,
    len: usize,
    place: Place,
}

/// Where its bytes are.
enum Place {
    Memory(Vec<u8>),
    /// At this offset of the file, so many.
    File(u64, usize),
}

/// An estimator whose vectors are put away between rounds.
struct Keeper {
    store: Store,
    /// Without its vectors, while there are packed ones.
    inner: Box<dyn Estimator>,
    packed: Vec<Packed>,
    /// Places that hold nothing, the next one last.
    spare: Vec<Place>,
}

impl Keeper {
    /// Puts the vectors away. An estimator that cannot be without them keeps them.
    fn pack(&mut self) {
        self.unload();
        let whole = self.inner.state();
        if whole.vectors.is_empty() {
            return;
        }
        let mut packed = Vec::with_capacity(whole.vectors.len());
        for (name, vector) in &whole.vectors {
            let old = self.spare.pop();
            packed.extend(self.store.pack(name.clone(), vector, old).unwrap_or_else(|error| lost(error)));
        }
        let values = State { values: whole.values.clone(), ..State::default() };
        let all = packed.len() == whole.vectors.len();
        self.packed = packed;
        let goes_without =
            all && self.inner.restore(&values).is_ok() && self.inner.state().values == values.values;
        if !goes_without {
            self.unload();
            self.inner.restore(&whole).unwrap_or_else(|error| lost(error));
        }
    }

    /// Lets go of what was put away. Its places serve what comes next, or the file would grow.
    fn unload(&mut self) {
        self.spare.extend(self.packed.drain(..).rev().map(|packed| packed.place));
    }

    /// Gives the vectors back.
    fn unpack(&mut self) {
        if !self.packed.is_empty() {
            let whole = self.state();
            self.inner.restore(&whole).unwrap_or_else(|error| lost(error));
        }
    }
}

impl Clone for Keeper {
    /// The clone's vectors have places of their own.
    fn clone(&self) -> Self {
        let mut inner = self.inner.clone();
        inner.restore(&self.state()).unwrap_or_else(|error| lost(error));
        let mut clone = Self { store: self.store.clone(), inner, packed: Vec::new(), spare: Vec::new() };
        clone.pack();
        clone
    }
}

impl Stateful for Keeper {
    fn state(&self) -> State {
        let mut whole = self.inner.state();
        for packed in &self.packed {
            let vector = self.store.unpack(packed).unwrap_or_else(|error| lost(error));
            whole.vectors.insert(packed.name.clone(), vector);
        }
        whole
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.inner.restore(state)?;
        self.pack();
        Ok(())
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.inner.holds(workers, rounds)
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.unload();
        self.inner.forget()
    }
}

impl Estimator for Keeper {
    fn place(&mut self, worker: usize, seed: Seed) {
        self.inner.place(worker, seed);
    }

    fn points(&self, round: u64) -> Points {
        self.inner.points(round)
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        self.unpack();
        let vector = self.inner.update(round, gradients);
        self.pack();
        vector
    }
}

/// Ends the worker: an estimator has no other answer to a full disk. Its actor reports the words.
fn lost(error: impl Display) -> ! {
    panic!("what the worker remembers cannot be kept: {error}")
}
