//! An experiment file as it stands: its own keys, those of the file it is
//! based on, and a sweep over them. [`Layers`](super::Layers) puts the keys
//! together with all that goes over them.

use std::{
    borrow::Cow,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use figment::value::{Dict, Value};

use super::{ConfigError, shorten, values::dict_of};

/// Longest file that is read; what a device or a wrong file holds does not fill the memory.
const LONGEST: u64 = 1 << 22;
/// How many files may stand on one another.
const DEPTH: usize = 8;

/// An experiment file, and below it the files that it is based on.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name and keys of each file, the deepest base first; nothing in it is replaced by a later one.
    pub(super) files: Vec<(String, Dict)>,
    /// The table `[sweep]`.
    pub sweep: Option<toml::Table>,
}

impl Document {
    /// Reads `file`, and what its key `base` names, relative to it.
    ///
    /// # Errors
    /// [`ConfigError`] if a file cannot be read, or a base is itself a sweep.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let (mut document, mut base) = Self::one(file, &text_of(file)?)?;
        while let Some(path) = base {
            if document.files.len() == DEPTH {
                return Err(error(file, format!("more than {DEPTH} files stand on one another by `base`")));
            }
            let text = text_of(&path).map_err(|missing| error(file, format!("base: {missing}")))?;
            let (below, next) = Self::one(&path, &text)?;
            if below.sweep.is_some() {
                let message = format!("{} is itself a sweep, and cannot be a base", path.display());
                return Err(error(file, message));
            }
            document.stand_on(below);
            base = next;
        }
        Ok(document)
    }

    /// The document whose text is `text`; a base is not looked for.
    pub(super) fn alone(file: &Path, text: &str) -> Result<Self, ConfigError> {
        Ok(Self::one(file, text)?.0)
    }

    /// The file that the user named.
    pub fn name(&self) -> &str {
        self.files.last().map_or("", |(name, _)| name)
    }

    fn one(file: &Path, text: &str) -> Result<(Self, Option<PathBuf>), ConfigError> {
        let mut table: toml::Table = toml::from_str(text).map_err(|e| error(file, in_view(&e)))?;
        let base = match table.remove("base") {
            None => None,
            Some(toml::Value::String(base)) => Some(file.parent().unwrap_or(Path::new("")).join(base)),
            Some(other) => {
                let message = format!("base: found {}, the path of a file is expected", other.type_str());
                return Err(error(file, message));
            }
        };
        let sweep = match table.remove("sweep") {
            None => None,
            Some(toml::Value::Table(sweep)) => Some(sweep),
            Some(other) => {
                return Err(error(file, format!("sweep: found {}, a table is expected", other.type_str())));
            }
        };
        Ok((Self { files: vec![(file.display().to_string(), dict_of(&table))], sweep }, base))
    }

    fn stand_on(&mut self, mut below: Self) {
        for (_, over) in &self.files {
            below.files.iter_mut().for_each(|(_, dict)| uncover(dict, over));
        }
        below.files.append(&mut self.files);
        self.files = below.files;
    }
}

/// Removes from `dict` what `over` replaces. Keys of sections are replaced as wholes: `step = { sgd = … }`
/// over `step = { anytime-sgd = … }` must leave one name.
fn uncover(dict: &mut Dict, over: &Dict) {
    for (key, value) in over {
        match (dict.get_mut(key), value) {
            (Some(Value::Dict(_, section)), Value::Dict(_, keys)) => {
                keys.keys().for_each(|key| drop(section.remove(key)));
            }
            _ => drop(dict.remove(key)),
        }
    }
}

fn text_of(file: &Path) -> Result<String, ConfigError> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|e| error(file, e.to_string()))?;
    if text.len() as u64 > LONGEST {
        return Err(error(file, format!("it is longer than {LONGEST} bytes, and no experiment")));
    }
    Ok(text)
}

/// What is wrong with a text and where; the line itself only if it is short enough to be looked at.
fn in_view(error: &toml::de::Error) -> String {
    let told = error.to_string();
    match told.lines().next() {
        Some(place) if told.lines().any(|line| matches!(shorten(line), Cow::Owned(_))) => {
            format!("{}: {}", shorten(place), shorten(error.message()))
        }
        _ => told.trim_end().to_owned(),
    }
}

fn error(file: &Path, message: String) -> ConfigError {
    ConfigError::File { path: file.display().to_string(), message }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Document;
    use crate::config::Layers;

    #[test]
    fn a_file_replaces_the_keys_of_its_base_and_keeps_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let base = "rounds = 7\n[task]\nobjective = \"least-squares\"\nclip = 3.0\n[aggregator]\nstep = { sgd = { lr = 0.5 } }\n[[workers]]\ncount = 3\n";
        fs::write(folder.path().join("base.toml"), base).unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        let over =
            "base = \"../base.toml\"\nseed = 9\n[task]\nclip = 1.0\n[aggregator]\nstep = \"anytime-sgd\"\n";
        let file = folder.path().join("deep/over.toml");
        fs::write(&file, over).unwrap();
        let config = Layers::of(&Document::read(&file).unwrap(), &[]).unwrap().config().unwrap();
        assert_eq!((config.rounds, config.seed, config.task.clip), (7, 9, 1.0));
        assert_eq!(config.aggregator.step.name, "anytime-sgd");
        assert_eq!(config.workers[0].count, 3);
    }

    #[test]
    fn files_that_stand_on_each_other_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, "base = \"a.toml\"\n").unwrap();
        let message = Document::read(&file).unwrap_err().to_string();
        assert!(message.contains("more than 8 files"), "{message}");
    }
}
