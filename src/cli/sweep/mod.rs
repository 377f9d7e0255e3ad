//! `phalanx sweep`: checks all cells of a file, then runs them as processes or
//! hands them to a cluster.

mod cluster;
mod progress;

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
};

use indicatif::ProgressBar;

use self::{
    cluster::{Cluster, tasks},
    progress::{Lines, Shown, style},
};
use super::{address, at_least, print, table, unusable};
use crate::{
    called,
    checkpoint::{Build, newest_build},
    exit::INTERRUPTED,
    machine::cores,
    registry::Registry,
    report::count,
    results::{FolderLock, read::find_folders},
    sweep::{
        cells::{Cell, Draft, Name, remarks},
        folder::{Hold, SweepFolder, read_manifest},
        manifest::{Manifest, Record, Standing},
        pool::{Pool, Stop, Task},
        process::{LOG, Starter},
    },
};

/// The arguments of `phalanx sweep`.
#[derive(clap::Args)]
#[command(override_usage = called::with("sweep [OPTIONS] <FILE>"))]
pub struct Arguments {
    /// The sweep, a TOML file with a table [sweep].
    file: PathBuf,
    /// Cells at a time [default: as many as the cores allow].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least(1_usize))]
    jobs: Option<usize>,
    /// Check every cell and list them; start nothing, write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run one cell only, by its number in the list; others may run elsewhere.
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    only: Option<usize>,
    /// Run cells again that failed in an earlier call.
    #[arg(long)]
    retry_failed: bool,
    /// Set a key that is not swept in all cells, or the list of a swept one: sweep.seed=[1,2]; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Folder for results [default: the experiment's machine.out, "runs"].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder with data sets, searched first.
    #[arg(long, value_name = "DIR", env = "PHALANX_DATA")]
    data: Option<PathBuf>,
    /// Show to Prometheus how many cells are in which state [default address: 127.0.0.1:9464].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true,
        default_missing_value = "127.0.0.1:9464", value_parser = address)]
    metrics: Option<String>,
    /// No progress bar and no line for every cell.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    cluster: Cluster,
}

impl Arguments {
    /// The arguments that make the same sweep in a task of a cluster.
    fn for_tasks(&self) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut words = vec!["sweep".to_owned(), path(&self.file)];
        words.extend(self.sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
        words.extend(self.out.iter().flat_map(|out| ["--out".to_owned(), path(out)]));
        words.extend(self.data.iter().flat_map(|data| ["--data".to_owned(), path(data)]));
        words
    }
}

/// Runs what is left of the sweep.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    match sweep(registry, arguments) {
        Ok(code) => code,
        Err(error) => unusable(error),
    }
}

