//! What is said of a configuration that cannot be read: which key, from where, and why.

use figment::error::{Actual, Kind};

use super::{number, shorten, unknown};
use crate::called;

/// A configuration that cannot be read: which key, from where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
    /// A `--set` that is no assignment.
    #[error("--set {argument}: {message}")]
    Set {
        /// The argument.
        argument: String,
        /// Why.
        message: String,
    },
    /// A variable of the environment that can set no key.
    #[error("environment: {name}: {message}")]
    Variable {
        /// Its name.
        name: String,
        /// Why.
        message: String,
    },
    /// A sweep where one experiment is expected.
    #[error("{path}: this is a sweep; `{} sweep {path}` runs its cells", called::name())]
    Sweep {
        /// The file.
        path: String,
    },
    /// A key is wrong.
    #[error("{origin}: {key}: {message}")]
    Key {
        /// The layer that set it.
        origin: String,
        /// Dotted path of the key.
        key: String,
        /// Why.
        message: String,
    },
}

/// What is wrong, with a suggestion where a name is nearly right.
pub(crate) fn message_of(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(name, known) => unknown("key", name, known),
        Kind::UnknownVariant(name, known) => unknown("value", name, known),
        Kind::MissingField(name) => format!("`{name}` is missing"),
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {}, {} is expected", shorten(&shown(found)), in_words(expected))
        }
        other => other.to_string(),
    }
}

/// What serde found, without its words for kinds of values.
fn shown(found: &Actual) -> String {
    match found {
        Actual::Bool(flag) => flag.to_string(),
        Actual::Unsigned(whole) => whole.to_string(),
        Actual::Signed(whole) => whole.to_string(),
        Actual::Float(real) => number(*real),
        Actual::Str(text) => format!("{text:?}"),
        Actual::Map => "a table".to_owned(),
        Actual::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// What serde expects, without the names of Rust's types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" | "usize" | "u32" => "a whole number from 0 on",
        "i64" | "isize" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other if other == "enum" || other.starts_with("enum ") => "a name",
        "unit" => "a name alone",
        other => other,
    }
}
