//! What the system allows a process, as far as a process may ask for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::SIGXFSZ;

/// Asks for as many open files as may be had, for every thread of a run needs some; and that a file that grows beyond its
/// limit is an error of whoever writes it, not the end of the process.
pub fn widen() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without either, things are as they were.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let _ = signal_hook::flag::register(SIGXFSZ, Default::default());
}
