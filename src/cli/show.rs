//! `phalanx data show`: which worker holds how many samples of which class, as a table and as a picture.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::table;
use crate::{
    called,
    experiment::{Holding, Holdings},
    registry::Registry,
    report::{Cell, Heat, ReportError, save_picture},
};

/// As many workers as a picture can hold.
const MOST: usize = 100;

/// The arguments of `phalanx data show`.
#[derive(clap::Args)]
#[command(override_usage = called::with("data show [OPTIONS] <FILE>"))]
pub struct Arguments {
    /// The experiment, a TOML file.
    file: PathBuf,
    /// Set a key over the file, e.g. task.partition=extreme; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Also draw it: a heat map of workers and classes; .svg or .png.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Shows it.
pub fn main(registry: &Registry, arguments: &Arguments, data: Option<&Path>) -> ExitCode {
    match show(registry, arguments, data) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::unusable(error),
    }
}

fn show(registry: &Registry, arguments: &Arguments, data: Option<&Path>) -> anyhow::Result<()> {
    let holdings = Holdings::read(registry, &arguments.file, &arguments.sets, data)?;
    super::print(&text(&holdings));
    if let Some(file) = &arguments.out {
        draw(&holdings, file)?;
    }
    Ok(())
}

fn draw(holdings: &Holdings, file: &Path) -> Result<(), ReportError> {
    let shown = holdings.workers.len().min(MOST);
    let rest = match holdings.workers.len() - shown {
        0 => String::new(),
        rest => format!("; {rest} more workers are not shown"),
    };
    let cell = |&count: &usize| match count {
        0 => Cell::Empty,
        count => Cell::Number { value: count as f64, text: count.to_string(), note: String::new() },
    };
    let cells = |counts: &[usize]| counts.iter().map(cell).collect();
    let samples = |counts: &[usize]| counts.iter().sum::<usize>();
    let row =
        |(id, holding): (usize, &Holding)| format!("{id} {}: {}", role(holding), samples(&holding.counts));
    let mut heat = Heat {
        title: holdings.title.clone(),
        what: format!("samples of each class; after the colon of all classes{rest}"),
        across: "class".to_owned(),
        columns: (0..holdings.training.len()).map(|class| class.to_string()).collect(),
        rows: holdings.workers.iter().take(shown).enumerate().map(row).collect(),
        cells: holdings.workers.iter().take(shown).map(|holding| cells(&holding.counts)).collect(),
        apart: false,
        higher_is_better: true,
        log: false,
    };
    if holdings.workers.is_empty() {
        heat.rows = vec![format!("one stream for all: {}", samples(&holdings.training))];
        heat.cells = vec![cells(&holdings.training)];
    }
    save_picture(&heat.draw().map_err(ReportError::draw)?, file)
}

/// Title, table and remarks.
fn text(holdings: &Holdings) -> String {
    let mut rows = vec![heading(holdings.training.len())];
    rows.extend(
        holdings
            .workers
            .iter()
            .enumerate()
            .map(|(id, holding)| line(&id.to_string(), role(holding), &holding.counts)),
    );
    rows.push(line("training", String::new(), &holdings.training));
    rows.extend(holdings.validation.iter().map(|counts| line("validation", String::new(), counts)));
    rows.extend(holdings.root.iter().map(|counts| line("root", "server".to_owned(), counts)));
    format!("{}\n{}{}", holdings.title, table::columns(&right(rows)), remarks(holdings))
}

fn heading(classes: usize) -> Vec<String> {
    let classes = (0..classes).map(|class| class.to_string());
    ["worker", "", "samples"].map(str::to_owned).into_iter().chain(classes).collect()
}

fn line(name: &str, role: String, counts: &[usize]) -> Vec<String> {
    // A dot for nothing, so that the pattern can be seen.
    let cell = |&count: &usize| if count == 0 { "·".to_owned() } else { count.to_string() };
    let samples: usize = counts.iter().sum();
    [name.to_owned(), role, samples.to_string()].into_iter().chain(counts.iter().map(cell)).collect()
}

fn role(holding: &Holding) -> String {
    let role = if holding.is_honest { "honest" } else { "attacker" };
    holding.lender.map_or_else(|| role.to_owned(), |lender| format!("{role}, as {lender}"))
}

/// Numbers end below one another: every column but the first two is padded on the left.
fn right(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let columns = rows.first().map_or(0, Vec::len);
    for column in 2..columns {
        let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        rows.iter_mut().for_each(|row| row[column] = format!("{:>width$}", row[column]));
    }
    rows
}

fn remarks(holdings: &Holdings) -> String {
    let mut remarks = String::new();
    if holdings.workers.is_empty() {
        remarks +=
            "all workers draw from one shuffled stream over the training set; nobody holds a part of it\n";
    }
    if holdings.unused > 0 {
        remarks += &format!("{} training samples are dealt to nobody\n", holdings.unused);
    }
    if holdings.moved > 0 {
        remarks += &format!("{} samples were moved after the draw, to reach min_size\n", holdings.moved);
    }
    remarks
}
