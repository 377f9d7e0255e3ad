//! What a run shows: an observer that turns reports into metrics.

use metrics::{Counter, Gauge, Histogram};
use phalanx_actors::{Evaluation, Observer, Reason, RoundReport, WorkerReport, report::Phases};

use super::{
    meter::{Meter, Reading},
    names,
};

/// Label values of [`names::ROLE`].
const ROLES: [&str; 2] = ["honest", "byzantine"];
/// Label values of [`names::STATE`] for actors.
const STATES: [&str; 4] = ["alive", "late", "rejected", "dropped"];

/// Label values of [`names::OUTCOME`].
const OUTCOMES: [&str; 4] = ["accepted", "rejected", "late", "lost"];

/// What is known of a run before its first round.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Rounds that the configuration asks for.
    pub rounds: u64,
    /// Rounds that an earlier process has completed, of which this one goes on.
    pub completed: u64,
    /// Workers, attackers among them.
    pub workers: usize,
    /// Attackers.
    pub attackers: usize,
    /// Classes of the task; 0 for a task without.
    pub classes: usize,
    /// Threads.
    pub threads: usize,
    /// The version of libtorch, if there is one.
    pub torch: Option<String>,
    /// How many workers get series of their own.
    pub worker_series: usize,
}

/// The series of a run.
pub struct RunMetrics {
    /// Kept for its end.
    _active: Active,
    rounds: Counter,
    gradients: Counter,
    bytes: Counter,
    set_aside: Counter,
    round: Histogram,
    phases: [Histogram; 5],
    evaluation: Histogram,
    honest_loss: Reading,
    honest_accuracy: Reading,
    norm: Reading,
    distance: Reading,
    variance: Reading,
    coefficient: Reading,
    byzantine_weight: Reading,
    byzantine_share: Gauge,
    test_accuracy: Reading,
    test_loss: Reading,
    validation_accuracy: Reading,
    validation_loss: Reading,
    gap: Reading,
    evaluated: Reading,
    /// By outcome.
    submissions: [Counter; 4],
    virtual_time: Reading,
    virtual_seconds: f64,
    /// By role and state.
    actors: [[Gauge; 4]; 2],
    /// By id.
    workers: Vec<WorkerSeries>,
}

impl RunMetrics {
    /// The series of a run that begins, or goes on.
    pub fn new(meter: &Meter, facts: &RunFacts) -> Self {
        state(meter, facts);
        let phase = |name: &str| meter.histogram(names::PHASE_SECONDS, &[(names::PHASE, name)]);
        let reading = |metric| Reading::new(meter, metric);
        Self {
            _active: Active::begin(meter),
            rounds: meter.counter(names::ROUNDS, &[]),
            gradients: meter.counter(names::GRADIENTS, &[]),
            bytes: meter.counter(names::AGGREGATED, &[]),
            set_aside: meter.counter(names::SET_ASIDE, &[]),
            round: meter.histogram(names::ROUND_SECONDS, &[]),
            phases: Phases::ALL.map(|part| phase(part.label)),
            evaluation: phase("evaluation"),
            honest_loss: reading(names::HONEST_LOSS),
            honest_accuracy: reading(names::HONEST_ACCURACY),
            norm: reading(names::AGGREGATE_NORM),
            distance: reading(names::HONEST_DISTANCE),
            variance: reading(names::HONEST_VARIANCE),
            coefficient: reading(names::COEFFICIENT),
            byzantine_weight: reading(names::BYZANTINE_WEIGHT),
            byzantine_share: meter.gauge(names::BYZANTINE_SHARE, &[]),
            test_accuracy: reading(names::TEST_ACCURACY),
            test_loss: reading(names::TEST_LOSS),
            validation_accuracy: reading(names::VALIDATION_ACCURACY),
            validation_loss: reading(names::VALIDATION_LOSS),
            gap: reading(names::GAP),
            evaluated: reading(names::EVALUATED),
            submissions: OUTCOMES
                .map(|outcome| meter.counter(names::SUBMISSIONS, &[(names::OUTCOME, outcome)])),
            virtual_time: reading(names::VIRTUAL_SECONDS),
            virtual_seconds: 0.0,
            actors: ROLES.map(|role| {
                STATES.map(|state| meter.gauge(names::ACTORS, &[(names::ROLE, role), (names::STATE, state)]))
            }),
            workers: (0..facts.workers.min(facts.worker_series))
                .map(|id| WorkerSeries::new(meter, id, id + facts.attackers >= facts.workers))
                .collect(),
        }
        .seated(facts)
    }

