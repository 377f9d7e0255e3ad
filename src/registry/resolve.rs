//! From a name with parameters to the config struct of that name.

use figment::value::{Dict, Value};
use phalanx_robust::describe::{Described, ParameterError, Preset};
use serde::Deserialize;

use super::{card::keys, range};
use crate::config::{Named, message_of, shorten, unknown};

/// A name or a parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ComponentError {
    /// Dotted path of the parameter below the name; empty for the name itself.
    pub parameter: String,
    /// What is wrong.
    pub message: String,
}

impl ComponentError {
    /// An error about the component as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { parameter: String::new(), message: message.into() }
    }

    /// A value out of range.
    pub fn parameter(error: &ParameterError) -> Self {
        Self {
            parameter: error.parameter.clone().into_owned(),
            message: format!("{} is given; {}", shorten(&error.value), error.needs),
        }
    }
}

/// The key of a component's own preset.
const PRESET: &str = "preset";

/// The config struct `C` with the parameters of `named` over those of its preset, all in the ranges that it declares.
///
/// # Errors
/// [`ComponentError`] naming the parameter.
pub fn resolve<C: Described>(named: &Named, preset: Preset) -> Result<C, ComponentError> {
    let mut given = named.parameters.clone();
    let preset = match given.remove(PRESET) {
        Some(value) => Preset::deserialize(&value).map_err(|error| explain(&error, PRESET))?,
        None => preset,
    };
    let unknown_key = keys::<C>().and_then(|known| {
        let strange = given.keys().find(|key| !known.contains(key))?;
        Some(unknown("key", strange, &known.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let mut parameters = match Value::serialize(C::preset(preset)) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => Dict::new(),
    };
    parameters.extend(given);
    let config = C::deserialize(&Value::from(parameters)).map_err(|error| explain(&error, ""))?;
    // One that serde has passed over.
    unknown_key.map_or(Ok(()), |message| Err(ComponentError::whole(message)))?;
    range::check(&config)?;
    Ok(config)
}

fn explain(error: &figment::Error, below: &str) -> ComponentError {
    let path = error.path.iter().map(String::as_str);
    let parameter =
        Some(below).filter(|b| !b.is_empty()).into_iter().chain(path).collect::<Vec<_>>().join(".");
    ComponentError { parameter, message: message_of(&error.kind) }
}

/// The name of `C` with every parameter of `config` that has a value.
pub(super) fn in_full<C: Described>(config: &C) -> Named {
    let parameters = match Value::serialize(config) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => Dict::new(),
    };
    let given = |(_, value): &(String, Value)| !matches!(value, Value::Empty(..));
    Named { name: C::NAME.to_owned(), parameters: parameters.into_iter().filter(given).collect() }
}

/// [`in_full`] for the resolved configuration of a run: read back under `preset`, it is the same. `given` is what `config`
/// was made from. There is no word for a parameter without a value; where `preset` would give it one, the component's own
/// preset stands beside the others.
///
/// # Errors
/// [`ComponentError`] of parameters that cannot be written so.
pub(super) fn recorded<C: Described>(
    config: &C,
    given: &Named,
    preset: Preset,
) -> Result<Named, ComponentError> {
    let text = |config: &C| format!("{:?}", in_full(config)); // in which NaN equals itself
    let is_read_back = |named: &Named| resolve(named, preset).is_ok_and(|back| text(&back) == text(config));
    let plain = in_full(config);
    let mut kept = plain.clone();
    if let Some(own) = given.parameters.get(PRESET) {
        kept.parameters.entry(PRESET.to_owned()).or_insert_with(|| own.clone());
    }
    [plain, kept]
        .into_iter()
        .find(is_read_back)
        .ok_or_else(|| ComponentError::whole("its parameters, written out, are not read back as the same"))
}
