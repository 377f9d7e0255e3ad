//! The dashboards and alert rules against real parts: Grafana's own schema, and
//! a Prometheus and a Pushgateway that watch real runs. Everything listens on
//! loopback, on free ports, and ends with the test.
//!
//! `make test-monitoring` runs all of it. Where Prometheus is not installed it
//! says "skipped: …"; with REQUIRE_MONITORING=required that is a failure.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod boards;
mod daemons;
mod live;
mod rules;
mod schema;
