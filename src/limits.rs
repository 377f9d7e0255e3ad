//! What the system allows a process, as far as a process may ask for more, and what it keeps of what it was given.

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

/// The largest block that is part of a heap, not a mapping of its own, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGEST_BLOCK: libc::c_int = 1 << 30;

/// Has memory that was given back by a round kept for the next one. Every round asks for the same vectors; glibc would
/// return them to the system after each, which then maps and clears every page of them anew.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_memory() {
    let keep = [(libc::M_MMAP_THRESHOLD, LARGEST_BLOCK), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX)];
    for (parameter, value) in keep {
        // SAFETY: sets a number of the allocator, under its own lock. Without it, things are as they were.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Other allocators have ways of their own.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_memory() {}
