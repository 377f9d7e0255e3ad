//! One process at a time works in a run folder: it holds the folder's lock, and
//! the system takes it back however the process ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use super::ResultsError;

/// The lock's file in a run folder.
pub const LOCK: &str = ".lock";

/// The lock of a run folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "what is open is held")] File);

impl FolderLock {
    /// The lock of `folder`; none if another process holds it.
    ///
    /// # Errors
    /// [`ResultsError`] if the file cannot be made or locked.
    pub fn take(folder: &Path) -> Result<Option<Self>, ResultsError> {
        let (path, file) = open(folder)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(ResultsError { path, error }),
        }
    }

    /// Whether a process works in `folder`, as far as can be seen: where locks cannot be asked for, one may. Nothing is
    /// written.
    pub fn is_held(folder: &Path) -> bool {
        match File::open(folder.join(LOCK)) {
            Ok(file) => file.try_lock_shared().is_err(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// The same as [`take`](Self::take), but another process is waited for.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn wait(folder: &Path) -> Result<Self, ResultsError> {
        let (path, file) = open(folder)?;
        file.lock().map_err(ResultsError::at(&path))?;
        Ok(Self(file))
    }
}

fn open(folder: &Path) -> Result<(std::path::PathBuf, File), ResultsError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(ResultsError::at(&path))?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::FolderLock;

    #[test]
    fn a_lock_is_seen_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!FolderLock::is_held(folder.path()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "to ask writes nothing");
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(lock.is_some() && FolderLock::is_held(folder.path()));
        assert!(FolderLock::take(folder.path()).unwrap().is_none());
        drop(lock);
        assert!(!FolderLock::is_held(folder.path()));
    }
}
