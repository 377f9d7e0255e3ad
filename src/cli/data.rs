//! `phalanx data`: what data sets there are, getting one, where they are looked for, and who holds what.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::{DataArguments, show, table};
use crate::{
    called,
    data::{
        Listing, Place,
        get::{Got, Progress, get},
        roots,
    },
    registry::{Card, Catalogue, Registry},
};

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// The data sets, and where each is.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a data set into the first folder that `path` prints.
    #[command(override_usage = called::with("data get [OPTIONS] <NAME>"))]
    Get {
        /// Its name.
        name: String,
    },
    /// The folders in which data sets are looked for, in that order.
    Path,
    /// Which worker of an experiment holds how many samples of which class.
    Show(show::Arguments),
}

/// Does it.
pub fn main(registry: &Registry, arguments: &DataArguments) -> ExitCode {
    let roots = roots(arguments.data.clone(), None);
    match &arguments.command {
        Command::List { json } => listed(&registry.cards(Catalogue::Datasets), &roots, *json),
        Command::Path => {
            super::print(&roots.iter().map(|root| format!("{}\n", root.display())).collect::<String>())
        }
        Command::Get { name } => return fetch(registry, name, roots),
        Command::Show(shown) => return show::main(registry, shown, arguments.data.as_deref()),
    }
    ExitCode::SUCCESS
}

fn listed(cards: &[Card], roots: &[PathBuf], json: bool) {
    let listing = |card: &Card| match &card.about {
        Some(about) => Listing::of(about, roots),
        None => Listing::configured(card.name.clone(), card.summary.clone(), card.source.clone()),
    };
    let all: Vec<Listing> = cards.iter().map(listing).collect();
    if json {
        return super::print(&format!("{:#}\n", serde_json::to_value(all).unwrap_or_default()));
    }
    super::print(&table::columns(&all.iter().map(row).collect::<Vec<_>>()));
}

fn row(l: &Listing) -> Vec<String> {
    let place = match &l.place {
        Place::Embedded => "embedded".to_owned(),
        Place::Folder(folder) => folder.display().to_string(),
        Place::Absent => format!("absent; `{} data get {}`", called::name(), l.name),
        Place::Configured => format!("as configured; `{} list {}`", called::name(), l.name),
    };
    let sizes = l.train.zip(l.test).map(|(train, test)| format!("{train} + {test}"));
    let shape = l.shape.map(|[channels, height, width]| format!("{channels}x{height}x{width}"));
    let classes = l.classes.map(|classes| format!("{classes} classes"));
    let known = [sizes, shape, classes].map(Option::unwrap_or_default);
    [l.name.clone()].into_iter().chain(known).chain([place]).collect()
}

fn fetch(registry: &Registry, name: &str, roots: Vec<PathBuf>) -> ExitCode {
    let known = registry.cards(Catalogue::Datasets);
    if known.iter().any(|card| card.name == name && card.about.is_none()) {
        return super::unusable(format!(
            "`{name}` is not fetched: an experiment says what it is; see `{} list {name}`",
            called::name()
        ));
    }
    let Some(into) = roots.into_iter().next() else {
        return super::unusable(
            "there is no cache folder, because there is no home folder; give one with --data",
        );
    };
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("  {msg} {bytes} {bar:24}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    let outcome = get(name, &into, &mut |progress| tell(&bar, progress));
    bar.finish_and_clear();
    let folder = match outcome {
        Ok(Got::Embedded) => {
            say!("{name} is in the program");
            return ExitCode::SUCCESS;
        }
        Ok(Got::AlreadyThere(folder)) => {
            say!("{name} was there already, and is right");
            folder
        }
        Ok(Got::Fetched(folder)) => folder,
        Err(error) => return super::unusable(error),
    };
    super::print_line(folder.display());
    ExitCode::SUCCESS
}

fn tell(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Trying { way } => bar.suspend(|| say!("trying {way}")),
        Progress::Failed { way, reason } => bar.suspend(|| say!("{way}: {reason}")),
        Progress::Verified { file } => bar.suspend(|| say!("verified {file}")),
        Progress::Bytes { file, done, total } => {
            bar.set_message(file);
            bar.set_position(done);
            if let Some(total) = total {
                bar.set_length(total);
            }
        }
    }
}
