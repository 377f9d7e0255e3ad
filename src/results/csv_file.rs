//! A table that grows: a CSV file of which a reader never sees half a row, and whose digest is known.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::ResultsError;
use crate::hex::{hex, sha256};

/// A CSV file that is flushed after every call.
pub(super) struct CsvFile {
    path: PathBuf,
    file: File,
    length: u64,
    /// Of what has been written.
    digest: Sha256,
}

/// The digest of the first `length` bytes of a file, as hexadecimal digits.
pub(super) fn digest(path: &Path, length: u64) -> io::Result<String> {
    begun(path, length).map(|digest| hex(digest.finalize()))
}

/// The same, to which more may be added.
fn begun(path: &Path, length: u64) -> io::Result<Sha256> {
    sha256(File::open(path)?.take(length))
}

impl CsvFile {
    /// A new file with a heading.
    pub fn create(path: PathBuf, columns: &[&str]) -> Result<Self, ResultsError> {
        let file = File::create_new(&path).map_err(ResultsError::at(&path))?;
        let mut table = Self { path, file, length: 0, digest: Sha256::new() };
        table.append([columns]).map_err(|error| ResultsError { path: table.path.clone(), error })?;
        Ok(table)
    }

    /// The table in `path`, of which the first `length` bytes are to stay: what comes after them is there until it is
    /// [`cut`](Self::cut) off.
    pub fn resume(path: PathBuf, length: u64) -> Result<Self, ResultsError> {
        let open = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::other(format!("it is shorter than the {length} bytes that it had")));
            }
            file.seek(SeekFrom::Start(length))?;
            Ok((file, begun(&path, length)?))
        };
        let (file, digest) = open().map_err(ResultsError::at(&path))?;
        Ok(Self { path, file, length, digest })
    }

    /// Cuts off what the file has beyond the table.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn cut(&mut self) -> Result<(), String> {
        self.file.set_len(self.length).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest of its bytes, as hexadecimal digits.
    pub fn digest(&self) -> String {
        hex(self.digest.clone().finalize())
    }

    /// Writes rows.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn write<R: AsRef<[String]>>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), String> {
        self.append(rows).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Writes rows at once, so that a reader never sees half of one.
    fn append<R, T>(&mut self, rows: impl IntoIterator<Item = R>) -> io::Result<()>
    where
        R: AsRef<[T]>,
        T: AsRef<[u8]>,
    {
        let mut writer = csv::Writer::from_writer(Vec::new());
        rows.into_iter().try_for_each(|row| writer.write_record(row.as_ref()))?;
        let lines = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.file.write_all(&lines)?;
        self.length += lines.len() as u64;
        self.digest.update(&lines);
        Ok(())
    }
}
