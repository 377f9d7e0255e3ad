//! Live metrics of a run: an endpoint for Prometheus, and a push to a Pushgateway
//! for runs that are over before anybody scrapes them. The experiment opens a
//! [`Telemetry`] if `[telemetry]` asks for one, hands its [`RunMetrics`] to
//! the cast as an observer, and tells its [`RunState`] how the run ended. A round
//! costs a few atomic stores; everything else happens on threads of its own, which
//! only read. Knows no actors but their reports.
//!
//! Prometheus learns that a run is over from a scrape after its end, or never. A
//! [`Telemetry`] that has been scraped so stays for one more scrape, or for
//! `telemetry.linger_seconds`, when everything else of the run is done.
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
pub use run::{RunFacts, RunMetrics, RunState};
pub use sweep::SweepMetrics;