    /// Everybody is there before the first round of this process, and earlier rounds count.
    fn seated(self, facts: &RunFacts) -> Self {
        self.rounds.absolute(facts.completed);
        self.actors[0][0].set((facts.workers - facts.attackers) as f64);
        self.actors[1][0].set(facts.attackers as f64);
        self.byzantine_share.set(facts.attackers as f64 / facts.workers as f64);
        self
    }

    fn time(&self, report: &RoundReport) {
        for (histogram, time) in self.phases.iter().zip(report.phases.times()) {
            histogram.record(time.as_secs_f64());
        }
        self.round.record(report.phases.round.as_secs_f64());
    }

    fn count_messages(&mut self, report: &RoundReport) {
        let t = &report.traffic;
        for (counter, count) in self.submissions.iter().zip([t.accepted, t.rejected, t.late, t.lost]) {
            counter.increment(count);
        }
        if let Some(seconds) = report.virtual_seconds {
            self.virtual_seconds += seconds;
            self.virtual_time.set(self.virtual_seconds);
        }
    }

    fn measure(&mut self, report: &RoundReport) {
        self.honest_loss.set(report.honest_loss);
        self.honest_accuracy.set_known(report.honest_accuracy);
        self.norm.set(report.aggregate_norm);
        self.distance.set(report.honest_distance);
        self.variance.set(report.honest_variance);
        self.coefficient.set_known(report.robustness_coefficient());
        if let Some(share) = report.byzantine_share() {
            self.byzantine_share.set(share);
        }
        if let Some(weight) = report.byzantine_weight() {
            self.byzantine_weight.set(weight);
        }
    }

    fn count_actors(&self, workers: &[WorkerReport]) {
        let mut counts = [[0u32; 4]; 2];
        for worker in workers {
            counts[usize::from(!worker.honest)][standing(worker)] += 1;
        }
        for (gauge, count) in self.actors.iter().flatten().zip(counts.iter().flatten()) {
            gauge.set(f64::from(*count));
        }
    }
}

impl Observer for RunMetrics {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        self.rounds.increment(1);
        self.gradients.increment(report.gradients);
        self.bytes.increment(report.bytes);
        self.set_aside.increment(report.workers.iter().filter(|worker| worker.set_aside).count() as u64);
        self.time(report);
        self.count_messages(report);
        if !report.skipped {
            self.measure(report);
        }
        self.count_actors(&report.workers);
        for worker in &report.workers {
            if let Some(series) = self.workers.get(worker.worker) {
                series.set(worker);
            }
        }
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        self.evaluation.record(evaluation.took.as_secs_f64());
        self.test_accuracy.set_known(evaluation.accuracy);
        self.test_loss.set(evaluation.loss);
        self.validation_accuracy.set_known(evaluation.validation_accuracy);
        self.validation_loss.set_known(evaluation.validation_loss);
        self.gap.set_known(evaluation.gap);
        self.evaluated.set(evaluation.round as f64);
        Ok(())
    }
}

/// What does not change during a run.
fn state(meter: &Meter, facts: &RunFacts) {
    let torch = facts.torch.as_deref().unwrap_or("none");
    let build = [("version", env!("CARGO_PKG_VERSION")), ("commit", env!("BUILD_COMMIT")), ("torch", torch)];
    meter.gauge(names::BUILD, &build).set(1.0);
    meter.gauge(names::PLANNED, &[]).set(facts.rounds as f64);
    meter.gauge(names::THREADS, &[]).set(facts.threads as f64);
    if facts.classes > 1 {
        meter.gauge(names::CHANCE, &[]).set(1.0 / facts.classes as f64);
    }
}

