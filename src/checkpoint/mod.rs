//! Checkpoints: a [`Snapshot`] of a run in its folder, from which the run goes
//! on as if it had never stopped. The experiment's run writes them, `phalanx
//! resume` and interrupted cells of a sweep read them.
//!
//! `checkpoints/<round>/` in the run folder holds
//!
//! | file | content |
//! |---|---|
//! | `state.safetensors` | every vector, as `<part>/<entry>`, in the format it had in memory |
//! | `checkpoint.json` | everything else: version of the format, round, who wrote it, the configuration, small values by part and entry |
//! | `SHA256SUMS` | digests of both, as `sha256sum -c` reads them |
//!
//! The parts are those of a [`Snapshot`]. Random streams and the places of samplers are not there: they follow from
//! seed and round. The part `tables` says how long the run's tables were, with digests; they are cut to that length. The
//! part `server` has the points whose evaluation was under way.
//!
//! A checkpoint is written beside its place, brought to the disk, files before folder, and then renamed: it is there
//! as a whole or not at all. Older ones are removed after that. One that does not agree with its digests is passed
//! over for the one before.

mod error;
mod keeper;
mod read;
mod write;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use phalanx_actors::Snapshot;
use phalanx_robust::Vector;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::{CheckpointError, Difference};
pub use keeper::Checkpoints;
pub use read::{Found, newest};
pub use write::write;

use crate::config::Config;

/// The folder of a run's checkpoints, in its run folder.
pub const FOLDER: &str = "checkpoints";

/// Version of the format; a later one is not read. Before 2 no evaluation was under way, and tables had no digests.
const FORMAT: u32 = 2;

const HEADER: &str = "checkpoint.json";
const STATE: &str = "state.safetensors";
const SUMS: &str = "SHA256SUMS";

/// A run as it stood after a round, and what run it was.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Who wrote it, and the run's configuration.
    pub origin: Origin,
    /// The run.
    pub snapshot: Snapshot,
    /// Vectors, as `<part>/<entry>`, that were tensors of a device; in `snapshot` they are in the host's memory.
    tensors: Vec<String>,
}

/// Where a checkpoint comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The program that wrote it.
    pub build: Build,
    /// All of the configuration that results depend on, as the text of JSON: numbers are compared as they are written.
    pub config: String,
}

/// A build of the program; another one may compute other bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Version of Phalanx.
    pub phalanx: String,
    /// Its git commit.
    pub commit: String,
    /// What it was built for.
    pub target: String,
    /// Version of libtorch.
    pub torch: Option<String>,
}

/// What stands in `checkpoint.json`.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    round: u64,
    origin: Origin,
    values: BTreeMap<String, BTreeMap<String, Value>>,
    tensors: Vec<String>,
}

impl Build {
    /// This one.
    pub fn this() -> Self {
        Self {
            phalanx: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("BUILD_COMMIT").to_owned(),
            target: env!("BUILD_TARGET").to_owned(),
            torch: crate::learner::torch_version().map(Into::into),
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phalanx, commit, target, torch } = self;
        let torch = torch.as_ref().map_or("no libtorch".to_owned(), |version| format!("libtorch {version}"));
        write!(f, "phalanx {phalanx}, commit {commit}, {target}, {torch}")
    }
}

impl Origin {
    /// This program, and a run of `config`.
    pub fn here(config: &Config) -> Self {
        Self { build: Build::this(), config: config.essence().to_string() }
    }
}

impl Checkpoint {
    /// Whether it is one of a run of `config`.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] with every key that differs.
    pub fn check(&self, config: &Config) -> Result<(), CheckpointError> {
        let now = config.essence().to_string();
        if self.origin.config == now {
            return Ok(());
        }
        let value = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Err(CheckpointError::Config(error::differences(&value(&self.origin.config), &value(&now))))
    }

    /// The run, with vectors that were on a device moved to where `start` is.
    ///
    /// # Errors
    /// [`CheckpointError::Device`] if they do not fit there.
    pub fn snapshot(mut self, start: &Vector) -> Result<Snapshot, CheckpointError> {
        for name in &self.tensors {
            let misfit = || CheckpointError::Device { name: name.clone() };
            let (part, entry) = name.split_once('/').ok_or_else(misfit)?;
            let part = self.snapshot.parts.get_mut(part).ok_or_else(misfit)?;
            let vector = part.vectors.get_mut(entry).ok_or_else(misfit)?;
            if start.is_on_host() || vector.len() != start.len() || vector.dtype() != start.dtype() {
                return Err(misfit());
            }
            *vector = start.like(&vector.to_f64());
        }
        Ok(self.snapshot)
    }
}

/// The build that wrote the newest checkpoint of a run, as that says itself; none if there is none, or it does not say.
pub fn newest_build(run: &Path) -> Option<Build> {
    let (_, newest) = list(run).ok()?.into_iter().next()?;
    let header: Header = serde_json::from_slice(&fs::read(newest.join(HEADER)).ok()?).ok()?;
    Some(header.origin.build)
}

/// Removes all checkpoints of a run.
///
/// # Errors
/// Of the system.
pub fn remove(run: &Path) -> std::io::Result<()> {
    vacate(&run.join(FOLDER))
}

/// Removes the folder at `path`, if there is one.
fn vacate(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Removes the checkpoints of rounds after `round`, which are of no use to a run that goes on from there.
///
/// # Errors
/// Of the system.
pub fn remove_after(run: &Path, round: u64) -> std::io::Result<()> {
    let later = list(run)?.into_iter().take_while(|(at, _)| *at > round);
    later.into_iter().try_for_each(|(_, path)| fs::remove_dir_all(path))
}

/// The checkpoints of a run, whole or not, the newest first.
fn list(run: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(run.join(FOLDER)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let round = entry.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(round.map(|round| (round, entry.path())));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}
