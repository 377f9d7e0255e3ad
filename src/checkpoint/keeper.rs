//! Says when a checkpoint is due, and writes it beside the rounds.

use std::{
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use phalanx_actors::{Keeper, Snapshot};

use super::{Origin, write};
use crate::config;

/// The checkpoints of a run under way. A thread of its own writes them; the rounds wait for it only if the next one
/// is due before the last is written.
pub struct Checkpoints {
    every_rounds: u64,
    every: Duration,
    last: Instant,
    writer: Option<(SyncSender<Snapshot>, JoinHandle<()>)>,
}

impl Checkpoints {
    /// Those of the run in the folder `run`, when `due` says.
    pub fn new(run: PathBuf, origin: Origin, due: &config::Checkpoint) -> Self {
        // Without a place to wait in, so that at most one snapshot is held beside the run.
        let (sender, snapshots) = sync_channel(0);
        let keep = due.keep;
        let writer = thread::Builder::new().name("phalanx-checkpoint".to_owned()).spawn(move || {
            for snapshot in snapshots {
                keep_one(&run, &origin, &snapshot, keep);
            }
        });
        let writer = writer.inspect_err(|error| warn(&error.to_string())).ok();
        Self {
            every_rounds: due.every_rounds,
            every: Duration::from_secs_f64(60.0 * due.every_minutes),
            last: Instant::now(),
            writer: writer.map(|writer| (sender, writer)),
        }
    }
}

fn keep_one(run: &std::path::Path, origin: &Origin, snapshot: &Snapshot, keep: usize) {
    if let Err(error) = write(run, origin, snapshot, keep) {
        let round = snapshot.round;
        warn(&format!("{error}; there is no checkpoint after round {round}, and the run goes on"));
    }
}

fn warn(message: &str) {
    say!("warning: {message}");
}

impl Keeper for Checkpoints {
    fn wants(&mut self, round: u64) -> bool {
        let rounds = self.every_rounds > 0 && round.is_multiple_of(self.every_rounds);
        rounds || (!self.every.is_zero() && self.last.elapsed() >= self.every)
    }

    fn keep(&mut self, snapshot: Snapshot) {
        if let Some((sender, _)) = &self.writer {
            // The writer ends when its sender does, and not before.
            let _ = sender.send(snapshot);
        }
        self.last = Instant::now();
    }

    fn cannot(&mut self, round: u64, reason: &str) {
        warn(&format!("round {round}: {reason}; this run has no checkpoints from here on"));
    }
}

impl Drop for Checkpoints {
    /// Waits until the last one is written.
    fn drop(&mut self) {
        if let Some((sender, writer)) = self.writer.take() {
            drop(sender);
            // Its panic has been said already.
            let _ = writer.join();
        }
    }
}
