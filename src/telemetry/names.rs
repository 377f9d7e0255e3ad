//! Every metric that Phalanx exports: its name, its kind and its help text, and
//! the names of the labels. No metric is named anywhere else in the program;
//! the dashboards and the alert rules are tested against a real run.
//!
//! Names end in their unit where they have one (`_seconds`, `_bytes`,
//! `_ratio` for a fraction between 0 and 1) and in `_total` if they only grow.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
    /// It counts values by size.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, help }
}

/// Labels of every series of a run, in this order.
pub const RUN_LABELS: [&str; 5] = ["experiment", "run", "seed", "rule", "attack"];

/// Label of [`PHASE_SECONDS`]: `gradient`, `barrier_wait`, `attack`, `aggregation`, `step` or `evaluation`.
pub const PHASE: &str = "phase";
/// Label of [`ACTORS`] and of series of one worker: `honest` or `byzantine`.
pub const ROLE: &str = "role";
/// Label of [`ACTORS`] (`alive`, `late`, `rejected`, `down` or `dropped`) and of [`SWEEP_CELLS`].
pub const STATE: &str = "state";
/// Label of [`SUBMISSIONS`]: `accepted`, `rejected`, `late` or `lost`.
pub const OUTCOME: &str = "outcome";
/// Label of [`ENDED`]: `completed`, `interrupted` or `failed`.
pub const STATUS: &str = "status";
/// Label of series of one worker: its id.
pub const WORKER: &str = "worker";
/// Label of series of one class: its number.
pub const CLASS: &str = "class";
/// Label of [`NON_FINITE`]: the metric that has no value.
pub const VALUE: &str = "value";
/// Label of the series of a sweep: its name.
pub const SWEEP: &str = "sweep";

/// Always 1; the labels are what matters.
pub const BUILD: Metric = gauge(
    "phalanx_build_info",
    "Always 1; the labels tell the version, the commit and the version of libtorch.",
);
/// Whether the run is under way.
pub const ACTIVE: Metric = gauge("phalanx_run_active", "1 while the run is under way, 0 once it has ended.");
/// How the run ended.
pub const ENDED: Metric = gauge(
    "phalanx_run_ended",
    "1 once the run has ended so: completed, interrupted or failed; all are 0 while it is under way.",
);
/// Rounds that the configuration asks for.
pub const PLANNED: Metric = gauge("phalanx_rounds_planned", "Rounds that the configuration asks for.");
/// Where the run stands.
pub const ROUND: Metric = gauge(
    "phalanx_round",
    "The last round that is completed, by this process or before the checkpoint that it goes on from.",
);
/// Rounds completed.
pub const ROUNDS: Metric = counter("phalanx_rounds_total", "Rounds that this process has completed.");
/// Rounds without a step.
pub const SKIPPED: Metric = counter(
    "phalanx_rounds_skipped_total",
    "Rounds of this process in which no step was made, for too few vectors were left for the rule.",
);
/// When something was last achieved.
pub const LAST_ROUND: Metric = gauge(
    "phalanx_last_round_timestamp_seconds",
    "When the last round was completed, in Unix time; before the first one of this process, when it began.",
);
/// Gradients computed.
pub const GRADIENTS: Metric = counter(
    "phalanx_gradients_total",
    "Gradients that this process has computed for workers, of one batch each.",
);
/// Bytes of the vectors that were submitted.
pub const AGGREGATED: Metric = counter(
    "phalanx_aggregated_bytes_total",
    "Bytes of the vectors that were submitted to the rule in the rounds of this process.",
);

/// Time of a whole round.
pub const ROUND_SECONDS: Metric = histogram("phalanx_round_duration_seconds", "Time of a whole round.");
/// Where the time of a round went.
pub const PHASE_SECONDS: Metric = histogram(
    "phalanx_phase_duration_seconds",
    "Time of one part of a round; evaluation runs beside the rounds.",
);

/// Test accuracy.
pub const TEST_ACCURACY: Metric = gauge(
    "phalanx_test_accuracy_ratio",
    "Fraction of the test set that the last evaluated point got right; for a convex task of its training samples.",
);
/// Accuracy within a class.
pub const CLASS_RECALL: Metric = gauge(
    "phalanx_class_recall_ratio",
    "Fraction of one class of the test set that the last evaluated point got right, if classes are counted.",
);
/// Success of attacks on labels.
pub const ATTACK_SUCCESS: Metric = gauge(
    "phalanx_attack_success_ratio",
    "Fraction of the test samples whose class an attack maps to another one that the last evaluated point predicted as that one.",
);
/// Accuracy of guessing.
pub const CHANCE: Metric =
    gauge("phalanx_chance_accuracy_ratio", "Accuracy of guessing: one over the number of classes.");
/// Test loss.
pub const TEST_LOSS: Metric =
    gauge("phalanx_test_loss", "Mean loss on the test set; for a convex task the objective.");
/// Validation accuracy.
pub const VALIDATION_ACCURACY: Metric = gauge(
    "phalanx_validation_accuracy_ratio",
    "Fraction of the held-out training data that the last evaluated point got right.",
);
/// Validation loss.
pub const VALIDATION_LOSS: Metric = gauge(
    "phalanx_validation_loss",
    "Mean loss on the training data that is held out to choose parameters by.",
);
/// Distance to the optimum, in value.
pub const GAP: Metric =
    gauge("phalanx_optimality_gap", "Value of the objective less its optimum, where that is known.");
