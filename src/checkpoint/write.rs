//! Writes a checkpoint: beside its place, then renamed into it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use phalanx_actors::Snapshot;
use phalanx_robust::state::State;
use sha2::{Digest, Sha256};

use super::{FOLDER, FORMAT, HEADER, Header, Origin, STATE, SUMS, list, vacate};
use crate::{
    hex::{hex, sha256},
    results::{ResultsError, tables::Tables, tensors::Written},
};

/// Writes a checkpoint into the folder `run` and removes all but the newest `keep`. A failure leaves the older ones
/// as they were.
///
/// # Errors
/// [`ResultsError`].
pub fn write(run: &Path, origin: &Origin, snapshot: &Snapshot, keep: usize) -> Result<PathBuf, ResultsError> {
    let folder = run.join(FOLDER);
    let name = format!("{:09}", snapshot.round);
    let (place, beside) = (folder.join(&name), folder.join(format!(".{name}.partial")));
    if place.is_dir() {
        // The one that the run went on from, or has just left: the same state.
        return Ok(place);
    }
    let written = vacate(&beside)
        .and_then(|()| within(run))
        .and_then(|()| fs::create_dir(&beside))
        .and_then(|()| fill(&beside, origin, snapshot))
        .and_then(|()| Tables::sync(run))
        .and_then(|()| fs::rename(&beside, &place))
        .and_then(|()| sync(&folder))
        .and_then(|()| sync(run));
    if let Err(error) = written {
        let _ = vacate(&beside);
        return Err(ResultsError { path: place, error });
    }
    prune(run, keep).map_err(ResultsError::at(&folder))?;
    Ok(place)
}

/// Makes the folder of checkpoints, but not that of a run which is gone.
fn within(run: &Path) -> io::Result<()> {
    match fs::create_dir(run.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Writes the files and waits until they are on the disk.
fn fill(folder: &Path, origin: &Origin, snapshot: &Snapshot) -> io::Result<()> {
    let state = folder.join(STATE);
    safetensors::serialize_to_file(vectors(snapshot), None, &state).map_err(io::Error::other)?;
    let header = serde_json::to_vec(&header(origin, snapshot))?;
    fs::write(folder.join(HEADER), &header)?;
    fs::write(folder.join(SUMS), sums(&Sha256::digest(&header), &sha256(File::open(&state)?)?.finalize()))?;
    [STATE, HEADER, SUMS].iter().try_for_each(|name| File::open(folder.join(name))?.sync_all())?;
    sync(folder)
}

fn header(origin: &Origin, snapshot: &Snapshot) -> Header {
    let values = |(part, state): (&String, &State)| {
        (!state.values.is_empty()).then(|| (part.clone(), state.values.clone()))
    };
    let tensors = named(snapshot).filter(|(_, vector)| !vector.is_on_host()).map(|(name, _)| name).collect();
    let values: BTreeMap<_, _> = snapshot.parts.iter().filter_map(values).collect();
    Header { format: FORMAT, round: snapshot.round, origin: origin.clone(), values, tensors }
}

fn vectors(snapshot: &Snapshot) -> Vec<(String, Written<'_>)> {
    named(snapshot).map(|(name, vector)| (name, Written::new(vector))).collect()
}

/// All vectors, as `<part>/<entry>`.
fn named(snapshot: &Snapshot) -> impl Iterator<Item = (String, &phalanx_robust::Vector)> {
    snapshot.parts.iter().flat_map(|(part, state)| {
        state.vectors.iter().map(move |(entry, vector)| (format!("{part}/{entry}"), vector))
    })
}

/// What stands in `SHA256SUMS`.
pub(super) fn sums(header: &[u8], state: &[u8]) -> String {
    format!("{}  {HEADER}\n{}  {STATE}\n", hex(header), hex(state))
}

/// Waits until the names in `folder` are on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes all but the newest `keep` checkpoints, and what interrupted writes left.
fn prune(run: &Path, keep: usize) -> io::Result<()> {
    for (_, path) in list(run)?.into_iter().skip(keep.max(1)) {
        // Renamed first: one that is half removed must not look like a checkpoint.
        let hidden = path.with_file_name(".old");
        vacate(&hidden)?;
        fs::rename(&path, &hidden)?;
        vacate(&hidden)?;
    }
    for entry in fs::read_dir(run.join(FOLDER))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            vacate(&entry.path())?;
        }
    }
    Ok(())
}
