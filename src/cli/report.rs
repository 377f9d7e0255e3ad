//! `phalanx report`: the page, its pictures and the tidy table of runs.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    report::{Note, Page, ReportError, Study, Tidy, read},
    sweep::{
        folder::read_manifest,
        manifest::{Manifest, Record, Standing},
    },
};

/// The arguments of `phalanx report`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Run folders, sweeps, or any folders with runs below them.
    #[arg(required = true, value_name = "RUN|SWEEP")]
    paths: Vec<PathBuf>,
    /// Folder for the page and its pictures [default: report/ in the first folder].
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write the tidy table: a row for every run and evaluation.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The same as Parquet (needs a build with the feature `parquet`).
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
    /// What differences are taken to: a label of the legend [default: its first].
    #[arg(long, value_name = "LABEL")]
    baseline: Option<String>,
    /// Also tell the rounds, gradients and bytes that it takes to this value, as the page shows it: 80 for 80 %.
    #[arg(long, value_name = "VALUE", value_parser = finite, allow_negative_numbers = true)]
    target: Option<f64>,
}

/// The number that `text` is.
fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "it is no number".to_owned())
}

/// Makes the report; the path of its page goes to stdout.
pub fn main(arguments: &Arguments) -> ExitCode {
    match report(arguments) {
        Ok(page) => {
            super::print_line(page.display());
            ExitCode::SUCCESS
        }
        Err(error) => super::unusable(error),
    }
}

fn report(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    if arguments.parquet.is_some() && !Tidy::HAS_PARQUET {
        return Err(ReportError::NoParquet.into());
    }
    let mut study = Study::new(read(&arguments.paths)?)?;
    for path in &arguments.paths {
        if let Some(manifest) = read_manifest(path)? {
            study.notes.extend(standing(path, &manifest, &study));
        }
    }
    let page = Page::new(&study, arguments.baseline.as_deref(), arguments.target)?;
    let tidy = Tidy::of(&study);
    if let Some(path) = &arguments.csv {
        tidy.write_csv(path)?;
    }
    if let Some(path) = &arguments.parquet {
        tidy.write_parquet(path)?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| arguments.paths[0].join("report"));
    Ok(page.write(&out)?)
}

/// How the sweep in the folder `path` stands: what it varies, how many of its cells are not completed, those of them that
/// are none of the runs, and how many runs are none of its cells. What is not there is said on stderr too.
fn standing(path: &Path, manifest: &Manifest, study: &Study) -> Vec<Note> {
    let Manifest { name, keys, cells, .. } = manifest;
    let missing: Vec<_> = cells.iter().filter(|cell| cell.status != Standing::Completed).collect();
    let told = match missing.len() {
        0 => format!("all {} cells are completed", cells.len()),
        missing => format!("{missing} of {} cells are not completed", cells.len()),
    };
    if !missing.is_empty() {
        say!("warning: {told}");
    }
    let has_run = |cell: &Record| {
        let folder = path.join(&cell.folder);
        study.runs.iter().any(|run| run.record.folder == folder)
    };
    let mut notes = vec![Note {
        text: format!("The sweep {name} varies {}: {told}.", keys.join(", ")),
        details: missing.into_iter().filter(|cell| !has_run(cell)).map(absence).collect(),
    }];
    let is_cell = |run: &Path| cells.iter().any(|cell| run == path.join(&cell.folder));
    let below = study.runs.iter().map(|run| run.record.folder.as_path()).filter(|run| run.starts_with(path));
    let others = below.filter(|run| !is_cell(run)).count();
    if others > 0 {
        let others =
            format!("{others} runs in its folder are no cells of it as it stands now; they count too.");
        notes.push(others.into());
    }
    notes
}

/// How a cell that is no run stands.
fn absence(cell: &Record) -> String {
    let how = match cell.status {
        Standing::Pending => "has not begun",
        Standing::Running => "is running",
        Standing::Interrupted => "was interrupted",
        Standing::Failed => "failed",
        Standing::Completed => "is completed",
    };
    let why = cell.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    format!("Cell {} {how}{why}: {}.", cell.index, cell.label())
}
