//! `phalanx watch`: one run while it runs, from its run folder. Draws on a
//! terminal, writes lines to a dumb one and to anything else, and ends when the
//! run ends or its process is gone.

mod picture;
mod screen;
mod weights;

use std::{
    env, fs, io,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};

use self::picture::Picture;
use super::{print, table, unusable};
use crate::called;
use crate::results::{
    FolderLock, ReadError, Summary,
    read::{RunRecord, find_folders},
};

/// How often the folder is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// The arguments of `phalanx watch`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run folder, or a folder of runs [default: the newest run under --out that is under way].
    run: Option<PathBuf>,
    /// Folder for results.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Lines, also on a terminal that can draw.
    #[arg(long)]
    plain: bool,
}

/// Watches the run.
pub fn main(arguments: &Arguments) -> ExitCode {
    match watch(arguments) {
        Ok(end) => conclude(end.as_ref()),
        Err(error) => unusable(error),
    }
}

fn watch(arguments: &Arguments) -> anyhow::Result<Option<Summary>> {
    let folder = choose(arguments)?;
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if arguments.plain || dumb || !io::stdout().is_terminal() {
        return lines(&folder);
    }
    say!("{}", folder.display());
    ratatui::run(|terminal| draw(terminal, &folder))
}

/// The run to watch: the newest that is under way, or else the newest there is.
fn choose(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let root = arguments.run.as_ref().unwrap_or(&arguments.out);
    let folders = find_folders(root)?;
    let newest =
        |folders: &mut dyn Iterator<Item = &PathBuf>| folders.max_by_key(|folder| touched(folder)).cloned();
    let running = newest(&mut folders.iter().filter(|folder| is_under_way(folder)));
    let found = running.or_else(|| arguments.run.as_ref().and_then(|_| newest(&mut folders.iter())));
    found.ok_or_else(|| {
        anyhow::anyhow!("{}: no run is under way; name one to see how it went", root.display())
    })
}

/// Whether a process works in the folder, and has not ended the run.
fn is_under_way(folder: &Path) -> bool {
    !folder.join("summary.json").exists() && FolderLock::is_held(folder)
}

/// When a round was last written.
fn touched(folder: &Path) -> SystemTime {
    let time = |name: &str| fs::metadata(folder.join(name)).and_then(|data| data.modified()).ok();
    time("rounds.csv").or_else(|| time("run.json")).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A run folder that is looked at again and again.
struct Feed<'a> {
    folder: &'a Path,
    picture: Picture,
    changed: Instant,
}

impl<'a> Feed<'a> {
    fn open(folder: &'a Path) -> Result<Self, ReadError> {
        let mut feed = Self { folder, picture: Picture::default(), changed: Instant::now() };
        feed.look()?;
        Ok(feed)
    }

    /// Reads the folder; whether there was something new in it.
    fn look(&mut self) -> Result<bool, ReadError> {
        let record = RunRecord::read(self.folder)?;
        let mut picture = Picture::of(&record);
        let shown = record
            .info
            .metrics
            .filter(|_| picture.end.is_none() && record.config.telemetry.worker_series > 0);
        picture.workers = shown.map(|url| weights::scrape(&url)).unwrap_or_default();
        let new = picture != self.picture;
        if new {
            self.changed = Instant::now();
        }
        self.picture = picture;
        Ok(new)
    }

    /// An error if the process that worked in the folder has left it without a summary.
    fn check_abandoned(&mut self) -> anyhow::Result<()> {
        if self.picture.end.is_some() || FolderLock::is_held(self.folder) {
            return Ok(());
        }
        // It may have ended since it was looked at.
        self.look()?;
        anyhow::ensure!(
            self.picture.end.is_some(),
            "{}: the run ended without a summary; `{} resume` goes on from its checkpoint, if it left one",
            self.folder.display(),
            called::name()
        );
        Ok(())
    }
}

/// A line for every evaluation, and for at least every few seconds in which rounds were made.
fn lines(folder: &Path) -> anyhow::Result<Option<Summary>> {
    const EVERY: Duration = Duration::from_secs(5);
    let mut feed = Feed::open(folder)?;
    say!("{}\n{}: {}", folder.display(), feed.picture.name, feed.picture.versus);
    let (mut said, mut evaluations) = (None::<Instant>, 0);
    loop {
        let seen = feed.picture.loss[0].len();
        let due = said.is_none_or(|at| at.elapsed() >= EVERY && feed.changed > at);
        if seen != evaluations || due || feed.picture.end.is_some() {
            print(&format!("{}\n", feed.picture.line()));
            (said, evaluations) = (Some(Instant::now()), seen);
        }
        if let Some(end) = feed.picture.end {
            return Ok(Some(end));
        }
        feed.check_abandoned()?;
        std::thread::sleep(PERIOD);
        feed.look()?;
    }
}

/// Draws until the run ends or the user has seen enough. A run that had ended before stays until then.
fn draw(terminal: &mut DefaultTerminal, folder: &Path) -> anyhow::Result<Option<Summary>> {
    let mut feed = Feed::open(folder)?;
    let over = feed.picture.end.is_some();
    loop {
        let silent = feed.changed.elapsed().as_secs();
        terminal.draw(|frame| screen::draw(frame, &feed.picture, silent))?;
        if quits()? || (!over && feed.picture.end.is_some()) {
            return Ok(feed.picture.end);
        }
        if !over {
            feed.look()?;
            feed.check_abandoned()?;
        }
    }
}

/// Waits for a period, or for a key; whether it is one that quits.
fn quits() -> io::Result<bool> {
    let until = Instant::now() + PERIOD;
    while event::poll(until.saturating_duration_since(Instant::now()))? {
        match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let interrupt =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
            Event::Resize(..) => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

/// Says how the run ended, if it did.
fn conclude(end: Option<&Summary>) -> ExitCode {
    let Some(end) = end else { return ExitCode::SUCCESS };
    let rows: Vec<Vec<String>> =
        end.rows().into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
    say!("{}", table::columns(&rows).trim_end());
    if let Some(error) = &end.error {
        say!("the run failed: {error}");
    }
    ExitCode::SUCCESS
}
