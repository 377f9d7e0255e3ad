//! Reads checkpoints back. Nothing of one is believed before its digests agree.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use phalanx_actors::Snapshot;
use phalanx_robust::state::State;
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use super::{Checkpoint, CheckpointError, FORMAT, HEADER, Header, STATE, SUMS, list, write::sums};
use crate::results::{tables::Tables, tensors};

/// The newest checkpoint of a run that can be used.
#[derive(Clone, Debug)]
pub struct Found {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Where it stands.
    pub path: PathBuf,
    /// Newer ones that cannot be used, and what is wrong with each.
    pub passed_over: Vec<String>,
}

/// Finds the newest checkpoint in the folder `run` that is whole and of a format that is read, and whose tables are what they were.
///
/// # Errors
/// [`CheckpointError`] if there is none.
pub fn newest(run: &Path) -> Result<Found, CheckpointError> {
    let all = list(run).map_err(|error| CheckpointError::Io { path: run.to_owned(), error })?;
    let mut passed_over = Vec::new();
    for (round, path) in all {
        match usable(run, round, &path) {
            Ok(checkpoint) => return Ok(Found { checkpoint, path, passed_over }),
            Err(message) => passed_over.push(format!("{}: {message}", path.display())),
        }
    }
    let run = run.to_owned();
    Err(match passed_over.as_slice() {
        [] => CheckpointError::None { run },
        _ => CheckpointError::Unusable { run, passed_over },
    })
}

fn usable(run: &Path, round: u64, path: &Path) -> Result<Checkpoint, String> {
    let file = |name: &str| fs::read(path.join(name)).map_err(|error| format!("{name}: {error}"));
    let (header, state) = (file(HEADER)?, file(STATE)?);
    if file(SUMS)? != sums(&Sha256::digest(&header), &Sha256::digest(&state)).into_bytes() {
        return Err(format!("it is damaged: {HEADER} and {STATE} do not agree with {SUMS}"));
    }
    let checkpoint = parse(&header, &state)?;
    if checkpoint.snapshot.round != round {
        return Err(format!("it is of round {}", checkpoint.snapshot.round));
    }
    Tables::reach(run, &checkpoint.snapshot)?;
    Ok(checkpoint)
}

/// The checkpoint in these files.
///
/// # Errors
/// What is wrong with them, in words.
fn parse(header: &[u8], state: &[u8]) -> Result<Checkpoint, String> {
    let header: Header = serde_json::from_slice(header).map_err(|error| format!("{HEADER}: {error}"))?;
    if header.format > FORMAT {
        return Err(format!("it has format {}, this program reads up to {FORMAT}", header.format));
    }
    let mut parts: BTreeMap<String, State> = BTreeMap::new();
    for (part, values) in header.values {
        parts.entry(part).or_default().values = values;
    }
    let vectors = SafeTensors::deserialize(state).map_err(|error| format!("{STATE}: {error}"))?;
    for (name, tensor) in vectors.iter() {
        let odd = || format!("{STATE}: `{name}` is no vector of a part");
        let (part, entry) = name.split_once('/').ok_or_else(odd)?;
        let vector = tensors::read(&tensor).ok_or_else(odd)?;
        parts.entry(part.to_owned()).or_default().vectors.insert(entry.to_owned(), vector);
    }
    let snapshot = Snapshot { round: header.round, parts };
    Ok(Checkpoint { origin: header.origin, snapshot, tensors: header.tensors })
}
