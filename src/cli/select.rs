//! `phalanx select`: of a sweep's tuned keys, the values whose worst attack has
//! the best final validation accuracy, the mean of the last 20 % of the evaluations.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;

use super::{print, table, unusable};
use crate::{
    config::{read_back, value},
    report::{Estimate, interval, settled},
    results::{Columns, ResultsError},
    sweep::{
        cells::label,
        folder::read_manifest,
        manifest::{Manifest, Record, Standing},
        select::{Accuracy, Choice, Measured, Roles, choose},
    },
};

/// The arguments of `phalanx select`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of a sweep.
    sweep: PathBuf,
    /// The swept keys whose values are chosen, such as aggregator.step.sgd.lr; of several, with commas between them.
    #[arg(long, value_name = "KEY", required = true, value_delimiter = ',')]
    over: Vec<String>,
    /// The swept keys over which the worst is taken, with commas between them [default: attackers.*.attack and attackers.*.actor].
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    worst: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Chooses, and shows what was chosen for each combination of the other keys.
pub fn main(arguments: &Arguments) -> ExitCode {
    match select(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unusable(error),
    }
}

fn select(arguments: &Arguments) -> anyhow::Result<()> {
    let sweep = &arguments.sweep;
    let manifest = read_manifest(sweep)?;
    let manifest = manifest.ok_or_else(|| {
        anyhow::anyhow!("{}: there is no sweep.json; a sweep's folder has one", sweep.display())
    })?;
    let roles = roles(&manifest, arguments)?;
    let cells: Vec<Measured> =
        manifest.cells.iter().map(|cell| measure(sweep, cell)).collect::<Result<_, _>>()?;
    let missing = cells.iter().filter(|cell| cell.accuracy.is_none()).count();
    anyhow::ensure!(missing < cells.len(), "{}: no cell is completed yet", sweep.display());
    if missing > 0 {
        say!("warning: {missing} of {} cells are not completed", manifest.cells.len());
    }
    let choices = choose(&cells, &roles)?;
    warn(&choices);
    if arguments.json {
        let list: Vec<_> = choices.iter().map(as_json).collect();
        print(&format!("{:#}\n", serde_json::Value::from(list)));
    } else {
        print(&table::columns(&rows(&choices, &roles)));
    }
    Ok(())
}

/// Which of the swept keys plays which part.
fn roles(manifest: &Manifest, arguments: &Arguments) -> anyhow::Result<Roles> {
    for key in arguments.over.iter().chain(&arguments.worst) {
        let known = manifest.keys.join(", ");
        anyhow::ensure!(manifest.keys.contains(key), "{key} is not swept; the sweep's keys are {known}");
    }
    anyhow::ensure!(
        !arguments.over.iter().any(|key| key == "seed"),
        "--over seed: a seed is no hyper-parameter; the results of all seeds are averaged"
    );
    anyhow::ensure!(
        !arguments.worst.iter().any(|key| key == "seed"),
        "--worst seed: a seed is no adversary; the results of all seeds are averaged"
    );
    let part = |key: &String| Some(key.strip_prefix("attackers.")?.split('.').nth(1)?.to_owned());
    let is_attack = |key: &&String| part(key).is_some_and(|part| ["attack", "actor"].contains(&&*part));
    let free = |key: &&String| !arguments.over.contains(key);
    let attacks = if arguments.worst.is_empty() {
        manifest.keys.iter().filter(is_attack).filter(free).cloned().collect()
    } else {
        once(&arguments.worst)
    };
    if let Some(key) = attacks.iter().find(|key| arguments.over.contains(key)) {
        anyhow::bail!("{key} cannot be chosen and be the adversary's at once");
    }
    let is_whole =
        |key: &&String| *key == "attackers" || key.starts_with("attackers.") && part(key).is_none();
    for key in manifest.keys.iter().filter(is_whole).filter(free).filter(|key| !attacks.contains(key)) {
        say!("warning: each value of {key} has a choice of its own; --worst {key} takes the worst over them");
    }
    let seeds = manifest.keys.iter().filter(|key| *key == "seed").filter(free).cloned().collect();
    Ok(Roles { tuned: once(&arguments.over), attacks, seeds })
}

