//! The exit statuses that are neither success nor failure, which `phalanx --help`
//! tells, and the end of the process.

use std::{
    io::{self, Write},
    process::ExitCode,
};

/// The command line, configuration or data cannot be used, and nothing ran.
pub const UNUSABLE: u8 = 2;
/// A run was interrupted, and its results so far are written.
pub const INTERRUPTED: u8 = 130;

/// Ends the process as a return of `code` from `main` would, but for what libraries have arranged for then: a thread may
/// still compute in libtorch, which would take its own tables from under it.
pub fn leave(code: ExitCode) -> ! {
    let _ = io::stdout().flush();
    let number = (0..=u8::MAX).find(|&number| ExitCode::from(number) == code);
    signal_hook::low_level::exit(number.unwrap_or(1).into())
}
