//! Ctrl-C, SIGTERM and SIGHUP, for all runs of this process. The first ends every run
//! after the round in hand, and no other should begin; the second ends the process, unless that is to wait.

use std::{
    fs, io,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use phalanx_actors::Stopper;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

use crate::exit::INTERRUPTED;

static HANDLER: Once = Once::new();
static RUNS: Mutex<Runs> =
    Mutex::new(Runs { stoppers: Vec::new(), over: 0, interrupted: false, waits: false });
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

struct Runs {
    stoppers: Vec<Stopper>,
    /// How many of them are over.
    over: usize,
    interrupted: bool,
    waits: bool,
}

/// From now on a signal does not end the process at once: a run is about to leave traces.
pub fn listen() {
    HANDLER.call_once(|| {
        if let Err(error) = at_signals(signalled) {
            say!("warning: Ctrl-C will not be handled: {error}");
        }
    });
}

/// Lets a signal stop the run behind `stopper`; one that came since [`listen`] stops it too.
pub fn on_signal(stopper: Stopper) {
    let mut runs = runs();
    if runs.interrupted {
        stopper.stop();
    }
    runs.stoppers.push(stopper);
}

/// A run behind a stopper is over: its process may live on for a moment, without a round in hand.
pub fn over() {
    runs().over += 1;
}

/// How many signals came since [`at_signals`].
pub fn signals() -> usize {
    SIGNALS.load(Ordering::Relaxed)
}

/// Calls `act` at every Ctrl-C, SIGTERM and SIGHUP, on a thread of its own. A SIGHUP that this process was started to
/// ignore, as `nohup` does it, stays ignored.
///
/// # Errors
/// Those of the system.
pub fn at_signals(mut act: impl FnMut() + Send + 'static) -> io::Result<()> {
    let hangup = (!ignores_hangup()).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            SIGNALS.fetch_add(1, Ordering::Relaxed);
            act();
        }
    })?;
    Ok(())
}

/// Whether SIGHUP is ignored. Linux shows the ignored signals as the bits of a hexadecimal number, signal 1 lowest.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits & (1 << (SIGHUP - 1)) != 0)
}

/// From now on a second signal is no more than the first, and the round in hand is waited for: for a process that is
/// signalled by the death of its parent, which comes once for each of the parent's threads that takes it over.
pub fn wait_always() {
    runs().waits = true;
}

/// Whether a signal came.
pub fn interrupted() -> bool {
    runs().interrupted
}

fn signalled() {
    let mut runs = runs();
    if runs.interrupted && !runs.waits {
        // Without a flush: who holds stdout may be stuck.
        low_level::exit(INTERRUPTED.into());
    }
    runs.interrupted = true;
    runs.stoppers.iter().for_each(Stopper::stop);
    let tells = !runs.waits && (runs.stoppers.is_empty() || runs.over < runs.stoppers.len());
    drop(runs);
    if tells {
        say!("ending after the round in hand; a second signal ends at once");
    }
}

fn runs() -> MutexGuard<'static, Runs> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}
