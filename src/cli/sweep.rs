//! `phalanx sweep`: checks all cells of a file, then runs them as processes.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{print, table, unusable};
use crate::{
    config,
    registry::Registry,
    sweep::{
        cells::{Cell, Draft},
        folder::{Hold, SweepFolder, read_manifest},
        manifest::{Manifest, Record, Standing},
        pool::{Audience, Pool, Stop, Task},
        process::{LOG, Starter},
    },
    telemetry::{Door, SweepMetrics, Telemetry},
};

const INTERRUPTED: u8 = 130;

/// The arguments of `phalanx sweep`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The sweep, a TOML file with a table [sweep].
    file: PathBuf,
    /// Cells at a time [default: as many as the cores allow].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Check every cell and list them; start nothing, write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run one cell only, by its number in the list; others may run elsewhere.
    #[arg(long, value_name = "K")]
    only: Option<usize>,
    /// Run cells again that failed in an earlier call.
    #[arg(long)]
    retry_failed: bool,
    /// Set a key in all cells, or the list of a swept one: sweep.seed=[1,2]; may be repeated.
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
        default_missing_value = "127.0.0.1:9464")]
    metrics: Option<String>,
    /// No progress bar and no line for every cell.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs what is left of the sweep.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    match sweep(registry, arguments) {
        Ok(code) => code,
        Err(error) => unusable(error),
    }
}

fn sweep(registry: &Registry, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(arguments.jobs != Some(0), "--jobs 0: at least one cell at a time is needed");
    let draft = Draft::read(&arguments.file, &arguments.sets)?;
    let path = arguments.out.as_ref().unwrap_or(&draft.out).join(&draft.name);
    if let (Some(index), false) = (arguments.only, arguments.dry_run) {
        return only(registry, arguments, &draft, &path, index);
    }
    let cells = check(registry, &draft, arguments)?;
    let fresh = Manifest::new(&draft, &cells);
    if arguments.dry_run {
        list(&fresh.stand(&path, read_manifest(&path)?.as_ref()), &draft);
        return Ok(ExitCode::SUCCESS);
    }
    let folder = SweepFolder::hold(&path, Hold::All)?;
    let manifest = folder.renew(|before| fresh.stand(&path, before))?;
    let queue = tasks(&manifest, cells, arguments.retry_failed);
    run(&folder, queue, arguments)
}

/// Runs one cell. Its number is looked up in the manifest if that comes from the same file, so that the
/// tasks of an array job need not check all cells each.
fn only(
    registry: &Registry,
    arguments: &Arguments,
    draft: &Draft,
    path: &Path,
    index: usize,
) -> anyhow::Result<ExitCode> {
    let folder = SweepFolder::hold(path, Hold::One)?;
    let known = read_manifest(path)?.filter(|manifest| manifest.digest == draft.digest);
    let manifest = match known {
        Some(manifest) => manifest,
        None => {
            let fresh = Manifest::new(draft, &check(registry, draft, arguments)?);
            folder.renew(|before| fresh.stand(path, before))?
        }
    };
    let count = manifest.cells.len();
    let record = manifest.cells.into_iter().nth(index);
    let Some(record) = record else { anyhow::bail!("--only {index}: the cells are 0 to {}", count - 1) };
    let cell = draft.cell(registry, &record.assignments, arguments.data.as_deref())?;
    anyhow::ensure!(cell.hash == record.hash, "cell {index} is not what {} says", path.display());
    let done = record.status == Standing::Completed;
    let queue = Some(Task { record, config: cell.config }).filter(|_| !done);
    run(&folder, queue.into_iter().collect(), arguments)
}

