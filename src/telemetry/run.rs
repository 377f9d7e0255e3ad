//! What a run shows: an observer that turns reports into metrics, and how the run ended.

use std::time::SystemTime;

use metrics::{Counter, Gauge, Histogram};
use phalanx_actors::{Confusion, Evaluation, Observer, Reason, RoundReport, WorkerReport, report::Phases};

use super::{
    meter::{LazyHistogram, Meter, Reading},
    names,
};
use crate::results::Status;

/// Label values of [`names::ROLE`].
const ROLES: [&str; 2] = ["honest", "byzantine"];
/// Label values of [`names::STATE`] for actors.
const STATES: [&str; 5] = ["alive", "late", "rejected", "down", "dropped"];
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
    at: Gauge,
    rounds: Counter,
    skipped: Counter,
    last_round: Gauge,
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
    attack_success: Reading,
    recalls: Recalls,
    evaluated: Reading,
    /// By outcome.
    submissions: [Counter; 4],
    stood_in: Counter,
    /// Nothing in an experiment without faults.
    virtual_seconds: LazyHistogram,
    /// By role and state.
    actors: [[Gauge; STATES.len()]; ROLES.len()],
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
            at: meter.gauge(names::ROUND, &[]),
            rounds: meter.counter(names::ROUNDS, &[]),
            skipped: meter.counter(names::SKIPPED, &[]),
            last_round: meter.gauge(names::LAST_ROUND, &[]),
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
            attack_success: reading(names::ATTACK_SUCCESS),
            recalls: Recalls { meter: meter.clone() },
            evaluated: reading(names::EVALUATED),
            submissions: OUTCOMES
                .map(|outcome| meter.counter(names::SUBMISSIONS, &[(names::OUTCOME, outcome)])),
            stood_in: meter.counter(names::STOOD_IN, &[]),
            virtual_seconds: LazyHistogram::new(meter, names::VIRTUAL_SECONDS),
            actors: ROLES.map(|role| {
                STATES.map(|state| meter.gauge(names::ACTORS, &[(names::ROLE, role), (names::STATE, state)]))
            }),
            workers: (0..facts.workers.min(facts.worker_series))
                .map(|id| WorkerSeries::new(meter, id, id + facts.attackers >= facts.workers))
                .collect(),
        }
        .seated(facts)
    }

    /// Everybody is there before the first round of this process, which stands where an earlier one was.
    fn seated(self, facts: &RunFacts) -> Self {
        self.reached(facts.completed);
        self.actors[0][0].set((facts.workers - facts.attackers) as f64);
        self.actors[1][0].set(facts.attackers as f64);
        self.byzantine_share.set(facts.attackers as f64 / facts.workers as f64);
        self
    }

    fn reached(&self, round: u64) {
        self.at.set(round as f64);
        // A clock before 1970 says nothing.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.last_round.set(now.as_secs_f64());
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
        let stood_in = report.workers.iter().filter(|worker| worker.stood_in.is_some());
        self.stood_in.increment(stood_in.count() as u64);
        if let Some(seconds) = report.virtual_seconds {
            self.virtual_seconds.record(seconds);
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
        for (id, series) in self.workers.iter().enumerate() {
            let at = report.workers.binary_search_by_key(&id, |worker| worker.worker).ok();
            series.set(at.map(|at| &report.workers[at]));
        }
    }

    fn count_actors(&self, workers: &[WorkerReport]) {
        let mut counts = [[0u32; STATES.len()]; ROLES.len()];
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
        self.reached(report.round);
        self.rounds.increment(1);
        self.skipped.increment(report.skipped.into());
        self.gradients.increment(report.gradients);
        self.bytes.increment(report.bytes);
        self.set_aside.increment(report.workers.iter().filter(|worker| worker.set_aside).count() as u64);
        self.time(report);
        self.count_messages(report);
        if !report.skipped {
            self.measure(report);
        }
        self.count_actors(&report.workers);
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        self.evaluation.record(evaluation.took.as_secs_f64());
        self.test_accuracy.set_known(evaluation.accuracy);
        self.test_loss.set(evaluation.loss);
        self.validation_accuracy.set_known(evaluation.validation_accuracy);
        self.validation_loss.set_known(evaluation.validation_loss);
        self.gap.set_known(evaluation.gap);
        self.attack_success.set_known(evaluation.attack_success);
        if let Some(counts) = &evaluation.confusion {
            self.recalls.set(counts);
        }
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
        Some(Reason::Crashed) => 3,
        Some(Reason::Died | Reason::Panicked(_) | Reason::Gone { .. }) => 4,
        Some(_) => 2,
    }
}

