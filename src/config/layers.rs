//! The layers of a configuration, from which errors know where a key came from:
//! embedded defaults < file < environment < `--set`.

use std::path::{Path, PathBuf};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use serde::de::DeserializeOwned;

use super::{
    Config, ConfigError, Document, assign,
    environment::{Variable, unusable},
    error::message_of,
    shorten, unknown_key,
    values::{parse_value, value_of},
};

/// The embedded defaults, commented.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The profile of all layers below `--set`.
const BASE: Profile = Profile::const_new("layers");

/// Where errors say that they come from.
const ENVIRONMENT: &str = "environment (PHALANX_*)";

/// So begins where errors say that an assignment comes from.
pub(super) const ASSIGNED: &str = "--set ";

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
        if let Err(message) = assign::put(&mut dict, key, value) {
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
