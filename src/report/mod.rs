//! From run folders to what a paper needs: figures, a table with intervals,
//! a page that traces every number to its run, tidy tables. `phalanx report`
//! and `phalanx compare` call it. The same runs give the same bytes.

mod classes;
mod compare;
mod curves;
mod factors;
mod facts;
mod figures;
mod layout;
mod losses;
mod measure;
mod milestones;
mod notes;
mod page;
mod plot;
mod statistics;
mod study;
mod table;
mod tidy;
mod tidy_parquet;

use std::{
    collections::HashSet,
    io::Write,
    path::{Path, PathBuf},
};

pub use compare::{Comparison, compare};
pub use factors::Factor;
pub use facts::{Fact, Facts};
pub use layout::Layout;
pub use measure::{count, number, settled};
pub use notes::Note;
pub use plot::{Cell, Heat};
pub use statistics::{Estimate, interval};
pub use study::Study;
pub use tidy::{Tidy, Values};

use self::{figures::Figure, table::Table};
use crate::{
    results::{
        ReadError, ResultsError, RunFolder,
        read::{RunRecord, find_folders},
    },
    whole,
};

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A run cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Runs of tasks that have no measure in common.
    #[error(
        "{} has an accuracy and {} has none: tasks of both kinds cannot share a report; name the runs of one kind",
        with.display(), without.display()
    )]
    Mixed {
        /// A run with an accuracy.
        with: PathBuf,
        /// A run without.
        without: PathBuf,
    },
    /// No run has been evaluated.
    #[error("none of the {folders} runs has an evaluation yet")]
    Empty {
        /// Number of runs.
        folders: usize,
    },
    /// There is no such label to compare with.
    #[error("--baseline {name}: there is no such line; there are: {}", known.join(", "))]
    Baseline {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A picture cannot be drawn.
    #[error("failed to draw: {message}")]
    Draw {
        /// Why.
        message: String,
    },
    /// A picture of another kind.
    #[error("{}: a picture ends in .svg or .png", path.display())]
    Picture {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] ResultsError),
    /// Parquet is not built in.
    #[error("Parquet is not built in; build with `cargo build --release --features parquet`, or use --csv")]
    NoParquet,
}

impl ReportError {
    /// A picture that cannot be drawn.
    pub fn draw(why: impl ToString) -> Self {
        Self::Draw { message: why.to_string() }
    }
}

/// Writes a picture as SVG or PNG, as the name of its file says.
///
/// # Errors
/// [`ReportError`].
pub fn save_picture(svg: &str, path: &Path) -> Result<(), ReportError> {
    let content = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => svg.as_bytes().to_vec(),
        Some("png") => plot::png(svg).map_err(ReportError::draw)?,
        _ => return Err(ReportError::Picture { path: path.to_owned() }),
    };
    Ok(whole::write(path, |file| file.write_all(&content)).map_err(ResultsError::at(path))?)
}

/// Reads all runs at or under `paths`; a run that is named twice is read once.
///
/// # Errors
/// [`ReportError::Read`].
pub fn read(paths: &[PathBuf]) -> Result<Vec<RunRecord>, ReportError> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut seen = HashSet::new();
    for folder in
        paths.iter().map(|path| find_folders(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        let real = folder.canonicalize().map_err(ReadError::at(&folder))?;
        if seen.insert(real) {
            folders.push(folder);
        }
    }
    Ok(folders.iter().map(|folder| RunRecord::read(folder)).collect::<Result<_, _>>()?)
}

/// The page of a study, which is not written yet.
pub struct Page<'a> {
    study: &'a Study,
    table: Table,
    figures: Vec<Figure>,
}

impl<'a> Page<'a> {
    /// Makes its table, whose differences are taken to `baseline` and which tells what it takes to reach `target`, and its
    /// figures.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn new(study: &'a Study, baseline: Option<&str>, target: Option<f64>) -> Result<Self, ReportError> {
        let table = table::table(study, baseline, target)?;
        Ok(Self { study, table, figures: figures::figures(study)? })
    }

    /// Writes `index.html` and its pictures as SVG and PNG into `out`; returns the path of the page.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn write(&self, out: &Path) -> Result<PathBuf, ReportError> {
        let folder = RunFolder::exactly(out)?;
        for figure in &self.figures {
            folder.write(&format!("{}.svg", figure.stem), figure.svg.as_bytes())?;
            let png = plot::png(&figure.svg).map_err(ReportError::draw)?;
            folder.write(&format!("{}.png", figure.stem), &png)?;
        }
        folder.write("index.html", page::page(self.study, &self.table, &self.figures, out).as_bytes())?;
        Ok(out.join("index.html"))
    }
}