/// Whether the run is under way, and how it ended. Dropped without a word, it has failed.
pub struct RunState {
    active: Gauge,
    ended: [(Status, Gauge); 3],
    status: Status,
}

impl RunState {
    /// The run is under way.
    pub fn begin(meter: &Meter) -> Self {
        let gauge = |status: Status| meter.gauge(names::ENDED, &[(names::STATUS, status.name())]);
        let ended = [Status::Completed, Status::Interrupted, Status::Failed];
        let state = Self {
            active: meter.gauge(names::ACTIVE, &[]),
            ended: ended.map(|status| (status, gauge(status))),
            status: Status::Failed,
        };
        state.active.set(1.0);
        state
    }

    /// The run has ended.
    pub fn end(mut self, status: Status) {
        self.status = status;
    }
}

impl Drop for RunState {
    fn drop(&mut self) {
        for (status, gauge) in &self.ended {
            gauge.set(if *status == self.status { 1.0 } else { 0.0 });
        }
        self.active.set(0.0);
    }
}

/// The series of single classes, which appear where they are counted.
struct Recalls {
    meter: Meter,
}

impl Recalls {
    /// A class without samples has no recall.
    fn set(&self, counts: &Confusion) {
        let with_samples = counts.each().enumerate().filter(|(_, counts)| counts.samples > 0);
        for (class, counts) in with_samples {
            let labels = [(names::CLASS, &*class.to_string())];
            self.meter.gauge(names::CLASS_RECALL, &labels).set(counts.recall());
        }
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

    /// The worker's part in a round; none if it was not of the cohort.
    fn set(&self, worker: Option<&WorkerReport>) {
        let finite = |value: &f64| value.is_finite();
        self.weight.set(worker.and_then(|worker| worker.weight).filter(finite).unwrap_or(0.0));
        if let Some(distance) = worker.and_then(|worker| worker.distance).filter(finite) {
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

    fn meter() -> Meter {
        let builder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap();
        Meter::new(builder.build_recorder())
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

    /// A meter, and the series of five workers of whom 40 rounds are known.
    fn going_on() -> (Meter, RunMetrics) {
        let meter = meter();
        let metrics = RunMetrics::new(&meter, &RunFacts { completed: 40, ..five() });
        (meter, metrics)
    }

    #[test]
    fn a_run_that_goes_on_stands_where_it_was_and_counts_what_this_process_does() {
        let (meter, mut metrics) = going_on();
        assert_eq!(
            (lines(&meter, names::ROUND), lines(&meter, names::ROUNDS)),
            ([" 40"].map(str::to_owned).into(), [" 0"].map(str::to_owned).into())
        );
        metrics.round(&RoundReport { round: 41, ..RoundReport::default() }).unwrap();
        assert_eq!(lines(&meter, names::ROUND), [" 41"]);
        assert_eq!(lines(&meter, names::ROUNDS), [" 1"]);
    }

    #[test]
    fn rounds_without_a_step_and_vectors_of_earlier_rounds_are_counted() {
        let (meter, mut metrics) = going_on();
        let old = WorkerReport { absence: Some(Reason::Lost), stood_in: Some(40), ..WorkerReport::default() };
        let report = RoundReport { skipped: true, workers: vec![old.clone(), old], ..RoundReport::default() };
        metrics.round(&report).unwrap();
        metrics.round(&RoundReport::default()).unwrap();
        assert_eq!(lines(&meter, names::SKIPPED), [" 1"]);
        assert_eq!(lines(&meter, names::STOOD_IN), [" 2"]);
    }

    #[test]
    fn the_time_of_the_last_round_is_that_of_the_beginning_before_it() {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let before = now();
        let (meter, _metrics) = going_on();
        let said: f64 = lines(&meter, names::LAST_ROUND)[0].trim().parse().unwrap();
        assert!((before..=now()).contains(&said), "{said} after {before}");
    }

    #[test]
    fn virtual_time_appears_with_faults_and_only_grows() {
        let (meter, mut metrics) = going_on();
        let round = |virtual_seconds| RoundReport { virtual_seconds, ..RoundReport::default() };
        metrics.round(&round(None)).unwrap();
        assert!(!meter.handle().render().contains("\nphalanx_round_virtual_seconds"));
        metrics.round(&round(Some(0.5))).unwrap();
        metrics.round(&round(Some(0.25))).unwrap();
        let page = meter.handle().render();
        assert!(page.contains("\nphalanx_round_virtual_seconds_sum 0.75\n"), "{page}");
    }

    #[test]
    fn what_an_experiment_takes_down_is_not_what_is_lost() {
        let (meter, mut metrics) = going_on();
        let absent = |reason| WorkerReport { honest: true, absence: Some(reason), ..WorkerReport::default() };
        let workers =
            vec![absent(Reason::Crashed), absent(Reason::Died), absent(Reason::Overtime { seconds: 1.0 })];
        metrics.round(&RoundReport { workers, ..RoundReport::default() }).unwrap();
        let states = lines(&meter, names::ACTORS);
        for state in ["late", "down", "dropped"] {
            assert!(
                states.contains(&format!(r#"{{role="honest",state="{state}"}} 1"#)),
                "{state}: {states:?}"
            );
        }
    }

    /// Class 1 has no samples, and so no recall; nobody attacks the labels until the second evaluation.
    #[test]
    fn classes_and_the_success_of_attacks_appear_where_they_are_counted() {
        let (meter, mut metrics) = going_on();
        let told = || (lines(&meter, names::CLASS_RECALL), lines(&meter, names::ATTACK_SUCCESS));
        metrics.evaluation(&Evaluation::unknown(1)).unwrap();
        assert_eq!(told(), (vec![], vec![]));
        let mut confusion = Confusion::new(3);
        for (label, predicted) in [(0, 0), (0, 1), (2, 2)] {
            confusion.count(label, predicted);
        }
        let confusion = Some(confusion.into());
        metrics.evaluation(&Evaluation { confusion, ..Evaluation::unknown(2) }).unwrap();
        let recalls = [r#"{class="0"} 0.5"#, r#"{class="2"} 1"#].map(str::to_owned);
        assert_eq!(told(), (recalls.to_vec(), vec![]));
        metrics.evaluation(&Evaluation { attack_success: 0.25, ..Evaluation::unknown(3) }).unwrap();
        assert_eq!(told(), (recalls.to_vec(), vec![" 0.25".to_owned()]));
    }

    #[test]
    fn a_run_has_ended_in_one_way_and_without_a_word_it_has_failed() {
        let meter = meter();
        let ended =
            |status: &str| lines(&meter, names::ENDED).contains(&format!(r#"{{status="{status}"}} 1"#));
        let state = RunState::begin(&meter);
        assert_eq!(
            (lines(&meter, names::ACTIVE), lines(&meter, names::ENDED).len()),
            (vec![" 1".to_owned()], 3)
        );
        assert!(!["completed", "interrupted", "failed"].map(ended).contains(&true));
        state.end(Status::Completed);
        assert_eq!(["completed", "interrupted", "failed"].map(ended), [true, false, false]);
        assert_eq!(lines(&meter, names::ACTIVE), [" 0"]);
        drop(RunState::begin(&meter));
        assert_eq!(["completed", "interrupted", "failed"].map(ended), [false, false, true]);
    }

    #[test]
    fn a_cohort_sets_the_series_of_those_who_are_in_it() {
        let meter = meter();
        let mut metrics = RunMetrics::new(&meter, &five());
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.2"], "of the cast");
        let round = |workers| RoundReport { workers, ..RoundReport::default() };
        metrics.round(&round(vec![weighed(1, 0.25), weighed(3, 0.5), weighed(4, 0.25)])).unwrap();
        let of = |id, weight: &str| format!(r#"{{worker="{id}",role="honest"}} {weight}"#);
        let expected = [of(0, "0"), of(1, "0.25"), of(2, "0"), of(3, "0.5")];
        assert_eq!(lines(&meter, names::WORKER_WEIGHT), expected);
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.3333333333333333"], "one of three");
        assert_eq!(lines(&meter, names::BYZANTINE_WEIGHT), [" 0.25"]);
        let absent = WorkerReport { absence: Some(Reason::Lost), weight: None, ..weighed(3, 0.0) };
        metrics.round(&round(vec![weighed(0, 0.5), absent, weighed(4, 0.5)])).unwrap();
        assert_eq!(lines(&meter, names::BYZANTINE_SHARE), [" 0.5"]);
        let expected = [of(0, "0.5"), of(1, "0"), of(2, "0"), of(3, "0")];
        assert_eq!(lines(&meter, names::WORKER_WEIGHT), expected, "one was not called, one not heard of");
    }
}
