//! One temporary file for the vectors of all workers. It has no name any more
//! when it is used, so that nothing is left behind however the run ends.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{FallocateFlags, fallocate};

/// A file that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{}: {bytes} bytes for what workers remember cannot be had: {error}", folder.display())]
pub struct StoreError {
    /// Where it should be.
    folder: PathBuf,
    /// How large it should be.
    bytes: u64,
    /// Why it is not.
    error: io::Error,
}

/// The file. What is written at one place is read from there; callers agree about places.
#[derive(Debug)]
pub struct SpillFile {
    file: File,
    end: AtomicU64,
}

impl SpillFile {
    /// A file in `folder`, which is made if need be, with room for `bytes` bytes; it grows when more are appended.
    ///
    /// # Errors
    /// [`StoreError`], also if the disk has not so much room.
    pub fn new(folder: &Path, bytes: u64) -> Result<Self, StoreError> {
        let made = || {
            fs::create_dir_all(folder)?;
            let file = tempfile::tempfile_in(folder)?;
            if bytes > 0 {
                fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
            }
            Ok(file)
        };
        let file = made().map_err(|error| StoreError { folder: folder.to_owned(), bytes, error })?;
        Ok(Self { file, end: AtomicU64::new(0) })
    }

    /// Bytes of it that have a place for something.
    pub fn used(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Writes behind what was appended before, and says where.
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.write(at, bytes)?;
        Ok(at)
    }

    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, at)
    }
}
