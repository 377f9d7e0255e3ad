//! Pushes metrics to a Pushgateway, for runs that are too short to be scraped:
//! at an interval, and once more at the end.

use std::{
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use ureq::Agent;

/// How long one push may take; a gateway that hangs must not hold up the end of a run.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A thread that pushes. Dropped, it pushes a last time and ends.
pub(super) struct Pusher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pusher {
    /// Pushes what `handle` writes to the gateway at `base` `every` so often, as the group of `labels`.
    pub fn start(
        base: &str,
        labels: &[(&str, String)],
        every: Duration,
        handle: PrometheusHandle,
    ) -> std::io::Result<Self> {
        let group = Group { url: url(base, labels), agent: agent(), failing: false };
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("telemetry-push".into()).spawn(move || {
            let mut group = group;
            while matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                group.push(&handle.render());
            }
            group.push(&handle.render());
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Group {
    url: String,
    agent: Agent,
    failing: bool,
}

impl Group {
    /// Replaces what the gateway holds of this group. The first failure of several is told.
    fn push(&mut self, text: &str) {
        let done = self.agent.put(&self.url).content_type("text/plain; version=0.0.4").send(text);
        if let Err(error) = &done
            && !self.failing
        {
            say!("warning: metrics cannot be pushed to {}: {error}", self.url);
        }
        self.failing = done.is_err();
    }
}

fn agent() -> Agent {
    Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into()
}

/// The address of a group: `<base>/metrics/job/phalanx/<label>/<value>…`.
fn url(base: &str, labels: &[(&str, String)]) -> String {
    let group = labels.iter().map(|(name, value)| format!("/{name}/{}", encode(value)));
    format!("{}/metrics/job/phalanx{}", base.trim_end_matches('/'), group.collect::<String>())
}

/// Percent-encodes what may not stand in one segment of a path.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_group_is_a_path() {
        let labels = [("experiment", "größe".to_owned()), ("run", "a/b c".to_owned())];
        assert_eq!(
            url("http://host:9091/", &labels),
            "http://host:9091/metrics/job/phalanx/experiment/gr%C3%B6%C3%9Fe/run/a%2Fb%20c"
        );
    }
}
