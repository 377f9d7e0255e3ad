//! The layers of a configuration and what is said when one of them is wrong:
//! embedded defaults < file < environment < `--set`.

use std::{
    ffi::OsStr,
    fmt::Display,
    path::{Path, PathBuf},
};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    error::{Actual, Kind},
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use serde::de::DeserializeOwned;

use super::{Config, Document, Named, number, shorten, unknown, unknown_key};

/// The embedded defaults, commented.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The keys that are lists of tables.
const GROUPS: [&str; 3] = ["workers", "attackers", "faults"];

/// The keys that name one component.
const COMPONENTS: [&str; 9] =
    ["step", "partition", "dataset", "model", "objective", "estimator", "attack", "actor", "fault"];

/// The profile of all layers below `--set`.
const BASE: Profile = Profile::const_new("layers");

/// Most parts of a dotted key; none that is known has as many.
const DEEPEST: usize = 32;

/// Variables of the environment that begin so set keys.
const PREFIX: &str = "PHALANX_";

/// The one that sets none.
const OTHER_VARIABLE: &str = "PHALANX_DATA";

/// Where errors say that they come from.
const ENVIRONMENT: &str = "environment (PHALANX_*)";

/// So begins where errors say that an assignment comes from.
const ASSIGNED: &str = "--set ";

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
    #[error("{path}: this is a sweep; `phalanx sweep {path}` runs its cells")]
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

/// A variable of the environment that sets a key.
struct Variable {
    name: String,
    /// The dotted key.
    key: String,
    /// TOML, or else what figment reads in a variable: names in a list need no quotes there.
    value: Value,
}

impl Variable {
    /// Those that are there, by name.
    fn all() -> Result<Vec<Self>, ConfigError> {
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
fn unusable(name: &str, message: String) -> ConfigError {
    ConfigError::Variable { name: shorten(name).into_owned(), message }
}

/// The layers put together, from which errors know where a key came from.
#[derive(Clone, Debug)]
pub struct Layers {
    figment: Figment,
    file: String,
    /// The keys that were put over the files, and where each comes from.
    assigned: Vec<(String, String)>,
}

/// Reads the layers of the experiment in `file`, under the `sets` (`key=value`).
///
/// # Errors
/// [`ConfigError`]; a sweep is no experiment.
pub fn load(file: &Path, sets: &[String]) -> Result<(Config, Layers), ConfigError> {
    let document = Document::read(file)?;
    if document.sweep.is_some() {
        return Err(ConfigError::Sweep { path: document.name().to_owned() });
    }
    let layers = Layers::of(&document, sets)?;
    Ok((layers.config()?, layers))
}

/// The configuration that a run left in `file`, whatever the environment says now.
///
/// # Errors
/// [`ConfigError`].
pub fn read_back(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let layers = Layers::recorded(file, text)?;
    let config = layers.config()?;
    if config.workers.is_empty() {
        return Err(layers.error("workers", "there are none, so that no run has left this file"));
    }
    Ok(config)
}

impl Layers {
    /// The defaults, the files of `document`, the environment and the `sets`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn of(document: &Document, sets: &[String]) -> Result<Self, ConfigError> {
        let mut layers = Self::files(document);
        for Variable { name, key, value } in Variable::all()? {
            // A table of the file keeps what the variable says nothing of.
            let parts = match value {
                Value::Dict(_, dict) if !key.contains('.') && !dict.is_empty() => {
                    dict.into_iter().map(|(part, value)| (format!("{key}.{part}"), value)).collect()
                }
                value => vec![(key, value)],
            };
            for (key, value) in parts {
                layers.replace(&key, value, ENVIRONMENT)?.map_err(|message| unusable(&name, message))?;
            }
        }
        layers.under(sets)
    }

    /// The defaults and over them `text`, which a run left in `file`.
    ///
    /// # Errors
    /// [`ConfigError::File`].
    pub fn recorded(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Ok(Self::files(&Document::alone(file, text)?))
    }

    /// Puts the `sets` (`key=value`) over all that is there.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn under(mut self, sets: &[String]) -> Result<Self, ConfigError> {
        sets.iter().try_for_each(|set| self.assign(set))?;
        Ok(self)
    }

    /// The configuration that they make.
    ///
    /// # Errors
    /// [`ConfigError::Key`].
    pub fn config(&self) -> Result<Config, ConfigError> {
        let keys = self.all()?;
        self.check_tables(&keys)?;
        self.check_integers(&keys)?;
        self.figment.extract().map_err(|error| self.explain(error))
    }