/// Checks every cell, with a bar where that takes long.
fn check(registry: &Registry, draft: &Draft, arguments: &Arguments) -> anyhow::Result<Vec<Cell>> {
    let bar =
        if arguments.quiet { ProgressBar::hidden() } else { ProgressBar::new(draft.cells.len() as u64) };
    bar.set_style(style("checking cell {pos}/{len} [{bar:24}]"));
    let cells = draft.check(registry, arguments.data.as_deref(), || bar.inc(1));
    bar.finish_and_clear();
    Ok(cells?)
}

/// The cells that are left to run.
fn tasks(manifest: &Manifest, cells: Vec<Cell>, retry_failed: bool) -> VecDeque<Task> {
    let left = |record: &Record| match record.status {
        Standing::Completed => false,
        Standing::Failed => retry_failed,
        _ => true,
    };
    let tasks = manifest.cells.iter().cloned().zip(cells);
    tasks
        .filter(|(record, _)| left(record))
        .map(|(record, cell)| Task { record, config: cell.config })
        .collect()
}

fn run(folder: &SweepFolder, queue: VecDeque<Task>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let shown = arguments.metrics.as_ref().map(|address| Shown::open(address, folder.path())).transpose()?;
    let (jobs, threads) = share(&queue, arguments.jobs);
    let program = std::env::current_exe().unwrap_or_else(|_| "phalanx".into());
    let starter = Starter { program, threads, data: arguments.data.clone() };
    let stop = Stop::default();
    let mut lines = Lines::new(&queue, arguments.quiet, shown);
    lines.say(&format!("{}: {} cells to run, {jobs} at a time", folder.path().display(), queue.len()));
    stop_on_signal(&stop, &lines.bar);
    let pool = Pool { folder, starter, jobs, stop: Arc::clone(&stop) };
    pool.run(queue, &mut lines)?;
    lines.bar.finish_and_clear();
    let manifest = read_manifest(folder.path())?;
    let code = manifest.map_or(ExitCode::SUCCESS, |manifest| conclude(&manifest, folder.path(), arguments));
    println!("{}", folder.path().display());
    Ok(if stop.load(Ordering::Relaxed) > 0 { ExitCode::from(INTERRUPTED) } else { code })
}

/// Cells at a time, and threads of each.
fn share(queue: &VecDeque<Task>, jobs: Option<usize>) -> (usize, usize) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = queue.iter().map(|task| task.config.machine.threads).max().unwrap_or(0);
    let on_gpu = queue.iter().any(|task| task.config.machine.device != "cpu");
    let fitting = if on_gpu { 1 } else { cores / wanted.max(1) };
    let jobs = jobs.unwrap_or(fitting).clamp(1, queue.len().max(1));
    (jobs, if wanted > 0 { wanted } else { (cores / jobs).max(1) })
}

