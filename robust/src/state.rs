//! State as data: whatever survives a round can be taken as a value and put
//! back. Checkpoints, exact resume and tests that start mid-run rest on it.

use std::collections::BTreeMap;

use crate::Vector;

/// What a component remembers between rounds.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Vectors by name: momenta, centres, parameters.
    pub vectors: BTreeMap<String, Vector>,
    /// Everything small. Floats come back to the bit; NaN and infinities, which JSON lacks, belong into a vector.
    pub values: BTreeMap<String, serde_json::Value>,
}

impl State {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty() && self.values.is_empty()
    }

    /// This state with that of a component inside, the `part` of that name.
    #[must_use]
    pub fn with(mut self, part: &str, state: State) -> Self {
        self.vectors.extend(state.vectors.into_iter().map(|(name, v)| (format!("{part}.{name}"), v)));
        self.values.extend(state.values.into_iter().map(|(name, v)| (format!("{part}.{name}"), v)));
        self
    }

    /// The state of the `part` of that name.
    pub fn part(&self, part: &str) -> State {
        fn strip<T: Clone>(all: &BTreeMap<String, T>, part: &str) -> BTreeMap<String, T> {
            let inside = |name: &str| Some(name.strip_prefix(part)?.strip_prefix('.')?.to_owned());
            all.iter().filter_map(|(name, v)| Some((inside(name)?, v.clone()))).collect()
        }
        State { vectors: strip(&self.vectors, part), values: strip(&self.values, part) }
    }

    /// This state, if whoever told it takes it back: `restore` is that of a copy. It is asked only where a value is
    /// `null`, which is what JSON makes of NaN and infinities; it is also that of `None`, which comes back.
    ///
    /// # Errors
    /// Those of `restore`.
    pub fn retaken(self, restore: impl FnOnce(&Self) -> Result<(), StateError>) -> Result<Self, StateError> {
        if self.values.values().any(holds_null) {
            restore(&self)?;
        }
        Ok(self)
    }

    /// The vector of that name.
    ///
    /// # Errors
    /// [`StateError::Missing`].
    pub fn vector(&self, component: &'static str, entry: &str) -> Result<&Vector, StateError> {
        self.vectors.get(entry).ok_or_else(|| StateError::Missing { component, entry: entry.to_owned() })
    }

    /// The vector of that name, which must be of the length and format of another.
    ///
    /// # Errors
    /// [`StateError::Missing`], or [`StateError::Unusable`] if it is not.
    pub fn vector_like(
        &self,
        component: &'static str,
        entry: &str,
        like: &Vector,
    ) -> Result<&Vector, StateError> {
        let vector = self.vector(component, entry)?;
        if (vector.len(), vector.dtype()) == (like.len(), like.dtype()) {
            Ok(vector)
        } else {
            Err(StateError::Unusable { component, entry: entry.to_owned() })
        }
    }

    /// The value of that name.
    ///
    /// # Errors
    /// [`StateError::Missing`], or [`StateError::Unusable`] if it is of another type.
    pub fn value<T: serde::de::DeserializeOwned>(
        &self,
        component: &'static str,
        entry: &str,
    ) -> Result<T, StateError> {
        let missing = || StateError::Missing { component, entry: entry.to_owned() };
        let value = self.values.get(entry).ok_or_else(missing)?;
        serde_json::from_value(value.clone())
            .map_err(|_| StateError::Unusable { component, entry: entry.to_owned() })
    }
}

/// Whether `value` is `null`, or holds it.
pub(crate) fn holds_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(all) => all.iter().any(holds_null),
        serde_json::Value::Object(all) => all.values().any(holds_null),
        _ => false,
    }
}

/// A saved state that does not fit the component it is given to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// An entry that the component needs is not there.
    #[error("the saved state of {component} lacks `{entry}`")]
    Missing {
        /// Who needed it.
        component: &'static str,
        /// Name of the entry.
        entry: String,
    },
    /// An entry has another type, length or number format than the component needs.
    #[error("the saved state of {component} has an unusable `{entry}`")]
    Unusable {
        /// Who needed it.
        component: &'static str,
        /// Name of the entry.
        entry: String,
    },
}

/// A component with memory. The provided methods are those of a component without any. One whose results depend on
/// earlier rounds must tell all of that in [`state`](Self::state) and take it back in [`restore`](Self::restore): nobody
/// can see what is left out, and a run that is resumed goes on without it, to other numbers.
pub trait Stateful {
    /// The memory as a value.
    fn state(&self) -> State {
        State::default()
    }

    /// Takes the memory back.
    ///
    /// # Errors
    /// [`StateError`] if `state` was not made by a component like this one.
    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let _ = state;
        Ok(())
    }

    /// How many vectors like those of a round it may hold at once on account of its memory, where so many `workers` send
    /// them for so many `rounds`. Whoever plans a run asks before it.
    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        let _ = (workers, rounds);
        0
    }

    /// Begins anew, with nothing remembered. As provided it takes an empty state back, which is not enough for
    /// components that always have something to say in theirs.
    ///
    /// # Errors
    /// [`StateError`] of a component that cannot.
    fn forget(&mut self) -> Result<(), StateError> {
        self.restore(&State::default())
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::random::Seed;

    /// Runs that go on from a checkpoint rest on it, with plug-ins that know nothing of it.
    #[test]
    fn floats_come_back_to_the_bit_from_text() {
        let mut rng = Seed(13).stream("test", 0, "floats", 0);
        let any = (0..20_000).map(|_| f64::from_bits(rng.random())).filter(|float| float.is_finite());
        let floats: Vec<f64> = any.chain([-0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, 0.1 + 0.2]).collect();
        let values = BTreeMap::from([("floats".to_owned(), serde_json::json!(floats))]);
        let text = serde_json::to_string(&values).unwrap();
        let back = State { values: serde_json::from_str(&text).unwrap(), ..State::default() };
        let back: Vec<f64> = back.value("test", "floats").unwrap();
        let odd = floats.iter().zip(&back).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert!(back.len() == floats.len() && odd == 0, "{odd} of {} differ", floats.len());
    }
}
