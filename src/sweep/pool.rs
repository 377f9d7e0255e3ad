//! Runs cells as processes of this machine, so many at a time. One thread
//! watches them all: it starts, reaps, records and passes Ctrl-C on.

use std::{
    collections::VecDeque,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    folder::{FolderError, SweepFolder},
    manifest::{Record, Standing},
    process::{Starter, end},
};
use crate::{config::Config, results::ResultsError};

const TICK: Duration = Duration::from_millis(20);

/// Reads of progress in a second are few: files of runs may lie on a network.
const GLANCE: Duration = Duration::from_millis(500);

/// Who is told how the cells get on.
pub trait Audience {
    /// So many rounds are done in all cells of this call.
    fn rounds(&mut self, done: u64);
    /// A cell ended, well or not.
    fn ended(&mut self, record: &Record);
}

/// How often Ctrl-C was pressed. Once: cells end after their round in hand, and no other begins. Twice: they are killed.
pub type Stop = Arc<AtomicUsize>;

/// Cells that are run at the same time.
pub struct Pool<'a> {
    /// Where they run.
    pub folder: &'a SweepFolder,
    /// How they start.
    pub starter: Starter,
    /// How many at a time.
    pub jobs: usize,
    /// Ctrl-C.
    pub stop: Stop,
}

/// A cell to run.
pub struct Task {
    /// How it stands.
    pub record: Record,
    /// Its configuration as resolved.
    pub config: Config,
}

/// A cell at work.
struct Running {
    record: Record,
    path: PathBuf,
    rounds: u64,
    child: Child,
    began: Instant,
}

impl Pool<'_> {
    /// Runs the cells of `queue`, and returns how they ended; those that had not begun when Ctrl-C came
    /// are not among them.
    ///
    /// # Errors
    /// [`FolderError`] if the sweep's folder cannot be written; cells at work are told to end before, as by Ctrl-C.
    pub fn run(
        &self,
        mut queue: VecDeque<Task>,
        audience: &mut dyn Audience,
    ) -> Result<Vec<Record>, FolderError> {
        let mut shift = Shift { pool: self, running: Vec::new(), ended: Vec::new(), rounds: 0, told: 0 };
        let mut glanced = Instant::now();
        while shift.turn(&mut queue, audience).inspect_err(|_| shift.close(audience))? {
            if glanced.elapsed() > GLANCE {
                audience.rounds(shift.rounds_done());
                glanced = Instant::now();
            }
            thread::sleep(TICK);
        }
        Ok(std::mem::take(&mut shift.ended))
    }

    fn start(&self, task: &Task) -> Result<Running, ResultsError> {
        let path = self.folder.path().join(&task.record.folder);
        let child = self.starter.start(&path, &task.config)?;
        let record = task.record.with(Standing::Running, None);
        Ok(Running { record, path, rounds: task.config.rounds, child, began: Instant::now() })
    }
}

/// The state of a call of [`Pool::run`]. However it ends, no process outlives it.
struct Shift<'a> {
    pool: &'a Pool<'a>,
    running: Vec<Running>,
    ended: Vec<Record>,
    /// Rounds of the cells that ended.
    rounds: u64,
    /// How often the cells have been told to end.
    told: usize,
}

impl Shift<'_> {
    /// Starts, tells and reaps what there is; false when nothing is left to do.
    fn turn(&mut self, queue: &mut VecDeque<Task>, audience: &mut dyn Audience) -> Result<bool, FolderError> {
        let stop = self.pool.stop.load(Ordering::Relaxed);
        while stop == 0 && self.running.len() < self.pool.jobs {
            let Some(task) = queue.pop_front() else { break };
            match self.pool.start(&task) {
                Ok(cell) => {
                    self.pool.folder.record(&cell.record)?;
                    self.running.push(cell);
                }
                Err(error) => self.refuse(task, &error, audience)?,
            }
        }
        self.tell(stop);
        self.reap(stop > 0, audience)?;
        Ok(!self.running.is_empty() || (stop == 0 && !queue.is_empty()))
    }

    /// Passes on to the cells how often they are to `stop`.
    fn tell(&mut self, stop: usize) {
        if stop > self.told {
            self.running.iter_mut().for_each(if stop == 1 { interrupt } else { kill });
            self.told = stop;
        }
    }

    /// Takes leave of the cells that have ended.
    fn reap(&mut self, stopped: bool, audience: &mut dyn Audience) -> Result<(), FolderError> {
        for at in (0..self.running.len()).rev() {
            let lost = ResultsError::at(&self.pool.starter.program);
            if let Some(status) = self.running[at].child.try_wait().map_err(lost)? {
                let mut cell = self.running.remove(at);
                self.rounds += cell.rounds;
                end(&cell.path, status, cell.began.elapsed().as_secs_f64(), stopped, &mut cell.record);
                self.end(cell.record, audience)?;
            }
        }
        Ok(())
    }

    /// Has the cells at work end after their round in hand, with a checkpoint, and waits for them. How they stand can
    /// perhaps not be recorded; the next call finds it in their folders.
    fn close(&mut self, audience: &mut dyn Audience) {
        while !self.running.is_empty() {
            self.tell(self.pool.stop.load(Ordering::Relaxed).max(1));
            let left = self.running.len();
            if self.reap(true, audience).is_err() && self.running.len() == left {
                return; // a process that cannot be waited for
            }
            thread::sleep(TICK);
        }
    }

    /// Records a cell that cannot start; the others go on.
    fn refuse(
        &mut self,
        task: Task,
        error: &ResultsError,
        audience: &mut dyn Audience,
    ) -> Result<(), FolderError> {
        let record = task.record.with(Standing::Failed, Some(error.to_string()));
        self.rounds += task.config.rounds;
        self.end(record, audience)
    }

    fn end(&mut self, record: Record, audience: &mut dyn Audience) -> Result<(), FolderError> {
        let recorded = self.pool.folder.record(&record);
        audience.ended(&record);
        self.ended.push(record);
        recorded
    }

    fn rounds_done(&self) -> u64 {
        self.rounds + self.running.iter().map(|cell| rounds_of(&cell.path)).sum::<u64>()
    }
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        for cell in &mut self.running {
            kill(cell);
            let _ = cell.child.wait();
        }
    }
}

/// Tells a cell to end. It has not been reaped, so its number is still its own.
fn interrupt(cell: &mut Running) {
    if let Some(pid) = Pid::from_raw(cell.child.id().cast_signed()) {
        let _ = kill_process(pid, Signal::INT);
    }
}

/// Ends a cell within its round; it goes on from its newest checkpoint.
fn kill(cell: &mut Running) {
    let _ = cell.child.kill();
}

/// The last round in a run's table.
fn rounds_of(folder: &Path) -> u64 {
    let last = || {
        let mut file = File::open(folder.join("rounds.csv")).ok()?;
        let len = file.seek(SeekFrom::End(0)).ok()?;
        file.seek(SeekFrom::Start(len.saturating_sub(512))).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        text.trim_end().rsplit('\n').next()?.split(',').next()?.parse().ok()
    };
    last().unwrap_or(0)
}