fn sweep(registry: &Registry, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let draft = Draft::read(&arguments.file, &arguments.sets)?;
    let path = arguments.out.as_ref().unwrap_or(&draft.out).join(&draft.name);
    if let (Some(index), false) = (arguments.only, arguments.dry_run) {
        return only(registry, arguments, &draft, &path, index);
    }
    let cells = check(registry, &draft, arguments)?;
    let fresh = Manifest::new(&draft, cells.iter().map(|cell| &cell.name));
    warn_of_others(&path, &fresh);
    if arguments.dry_run {
        let manifest = fresh.stand(&path, read_manifest(&path)?.as_ref())?;
        if arguments.cluster.is_wanted() {
            let queue = left(&manifest, cells, arguments.retry_failed);
            arguments.cluster.show(&tasks(&draft.name, path, &queue, arguments)?);
        } else {
            list(&manifest, &draft);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let shown = shown(arguments, &path)?;
    // Who hands cells over runs none, and may do so while others are at work.
    let hold = if arguments.cluster.is_wanted() { Hold::One } else { Hold::All };
    let folder = SweepFolder::hold(&path, hold)?;
    let manifest = folder.renew(|before| {
        let own: HashSet<&str> = fresh.cells.iter().map(|cell| cell.hash.as_str()).collect();
        let listed = |cell: &Record| own.contains(cell.hash.as_str());
        let lost = |before: &&Manifest| before.file != fresh.file && !before.cells.iter().all(listed);
        if let Some(other) = before.filter(lost) {
            say!(
                "warning: {} held a sweep of {}; its cells are listed no more, their runs stay",
                path.display(),
                other.file
            );
        }
        fresh.stand(&path, before)
    })?;
    let queue = left(&manifest, cells, arguments.retry_failed);
    warn_of_other_builds(&path, &queue);
    if arguments.cluster.is_wanted() {
        return arguments.cluster.hand_over(&tasks(&draft.name, path, &queue, arguments)?, folder);
    }
    run(&folder, queue, arguments, shown)
}

/// Says of runs in the sweep's folder that they are no cells of it, such as those of an earlier call with other settings.
fn warn_of_others(sweep: &Path, manifest: &Manifest) {
    let cells: HashSet<PathBuf> = manifest.cells.iter().map(|cell| sweep.join(&cell.folder)).collect();
    // A folder that cannot be read, or holds no run yet, has no others.
    let runs = find_folders(sweep).unwrap_or_default();
    let others: Vec<PathBuf> = runs.into_iter().filter(|run| !cells.contains(run)).collect();
    if others.is_empty() {
        return;
    }
    let (noun, be) =
        (count(others.len(), "run"), if others.len() == 1 { "is no cell" } else { "are no cells" });
    say!(
        "warning: {noun} in {} {be} of this sweep; reports of the folder count them unless they are removed: {}",
        sweep.display(),
        some(&others)
    );
}

/// Says of cells that were interrupted in another build of the program, whose rounds this one does not go on with.
fn warn_of_other_builds(sweep: &Path, queue: &VecDeque<Task>) {
    let is_other = |run: &PathBuf| newest_build(run).is_some_and(|build| build != Build::this());
    let others: Vec<PathBuf> =
        queue.iter().map(|task| sweep.join(&task.record.folder)).filter(is_other).collect();
    if !others.is_empty() {
        say!(
            "warning: the checkpoint of {} was written by another build of the program; what was done is kept in a folder \
             earlier-<time> in that of the cell, which begins anew: {}",
            count(others.len(), "cell"),
            some(&others)
        );
    }
}

/// The first few of these folders, on a line.
fn some(folders: &[PathBuf]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = folders.iter().take(SHOWN).map(|folder| folder.display().to_string()).collect();
    let more = folders.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(" ") + &more
}

/// Where the sweep's own metrics are shown, if they are asked for.
fn shown(arguments: &Arguments, path: &Path) -> anyhow::Result<Option<Shown>> {
    let address = arguments.metrics.as_ref().filter(|_| !arguments.cluster.is_wanted());
    address.map(|address| Shown::open(address, path)).transpose()
}

/// Runs one cell. Its number is looked up in the manifest if that comes from the same file, so that the
/// tasks of an array job need not name all cells each. Only this cell is checked as a whole.
fn only(
    registry: &Registry,
    arguments: &Arguments,
    draft: &Draft,
    path: &Path,
    index: usize,
) -> anyhow::Result<ExitCode> {
    let known = read_manifest(path)?.filter(|manifest| manifest.digest == draft.digest);
    let fresh = match &known {
        Some(_) => None,
        None => Some(Manifest::new(draft, &names(registry, draft, arguments)?)),
    };
    let cells = known.as_ref().or(fresh.as_ref()).map_or(&[][..], |manifest| &manifest.cells);
    let Some(wanted) = cells.get(index) else {
        anyhow::bail!("--only {index}: the cells are 0 to {}", cells.len().saturating_sub(1));
    };
    let cell = draft.cell(registry, &wanted.assignments, arguments.data.as_deref())?;
    let hash = cell.name.hash();
    anyhow::ensure!(hash == wanted.hash, "cell {index} is not what {} says", path.display());
    let shown = shown(arguments, path)?;
    let folder = SweepFolder::hold(path, Hold::One)?;
    let manifest = match fresh {
        Some(fresh) => Some(folder.renew(|before| fresh.stand(path, before))?),
        None => read_manifest(path)?,
    };
    let same = |record: &Record| record.hash == hash;
    let record = manifest.and_then(|manifest| manifest.cells.into_iter().find(same));
    let Some(record) = record else { anyhow::bail!("--only {index}: there is no such cell any more") };
    let done = record.status == Standing::Completed;
    let claim = folder.claim(&hash)?;
    let busy = claim.is_none() || FolderLock::is_held(&path.join(&record.folder));
    if busy && !done {
        say!("cell {index} is at work in another process, and left to it");
    }
    let task = Some(Task { record, config: cell.config }).filter(|_| !done && !busy);
    let queue: VecDeque<Task> = task.into_iter().collect();
    warn_of_other_builds(path, &queue);
    run(&folder, queue, arguments, shown)
}

/// Checks every cell, with a bar where that takes long.
fn check(registry: &Registry, draft: &Draft, arguments: &Arguments) -> anyhow::Result<Vec<Cell>> {
    let bar = bar(draft, arguments, "checking");
    let cells = draft.check(registry, arguments.data.as_deref(), || bar.inc(1));
    bar.finish_and_clear();
    let cells = cells?;
    draft.remarks.iter().chain(&remarks(&cells)).for_each(|remark| say!("warning: {remark}"));
    Ok(cells)
}

/// Names every cell, with a bar where that takes long.
fn names(registry: &Registry, draft: &Draft, arguments: &Arguments) -> anyhow::Result<Vec<Name>> {
    let bar = bar(draft, arguments, "naming");
    let names = draft.names(registry, arguments.data.as_deref(), || bar.inc(1));
    bar.finish_and_clear();
    Ok(names?)
}

/// A bar over all cells, and what is done with them.
fn bar(draft: &Draft, arguments: &Arguments, doing: &str) -> ProgressBar {
    let bar =
        if arguments.quiet { ProgressBar::hidden() } else { ProgressBar::new(draft.cells.len() as u64) };
    bar.set_style(style(&format!("{doing} cell {{pos}}/{{len}} [{{bar:24}}]")));
    bar
}

/// The cells that are left to run.
fn left(manifest: &Manifest, cells: Vec<Cell>, retry_failed: bool) -> VecDeque<Task> {
    let is_left = |record: &Record| match record.status {
        Standing::Completed => false,
        Standing::Failed => retry_failed,
        _ => true,
    };
    let tasks = manifest.cells.iter().cloned().zip(cells);
    tasks
        .filter(|(record, _)| is_left(record))
        .map(|(record, cell)| Task { record, config: cell.config })
        .collect()
}

fn run(
    folder: &SweepFolder,
    queue: VecDeque<Task>,
    arguments: &Arguments,
    shown: Option<Shown>,
) -> anyhow::Result<ExitCode> {
    let (jobs, threads) = share(&queue, arguments.jobs);
    let program = std::env::current_exe().unwrap_or_else(|_| "phalanx".into());
    let starter = Starter { program, threads, data: arguments.data.clone() };
    let stop = Stop::default();
    let mut lines = Lines::new(&queue, arguments.quiet, shown);
    lines.say(&format!("{}: {} cells to run, {jobs} at a time", folder.path().display(), queue.len()));
    stop_on_signal(&stop, &lines.bar);
    let pool = Pool { folder, starter, jobs, stop: Arc::clone(&stop) };
    let ended = pool.run(queue, &mut lines);
    lines.bar.finish_and_clear();
    if let Err(error) = ended {
        say!("error: {error}");
        super::print_line(folder.path().display());
        return Ok(ExitCode::FAILURE);
    }
    let manifest = read_manifest(folder.path())?;
    let code = manifest.map_or(ExitCode::SUCCESS, |manifest| conclude(&manifest, folder.path(), arguments));
    super::print_line(folder.path().display());
    Ok(if stop.load(Ordering::Relaxed) > 0 { ExitCode::from(INTERRUPTED) } else { code })
}

/// Cells at a time, and threads of each.
fn share(queue: &VecDeque<Task>, jobs: Option<usize>) -> (usize, usize) {
    let cores = cores();
    let wanted = wanted(queue);
    let on_gpu = queue.iter().any(|task| task.config.machine.device != "cpu");
    let fitting = if on_gpu { 1 } else { cores / wanted.max(1) };
    let jobs = jobs.unwrap_or(fitting).clamp(1, queue.len().max(1));
    (jobs, if wanted > 0 { wanted } else { (cores / jobs).max(1) })
}

/// Threads of a cell as its file has them; 0 leaves it to the sweep.
fn wanted(queue: &VecDeque<Task>) -> usize {
    queue.iter().map(|task| task.config.machine.threads).max().unwrap_or(0)
}

/// First Ctrl-C (or SIGTERM): cells end after the round in hand. Second: they end now.
fn stop_on_signal(stop: &Stop, bar: &ProgressBar) {
    let (stop, shown) = (Arc::clone(stop), bar.clone());
    let handler = move || {
        if stop.fetch_add(1, Ordering::Relaxed) == 0 {
            shown.suspend(|| say!("cells end after their round in hand; again to end them now"));
        }
    };
    if let Err(error) = crate::stop::at_signals(handler) {
        say!("warning: Ctrl-C will not be handled: {error}");
    }
}

/// Says how the sweep stands; a cell that failed makes the sweep fail.
fn conclude(manifest: &Manifest, folder: &Path, arguments: &Arguments) -> ExitCode {
    let is_ours = |cell: &Record| arguments.only.is_none_or(|only| only == cell.index);
    let failed = |cell: &&Record| cell.status == Standing::Failed && is_ours(cell);
    let failed: Vec<&Record> = manifest.cells.iter().filter(failed).collect();
    if !arguments.quiet {
        say!("{}", counts(manifest));
    }
    for cell in &failed {
        let error = cell.error.as_deref().unwrap_or("no reason is known");
        say!("failed: cell {} ({}): {error}", cell.index, cell.label());
        say!("  {}", folder.join(&cell.folder).join(LOG).display());
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    if !arguments.retry_failed {
        say!("--retry-failed runs failed cells again");
    }
    ExitCode::FAILURE
}

fn counts(manifest: &Manifest) -> String {
    use Standing::{Completed, Failed, Interrupted, Pending, Running};
    let words: Vec<String> = [Completed, Failed, Interrupted, Running, Pending]
        .into_iter()
        .map(|standing| (manifest.count(standing), standing.name()))
        .filter(|(number, _)| *number > 0)
        .map(|(number, name)| format!("{number} {name}"))
        .collect();
    format!("{}: {}", count(manifest.cells.len(), "cell"), words.join(", "))
}

/// The cells and how each stands.
fn list(manifest: &Manifest, draft: &Draft) {
    let row = |cell: &Record| {
        vec![cell.index.to_string(), cell.hash.clone(), cell.status.name().to_owned(), cell.label()]
    };
    print(&table::columns(&manifest.cells.iter().map(row).collect::<Vec<_>>()));
    say!("{}", counts(manifest));
    let twins = draft.cells.len() - manifest.cells.len();
    if twins > 0 {
        say!("{twins} more are identical to one of these");
    }
}
