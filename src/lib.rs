//! Phalanx simulates distributed machine learning under Byzantine faults. A
//! TOML file names a cast of honest workers, attackers and one aggregator;
//! each is an actor (of a large cast an actor hosts many), and they meet on a synchronous barrier.
//!
//! In the order a user meets them:
//!
//! - [`Program`]: the command line, to which a crate of your own adds attacks, rules and actors;
//! - [`config`]: the TOML file and its layers;
//! - [`registry`]: every name that a file may use;
//! - [`experiment`]: the checked plan of a run, and the run;
//! - [`data`] and [`learner`]: what is learned from, and by what;
//! - [`results`] and [`telemetry`]: what is written of a run, and what is shown while it runs;
//! - [`store`]: where workers keep what they remember, if not in memory;
//! - [`checkpoint`]: what an unfinished run goes on from;
//! - [`sweep`]: many runs from one file;
//! - [`report`]: what is made of several runs;
//! - [`interop`]: matrices in the files of other programs;
//! - [`machine`]: what the machine has and can do.

#![warn(clippy::print_stderr, clippy::print_stdout)]

#[macro_use]
mod say;

mod called;
pub mod checkpoint;
mod cli;
pub mod config;
pub mod data;
mod exit;
pub mod experiment;
mod hex;
pub mod interop;
pub mod learner;
mod limits;
pub mod machine;
mod program;
pub mod registry;
pub mod report;
pub mod results;
mod stop;
pub mod store;
pub mod sweep;
pub mod telemetry;
mod whole;

pub use program::Program;
