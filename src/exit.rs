//! The exit statuses that are neither success nor failure; `phalanx --help`
//! tells them.

/// The command line, configuration or data cannot be used, and nothing ran.
pub const UNUSABLE: u8 = 2;
/// A run was interrupted, and its results so far are written.
pub const INTERRUPTED: u8 = 130;
