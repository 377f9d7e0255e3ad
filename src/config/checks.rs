//! What serde would take for something else, or what no file could hold: said
//! before the layers become a configuration.

use std::fmt::Display;

use figment::value::{Dict, Value};

use super::{
    ConfigError, Layers,
    layers::{ASSIGNED, DEFAULTS},
};

/// The keys that are lists of tables.
const GROUPS: [&str; 3] = ["workers", "attackers", "faults"];

impl Layers {
    /// An error for a list where a table belongs, whose elements serde would take for the table's values, in their order;
    /// and for a table where a list of tables belongs.
    pub(super) fn check_tables(&self, keys: &Dict) -> Result<(), ConfigError> {
        let sections = DEFAULTS.lines().filter_map(|line| line.strip_prefix('[')?.split_once(']'));
        let list = |key: &&str| matches!(keys.get(*key), Some(Value::Array(..)));
        if let Some(key) = sections.map(|(key, _)| key).find(list) {
            let message = format!("found a list, a table is expected, as under `[{key}]`");
            return Err(self.error(key, message));
        }
        GROUPS.iter().try_for_each(|key| match keys.get(*key) {
            Some(Value::Dict(..)) => Err(self.no_list(key)),
            Some(Value::Array(_, groups)) => self.check_groups(key, groups),
            _ => Ok(()),
        })
    }

    /// The error for a table at `key`, where a list of tables belongs.
    fn no_list(&self, key: &str) -> ConfigError {
        let written = match self.origin(key).starts_with(ASSIGNED) {
            true => format!("--set '{key}=[{{…}}]'"),
            false => format!("[[{key}]]"),
        };
        self.error(key, format!("found a table, a list of tables is expected: write {written}"))
    }

    fn check_groups(&self, key: &str, groups: &[Value]) -> Result<(), ConfigError> {
        match groups.iter().position(|group| matches!(group, Value::Array(..))) {
            Some(at) => Err(self.error(&format!("{key}.{at}"), "found a list, a table is expected")),
            None => Ok(()),
        }
    }

    /// An error for an integer that the environment may give, but no file can hold: a run would leave a configuration
    /// that nothing can read back.
    pub(super) fn check_integers(&self, keys: &Dict) -> Result<(), ConfigError> {
        let Some((key, number)) = keys.iter().find_map(|(key, value)| beyond_toml(key.clone(), value)) else {
            return Ok(());
        };
        let message =
            format!("{number} is given; at most {}, the largest integer of TOML, is accepted", i64::MAX);
        Err(self.error(&key, message))
    }
}

/// The first integer in `value`, which stands at `key`, that TOML does not have, and its own key.
fn beyond_toml(key: String, value: &Value) -> Option<(String, u128)> {
    let inner = |name: &dyn Display, value: &Value| beyond_toml(format!("{key}.{name}"), value);
    match value {
        Value::Dict(_, dict) => dict.iter().find_map(|(name, value)| inner(name, value)),
        Value::Array(_, items) => items.iter().enumerate().find_map(|(at, value)| inner(&at, value)),
        value => {
            let number = value.to_u128().filter(|&number| i64::try_from(number).is_err())?;
            Some((key, number))
        }
    }
}
