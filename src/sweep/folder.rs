//! The folder of a sweep: `sweep.json`, a run folder for every cell, and the
//! lock that keeps two sweeps from working in it at once.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use super::{
    cells::Clash,
    manifest::{Manifest, Record},
};
use crate::results::{FolderLock, ResultsError, RunFolder};

const MANIFEST: &str = "sweep.json";
const LOCK: &str = ".sweep.lock";
const WRITING: &str = ".manifest.lock";

/// A folder in which no sweep can work.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be written or read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A cell's folder is that of another cell.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// Another sweep works in it.
    #[error("{}: another sweep works in this folder{}", path.display(), by(owner))]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Process and time, as far as known.
        owner: String,
    },
    /// `sweep.json` is something else.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

fn by(owner: &str) -> String {
    if owner.is_empty() { String::new() } else { format!(" ({owner})") }
}

/// How much of the folder is held while one works in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Everything: no other sweep may work there.
    All,
    /// One cell; others may work on others.
    One,
}

/// The folder of a sweep, held until it is dropped.
#[derive(Debug)]
pub struct SweepFolder {
    folder: RunFolder,
    _lock: File,
}

impl SweepFolder {
    /// Makes and holds the folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn hold(path: &Path, hold: Hold) -> Result<Self, FolderError> {
        let folder = RunFolder::exactly(path)?;
        let at = path.join(LOCK);
        let mut lock = open(&at)?;
        let held = match hold {
            Hold::All => lock.try_lock(),
            Hold::One => lock.try_lock_shared(),
        };
        match held {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(&at).unwrap_or_default().trim().to_owned();
                return Err(FolderError::Locked { path: path.to_owned(), owner });
            }
            Err(TryLockError::Error(error)) => return Err(ResultsError { path: at, error }.into()),
        }
        let owner = match hold {
            Hold::All => format!("process {} since {:.0}\n", std::process::id(), jiff::Timestamp::now()),
            Hold::One => "single cells\n".into(),
        };
        lock.set_len(0).and_then(|()| lock.write_all(owner.as_bytes())).map_err(ResultsError::at(&at))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A cell, by its hash, for a call that runs it alone, until what is returned is dropped; none if another call has it.
    /// Its process comes to hold the lock of its run folder only a moment later.
    ///
    /// # Errors
    /// [`ResultsError`] if the file cannot be made or locked.
    pub fn claim(&self, hash: &str) -> Result<Option<FolderLock>, ResultsError> {
        FolderLock::take_at(claim_of(self.path(), hash))
    }

    /// Writes a file, and returns its path.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, ResultsError> {
        self.folder.write(name, text.as_bytes())?;
        Ok(self.path().join(name))
    }

    /// Puts a new manifest in the place of the one that is there, which others may be changing too.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn renew(
        &self,
        manifest: impl FnOnce(Option<&Manifest>) -> Result<Manifest, Clash>,
    ) -> Result<Manifest, FolderError> {
        let _writing = self.writing()?;
        let manifest = manifest(read_manifest(self.path())?.as_ref())?;
        self.folder.write_json(MANIFEST, &manifest)?;
        Ok(manifest)
    }

    /// Records how a cell stands.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn record(&self, record: &Record) -> Result<(), FolderError> {
        let _writing = self.writing()?;
        let Some(mut manifest) = read_manifest(self.path())? else { return Ok(()) };
        let same = manifest.cells.iter_mut().filter(|cell| cell.hash == record.hash);
        same.for_each(|cell| cell.clone_from(record));
        Ok(self.folder.write_json(MANIFEST, &manifest)?)
    }

    /// Held while `sweep.json` is read and written again.
    fn writing(&self) -> Result<File, ResultsError> {
        let at = self.path().join(WRITING);
        let lock = open(&at)?;
        lock.lock().map_err(ResultsError::at(&at))?;
        Ok(lock)
    }
}

/// The lock of a cell, by its hash, in the folder of its `sweep`: see [`SweepFolder::claim`].
pub(super) fn claim_of(sweep: &Path, hash: &str) -> PathBuf {
    sweep.join(format!(".{hash}.lock"))
}

/// The manifest in the folder of a sweep, if there is one.
///
/// # Errors
/// [`FolderError`].
pub fn read_manifest(folder: &Path) -> Result<Option<Manifest>, FolderError> {
    let path = folder.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError { path, error }.into()),
    };
    let manifest: Manifest = match serde_json::from_slice(&text) {
        Ok(manifest) => manifest,
        Err(error) => return Err(FolderError::Manifest { path, message: error.to_string() }),
    };
    match manifest.cells.iter().find(|cell| !is_inside(&cell.folder)) {
        Some(Record { index, folder, .. }) => {
            let message = format!("cell {index}: {folder:?} is no folder inside that of the sweep");
            Err(FolderError::Manifest { path, message })
        }
        None => Ok(Some(manifest)),
    }
}

/// Whether a path leads further down and nowhere else.
fn is_inside(path: &str) -> bool {
    let down = |part| matches!(part, Component::Normal(_));
    !path.is_empty() && Path::new(path).components().all(down)
}

fn open(path: &Path) -> Result<File, ResultsError> {
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).open(path).map_err(ResultsError::at(path))
}
