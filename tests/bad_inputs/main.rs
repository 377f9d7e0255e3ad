//! Black-box tests of bad inputs: tables of cases by area. Each case must end with its exit status and one message
//! that names what is wrong and where, in time, without a panic, and leave no file behind that was not there before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod data_files;
mod disks;
mod environment;
mod flags;
mod keys;
mod matrices;
mod names;
mod offline;
mod room;
mod run_folders;
mod sweeps;
mod texts;
