//! Black-box tests of the program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod certify;
mod check;
mod classes;
mod cohorts;
mod endpoint;
mod faults;
mod harness;
mod interop;
mod jobs;
mod list;
mod local_steps;
mod metrics;
mod own_data;
mod report;
#[cfg(feature = "torch")]
mod root;
mod run;
mod select;
mod splits;
mod store;
mod sweep;