/// Position in [`STATES`] of what a worker did in a round.
fn standing(worker: &WorkerReport) -> usize {
    match worker.absence {
        None => 0,
        Some(
            Reason::Silent(_)
            | Reason::Unasked(_)
            | Reason::Late { .. }
            | Reason::Overtime { .. }
            | Reason::Overtaken { .. }
            | Reason::Lost,
        ) => 1,
        Some(Reason::Died | Reason::Panicked(_) | Reason::Crashed | Reason::Gone { .. }) => 3,
        Some(_) => 2,
    }
}

/// Says that the run is under way for as long as it lives: a run that fails ends too.
struct Active(Gauge);

impl Active {
    fn begin(meter: &Meter) -> Self {
        let gauge = meter.gauge(names::ACTIVE, &[]);
        gauge.set(1.0);
        Self(gauge)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.set(0.0);
    }
}

/// The series of one worker.
struct WorkerSeries {
    weight: Gauge,
    distance: Gauge,
}

impl WorkerSeries {
    fn new(meter: &Meter, id: usize, byzantine: bool) -> Self {
        let id = id.to_string();
        let labels = [(names::WORKER, id.as_str()), (names::ROLE, ROLES[usize::from(byzantine)])];
        Self {
            weight: meter.gauge(names::WORKER_WEIGHT, &labels),
            distance: meter.gauge(names::WORKER_DISTANCE, &labels),
        }
    }

    fn set(&self, worker: &WorkerReport) {
        let finite = |value: &f64| value.is_finite();
        if let Some(weight) = worker.weight.filter(finite) {
            self.weight.set(weight);
        }
        if let Some(distance) = worker.distance.filter(finite) {
            self.distance.set(distance);
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// Five workers, the last of them an attacker; the first four get series of their own.
    fn five() -> RunFacts {
        RunFacts { rounds: 9, workers: 5, attackers: 1, worker_series: 4, ..RunFacts::default() }
    }

    fn weighed(worker: usize, weight: f64) -> WorkerReport {
        WorkerReport { worker, honest: worker < 4, weight: Some(weight), ..WorkerReport::default() }
    }

    /// The values of all series of `metric`, as they are exported.
    fn lines(meter: &Meter, metric: names::Metric) -> Vec<String> {
        let page = meter.handle().render();
        let mut lines: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix(metric.name))
            .filter(|rest| rest.starts_with(['{', ' ']))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_run_that_goes_on_counts_its_rounds_from_where_it_was() {
        let meter = Meter::new(PrometheusBuilder::new().build_recorder());
        let mut metrics = RunMetrics::new(&meter, &RunFacts { completed: 40, ..five() });
        assert_eq!(lines(&meter, names::ROUNDS), [" 40"]);
        metrics.round(&RoundReport { round: 41, ..RoundReport::default() }).unwrap();
        assert_eq!(lines(&meter, names::ROUNDS), [" 41"]);
    }

    #[test]
    fn a_cohort_sets_the_series_of_those_who_are_in_it() {
        let meter = Meter::new(PrometheusBuilder::new().build_recorder());
        let mut metrics = RunMetrics::new(&meter, &five());
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.2"], "of the cast");
        let round = |workers| RoundReport { workers, ..RoundReport::default() };
        metrics.round(&round(vec![weighed(1, 0.25), weighed(3, 0.5), weighed(4, 0.125)])).unwrap();
        let of = |id, weight: &str| format!(r#"{{worker="{id}",role="honest"}} {weight}"#);
        let expected = [of(0, "0"), of(1, "0.25"), of(2, "0"), of(3, "0.5")];
        assert_eq!(lines(&meter, names::WORKER_WEIGHT), expected);
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.3333333333333333"], "one of three");
        assert_eq!(lines(&meter, names::BYZANTINE_WEIGHT), [" 0.125"]);
        let absent = WorkerReport { absence: Some(Reason::Lost), ..weighed(3, 0.0) };
        metrics.round(&round(vec![weighed(1, 0.5), absent, weighed(4, 0.5)])).unwrap();
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.5"]);
    }
}
