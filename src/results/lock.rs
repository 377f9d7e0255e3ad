//! One process at a time works in a run folder: it holds the folder's lock, and
//! the system takes it back however the process ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
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
        Self::take_at(folder.join(LOCK))
    }

    /// The same of a lock whose file is at `path`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_at(path: PathBuf) -> Result<Option<Self>, ResultsError> {
        let file = open(&path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if file.try_lock_shared().is_err() => return Ok(None),
                // Whoever shares it only asks, and is gone in a moment.
                Err(TryLockError::WouldBlock) => thread::yield_now(),
                Err(TryLockError::Error(error)) => return Err(ResultsError { path, error }),
            }
        }
    }

    /// Whether a process works in `folder`, as far as can be seen: where locks cannot be asked for, one may. Nothing is
    /// written, and [`take`](Self::take) is not disturbed.
    pub fn is_held(folder: &Path) -> bool {
        Self::is_held_at(&folder.join(LOCK))
    }

    /// The same of a lock whose file is at `path`.
    pub fn is_held_at(path: &Path) -> bool {
        match File::open(path) {
            Ok(file) => file.try_lock_shared().is_err(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// The same as [`take`](Self::take), but another process is waited for.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn wait(folder: &Path) -> Result<Self, ResultsError> {
        let path = folder.join(LOCK);
        let file = open(&path)?;
        file.lock().map_err(ResultsError::at(&path))?;
        Ok(Self(file))
    }
}

fn open(path: &Path) -> Result<File, ResultsError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.map_err(ResultsError::at(path))
}

#[cfg(test)]
mod tests {
    use std::{fs, thread, time::Duration};

    use super::{FolderLock, LOCK, open};

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

    #[test]
    fn who_asks_for_a_lock_keeps_nobody_from_taking_it() {
        let folder = tempfile::tempdir().unwrap();
        let asking = open(&folder.path().join(LOCK)).unwrap();
        asking.lock_shared().unwrap();
        thread::scope(|scope| {
            let taken = scope.spawn(|| FolderLock::take(folder.path()).unwrap());
            thread::sleep(Duration::from_millis(50));
            drop(asking);
            assert!(taken.join().unwrap().is_some());
        });
    }
}
