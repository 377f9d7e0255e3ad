//! `phalanx report`: the page, its pictures and the tidy table of runs.

use std::{path::PathBuf, process::ExitCode};

use crate::report::{Page, ReportError, Study, Tidy, read};

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

fn report(arguments: &Arguments) -> Result<PathBuf, ReportError> {
    if arguments.parquet.is_some() && !Tidy::HAS_PARQUET {
        return Err(ReportError::NoParquet);
    }
    let study = Study::new(read(&arguments.paths)?)?;
    let page = Page::new(&study, arguments.baseline.as_deref())?;
    let tidy = Tidy::of(&study);
    if let Some(path) = &arguments.csv {
        tidy.write_csv(path)?;
    }
    if let Some(path) = &arguments.parquet {
        tidy.write_parquet(path)?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| arguments.paths[0].join("report"));
    page.write(&out)
}