/// First Ctrl-C (or SIGTERM): cells end after the round in hand. Second: they end now.
fn stop_on_signal(stop: &Stop, bar: &ProgressBar) {
    let (stop, shown) = (Arc::clone(stop), bar.clone());
    let handler = move || {
        if stop.fetch_add(1, Ordering::Relaxed) == 0 {
            shown.suspend(|| eprintln!("cells end after their round in hand; again to end them now"));
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C will not be handled: {error}");
    }
}

/// Says how the sweep stands; a cell that failed makes the sweep fail.
fn conclude(manifest: &Manifest, folder: &Path, arguments: &Arguments) -> ExitCode {
    let failed: Vec<&Record> = manifest.cells.iter().filter(|c| c.status == Standing::Failed).collect();
    if !arguments.quiet {
        eprintln!("{}", counts(manifest));
    }
    for cell in &failed {
        let error = cell.error.as_deref().unwrap_or("no reason is known");
        eprintln!("failed: cell {} ({}): {error}", cell.index, cell.label());
        eprintln!("  {}", folder.join(&cell.folder).join(LOG).display());
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    if !arguments.retry_failed {
        eprintln!("--retry-failed runs failed cells again");
    }
    ExitCode::FAILURE
}

fn counts(manifest: &Manifest) -> String {
    use Standing::{Completed, Failed, Interrupted, Pending, Running};
    let words: Vec<String> = [Completed, Failed, Interrupted, Running, Pending]
        .into_iter()
        .map(|standing| (manifest.count(standing), standing.name()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    format!("{} cells: {}", manifest.cells.len(), words.join(", "))
}

/// The cells and how each stands.
fn list(manifest: &Manifest, draft: &Draft) {
    let row = |cell: &Record| {
        vec![cell.index.to_string(), cell.hash.clone(), cell.status.name().to_owned(), cell.label()]
    };
    print(&table::columns(&manifest.cells.iter().map(row).collect::<Vec<_>>()));
    eprintln!("{}", counts(manifest));
    let twins = draft.cells.len() - manifest.cells.len();
    if twins > 0 {
        eprintln!("{twins} more are identical to one of these");
    }
}

/// The bar over all cells, and a line for each that ends.
struct Lines {
    bar: ProgressBar,
    cells: usize,
    ended: usize,
    quiet: bool,
    shown: Option<Shown>,
}

impl Lines {
    fn new(queue: &VecDeque<Task>, quiet: bool, shown: Option<Shown>) -> Self {
        let rounds = queue.iter().map(|task| task.config.rounds).sum();
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(rounds) };
        bar.set_style(style("{msg} [{bar:24}] {percent} %  {eta} left"));
        bar.set_message(format!("0/{} cells", queue.len()));
        Self { bar, cells: queue.len(), ended: 0, quiet, shown }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }
}

impl Audience for Lines {
    fn rounds(&mut self, done: u64) {
        self.bar.set_position(done);
        self.shown.iter().for_each(Shown::look);
    }

    fn ended(&mut self, record: &Record) {
        self.ended += 1;
        self.shown.iter().for_each(Shown::look);
        self.bar.set_message(format!("{}/{} cells", self.ended, self.cells));
        let result = match (record.status, record.test_accuracy, record.gap) {
            (Standing::Completed, Some(accuracy), _) => format!("accuracy {:.2} %", 100.0 * accuracy),
            (Standing::Completed, None, Some(gap)) => format!("gap {gap:.3e}"),
            (standing, ..) => standing.name().to_owned(),
        };
        let seconds = record.seconds.unwrap_or_default();
        let (ended, cells, label) = (self.ended, self.cells, record.label());
        self.say(&format!("{ended:>4}/{cells}  {result}  {seconds:.1} s  {label}"));
    }
}

/// The sweep's own metrics: its cells by state, as the manifest has them.
struct Shown {
    metrics: SweepMetrics,
    folder: PathBuf,
    _telemetry: Telemetry,
}

impl Shown {
    /// Listens on `address` for those who ask after the sweep in `folder`.
    fn open(address: &str, folder: &Path) -> anyhow::Result<Self> {
        let config = config::Telemetry { listen: address.to_owned(), ..config::Telemetry::off() };
        if let Some((key, message)) = config.complaint() {
            anyhow::bail!("--metrics: {key}: {message}");
        }
        let Some(door) = Door::take(&config)? else { anyhow::bail!("--metrics: an address is needed") };
        let telemetry = door.open(&[], 0)?;
        eprintln!("metrics at {}", telemetry.url().unwrap_or_default());
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let metrics = SweepMetrics::new(telemetry.meter(), &name);
        let shown = Self { metrics, folder: folder.to_owned(), _telemetry: telemetry };
        shown.look();
        Ok(shown)
    }

    /// Counts again; a manifest that cannot be read now will be read later.
    fn look(&self) {
        use Standing::{Completed, Failed, Interrupted, Pending, Running};
        if let Ok(Some(manifest)) = read_manifest(&self.folder) {
            // In the order of SweepMetrics::STATES.
            let states = [Pending, Running, Completed, Interrupted, Failed];
            self.metrics.set(states.map(|state| manifest.count(state)));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