    /// An error for a list where a table belongs, whose elements serde would take for the table's values, in their order;
    /// and for a table where a list of tables belongs.
    fn check_tables(&self, keys: &Dict) -> Result<(), ConfigError> {
        let sections = DEFAULTS.lines().filter_map(|line| line.strip_prefix('[')?.split_once(']'));
        let list = |key: &&str| matches!(keys.get(*key), Some(Value::Array(..)));
        if let Some(key) = sections.map(|(key, _)| key).find(list) {
            let message = format!("found a list, a table is expected, as under `[{key}]`");
            return Err(self.error(key, message));
        }
        for key in GROUPS {
            let groups = match keys.get(key) {
                Some(Value::Dict(..)) => {
                    let written = match self.origin(key).starts_with(ASSIGNED) {
                        true => format!("--set '{key}=[{{…}}]'"),
                        false => format!("[[{key}]]"),
                    };
                    let message = format!("found a table, a list of tables is expected: write {written}");
                    return Err(self.error(key, message));
                }
                Some(Value::Array(_, groups)) => groups,
                _ => continue,
            };
            if let Some(at) = groups.iter().position(|group| matches!(group, Value::Array(..))) {
                return Err(self.error(&format!("{key}.{at}"), "found a list, a table is expected"));
            }
        }
        Ok(())
    }

    /// An error for an integer that the environment may give, but no file can hold: a run would leave a configuration
    /// that nothing can read back.
    fn check_integers(&self, keys: &Dict) -> Result<(), ConfigError> {
        let Some((key, number)) = keys.iter().find_map(|(key, value)| beyond_toml(key.clone(), value)) else {
            return Ok(());
        };
        let message =
            format!("{number} is given; at most {}, the largest integer of TOML, is accepted", i64::MAX);
        Err(self.error(&key, message))
    }

    /// The value of one key.
    ///
    /// # Errors
    /// [`ConfigError::Key`].
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Result<T, ConfigError> {
        self.figment.extract_inner(key).map_err(|error| self.explain(error))
    }

    /// All keys as they are written, complete or not.
    ///
    /// # Errors
    /// [`ConfigError::Key`].
    pub fn all(&self) -> Result<Dict, ConfigError> {
        self.figment.extract().map_err(|error| self.explain(error))
    }

    fn files(document: &Document) -> Self {
        let defaults = Figment::new().merge(Toml::string(DEFAULTS).profile(BASE));
        let layer =
            |(name, dict): &(String, Dict)| Layer { name: name.clone(), dict: dict.clone(), profile: BASE };
        let figment = document.files.iter().map(layer).fold(defaults, Figment::merge).select(BASE);
        Self { figment, file: document.name().to_owned(), assigned: Vec::new() }
    }

    /// Puts one `key=value` over all that is there.
    fn assign(&mut self, argument: &str) -> Result<(), ConfigError> {
        let shown = shorten(argument);
        let wrong = |message: String| ConfigError::Set { argument: shown.clone().into_owned(), message };
        let (key, text) = argument.split_once('=').ok_or_else(|| wrong("key=value is expected".into()))?;
        self.replace(key.trim(), parse_value(text.trim()), &format!("{ASSIGNED}{shown}"))?.map_err(wrong)
    }

    /// Puts `value` at `key` over all that is there; `origin` is where errors say it comes from.
    ///
    /// # Errors
    /// [`ConfigError::Key`] if there is no such place.
    pub fn put(&mut self, key: &str, value: &toml::Value, origin: &str) -> Result<(), ConfigError> {
        self.replace(key, value_of(value), origin)?.map_err(|message| ConfigError::Key {
            origin: origin.to_owned(),
            key: shorten(key).into_owned(),
            message,
        })
    }

    /// The old value at `key` is replaced as a whole, so each assignment makes a profile of its own
    /// rather than merging tables. The inner error says that there is no such place.
    fn replace(&mut self, key: &str, value: Value, origin: &str) -> Result<Result<(), String>, ConfigError> {
        let profile = Profile::new(&format!("set-{}", self.assigned.len()));
        let data = self.figment.data().map_err(|error| self.explain(error))?;
        let mut dict = data.get(self.figment.profile()).cloned().unwrap_or_default();
        let path: Vec<&str> = key.split('.').collect();
        if path.len() > DEEPEST {
            return Ok(Err(format!("the key has {} parts; at most {DEEPEST} are accepted", path.len())));
        }
        if let Err(message) = replace(&mut dict, &path, value) {
            return Ok(Err(message));
        }
        let layer = Layer { name: origin.to_owned(), dict, profile: profile.clone() };
        self.figment = self.figment.clone().merge(layer).select(profile);
        self.assigned.push((key.to_owned(), origin.to_owned()));
        Ok(Ok(()))
    }

    /// Which layer set `key`; the nearest parent's where the key itself is not there.
    pub fn origin(&self, key: &str) -> String {
        if let Some(origin) = self.assigned(key) {
            return origin.to_owned();
        }
        let mut key = key;
        loop {
            if let Some(metadata) = self.figment.find_metadata(key) {
                return self.name_of(metadata);
            }
            match key.rsplit_once('.') {
                Some((parent, _)) => key = parent,
                None => return self.file.clone(),
            }
        }
    }

    /// The folder of the file that sets `key`, or else of the file that the user named.
    pub fn folder(&self, key: &str) -> PathBuf {
        let origin = PathBuf::from(self.origin(key));
        let file = if origin.is_file() { origin } else { PathBuf::from(&self.file) };
        file.parent().map_or_else(PathBuf::new, Path::to_owned)
    }

