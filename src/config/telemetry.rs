//! `[telemetry]`: where the metrics of a run are shown while it runs. Nothing
//! here changes a result.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::number;

/// Most workers with series of their own: each costs every scrape two lines.
const MOST_WORKER_SERIES: usize = 1000;

/// What [`Telemetry::off`] has for those who turn it on: longer than most intervals of scrapes.
const LINGER_SECONDS: f64 = 20.0;
/// Longest interval of scrapes that an end is shown for.
const MOST_LINGER_SECONDS: f64 = 3600.0;

/// Where the metrics of a run are shown while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Address that Prometheus scrapes, such as `127.0.0.1:9464`; empty: none. Port 0 takes any free port.
    pub listen: String,
    /// What happens when the port is in use.
    pub port_in_use: PortInUse,
    /// Address of a Pushgateway, such as `http://127.0.0.1:9091`; empty: none.
    pub push: String,
    /// Seconds between pushes; one more is made at the end.
    pub push_seconds: f64,
    /// Seconds for which the address stays after the end, for the next scrape, if there were scrapes before; 0: none.
    pub linger_seconds: f64,
    /// How many workers, by id, get series of their own.
    pub worker_series: usize,
}

/// What happens when the port is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortInUse {
    /// Nothing runs, and an error says so.
    Fail,
    /// The next free port is taken, and said.
    Next,
}

impl Telemetry {
    /// No metrics.
    pub fn off() -> Self {
        Self {
            listen: String::new(),
            port_in_use: PortInUse::Fail,
            push: String::new(),
            push_seconds: 10.0,
            linger_seconds: LINGER_SECONDS,
            worker_series: 0,
        }
    }

    /// Where to listen, if at all.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// Where to listen, if it is there or nowhere: nobody else can listen there at the same time.
    pub fn only_address(&self) -> Option<SocketAddr> {
        self.listen_address().filter(|address| self.port_in_use == PortInUse::Fail && address.port() != 0)
    }

    /// Where to push, if at all.
    pub fn push_url(&self) -> Option<&str> {
        Some(self.push.as_str()).filter(|url| !url.is_empty())
    }

    /// The key that cannot be used, and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let url = self.push.strip_prefix("http://").or(self.push.strip_prefix("https://"));
        let host = url.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let seconds = self.push_seconds;
        if !self.listen.is_empty() && self.listen_address().is_none() {
            let message = format!(
                "{:?} is given; an address with a port is accepted, such as 127.0.0.1:9464",
                self.listen
            );
            return Some(("telemetry.listen", message));
        }
        if !self.push.is_empty() && !host {
            let message = format!(
                "{:?} is given; an http address is accepted, such as http://127.0.0.1:9091",
                self.push
            );
            return Some(("telemetry.push", message));
        }
        if !(0.1..=86400.0).contains(&seconds) {
            let message = format!("{} is given; 0.1 to 86400 seconds are accepted", number(seconds));
            return Some(("telemetry.push_seconds", message));
        }
        let linger = self.linger_seconds;
        if !(0.0..=MOST_LINGER_SECONDS).contains(&linger) {
            let message =
                format!("{} is given; 0 to {MOST_LINGER_SECONDS} seconds are accepted", number(linger));
            return Some(("telemetry.linger_seconds", message));
        }
        if self.worker_series > MOST_WORKER_SERIES {
            let message =
                format!("{} is given; at most {MOST_WORKER_SERIES} are accepted", self.worker_series);
            return Some(("telemetry.worker_series", message));
        }
        None
    }
}
