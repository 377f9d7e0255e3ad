//! What the catalogue says about a component: its name, its source and its
//! presets. The summary and the parameters come from the doc comments of the
//! config struct, through its JSON schema, so that they cannot drift.

use std::{borrow::Cow, fmt, iter::empty, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error, MapAccess, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, StrDeserializer},
    },
};

/// The source whose meaning a name takes where implementations differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The paper that introduced the component.
    #[default]
    Paper,
    /// The released code of Dahan & Levy (2024).
    Dahan,
    /// The library ByzFL.
    Byzfl,
}

/// A number as people read it: the shortest decimal that reads back as the same, with an exponent if it would be long.
pub fn number(value: f64) -> String {
    let exact = format!("{value:?}");
    if exact.contains('e') { exact } else { value.to_string() }
}

/// How many there are of something, in words: `1 vector`, `2 vectors`.
pub fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A value that was given for a parameter and cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{parameter} = {value}: {needs}")]
pub struct ParameterError {
    /// Name of the parameter, as in TOML; a dotted path for one of a component inside.
    pub parameter: Cow<'static, str>,
    /// What was given.
    pub value: String,
    /// What is accepted.
    pub needs: &'static str,
}

impl ParameterError {
    /// `parameter` was given as `value` although it `needs` something else.
    pub fn new(parameter: &'static str, value: impl ToString, needs: &'static str) -> Self {
        let value = value.to_string();
        // no integer has a point or more digits
        let fraction = value.parse().ok().filter(|_| value.contains('.') || value.len() > 20);
        let value = fraction.filter(|parsed: &f64| parsed.is_finite()).map_or(value, number);
        Self { parameter: parameter.into(), value, needs }
    }

    /// The same of a component that stands at the dotted path `place` of another.
    #[must_use]
    pub fn inside(self, place: &str) -> Self {
        Self { parameter: format!("{place}.{}", self.parameter).into(), ..self }
    }

    /// `Ok` if `holds`, else the error for `parameter`, which was given as `value`.
    ///
    /// # Errors
    /// The error, unless `holds`.
    pub fn unless(
        holds: bool,
        parameter: &'static str,
        value: impl ToString,
        needs: &'static str,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(parameter, value, needs)) }
    }

    /// A finite number.
    ///
    /// # Errors
    /// The error for an infinite or undefined `value`.
    pub fn finite(parameter: &'static str, value: f64) -> Result<(), Self> {
        Self::unless(value.is_finite(), parameter, value, "a finite number")
    }

    /// A number of at least 0.
    ///
    /// # Errors
    /// The error for a negative, infinite or undefined `value`.
    pub fn not_negative(parameter: &'static str, value: f64) -> Result<(), Self> {
        Self::unless(value.is_finite() && value >= 0.0, parameter, value, "a number of at least 0")
    }

    /// A number from 0 to 1.
    ///
    /// # Errors
    /// The error for a `value` that is not there.
    pub fn fraction(parameter: &'static str, value: f64) -> Result<(), Self> {
        Self::unless((0.0..=1.0).contains(&value), parameter, value, "a number from 0 to 1")
    }

    /// A number from 0 on that is below 1.
    ///
    /// # Errors
    /// The error for a `value` that is not there.
    pub fn below_one(parameter: &'static str, value: f64) -> Result<(), Self> {
        Self::unless((0.0..1.0).contains(&value), parameter, value, "a number from 0, below 1")
    }

    /// A number of at least 1.
    ///
    /// # Errors
    /// The error for a smaller or undefined `value`.
    pub fn at_least_one<T>(parameter: &'static str, value: T) -> Result<(), Self>
    where
        T: PartialOrd + From<u8> + ToString,
    {
        Self::unless(value >= T::from(1), parameter, value, "at least 1")
    }

    /// A number above 0.
    ///
    /// # Errors
    /// The error for a negative, infinite or undefined `value`, or 0.
    pub fn positive(parameter: &'static str, value: f64) -> Result<(), Self> {
        Self::unless(value.is_finite() && value > 0.0, parameter, value, "a number above 0")
    }
}

/// A component's parameters as written in TOML: the config struct is the
/// factory of the thing it configures, and its fields' docs are the manual.
/// Keys that its schema does not know are refused, and so are numbers out of
/// the ranges that it declares (`#[schemars(range(min = 1))]`), before anything
/// is built, and parameters that, written out, are not read back as the same.
pub trait Described:
    Clone + Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// The name in TOML, in metric labels and in tables (kebab case).
    const NAME: &'static str;
    /// Authors and year of the paper that introduced it.
    const SOURCE: &'static str;

    /// The parameters that give the meaning of `preset`; the default is the
    /// struct's own default.
    fn preset(preset: Preset) -> Self {
        let _ = preset;
        Self::default()
    }
}

/// For `deserialize_with`, of an enum with tables among its values: a name, or a table of one name and its parameters.
/// Without it a table of several names would stand for one of them. A name alone is also that of a table which needs no
/// parameter.
///
/// # Errors
/// Those of `D`.
pub fn sole<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Sole(PhantomData))
}

struct Sole<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Sole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a table of one name and its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        let none = MapDeserializer::new(empty::<(&str, &str)>());
        let table = MapDeserializer::new([(name, none)].into_iter());
        T::deserialize(StrDeserializer::<E>::new(name))
            .or_else(|_| T::deserialize(MapAccessDeserializer::new(table)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(OneEntry(map)))
    }
}

/// A table that has one entry.
struct OneEntry<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OneEntry<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let value = self.0.next_value_seed(seed)?;
        match self.0.next_key::<String>()? {
            None => Ok(value),
            Some(other) => {
                Err(A::Error::custom(format!("one name is expected, and `{other}` stands beside another")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ParameterError, number};

    #[test]
    fn long_numbers_have_an_exponent_and_others_do_not() {
        let told = [1e300, 1e-10, 1e16, -2.5e-7, 0.0001, 0.1, 30.0, 1e15, 0.0].map(number);
        let short = ["1e300", "1e-10", "1e16", "-2.5e-7", "0.0001", "0.1", "30", "1000000000000000", "0"];
        assert_eq!(told, short);
        assert_eq!(ParameterError::new("nu", -1e300, "more").to_string(), "nu = -1e300: more");
        assert_eq!(ParameterError::new("steps", u64::MAX, "fewer").value, u64::MAX.to_string());
        assert_eq!(ParameterError::new("lr", f64::INFINITY, "less").value, "inf");
    }
}
