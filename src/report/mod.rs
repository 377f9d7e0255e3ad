//! From run folders to what a paper needs: figures, a table with intervals,
//! a page that traces every number to its run, tidy tables. `phalanx report`
//! and `phalanx compare` call it. The same runs give the same bytes.

mod compare;
mod curves;
mod facts;
mod figures;
mod measure;
mod page;
mod plot;
mod select;
mod statistics;
mod table;
mod tidy;
mod tidy_parquet;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use compare::{Comparison, compare};
pub use facts::{Fact, facts};
pub use measure::number;
pub use select::{Factor, Layout, Study};
pub use statistics::Estimate;
pub use tidy::{Tidy, Values};

use crate::results::{
    ReadError, ResultsError,
    read::{RunRecord, find_folders},
};

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A run cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Runs of tasks that have no measure in common.
    #[error(
        "{} has a test accuracy and {} has none: tasks of both kinds cannot share a report; name the runs of one kind",
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
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] ResultsError),
    /// Parquet is not built in.
    #[error("Parquet is not built in; build with `cargo build --release --features parquet`, or use --csv")]
    NoParquet,
}

/// Reads all runs at or under `paths`; a run that is named twice is read once.
///
/// # Errors
/// [`ReportError::Read`].
pub fn read(paths: &[PathBuf]) -> Result<Vec<RunRecord>, ReportError> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut seen = Vec::new();
    for folder in
        paths.iter().map(|path| find_folders(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        let real = folder.canonicalize().map_err(ReadError::at(&folder))?;
        if !seen.contains(&real) {
            seen.push(real);
            folders.push(folder);
        }
    }
    Ok(folders.iter().map(|folder| RunRecord::read(folder)).collect::<Result<_, _>>()?)
}

/// Writes the page `index.html` and its pictures as SVG and PNG into `out`; returns the path of the page.
///
/// # Errors
/// [`ReportError`].
pub fn write(study: &Study, baseline: Option<&str>, out: &Path) -> Result<PathBuf, ReportError> {
    let table = table::table(study, baseline)?;
    let figures = figures::figures(study)?;
    fs::create_dir_all(out).map_err(ResultsError::at(out))?;
    for figure in &figures {
        save(&out.join(format!("{}.svg", figure.stem)), figure.svg.as_bytes())?;
        let png = plot::png(&figure.svg).map_err(|message| ReportError::Draw { message })?;
        save(&out.join(format!("{}.png", figure.stem)), &png)?;
    }
    let page = out.join("index.html");
    save(&page, page::page(study, &table, &figures, out).as_bytes())?;
    Ok(page)
}

fn save(path: &Path, content: &[u8]) -> Result<(), ResultsError> {
    fs::write(path, content).map_err(ResultsError::at(path))
}
