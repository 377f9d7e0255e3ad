//! Why a run cannot go on from a checkpoint.

use std::{fmt, path::PathBuf};

use serde_json::Value;

use super::FOLDER;

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// There is no checkpoint.
    #[error("{}: there is no checkpoint of this run in {FOLDER}/", run.display())]
    None {
        /// The run folder.
        run: PathBuf,
    },
    /// There are checkpoints, and none of them can be used.
    #[error("{}: no checkpoint of this run can be used:\n  {}", run.display(), passed_over.join("\n  "))]
    Unusable {
        /// The run folder.
        run: PathBuf,
        /// Each of them, and what is wrong with it.
        passed_over: Vec<String>,
    },
    /// The folder cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The configuration is another one.
    #[error("results would depend on what has changed since the checkpoint:\n  {}", lines(.0))]
    Config(Vec<Difference>),
    /// A tensor of a device has no place on this one.
    #[error("`{name}` in the checkpoint does not fit the device of this run")]
    Device {
        /// `<part>/<entry>`.
        name: String,
    },
}

/// A key of the configuration that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its dotted path.
    pub key: String,
    /// In the checkpoint; none if it is not there.
    pub then: Option<Value>,
    /// In the run that is to go on.
    pub now: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".into(), Value::to_string);
        write!(f, "{}: it was {}, it is {}", self.key, shown(&self.then), shown(&self.now))
    }
}

fn lines(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

/// What differs between two configurations, key by key.
pub(super) fn differences(then: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(then), Some(now), &mut found);
    found
}

fn compare(key: String, then: Option<&Value>, now: Option<&Value>, found: &mut Vec<Difference>) {
    let inner =
        |name: &dyn fmt::Display| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
    match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            for name in then.keys().chain(now.keys().filter(|name| !then.contains_key(*name))) {
                compare(inner(name), then.get(name), now.get(name), found);
            }
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            for at in 0..then.len().max(now.len()) {
                compare(inner(&at), then.get(at), now.get(at), found);
            }
        }
        (then, now) if then == now => {}
        (then, now) => found.push(Difference { key, then: then.cloned(), now: now.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn differences_are_told_key_by_key() {
        let then = json!({"seed": 1, "rule": ["ctma", {"krum": {"power": 1}}], "f": null});
        let now = json!({"seed": 2, "rule": ["ctma", {"krum": {"power": 2}}, "mean"]});
        let told: Vec<String> = differences(&then, &now).iter().map(ToString::to_string).collect();
        let expected = [
            "seed: it was 1, it is 2",
            "rule.1.krum.power: it was 1, it is 2",
            "rule.2: it was nothing, it is \"mean\"",
            "f: it was null, it is nothing",
        ];
        assert_eq!(told, expected);
        assert!(differences(&then, &then).is_empty());
    }
}
