//! Ctrl-C and SIGTERM, for all runs of this process. The first ends every run
//! after the round in hand, and no other should begin; the second ends the process, unless that is to wait.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use phalanx_actors::Stopper;

/// The process status of an interrupted run.
const INTERRUPTED: i32 = 130;

static HANDLER: Once = Once::new();
static RUNS: Mutex<Runs> = Mutex::new(Runs { stoppers: Vec::new(), interrupted: false, waits: false });

struct Runs {
    stoppers: Vec<Stopper>,
    interrupted: bool,
    waits: bool,
}

/// Lets a signal stop the run behind `stopper`; one that came before stops it too.
pub(super) fn on_signal(stopper: Stopper) {
    HANDLER.call_once(|| {
        if let Err(error) = ctrlc::set_handler(signalled) {
            say!("warning: Ctrl-C will not be handled: {error}");
        }
    });
    let mut runs = runs();
    if runs.interrupted {
        stopper.stop();
    }
    runs.stoppers.push(stopper);
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
        std::process::exit(INTERRUPTED);
    }
    runs.interrupted = true;
    runs.stoppers.iter().for_each(Stopper::stop);
}

fn runs() -> MutexGuard<'static, Runs> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}
