//! From a file with `[sweep]` to checked cells: each has a whole configuration
//! that can run, and a name made of its hash.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::grid::{Assignments, Grid, GridError};
use crate::{
    called,
    config::{Config, ConfigError, Document, Layers, PortInUse, hash_of, name_complaint, shorten, value},
    experiment::{Plan, PlanError},
    hex::hex,
    registry::Registry,
};

/// A sweep that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A file or a key of it cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table `[sweep]` is wrong.
    #[error("{path}: sweep: {error}")]
    Grid {
        /// The file.
        path: String,
        /// What is wrong.
        error: GridError,
    },
    /// A file is no sweep.
    #[error("{path}: there is no table [sweep]; `{} run {path}` runs a single experiment", called::name())]
    NoSweep {
        /// The file.
        path: String,
    },
    /// Cells cannot run.
    #[error("{}", lines(.0))]
    Cells(Vec<CellError>),
    /// Cells cannot be told apart.
    #[error(transparent)]
    Clash(#[from] Clash),
}

/// Two cells that are not the same but have one hash, and so would have one folder.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{one} and {other} differ, but both have the hash {hash}, which names a cell's folder; another `name` of the \
     experiment gives all cells other hashes"
)]
pub struct Clash {
    /// The first, with what it sets.
    pub one: String,
    /// The other.
    pub other: String,
    /// The hash of both.
    pub hash: String,
}

/// A cell that cannot run.
#[derive(Debug)]
pub struct CellError {
    /// Its place among the cells as written.
    pub index: usize,
    /// What it sets.
    pub label: String,
    /// Why it cannot run.
    pub error: PlanError,
}

/// A line for each reason, with the first cell that has it and how many more do.
fn lines(errors: &[CellError]) -> String {
    const SHOWN: usize = 10;
    let mut reasons: Vec<(String, &CellError, usize)> = Vec::new();
    let mut others = 0;
    for error in errors {
        let reason = error.error.to_string();
        match reasons.iter().position(|(known, ..)| *known == reason) {
            Some(at) => reasons[at].2 += 1,
            None if reasons.len() < SHOWN => reasons.push((reason, error, 0)),
            None => others += 1,
        }
    }
    let line = |(reason, first, more): &(String, &CellError, usize)| {
        let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
        format!("cell {} ({}){more}: {reason}", first.index, first.label)
    };
    let other = (others > 0).then(|| format!("and {others} more cells"));
    reasons.iter().map(line).chain(other).collect::<Vec<_>>().join("\n")
}

/// What a cell is known by.
#[derive(Clone, Debug)]
pub struct Name {
    /// What it sets over the rest of the file.
    pub assignments: Assignments,
    /// The digest of its configuration.
    pub digest: [u8; 32],
}

impl Name {
    /// The hash of its configuration, which names its folder.
    pub fn hash(&self) -> String {
        hash_of(&self.digest)
    }
}

/// A cell that can run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it is known by.
    pub name: Name,
    /// Its configuration as resolved.
    pub config: Config,
    /// What whoever starts it should know, each with its key.
    pub remarks: Vec<String>,
}

/// The remarks on `cells`, each once with the number of cells that it is on.
pub fn remarks(cells: &[Cell]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    cells.iter().flat_map(|cell| &cell.remarks).for_each(|remark| *counts.entry(remark).or_default() += 1);
    counts.into_iter().map(|(remark, count)| format!("{remark} ({count} of {} cells)", cells.len())).collect()
}

/// A file with `[sweep]`, expanded but not checked.
pub struct Draft {
    /// Name of the sweep: that of the experiment.
    pub name: String,
    /// The file.
    pub file: String,
    /// Folder for results.
    pub out: PathBuf,
    /// The swept keys, slowest first.
    pub keys: Vec<String>,
    /// What each cell sets.
    pub cells: Vec<Assignments>,
    /// What whoever runs it should know of its table.
    pub remarks: Vec<String>,
    /// Digest of all that the cells come from.
    pub digest: String,
    /// What the cells vary; it may be incomplete without them.
    layers: Layers,
}