    /// Where `key` comes from if it, or something that it stands in, was put over the files.
    fn assigned(&self, key: &str) -> Option<&str> {
        let sets = |(set, _): &&(String, String)| {
            key.strip_prefix(set.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.assigned.iter().rev().find(sets).map(|(_, origin)| origin.as_str())
    }

    /// An error about `key`, naming the layer that set it.
    pub fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::Key { origin: self.origin(key), key: key.to_owned(), message: message.into() }
    }

    /// What figment found, as one line that names key and layer.
    pub fn explain(&self, error: Error) -> ConfigError {
        let key = error.path.join(".");
        let origin = match (self.assigned(&key), &error.metadata) {
            (Some(origin), _) => origin.to_owned(),
            (None, Some(metadata)) => self.name_of(metadata),
            (None, None) => self.origin(&key),
        };
        let message = match &error.kind {
            Kind::UnknownField(name, known) => unknown_key(name, known),
            kind => message_of(kind),
        };
        ConfigError::Key { origin, key: shorten(&key).into_owned(), message }
    }

    fn name_of(&self, metadata: &Metadata) -> String {
        if metadata.name.starts_with("TOML") { self.file.clone() } else { metadata.name.to_string() }
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

struct Layer {
    name: String,
    dict: Dict,
    profile: Profile,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(self.profile.clone(), self.dict.clone())]))
    }
}

pub(super) fn dict_of(table: &toml::Table) -> Dict {
    table.iter().map(|(key, value)| (key.clone(), value_of(value))).collect()
}

fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(value_of).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => dict_of(table).into(),
    }
}

/// A TOML value. `nan` and `inf` are names of attacks here, not numbers.
fn toml_value(text: &str) -> Option<Value> {
    if ["nan", "inf"].contains(&text) {
        return Some(text.into());
    }
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?;
    table.get("value").filter(|_| table.len() == 1).map(value_of)
}

/// A TOML value, an integer that TOML does not have, or else a string as it stands.
fn parse_value(text: &str) -> Value {
    let integer = || text.parse::<u128>().ok().map(Value::from);
    toml_value(text).or_else(integer).unwrap_or_else(|| text.into())
}

/// Replaces what stands at `path`; a number in the path is an index into a list.
fn replace(dict: &mut Dict, path: &[&str], value: Value) -> Result<(), String> {
    let Some((key, rest)) = path.split_first().filter(|(key, _)| !key.is_empty()) else {
        return Err("the key has an empty part".into());
    };
    if rest.is_empty() {
        dict.insert((*key).to_owned(), value);
        return Ok(());
    }
    let inner = dict.entry((*key).to_owned()).or_insert_with(|| Dict::new().into());
    replace_in(inner, key, rest, value)
}

/// Why `at` is none of the `len` elements of the list at `key`.
fn no_element(key: &str, at: &str, len: usize) -> String {
    let there = match len {
        0 => "no element".to_owned(),
        1 => format!("one element, `{key}.0`"),
        _ => format!("{len} elements, `{key}.0` to `{key}.{}`", len - 1),
    };
    format!("`{key}` has {there}; there is no `{key}.{}`", shorten(at))
}

/// Whether `key` is where a component is named; numbers are places in a chain of rules.
fn is_component(key: &str) -> bool {
    COMPONENTS.contains(&key) || key.parse::<usize>().is_ok()
}

/// Makes a list of a chain of rules that is written as names or as a table, if `at` is a place in it.
fn list(inner: &mut Value, key: &str, at: &str) {
    let names = match inner {
        _ if key != "rule" || at.parse::<usize>().is_err() => return,
        Value::String(_, text) => Named::chain(text).unwrap_or_default(),
        Value::Dict(..) => return *inner = vec![inner.clone()].into(),
        _ => return,
    };
    *inner = names.into_iter().map(|named| Value::from(named.name)).collect::<Vec<_>>().into();
}

fn replace_in(inner: &mut Value, key: &str, rest: &[&str], value: Value) -> Result<(), String> {
    list(inner, key, rest[0]);
    match inner {
        Value::Dict(_, dict) => replace(dict, rest, value),
        Value::Array(_, items) => {
            let len = items.len();
            let item = rest[0].parse().ok().and_then(|i: usize| items.get_mut(i));
            let item = item.ok_or_else(|| no_element(key, rest[0], len))?;
            if rest.len() == 1 {
                *item = value;
                return Ok(());
            }
            replace_in(item, rest[0], &rest[1..], value)
        }
        // a plain name becomes a name with parameters: rule.0.krum.power=1 over rule = ["krum"]
        Value::String(_, name) if name == rest[0] && rest.len() > 1 => {
            let mut parameters = Dict::new();
            replace(&mut parameters, &rest[1..], value)?;
            *inner = Dict::from([(name.clone(), parameters.into())]).into();
            Ok(())
        }
        Value::String(_, name) if is_component(key) && name != rest[0] => {
            let (name, parameter) = (shorten(name), rest.join("."));
            let place = format!("{key}.{name}.{}", shorten(&parameter));
            Err(format!("`{key}` is the name `{name}`; a parameter of it would be `{place}`"))
        }
        _ => Err(format!("`{key}` is not a table")),
    }
}