/// Keys as typed, each once.
fn once(keys: &[String]) -> Vec<String> {
    let is_first = |(at, key): &(usize, &String)| !keys[..*at].contains(key);
    keys.iter().enumerate().filter(is_first).map(|(_, key)| key.clone()).collect()
}

/// The cell and, if it is completed, the accuracies at its end, as a report has them.
fn measure(sweep: &Path, cell: &Record) -> anyhow::Result<Measured> {
    let (assignments, folder) = (cell.assignments.clone(), sweep.join(&cell.folder));
    if cell.status != Standing::Completed {
        return Ok(Measured { assignments, attacked: true, accuracy: None });
    }
    let accuracy = accuracy(&folder.join("evaluations.csv"))?;
    Ok(Measured {
        assignments,
        attacked: is_attacked(&folder.join("config.toml"))?,
        accuracy: Some(accuracy),
    })
}

/// Whether anyone attacks in the run that left this configuration.
fn is_attacked(path: &Path) -> anyhow::Result<bool> {
    let text = fs::read_to_string(path).map_err(ResultsError::at(path))?;
    Ok(read_back(path, &text)?.is_attacked())
}

fn accuracy(path: &Path) -> anyhow::Result<Accuracy> {
    let evaluations = Columns::read(path)?;
    let settled = |name: &str| evaluations.get(name).and_then(settled);
    let validation = settled("validation_accuracy").ok_or_else(|| {
        anyhow::anyhow!(
            "{}: there is no validation accuracy; `[task] validation = N` holds N samples of the training \
             set out for it, and the test set must not choose",
            path.display()
        )
    })?;
    Ok(Accuracy { validation, test: settled("test_accuracy").unwrap_or(f64::NAN) })
}

fn warn(choices: &[Choice]) {
    let at = |choice: &Choice| match label(&choice.studied) {
        studied if studied.is_empty() => studied,
        studied => format!(" where {studied}"),
    };
    for (choice, tuned) in choices.iter().flat_map(|c| c.incomplete.iter().map(move |tuned| (c, tuned))) {
        say!("warning: {} is not compared, cells are missing or not completed{}", label(tuned), at(choice));
    }
    for choice in choices.iter().filter(|choice| !choice.tied.is_empty()) {
        let tied: Vec<String> = choice.tied.iter().map(label).collect();
        let (tied, chosen) = (tied.join(" or "), label(&choice.chosen));
        say!("warning: {tied} does as well as {chosen}, which comes first{}", at(choice));
    }
}

fn rows(choices: &[Choice], roles: &Roles) -> Vec<Vec<String>> {
    let studied = choices.first().map(|choice| choice.studied.keys().cloned().collect::<Vec<_>>());
    let names = studied.unwrap_or_default().into_iter().chain(roles.tuned.clone());
    let heads =
        ["worst attack", "validation", "test", "lowest test", "seeds", "candidates"].map(str::to_owned);
    let row = |choice: &Choice| {
        let values = choice.studied.values().chain(choice.chosen.values()).map(value);
        let worst = if choice.worst.is_empty() { "–".to_owned() } else { label(&choice.worst) };
        let accuracies = [choice.validation, choice.test, choice.worst_test].map(percent);
        let counts = [choice.validation.n, choice.candidates].map(|count| count.to_string());
        values.chain([worst]).chain(accuracies).chain(counts).collect()
    };
    std::iter::once(names.chain(heads).collect()).chain(choices.iter().map(row)).collect()
}

/// An accuracy with its interval, in percent.
fn percent(accuracy: Estimate) -> String {
    interval(Some(accuracy), |fraction| format!("{:.2}", 100.0 * fraction)) + " %"
}

fn as_json(choice: &Choice) -> serde_json::Value {
    json!({
        "studied": choice.studied,
        "chosen": choice.chosen,
        "worst_attack": choice.worst,
        "validation_accuracy": choice.validation.mean,
        "validation_accuracy_half": choice.validation.half,
        "test_accuracy": choice.test.mean,
        "test_accuracy_half": choice.test.half,
        "lowest_test_accuracy": choice.worst_test.mean,
        "lowest_test_accuracy_half": choice.worst_test.half,
        "seeds": choice.validation.n,
        "candidates": choice.candidates,
        "tied": choice.tied,
        "incomplete": choice.incomplete,
    })
}
