//! The variables of the environment that set keys.

use std::ffi::OsStr;

use figment::value::Value;

use super::{ConfigError, shorten, values::toml_value};

/// Variables of the environment that begin so set keys.
const PREFIX: &str = "PHALANX_";

/// The one that sets none.
const OTHER_VARIABLE: &str = "PHALANX_DATA";

/// A variable of the environment that sets a key.
pub struct Variable {
    /// Its own name.
    pub name: String,
    /// The dotted key.
    pub key: String,
    /// TOML, or else what figment reads in a variable: names in a list need no quotes there.
    pub value: Value,
}

impl Variable {
    /// Those that are there, by name.
    pub fn all() -> Result<Vec<Self>, ConfigError> {
        let begins = |name: &[u8]| {
            name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
        };
        let ours =
            |name: &OsStr| begins(name.as_encoded_bytes()) && !name.eq_ignore_ascii_case(OTHER_VARIABLE);
        let mut all: Vec<_> = std::env::vars_os().filter(|(name, _)| ours(name)).collect();
        all.sort();
        all.into_iter().map(|(name, value)| Self::read(&name, &value)).collect()
    }

    fn read(name: &OsStr, value: &OsStr) -> Result<Self, ConfigError> {
        let (Some(plain), Some(value)) = (name.to_str(), value.to_str()) else {
            return Err(unusable(&name.display().to_string(), "it is not UTF-8".to_owned()));
        };
        let key = plain[PREFIX.len()..].to_lowercase().replace("__", ".");
        let value = value.trim();
        let value = toml_value(value).or_else(|| value.parse().ok()).unwrap_or_else(|| value.into());
        Ok(Self { name: plain.to_owned(), key, value })
    }
}

/// A variable called `name` that can set no key.
pub fn unusable(name: &str, message: String) -> ConfigError {
    ConfigError::Variable { name: shorten(name).into_owned(), message }
}