impl Draft {
    /// Reads `file` under the `sets`; `sweep.KEY=[…]` among them replaces or adds the list of a key.
    ///
    /// # Errors
    /// [`SweepError`].
    pub fn read(file: &Path, sets: &[String]) -> Result<Self, SweepError> {
        let document = Document::read(file)?;
        let path = document.name().to_owned();
        let Some(sweep) = &document.sweep else { return Err(SweepError::NoSweep { path }) };
        let grid_error = |error| SweepError::Grid { path: path.clone(), error };
        let (lists, sets): (Vec<String>, Vec<String>) =
            sets.iter().cloned().partition(|set| set.starts_with("sweep."));
        let grid = Grid::parse(sweep, &overrides(&lists)?).map_err(grid_error)?;
        sets.iter().try_for_each(|set| takes_effect(set, &grid))?;
        let cells = grid.cells().map_err(grid_error)?;
        let layers = Layers::of(&document, &sets)?;
        let name: String = layers.value("name")?;
        if let Some(message) = name_complaint(&name) {
            return Err(layers.error("name", message).into());
        }
        Ok(Self {
            name,
            out: layers.value("machine.out")?,
            keys: grid.keys().map(str::to_owned).collect(),
            remarks: grid.idle().iter().map(|number| format!("exclude {number} matches no cell")).collect(),
            digest: digest(&(&cells, layers.all()?)),
            file: path,
            cells,
            layers,
        })
    }

    /// Checks the cell that makes these `assignments`.
    ///
    /// # Errors
    /// [`PlanError`] naming key and file.
    pub fn cell(
        &self,
        registry: &Registry,
        assignments: &Assignments,
        data: Option<&Path>,
    ) -> Result<Cell, PlanError> {
        let plan = Plan::of(registry, self.layered(assignments)?, data)?;
        let (mut config, remarks) = (plan.config().clone(), plan.remarks().to_vec());
        // Cells at work at the same time cannot share a port.
        if config.telemetry.port_in_use == PortInUse::Fail {
            config.telemetry.listen.clear();
        }
        let name = Name { assignments: assignments.clone(), digest: config.digest() };
        Ok(Cell { name, config, remarks })
    }

    /// The layers of the cell that makes these `assignments`.
    fn layered(&self, assignments: &Assignments) -> Result<Layers, ConfigError> {
        let mut layers = self.layers.clone();
        let origin = format!("{} [sweep]", self.file);
        assignments.iter().try_for_each(|(key, value)| layers.put(key, value, &origin))?;
        Ok(layers)
    }

    /// Checks all cells; identical ones become one. `each` is told after every cell.
    ///
    /// # Errors
    /// [`SweepError::Cells`] with all that cannot run; [`SweepError::Clash`].
    pub fn check(
        &self,
        registry: &Registry,
        data: Option<&Path>,
        each: impl FnMut(),
    ) -> Result<Vec<Cell>, SweepError> {
        let cell = |assignments: &Assignments| self.cell(registry, assignments, data);
        self.distinct(cell, |cell| &cell.name, each)
    }

    /// What all cells are known by; identical ones become one. That takes milliseconds a cell, for neither is data
    /// dealt nor a learner made: a cell that has a name may still be unable to run. `each` is told after every cell.
    ///
    /// # Errors
    /// [`SweepError::Cells`] with all that have no name, because a key of theirs is wrong; [`SweepError::Clash`].
    pub fn names(
        &self,
        registry: &Registry,
        data: Option<&Path>,
        each: impl FnMut(),
    ) -> Result<Vec<Name>, SweepError> {
        let name = |assignments: &Assignments| {
            let digest = Plan::digest(registry, self.layered(assignments)?, data)?;
            Ok(Name { assignments: assignments.clone(), digest })
        };
        self.distinct(name, |name| name, each)
    }

    /// What `make` makes of each cell, once for each digest.
    fn distinct<T>(
        &self,
        make: impl Fn(&Assignments) -> Result<T, PlanError>,
        name: impl Fn(&T) -> &Name,
        mut each: impl FnMut(),
    ) -> Result<Vec<T>, SweepError> {
        let (mut cells, mut errors, mut seen) = (Vec::new(), Vec::new(), Seen::default());
        for (index, assignments) in self.cells.iter().enumerate() {
            match make(assignments) {
                Ok(cell) if seen.is_new(index, name(&cell))? => cells.push(cell),
                Ok(_) => {}
                Err(error) => errors.push(CellError { index, label: label(assignments), error }),
            }
            each();
        }
        if errors.is_empty() { Ok(cells) } else { Err(SweepError::Cells(errors)) }
    }
}

