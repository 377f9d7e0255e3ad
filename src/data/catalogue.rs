//! What is known about every data set: what `data list` shows, and the way
//! from a name to the data.

use std::path::PathBuf;

use serde::Serialize;

use super::{DataError, Dataset, Digest, Source, built_in, get::Way, locate};

/// What a data set is, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in TOML.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Authors and year.
    pub source: &'static str,
    /// The licence, as far as its publishers state one.
    pub licence: &'static str,
    /// Images to learn from.
    pub train: usize,
    /// Images to evaluate on.
    pub test: usize,
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The files it is made of; none for an embedded data set.
    pub files: &'static [FileSpec],
    /// Folders inside a root where the files may lie, first the one that `data get` fills.
    pub folders: &'static [&'static str],
    /// How it can be got, best first.
    pub ways: &'static [Way],
}

/// One published file.
#[derive(Clone, Copy, Debug)]
pub struct FileSpec {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// Length of its decompressed content.
    pub bytes: u64,
    /// Digest of its decompressed content.
    pub digest: Digest,
}

/// One line of `data list`. What is known only when a data set is read is None.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// Its name in TOML.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Images to learn from.
    pub train: Option<usize>,
    /// Images to evaluate on.
    pub test: Option<usize>,
    /// Channels, height and width.
    pub shape: Option<[usize; 3]>,
    /// Number of classes.
    pub classes: Option<usize>,
    /// Authors and year.
    pub source: String,
    /// The licence, as far as its publishers state one.
    pub licence: Option<&'static str>,
    /// Where it is.
    pub place: Place,
}

/// Where a data set is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the program.
    Embedded,
    /// All its files are in this folder; their content is checked when they are read.
    Folder(PathBuf),
    /// Nowhere in the search order.
    Absent,
    /// Where an experiment says.
    Configured,
}

impl Listing {
    /// What is known of one data set, and where it is to be found under `roots`.
    pub fn of(about: &About, roots: &[PathBuf]) -> Self {
        let &About { name, summary, train, test, shape, classes, source, licence, .. } = about;
        let place = if about.files.is_empty() {
            Place::Embedded
        } else {
            let first = locate::locate(about, roots).ok().and_then(|files| files.into_iter().next());
            let folder = first.and_then(|file| file.parent().map(PathBuf::from));
            folder.map_or(Place::Absent, Place::Folder)
        };
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
            train: Some(train),
            test: Some(test),
            shape: Some(shape),
            classes: Some(classes),
            source: source.to_owned(),
            licence: Some(licence),
            place,
        }
    }

    /// What is known of a data set that an experiment configures.
    pub fn configured(name: String, summary: String, source: String) -> Self {
        Self {
            name,
            summary,
            train: None,
            test: None,
            shape: None,
            classes: None,
            source,
            licence: None,
            place: Place::Configured,
        }
    }
}

/// The data set of that name.
///
/// # Errors
/// [`DataError::Unknown`].
pub fn find(name: &str) -> Result<&'static dyn Source, DataError> {
    let all = built_in();
    all.into_iter().find(|source| source.about().name == name).ok_or_else(|| {
        let known = all.map(|source| source.about().name).join(", ");
        DataError::Unknown { name: name.to_owned(), known }
    })
}

/// Reads the data set of that name from the first of `roots` that holds it.
///
/// # Errors
/// [`DataError`].
pub fn load(name: &str, roots: &[PathBuf]) -> Result<Dataset, DataError> {
    find(name)?.load(roots)
}
