//! From a name with parameters to the config struct of that name.

use figment::value::{Dict, Value};
use phalanx_robust::describe::{Described, ParameterError, Preset};
use serde::Deserialize;

use crate::config::{Named, message_of, shorten};

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

/// The config struct `C` with the parameters of `named` over those of its preset.
///
/// # Errors
/// [`ComponentError`] naming the parameter.
pub fn resolve<C: Described>(named: &Named, preset: Preset) -> Result<C, ComponentError> {
    let mut given = named.parameters.clone();
    let preset = match given.remove("preset") {
        Some(value) => Preset::deserialize(&value).map_err(|error| explain(&error, "preset"))?,
        None => preset,
    };
    let mut parameters = match Value::serialize(C::preset(preset)) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => Dict::new(),
    };
    parameters.extend(given);
    C::deserialize(&Value::from(parameters)).map_err(|error| explain(&error, ""))
}

fn explain(error: &figment::Error, below: &str) -> ComponentError {
    let path = error.path.iter().map(String::as_str);
    let parameter =
        Some(below).filter(|b| !b.is_empty()).into_iter().chain(path).collect::<Vec<_>>().join(".");
    ComponentError { parameter, message: message_of(&error.kind) }
}

/// The name of `C` with every parameter of `config` written out, for the resolved configuration of a run.
pub(super) fn in_full<C: Described>(config: &C) -> Named {
    let parameters = match Value::serialize(config) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => Dict::new(),
    };
    let given = |(_, value): &(String, Value)| !matches!(value, Value::Empty(..));
    Named { name: C::NAME.to_owned(), parameters: parameters.into_iter().filter(given).collect() }
}
