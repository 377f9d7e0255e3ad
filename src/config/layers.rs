//! The layers of a configuration and what is said when one of them is wrong:
//! embedded defaults < file < environment < `--set`.

use std::path::Path;

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Env, Format, Toml},
    value::{Dict, Map, Value},
};

use super::Config;

/// The embedded defaults, commented.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The profile of all layers below `--set`.
const BASE: Profile = Profile::const_new("layers");

/// Variables of the environment that are no configuration keys.
const OTHER_VARIABLES: [&str; 1] = ["data"];

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

/// The layers put together, from which errors know where a key came from.
#[derive(Clone, Debug)]
pub struct Layers {
    figment: Figment,
    file: String,
}

/// Reads the layers of the experiment in `file`, under the `sets` (`key=value`).
///
/// # Errors
/// [`ConfigError`].
pub fn load(file: &Path, sets: &[String]) -> Result<(Config, Layers), ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError::File {
        path: file.display().to_string(),
        message: error.to_string(),
    })?;
    let mut layers = Layers::of_file(file, &text)?;
    layers.figment =
        layers.figment.merge(Env::prefixed("PHALANX_").ignore(&OTHER_VARIABLES).split("__").profile(BASE));
    for (at, set) in sets.iter().enumerate() {
        layers.assign(set, at)?;
    }
    let config = layers.figment.extract().map_err(|error| layers.explain(error))?;
    Ok((config, layers))
}

/// The configuration that a run left in `file`, whatever the environment says now.
///
/// # Errors
/// [`ConfigError`].
pub fn read_back(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let layers = Layers::of_file(file, text)?;
    layers.figment.extract().map_err(|error| layers.explain(error))
}

impl Layers {
    /// The defaults, and over them `text`, which stands in `file`.
    fn of_file(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let table: toml::Table = toml::from_str(text).map_err(|error| ConfigError::File {
            path: name.clone(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let figment = Figment::new()
            .merge(Toml::string(DEFAULTS).profile(BASE))
            .merge(Layer { name: name.clone(), dict: dict_of(&table), profile: BASE })
            .select(BASE);
        Ok(Self { figment, file: name })
    }

    /// Puts one `key=value` over all that is there. The key's old value is replaced as a
    /// whole, so each assignment makes a profile of its own rather than merging tables.
    fn assign(&mut self, argument: &str, at: usize) -> Result<(), ConfigError> {
        let wrong = |message: String| ConfigError::Set { argument: argument.to_owned(), message };
        let (key, text) = argument.split_once('=').ok_or_else(|| wrong("key=value is expected".into()))?;
        let value = parse_value(text.trim());
        let profile = Profile::new(&format!("set-{at}"));
        let data = self.figment.data().map_err(|error| self.explain(error))?;
        let mut dict = data.get(self.figment.profile()).cloned().unwrap_or_default();
        let path: Vec<&str> = key.trim().split('.').collect();
        replace(&mut dict, &path, value).map_err(wrong)?;
        let layer = Layer { name: format!("--set {argument}"), dict, profile: profile.clone() };
        self.figment = self.figment.clone().merge(layer).select(profile);
        Ok(())
    }

    /// Which layer set `key`; the nearest parent's where the key itself is not there.
    pub fn origin(&self, key: &str) -> String {
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

    /// An error about `key`, naming the layer that set it.
    pub fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::Key { origin: self.origin(key), key: key.to_owned(), message: message.into() }
    }

    /// What figment found, as one line that names key and layer.
    pub fn explain(&self, error: Error) -> ConfigError {
        let key = error.path.join(".");
        let origin = match &error.metadata {
            Some(metadata) => self.name_of(metadata),
            None => self.origin(&key),
        };
        ConfigError::Key { origin, key, message: message_of(&error.kind) }
    }

    fn name_of(&self, metadata: &Metadata) -> String {
        if metadata.name.contains("environment") {
            return "environment (PHALANX_*)".into();
        }
        if metadata.name.starts_with("TOML") { self.file.clone() } else { metadata.name.to_string() }
    }
}

/// What is wrong, with a suggestion where a name is nearly right.
pub(crate) fn message_of(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(name, known) => format!("unknown key `{name}`{}", nearest(name, known)),
        Kind::UnknownVariant(name, known) => format!("unknown value `{name}`{}", nearest(name, known)),
        Kind::MissingField(name) => format!("`{name}` is missing"),
        Kind::InvalidType(found, expected) => format!("found {found}, {expected} is expected"),
        Kind::InvalidValue(found, expected) => format!("found {found}, {expected} is expected"),
        other => other.to_string(),
    }
}

/// "; did you mean …" for the nearest of the known names, or the list of them.
pub(crate) fn nearest<S: AsRef<str>>(name: &str, known: &[S]) -> String {
    let near = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(name, k.as_ref()), k.as_ref()))
        .min()
        .filter(|(distance, k)| *distance <= 1 + name.len().max(k.len()) / 4);
    match near {
        Some((_, near)) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => "; none is known here".into(),
        None => format!("; known: {}", known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")),
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

fn dict_of(table: &toml::Table) -> Dict {
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

/// A TOML value, or else a string as it stands. `nan` and `inf` are names of attacks here, not numbers.
fn parse_value(text: &str) -> Value {
    if ["nan", "inf"].contains(&text) {
        return text.into();
    }
    match toml::from_str::<toml::Table>(&format!("value = {text}")) {
        Ok(table) => table.get("value").map_or_else(|| text.into(), value_of),
        Err(_) => text.into(),
    }
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

fn replace_in(inner: &mut Value, key: &str, rest: &[&str], value: Value) -> Result<(), String> {
    match inner {
        Value::Dict(_, dict) => replace(dict, rest, value),
        Value::Array(_, items) => {
            let len = items.len();
            let item = rest[0].parse().ok().and_then(|i: usize| items.get_mut(i));
            let item =
                item.ok_or_else(|| format!("`{key}` has {len} elements, `{}` is none of 0..{len}", rest[0]))?;
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
        _ => Err(format!("`{key}` is not a table")),
    }
}
