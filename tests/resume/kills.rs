//! Runs that are killed at any moment.

use std::{fs, path::Path, process::Child, time::Duration};

use phalanx_robust::random::{Seed, Stream};
use rand::RngExt;

use crate::stage::{CASTS, Place, checkpoints, ended, experiment, phalanx, resume, same, wait_for};

/// How often runs are killed in this test, over all casts.
const KILLS: usize = 50;
const ROUNDS: u64 = 160;

/// What was going on when a process was killed.
#[derive(Default)]
struct Seen {
    kills: usize,
    /// While a checkpoint was being written.
    writing: usize,
    /// Before there was a checkpoint.
    early: usize,
}

/// Kills a run again and again until it is complete, or has been killed `most` times; then lets it end.
fn torment(place: &Place, out: &str, most: usize, rng: &mut Stream, seen: &mut Seen) -> std::path::PathBuf {
    let (mut child, run) = place.start(out, &[]);
    for number in 0.. {
        if number < most {
            any_moment(&mut child, &run, rng);
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        if status.success() {
            return run;
        }
        assert!(number < most, "it ends by itself, and badly: {status}");
        seen.kills += 1;
        seen.writing += usize::from(unfinished(&run));
        if checkpoints(&run).is_empty() {
            seen.early += 1;
            // Nothing to go on from, which the program says; the run is begun again.
            let refused = resume(&run, &[]);
            assert_eq!(refused.status, 2, "{}", refused.stderr);
            return torment(place, &format!("{out}-{number}"), most - number - 1, rng, seen);
        }
        let threads = if number % 2 == 0 { "2" } else { "1" };
        child = phalanx().arg("resume").arg(&run).args(["--quiet", "--threads", threads]).spawn().unwrap();
    }
    unreachable!("the loop ends when the run does")
}

/// Waits for a random number of rounds, every other time until a checkpoint is being written, and then for a random
/// time: however slow the machine, runs get on.
fn any_moment(child: &mut Child, run: &Path, rng: &mut Stream) {
    let newest = || checkpoints(run).last().copied().unwrap_or(0);
    let goal = newest() + rng.random_range(0..12);
    wait_for(|| (newest() >= goal || child.try_wait().unwrap().is_some()).then_some(()));
    let mut most = 20_000;
    if rng.random() {
        wait_for(|| (unfinished(run) || child.try_wait().unwrap().is_some()).then_some(()));
        most = 4_000;
    }
    std::thread::sleep(Duration::from_micros(rng.random_range(0..most)));
}

fn unfinished(run: &Path) -> bool {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".partial"))
}

#[test]
fn a_run_that_is_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let mut rng = Seed(7).stream("test", 0, "chance", 0);
    let mut seen = Seen::default();
    for (number, cast) in CASTS.into_iter().enumerate() {
        let place = Place::new(&experiment(cast, ROUNDS, 20_000));
        let undisturbed = place.undisturbed();
        let wanted = KILLS * (number + 1) / CASTS.len();
        for attempt in 0.. {
            let run = torment(&place, &format!("{attempt}"), wanted - seen.kills, &mut rng, &mut seen);
            assert_eq!(ended(&run), ("completed".to_owned(), ROUNDS as usize + 1, ROUNDS as usize + 1));
            assert!(!run.join("checkpoints").exists(), "a complete run keeps no checkpoints");
            same(&undisturbed, &run);
            if seen.kills >= wanted {
                break;
            }
        }
    }
    let Seen { kills, writing, early } = seen;
    println!("{kills} kills, {writing} of them during a write, {early} before the first checkpoint");
    assert!(kills >= KILLS && writing >= KILLS / 4, "{kills} kills, {writing} during a write");
}
