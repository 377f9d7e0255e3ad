//! `sweep.json`: which cells there are, where their runs are, how each stands.
//! It is written as a whole after every change.

use std::{collections::HashMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    cells::{Clash, Draft, Name, label},
    folder::claim_of,
};
use crate::{
    hex::hex,
    results::{FolderLock, Status, Summary},
};

/// A sweep as recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the sweep.
    pub name: String,
    /// The file that it comes from.
    pub file: String,
    /// Version of Phalanx.
    pub phalanx: String,
    /// Its git commit.
    pub commit: String,
    /// Digest of all that the cells come from.
    pub digest: String,
    /// The swept keys, slowest first.
    pub keys: Vec<String>,
    /// The cells, in the order of the file.
    pub cells: Vec<Record>,
}

/// How a cell stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 0.
    pub index: usize,
    /// The hash of its configuration.
    pub hash: String,
    /// The whole digest, of which the hash is the beginning; empty in a file of an earlier version.
    #[serde(default)]
    pub digest: String,
    /// What it sets over the rest of the file.
    pub assignments: toml::Table,
    /// Its run folder, relative to the sweep's.
    pub folder: String,
    /// How it stands.
    pub status: Standing,
    /// Seconds that its process took.
    pub seconds: Option<f64>,
    /// Accuracy of the last evaluation, as a fraction.
    pub test_accuracy: Option<f64>,
    /// f(x) - f(x*) of the last evaluation.
    pub gap: Option<f64>,
    /// Whether the loss of the last evaluation is not finite.
    #[serde(default)]
    pub diverged: bool,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

/// How a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It has not begun.
    Pending,
    /// Its process is at work.
    Running,
    /// It ended after its last round.
    Completed,
    /// It was stopped, or its process is gone.
    Interrupted,
    /// It ended by an error or a signal.
    Failed,
}

impl Standing {
    /// All of them, in the order of a cell's life.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Interrupted, Self::Failed];

    /// The word in `sweep.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

impl Manifest {
    /// The `cells` of `draft`, none of which has begun.
    pub fn new<'a>(draft: &Draft, cells: impl IntoIterator<Item = &'a Name>) -> Self {
        Self {
            name: draft.name.clone(),
            file: draft.file.clone(),
            phalanx: env!("CARGO_PKG_VERSION").into(),
            commit: env!("BUILD_COMMIT").into(),
            digest: draft.digest.clone(),
            keys: draft.keys.clone(),
            cells: cells.into_iter().enumerate().map(|(index, cell)| Record::new(index, cell)).collect(),
        }
    }

    /// Fills in how each cell stands, from its run folder in `sweep` and from what was recorded `before`.
    ///
    /// # Errors
    /// [`Clash`] if the folder of a cell is that of another one.
    pub fn stand(mut self, sweep: &Path, before: Option<&Self>) -> Result<Self, Clash> {
        let before: HashMap<&str, &Record> =
            before.iter().flat_map(|m| &m.cells).map(|cell| (cell.hash.as_str(), cell)).collect();
        for cell in &mut self.cells {
            let known = before.get(cell.hash.as_str()).copied();
            if let Some(other) = known.filter(|known| known.is_another(cell)) {
                let one = format!("cell {} ({}) of an earlier call", other.index, other.label());
                let other = format!("cell {} ({})", cell.index, cell.label());
                return Err(Clash { one, other, hash: cell.hash.clone() });
            }
            cell.stand(sweep, known);
        }
        Ok(self)
    }

    /// Number of cells that stand so.
    pub fn count(&self, status: Standing) -> usize {
        self.cells.iter().filter(|cell| cell.status == status).count()
    }
}

impl Record {
    fn new(index: usize, cell: &Name) -> Self {
        Self {
            index,
            hash: cell.hash(),
            digest: hex(cell.digest),
            assignments: cell.assignments.clone(),
            folder: cell.hash(),
            status: Standing::Pending,
            seconds: None,
            test_accuracy: None,
            gap: None,
            diverged: false,
            error: None,
        }
    }

    /// Whether it is known to have another configuration than `other`.
    fn is_another(&self, other: &Self) -> bool {
        !self.digest.is_empty() && self.digest != other.digest
    }

    /// Fills in how the cell stands, from its run folder in `sweep` and what was recorded of it `before`.
    fn stand(&mut self, sweep: &Path, before: Option<&Self>) {
        let folder = &sweep.join(&self.folder);
        if let Some(before) = before {
            (self.status, self.seconds) = (before.status, before.seconds);
            self.error.clone_from(&before.error);
        }
        match Summary::of(folder) {
            // One that has been claimed has a process that will come to hold the lock of its folder.
            _ if self.status == Standing::Running
                && (FolderLock::is_held(folder) || FolderLock::is_held_at(&claim_of(sweep, &self.hash))) => {}
            Some(summary) => self.settle(&summary),
            // A process that is gone without a word, or results that were removed.
            None if self.status == Standing::Running => self.status = Standing::Interrupted,
            None if self.status == Standing::Completed => self.status = Standing::Pending,
            None => {}
        }
    }

    /// The cell at a new beginning, or at an end before one.
    pub fn with(&self, status: Standing, error: Option<String>) -> Self {
        Self { status, error, seconds: None, test_accuracy: None, gap: None, diverged: false, ..self.clone() }
    }

    /// Takes over how its run ended.
    pub fn settle(&mut self, summary: &Summary) {
        self.status = match summary.status {
            Status::Completed => Standing::Completed,
            Status::Interrupted => Standing::Interrupted,
            Status::Failed => Standing::Failed,
        };
        self.error.clone_from(&summary.error);
        (self.test_accuracy, self.gap, self.diverged) =
            (summary.test_accuracy, summary.gap, summary.diverged);
        self.seconds = self.seconds.or(Some(summary.elapsed_seconds));
    }

    /// What it sets, on a line.
    pub fn label(&self) -> String {
        label(&self.assignments)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Manifest, Name, Record};

    fn manifest(lr: &str, last: u8) -> Manifest {
        let mut digest = [0; 32];
        digest[31] = last;
        let name = Name { assignments: toml::from_str(&format!("lr = {lr}")).unwrap(), digest };
        let text = r#"{"name": "a", "file": "", "phalanx": "", "commit": "", "digest": "", "keys": ["lr"], "cells": []}"#;
        Manifest { cells: vec![Record::new(0, &name)], ..serde_json::from_str(text).unwrap() }
    }

    #[test]
    fn a_folder_is_not_taken_for_that_of_another_cell() {
        let stands = |before: &Manifest| manifest("0.2", 2).stand(Path::new("nowhere"), Some(before));
        assert!(stands(&manifest("0.20", 2)).is_ok());
        let clash = stands(&manifest("0.1", 1)).unwrap_err().to_string();
        assert!(
            clash.starts_with("cell 0 (lr=0.1) of an earlier call and cell 0 (lr=0.2) differ"),
            "{clash}"
        );
        let mut old = manifest("0.1", 1);
        old.cells[0].digest.clear();
        assert!(stands(&old).is_ok(), "a file that does not say is believed");
    }
}
