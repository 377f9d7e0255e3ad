//! Live metrics of a run: an endpoint for Prometheus, and a push to a Pushgateway
//! for runs that are over before anybody scrapes them. The experiment opens a
//! [`Telemetry`] if `[telemetry]` asks for one, and hands its [`RunMetrics`] to
//! the cast as an observer. A round costs a few atomic stores; everything else
//! happens on threads of its own, which only read. Knows no actors but their reports.
//!
//! [`names`] lists every metric.

mod endpoint;
mod meter;
pub mod names;
mod push;
mod run;
mod server;
mod sweep;

pub use endpoint::{Door, Telemetry, TelemetryError};
pub use meter::Meter;
pub use run::{RunFacts, RunMetrics};
pub use sweep::SweepMetrics;
