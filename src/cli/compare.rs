//! `phalanx compare`: what differs between two runs, or two sets of runs.

use std::{path::PathBuf, process::ExitCode};

use super::table;
use crate::report::{Comparison, ReportError, compare, count, interval, number, read};

/// What the numbers are, in the words of a report.
const LEGEND: &str = "
Values are means over the seeds of a side, of each the mean over its settings; ± is the 95 % confidence interval by
Student’s t over seeds, none for a single one. A seed that lacks a setting of the others is left out; if each lacks
one, the mean is that of all runs, without an interval.
final is the mean of the last 20 % of the evaluations, last the last of them,
rough the mean |a_k − a_(k−1)| over their last 50 %.
";

/// The arguments of `phalanx compare`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A run folder, or a folder with runs below it.
    a: PathBuf,
    /// Another.
    b: PathBuf,
}

/// Prints what differs in configuration and result.
pub fn main(arguments: &Arguments) -> ExitCode {
    match compared(arguments) {
        Ok(comparison) => {
            super::print(&text(&comparison));
            ExitCode::SUCCESS
        }
        Err(error) => super::unusable(error),
    }
}

fn compared(arguments: &Arguments) -> Result<Comparison, ReportError> {
    compare(read(std::slice::from_ref(&arguments.a))?, read(std::slice::from_ref(&arguments.b))?)
}

fn text(comparison: &Comparison) -> String {
    let (a, b) = (count(comparison.runs.0, "run"), count(comparison.runs.1, "run"));
    let (pairs, seeds) = (count(comparison.pairs, "pair"), count(comparison.seeds, "seed"));
    let mut text = format!("A: {a}, B: {b}, {pairs} of the same seed and settings, {seeds}\n");
    let (a, b) = &comparison.notes;
    let notes = a.iter().map(|note| ("A", note)).chain(b.iter().map(|note| ("B", note)));
    text.extend(notes.map(|(set, note)| format!("{set}: {note}\n")));
    text += "\n";
    if comparison.changes.is_empty() {
        text += "the configurations are the same\n";
    }
    let side = |values: &[String]| if values.is_empty() { "–".to_owned() } else { values.join(", ") };
    let changes: Vec<Vec<String>> = comparison
        .changes
        .iter()
        .map(|change| {
            vec![format!("{}:", change.key), format!("{} → {}", side(&change.from), side(&change.to))]
        })
        .collect();
    text += &table::columns(&changes);
    if comparison.changes.iter().any(|change| change.key == "task.way") {
        text +=
            "task.way is what computed the gradients (–: not recorded); results differ by rounding alone\n";
    }
    let heading = ["", "A", "B", "B − A (paired)"].map(str::to_owned).to_vec();
    let rows = comparison.quantities.iter().map(|quantity| {
        let difference = quantity.difference.map(|d| (if d.mean > 0.0 { "+" } else { "" }, d));
        vec![
            quantity.name.clone(),
            interval(quantity.a, number),
            interval(quantity.b, number),
            difference.map_or_else(
                || "–".to_owned(),
                |(sign, d)| format!("{sign}{} {}", interval(Some(d), number), quantity.difference_unit),
            ),
        ]
    });
    text + "\n" + &table::columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()) + LEGEND
}
