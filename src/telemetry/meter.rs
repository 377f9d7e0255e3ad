//! Makes series: the metrics of [`names`](super::names) with labels, in one recorder.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

use super::names::{self, Kind, Metric};

/// Where series are made; clones make them in the same recorder.
#[derive(Clone)]
pub struct Meter {
    recorder: Arc<PrometheusRecorder>,
}

/// Labels of a series, beside those that all series of the recorder have.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Meter {
    /// Describes every metric to the recorder.
    pub(super) fn new(recorder: PrometheusRecorder) -> Self {
        for Metric { name, kind, help } in names::ALL {
            let (name, help) = (KeyName::from_const_str(name), help.into());
            match kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram => recorder.describe_histogram(name, None, help),
            }
        }
        Self { recorder: Arc::new(recorder) }
    }

    /// What writes the series out.
    pub(super) fn handle(&self) -> PrometheusHandle {
        self.recorder.handle()
    }

    /// Calls `f` with this recorder as the one that the macros of `metrics` use.
    pub(super) fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&self.recorder, f)
    }

    /// A series of a counter, at 0.
    pub(super) fn counter(&self, metric: Metric, labels: Labels<'_>) -> Counter {
        self.recorder.register_counter(&key(metric, labels), &METADATA)
    }

    /// A series of a gauge, at 0.
    pub(super) fn gauge(&self, metric: Metric, labels: Labels<'_>) -> Gauge {
        self.recorder.register_gauge(&key(metric, labels), &METADATA)
    }

    /// A series of a histogram, empty.
    pub(super) fn histogram(&self, metric: Metric, labels: Labels<'_>) -> Histogram {
        self.recorder.register_histogram(&key(metric, labels), &METADATA)
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

fn key(metric: Metric, labels: Labels<'_>) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

/// A histogram that appears with its first value.
pub(super) struct LazyHistogram {
    meter: Meter,
    metric: Metric,
    histogram: Option<Histogram>,
}

impl LazyHistogram {
    /// Nothing recorded yet.
    pub fn new(meter: &Meter, metric: Metric) -> Self {
        Self { meter: meter.clone(), metric, histogram: None }
    }

    /// One more value.
    pub fn record(&mut self, value: f64) {
        self.histogram.get_or_insert_with(|| self.meter.histogram(self.metric, &[])).record(value);
    }
}

/// A gauge that appears with its first finite value. What is not finite is counted instead, so that
/// no NaN reaches a scraper and a series that stands still has its reason beside it.
pub(super) struct Reading {
    meter: Meter,
    metric: Metric,
    gauge: Option<Gauge>,
    non_finite: Counter,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(meter: &Meter, metric: Metric) -> Self {
        let non_finite = meter.counter(names::NON_FINITE, &[(names::VALUE, metric.name)]);
        Self { meter: meter.clone(), metric, gauge: None, non_finite }
    }

    /// The value now.
    pub fn set(&mut self, value: f64) {
        if !value.is_finite() {
            return self.non_finite.increment(1);
        }
        self.gauge.get_or_insert_with(|| self.meter.gauge(self.metric, &[])).set(value);
    }

    /// The value now, where NaN says that there is no such number.
    pub fn set_known(&mut self, value: f64) {
        if !value.is_nan() {
            self.set(value);
        }
    }
}
