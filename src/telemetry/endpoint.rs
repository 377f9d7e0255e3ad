//! The endpoint: an address that Prometheus scrapes, on a thread of its own.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use metrics_process::Collector;
use tokio::{
    runtime::{self, Runtime},
    sync::oneshot,
};

use super::{
    meter::Meter,
    push::Pusher,
    server::{self, Page},
};
use crate::{
    config::{self, PortInUse},
    stop::signals,
};

/// How often the process is measured and old samples are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(1);
/// How long the page stays at most after a signal: who has sent it may not wait, and some scrape every two seconds.
const AFTER_SIGNAL: Duration = Duration::from_secs(3);
/// How many ports after the given one are tried.
const PORTS: u16 = 100;
/// How often who lingers looks whether there is still a reason to.
const GLANCE: Duration = Duration::from_millis(20);
/// Upper bounds of the buckets of every histogram: seconds, from a convex round to one of an hour.
const BUCKETS: [f64; 23] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
];

/// Metrics that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The address cannot be listened on.
    #[error("telemetry.listen: failed to listen on {address}: {error}{hint}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
        /// What to do, with punctuation.
        hint: &'static str,
    },
    /// The exporter could not be built.
    #[error("telemetry: {0}")]
    Exporter(#[from] BuildError),
    /// A thread or its runtime could not be started.
    #[error("telemetry: {0}")]
    Thread(io::Error),
}

/// The place that metrics will be shown at, taken before anything else is done.
pub struct Door {
    listener: Option<(TcpListener, SocketAddr)>,
    push: Option<(String, Duration)>,
    linger: Duration,
}

impl Door {
    /// Takes the place that the configuration asks for; none if it asks for none.
    ///
    /// # Errors
    /// [`TelemetryError::Listen`] if the port is in use or not ours to use.
    pub fn take(config: &config::Telemetry) -> Result<Option<Self>, TelemetryError> {
        let listener =
            config.listen_address().map(|address| listen(address, config.port_in_use)).transpose()?;
        let push =
            config.push_url().map(|url| (url.to_owned(), Duration::from_secs_f64(config.push_seconds)));
        let linger = Duration::from_secs_f64(config.linger_seconds);
        Ok((listener.is_some() || push.is_some()).then_some(Self { listener, push, linger }))
    }

    /// Where the metrics will be, if they are to be scraped.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(|(_, address)| *address)
    }

    /// Opens: every series carries `labels`, and the first `grouped` of them are the Pushgateway's group. Nobody is
    /// answered before there are the `series`.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn open<M>(
        self,
        labels: &[(&'static str, String)],
        grouped: usize,
        series: impl FnOnce(&Meter) -> M,
    ) -> Result<(Telemetry, M), TelemetryError> {
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(TelemetryError::Thread)?;
        let address = self.address();
        let meter = Meter::new(recorder(labels)?);
        let made = series(&meter);
        let (stop, stopped) = oneshot::channel();
        let page = Arc::new(Page::new(meter.handle()));
        let listener = self.listener.map(|(listener, _)| listener);
        let push = self.push.map(|(base, every)| {
            Pusher::start(&base, &labels[..grouped.min(labels.len())], every, meter.handle())
        });
        let pusher = push.transpose().map_err(TelemetryError::Thread)?;
        let thread =
            serve(runtime, listener, page.clone(), meter, stopped).map_err(TelemetryError::Thread)?;
        let (linger, signals) = (self.linger, signals());
        let (stop, thread) = (Some(stop), Some(thread));
        Ok((Telemetry { address, pusher, page, linger, signals, stop, thread }, made))
    }
}

/// Metrics that are being shown. Dropped, it pushes a last time, if it pushes, lingers for those who scrape, and
/// closes.
pub struct Telemetry {
    address: Option<SocketAddr>,
    pusher: Option<Pusher>,
    page: Arc<Page>,
    linger: Duration,
    /// How many signals had come before.
    signals: usize,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Telemetry {
    /// Where the metrics are, if they can be scraped.
    pub fn url(&self) -> Option<String> {
        self.address.map(|address| format!("http://{address}/metrics"))
    }

    /// Waits until somebody who has read the page has read it once more, which is the last word of it; no longer than
    /// was asked for, shortly where a signal has ended what was shown, and no more after another one.
    fn linger(&self) {
        self.page.conclude();
        if self.linger.is_zero() || !self.page.was_read() {
            return;
        }
        // Counted before anything is said, for who reads it may send a signal at once.
        let (began, before) = (Instant::now(), signals());
        let patience = if before == self.signals { self.linger } else { self.linger.min(AFTER_SIGNAL) };
        let seconds = patience.as_secs_f64();
        say!("metrics stay for a last scrape, {seconds} s at most; a signal ends the waiting");
        while !self.page.was_read_to_the_end() && began.elapsed() < patience && signals() == before {
            thread::sleep(GLANCE);
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        drop(self.pusher.take());
        self.linger();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listener on the first free port from `address` on; on that port alone unless `otherwise` allows more.
fn listen(address: SocketAddr, otherwise: PortInUse) -> Result<(TcpListener, SocketAddr), TelemetryError> {
    let more = if otherwise == PortInUse::Next { PORTS } else { 0 };
    let last = address.port().saturating_add(more);
    let mut at = address;
    loop {
        match TcpListener::bind(at).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => return Ok((listener, address)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && at.port() < last => {
                at.set_port(at.port() + 1);
            }
            Err(error) => return Err(TelemetryError::Listen { address, hint: hint(&error, more), error }),
        }
    }
}

fn hint(error: &io::Error, more: u16) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse if more == 0 => {
            "; telemetry.port_in_use = \"next\" takes the next free port"
        }
        io::ErrorKind::AddrInUse => ", and so are the ports after it",
        _ => "",
    }
}

fn recorder(labels: &[(&'static str, String)]) -> Result<PrometheusRecorder, BuildError> {
    let builder = labels
        .iter()
        .fold(PrometheusBuilder::new(), |builder, (name, value)| builder.add_global_label(*name, value));
    Ok(builder.set_buckets(&BUCKETS)?.build_recorder())
}

/// Serves and keeps house until `stopped` comes.
fn serve(
    runtime: Runtime,
    listener: Option<TcpListener>,
    page: Arc<Page>,
    meter: Meter,
    stopped: oneshot::Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let work = async move {
        let collector = Collector::default();
        meter.within(|| collector.describe());
        let keep = async {
            let mut clock = tokio::time::interval(UPKEEP);
            loop {
                clock.tick().await;
                meter.within(|| collector.collect());
                meter.handle().run_upkeep();
            }
        };
        let server = async {
            if let Some(listener) = listener
                && let Err(error) = server::serve(listener, page).await
            {
                say!("warning: metrics are served no longer: {error}");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = stopped => {}
            () = server => {}
            () = keep => {}
        }
    };
    thread::Builder::new().name("telemetry".into()).spawn(move || {
        step_back();
        runtime.block_on(work);
    })
}

/// Lets the threads that compute go first. On Linux the priority is that of the thread alone.
fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}
