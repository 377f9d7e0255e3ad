//! `phalanx data show`: which worker holds how many samples of which class.

use std::{path::PathBuf, process::ExitCode};

use super::table;
use crate::{
    experiment::{Holding, Holdings},
    registry::Registry,
};

/// The arguments of `phalanx data show`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment, a TOML file.
    file: PathBuf,
    /// Set a key over the file, e.g. task.partition=extreme; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Shows it.
pub fn main(registry: &Registry, arguments: &Arguments, data: Option<&std::path::Path>) -> ExitCode {
    match Holdings::read(registry, &arguments.file, &arguments.sets, data) {
        Ok(holdings) => super::print(&text(&holdings)),
        Err(error) => return super::unusable(error),
    }
    ExitCode::SUCCESS
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
    if holdings.unused() > 0 {
        remarks += &format!("{} training samples are dealt to nobody\n", holdings.unused());
    }
    if holdings.moved > 0 {
        remarks += &format!("{} samples were moved after the draw, to reach min_size\n", holdings.moved);
    }
    remarks
}
