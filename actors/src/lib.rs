//! The cast of a Byzantine machine learning experiment: honest workers,
//! attackers, one aggregator and one learner, each an actix actor, on a
//! synchronous barrier; in casts above [`Settings::ACTORS`] an actor hosts a
//! block of workers. This crate knows no TOML, no command line and no HTTP.
//!
//! Actors are thin: they own state and talk. What they compute is a plain
//! function or trait object of [`phalanx_robust`], or an implementation of [`Learner`].
//!
//! In the order a reader meets them:
//!
//! - [`Cast`]: everyone in a run, and [`Cast::run`]; [`Settings`] are the numbers;
//! - [`Seating`]: how workers and attackers are seated, and how custom actors are;
//! - [`Learner`]: the door to a model; [`messages`]: what the actors say to one another;
//! - [`barrier`]: where submissions meet; [`fault`]: what befalls them on the way; [`aggregator`]: who runs the rounds;
//! - [`worker`], [`attacker`], [`block`], [`busy`], [`collusion`], [`learner_actor`]: the other actors, and what they share;
//! - [`Observer`], [`RoundReport`], [`Confusion`], [`RunEnd`], [`RunError`]: what comes of it;
//! - [`Snapshot`]: a run between two rounds as a value, from which it can go on.

pub mod aggregator;
pub mod attacker;
pub mod barrier;
pub mod block;
pub mod busy;
pub mod cast;
mod cohort;
pub mod collusion;
pub mod confusion;
mod contain;
mod desk;
pub mod error;
pub mod evaluator;
pub mod fault;
#[cfg(all(test, shuttle))]
mod interleavings;
pub mod learner;
pub mod learner_actor;
pub mod messages;
mod probed;
pub mod report;
mod revival;
pub mod seating;
pub mod settings;
pub mod snapshot;
mod understudy;
pub mod worker;

pub use aggregator::Stopper;
pub use cast::Cast;
pub use collusion::Scheme;
pub use confusion::Confusion;
pub use error::{Reason, RunError};
pub use fault::{Closing, Delay, Faults, Incident, Traffic, What, When};
pub use learner::{Evaluation, Job, Learned, Learner, LearnerError, Query};
pub use report::{Observer, RoundReport, RunEnd, WorkerReport};
pub use seating::{Attackers, Member, Place, Seating, Workers};
pub use settings::{Deadlines, Policy, Settings};
pub use snapshot::{Keeper, Snapshot};