/// Cells as they come, by their hashes: the number of the first that has it, what it sets and its digest.
#[derive(Default)]
struct Seen(HashMap<String, (usize, Name)>);

impl Seen {
    /// Whether there was no cell like the one called `name`, which has the number `index`.
    fn is_new(&mut self, index: usize, name: &Name) -> Result<bool, Clash> {
        let cell = |index, name: &Name| format!("cell {index} ({})", label(&name.assignments));
        match self.0.get(&name.hash()) {
            None => drop(self.0.insert(name.hash(), (index, name.clone()))),
            Some((_, first)) if first.digest == name.digest => return Ok(false),
            Some((at, first)) => {
                let (one, other) = (cell(*at, first), cell(index, name));
                return Err(Clash { one, other, hash: name.hash() });
            }
        }
        Ok(true)
    }
}

/// The lists in `--set sweep.KEY=[…]`; a key may be quoted, as it is in a file.
fn overrides(sets: &[String]) -> Result<Vec<(String, toml::Value)>, ConfigError> {
    let wrong = |argument: &String, message: String| ConfigError::Set { argument: argument.clone(), message };
    let parse = |set: &String| {
        let (key, text) = set
            .trim_start_matches("sweep.")
            .split_once('=')
            .ok_or_else(|| wrong(set, "key=[…] is expected".into()))?;
        let table: toml::Table =
            toml::from_str(&format!("value = {text}")).map_err(|error| wrong(set, error.message().into()))?;
        match table.get("value").filter(|_| table.len() == 1) {
            Some(value) => Ok((unquoted(key.trim()).to_owned(), value.clone())),
            None => Err(wrong(set, "a list is expected, and nothing after it".into())),
        }
    };
    sets.iter().map(parse).collect()
}

/// Whether what `set` sets is left as it is by the cells of `grid`.
fn takes_effect(set: &str, grid: &Grid) -> Result<(), ConfigError> {
    let key = set.split('=').next().unwrap_or_default().trim();
    let Some(swept) = grid.over(key) else { return Ok(()) };
    let message = format!(
        "each cell sets {swept} by [sweep], over this; `--set sweep.{swept}=[…]` sets the list of a key that is not zipped"
    );
    Err(ConfigError::Set { argument: shorten(set).into_owned(), message })
}

fn unquoted(key: &str) -> &str {
    key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key)
}

fn digest(content: &impl Serialize) -> String {
    let text = serde_json::to_string(content).unwrap_or_default();
    hex(&Sha256::digest(text.as_bytes())[..8])
}

/// What a cell sets, on a line.
pub fn label(assignments: &Assignments) -> String {
    assignments.iter().map(|(key, set)| format!("{key}={}", value(set))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Clash, Name, Seen};

    /// A cell whose digest has these bytes at its beginning, of which four are its hash, and at its end.
    fn name(lr: &str, first: u8, last: u8) -> Name {
        let mut digest = [0; 32];
        (digest[0], digest[31]) = (first, last);
        Name { assignments: toml::from_str(&format!("lr = {lr}")).unwrap(), digest }
    }

    #[test]
    fn one_hash_does_not_make_two_cells_one() {
        let mut seen = Seen::default();
        assert_eq!(seen.is_new(0, &name("0.1", 7, 1)), Ok(true));
        assert_eq!(seen.is_new(1, &name("0.10", 7, 1)), Ok(false), "the same cell, written otherwise");
        assert_eq!(seen.is_new(2, &name("0.2", 8, 1)), Ok(true));
        let clash: Clash = seen.is_new(3, &name("0.3", 7, 2)).unwrap_err();
        let told = "cell 0 (lr=0.1) and cell 3 (lr=0.3) differ, but both have the hash 07000000, which names";
        assert!(clash.to_string().starts_with(told), "{clash}");
    }
}
