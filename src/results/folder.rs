//! Makes the run folder and writes whole files into it, so that each is either
//! complete or not there.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::whole;

/// A result that cannot be written: which file, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct ResultsError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl ResultsError {
    /// For use with `map_err`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { path: path.to_owned(), error }
    }
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes `<out>/<name>/<time>-<hash>`, with a number behind it if two runs start in one second.
    ///
    /// # Errors
    /// [`ResultsError`] if the folder cannot be made.
    pub fn create(out: &Path, name: &str, time: &str, hash: &str) -> Result<Self, ResultsError> {
        let parent = out.join(name);
        fs::create_dir_all(&parent).map_err(ResultsError::at(&parent))?;
        for number in 1.. {
            let again = if number == 1 { String::new() } else { format!("-{number}") };
            let path = parent.join(format!("{time}-{hash}{again}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ResultsError { path, error }),
            }
        }
        unreachable!("one of the numbers is free")
    }

    /// `path` itself, which is made unless it is there.
    ///
    /// # Errors
    /// [`ResultsError`] if the folder cannot be made.
    pub fn exactly(path: &Path) -> Result<Self, ResultsError> {
        fs::create_dir_all(path).map_err(ResultsError::at(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file as a whole: beside its place first, then renamed into it.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ResultsError> {
        let path = self.path.join(name);
        whole::write(&path, |file| file.write_all(content)).map_err(ResultsError::at(&path))
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn remove(&self, name: &str) -> Result<(), ResultsError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ResultsError { path, error }),
            _ => Ok(()),
        }
    }

    /// Writes `value` as JSON.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), ResultsError> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| ResultsError { path: self.path.join(name), error: error.into() })?;
        text.push(b'\n');
        self.write(name, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::RunFolder;

    #[test]
    fn two_runs_of_one_second_get_two_folders() {
        let out = tempfile::tempdir().unwrap();
        let first = RunFolder::create(out.path(), "a", "t", "h").unwrap();
        let second = RunFolder::create(out.path(), "a", "t", "h").unwrap();
        assert!(first.path().ends_with("a/t-h"));
        assert!(second.path().ends_with("a/t-h-2"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("a"), "a file in the way").unwrap();
        let error = RunFolder::create(out.path(), "a", "t", "h").unwrap_err();
        assert_eq!(error.path, out.path().join("a"));
    }
}
