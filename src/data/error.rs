//! What can be wrong with the files of a data set.

use std::{error::Error, io, path::PathBuf};

use crate::called;

/// A data set that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no data set of that name.
    #[error("unknown data set `{name}`; known are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// No folder holds all files.
    #[error(
        "the data set {name} lacks {}; looked in {}; `{} data get {name}` fetches it, or put the files into one of these folders",
        missing.join(", "), folders(looked), called::name()
    )]
    Missing {
        /// The data set.
        name: &'static str,
        /// The files that the fullest folder lacks.
        missing: Vec<&'static str>,
        /// The folders, in the order of the search.
        looked: Vec<PathBuf>,
    },
    /// There is no such folder of a user's own.
    #[error("there is no folder {}; looked for {}", path.display(), folders(looked))]
    NoFolder {
        /// As given.
        path: PathBuf,
        /// What was looked for, in order.
        looked: Vec<PathBuf>,
    },
    /// A folder of a user's own lacks a file.
    #[error("{} holds none of {}", folder.display(), names.join(", "))]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// The names that the file might have.
        names: Vec<String>,
    },
    /// The file cannot be read.
    #[error("failed to read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The (decompressed) content is not the published one.
    #[error("{} is not the published file: its {kind} is {found}, expected {expected}", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// Name of the digest.
        kind: &'static str,
        /// The published digest.
        expected: String,
        /// That of the file.
        found: String,
    },
    /// The (decompressed) content is longer or shorter than the published one.
    #[error("{} holds {found} bytes of content, expected {expected}", file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// Published length in bytes.
        expected: u64,
        /// Length found, `more than` the expected one if reading ended there.
        found: String,
    },
    /// The content breaks its format.
    #[error("{}: {message}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Images and labels do not belong together.
    #[error("the data set {name} has {images} images and {labels} labels in its {part} part")]
    Uneven {
        /// The data set.
        name: &'static str,
        /// `train` or `test`.
        part: &'static str,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// What a data set from outside says of itself, or [`Dataset::check`](super::Dataset::check) of any.
    #[error("the data set {name}: {source}")]
    Other {
        /// The data set.
        name: String,
        /// What is wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl DataError {
    /// The data set `name` cannot be used, for what `source` says: a message, or an error.
    pub fn other(name: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { name: name.into(), source: source.into() }
    }
}

fn folders(looked: &[PathBuf]) -> String {
    if looked.is_empty() {
        return "no folder".into();
    }
    looked.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}