/// The round of the last evaluation.
pub const EVALUATED: Metric =
    gauge("phalanx_evaluated_round", "The round after which the last evaluated point stood.");
/// Training loss of the honest workers.
pub const HONEST_LOSS: Metric =
    gauge("phalanx_honest_loss", "Mean over the honest workers of the loss of their batch.");
/// Training accuracy of the honest workers.
pub const HONEST_ACCURACY: Metric =
    gauge("phalanx_honest_accuracy_ratio", "Mean over the honest workers of the accuracy on their batch.");

/// Norm of the aggregate.
pub const AGGREGATE_NORM: Metric = gauge("phalanx_aggregate_norm", "Euclidean norm of the aggregate.");
/// How far the rule was moved.
pub const HONEST_DISTANCE: Metric =
    gauge("phalanx_honest_distance", "Distance of the aggregate to the mean of the honest vectors.");
/// How far the honest vectors lie apart.
pub const HONEST_VARIANCE: Metric =
    gauge("phalanx_honest_variance", "Mean squared distance of the honest vectors to their mean.");
/// The two in relation.
pub const COEFFICIENT: Metric = gauge(
    "phalanx_robustness_coefficient",
    "Squared distance of the aggregate to the honest mean over the variance of the honest vectors.",
);
/// What the attackers got of the weight.
pub const BYZANTINE_WEIGHT: Metric = gauge(
    "phalanx_byzantine_weight_ratio",
    "The attackers' share of the weight, if the rule combines vectors by weights.",
);
/// What they would get of equal weights.
pub const BYZANTINE_SHARE: Metric = gauge(
    "phalanx_byzantine_share_ratio",
    "The attackers' share of the workers; from the first round on, of the vectors of the last one.",
);
/// Vectors that were not finite.
pub const SET_ASIDE: Metric = counter(
    "phalanx_rows_set_aside_total",
    "Vectors that were not finite and were set aside by the rule in the rounds of this process.",
);
/// Values that cannot be exported.
pub const NON_FINITE: Metric = counter(
    "phalanx_non_finite_values_total",
    "Times in this process at which a value was not finite; its gauge keeps the last finite value.",
);

/// What became of messages to the barrier.
pub const SUBMISSIONS: Metric = counter(
    "phalanx_submissions_total",
    "Messages to the barrier in the rounds of this process by outcome: accepted, rejected, late or lost.",
);
/// Earlier vectors in the place of missing ones.
pub const STOOD_IN: Metric = counter(
    "phalanx_stood_in_total",
    "Times in this process that an earlier vector of a worker stood in for the one that was missing.",
);
/// Virtual time.
pub const VIRTUAL_SECONDS: Metric = histogram(
    "phalanx_round_virtual_seconds",
    "What a round would have taken by the delays of the experiment's faults.",
);
/// The cast.
pub const ACTORS: Metric = gauge(
    "phalanx_actors",
    "Workers that the last round called, by role and state: alive, late in it, rejected in it, down by a fault of the \
     experiment, or dropped (panicked or gone).",
);
/// Weight of one worker.
pub const WORKER_WEIGHT: Metric = gauge(
    "phalanx_worker_weight_ratio",
    "The weight of one worker's vector in the last aggregate; 0 without a vector.",
);
/// Distance of one worker.
pub const WORKER_DISTANCE: Metric = gauge(
    "phalanx_worker_distance",
    "Distance to the aggregate of the last vector that one worker had in it.",
);
/// Threads.
pub const THREADS: Metric = gauge("phalanx_threads", "Threads that the run may compute on.");

/// Progress of a sweep.
pub const SWEEP_CELLS: Metric = gauge("phalanx_sweep_cells", "Cells of the sweep by state.");

/// Every metric of ours; those of the process (`process_…`) come from the crate metrics-process.
pub const ALL: [Metric; 39] = [
    BUILD,
    ACTIVE,
    ENDED,
    PLANNED,
    ROUND,
    ROUNDS,
    SKIPPED,
    LAST_ROUND,
    GRADIENTS,
    AGGREGATED,
    ROUND_SECONDS,
    PHASE_SECONDS,
    TEST_ACCURACY,
    CLASS_RECALL,
    ATTACK_SUCCESS,
    CHANCE,
    TEST_LOSS,
    VALIDATION_ACCURACY,
    VALIDATION_LOSS,
    GAP,
    EVALUATED,
    HONEST_LOSS,
    HONEST_ACCURACY,
    AGGREGATE_NORM,
    HONEST_DISTANCE,
    HONEST_VARIANCE,
    COEFFICIENT,
    BYZANTINE_WEIGHT,
    BYZANTINE_SHARE,
    SET_ASIDE,
    NON_FINITE,
    SUBMISSIONS,
    STOOD_IN,
    VIRTUAL_SECONDS,
    ACTORS,
    WORKER_WEIGHT,
    WORKER_DISTANCE,
    THREADS,
    SWEEP_CELLS,
];
