//! From a configuration to a result: [`Plan`] checks everything that spans
//! more than one key, before anything runs; [`Plan::run`] seats the cast,
//! runs it and writes the run folder.

mod blame;
mod cast;
mod cohorts;
mod dealing;
mod faults;
mod holdings;
#[cfg(feature = "torch")]
mod images;
mod memory;
mod plan;
mod rehearse;
mod run;
mod targets;
mod telemetry;
mod workload;

pub use holdings::{Holding, Holdings};
pub use memory::{Demands, MemoryError, TogetherError};
pub use plan::{Plan, PlanError};
pub use rehearse::{Arithmetic, RehearsalError};
pub use run::RunOutcome;
