//! `phalanx resume`: a run that was killed, stopped or left with damaged
//! checkpoints ends with the same bytes as one that nothing happened to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod damage;
mod kills;
mod kinds;
mod limits;
mod stage;
mod sweeps;
