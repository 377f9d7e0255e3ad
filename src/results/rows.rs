//! What stands in the tables of a run: one list for each, in which every column has its name, unit, meaning and value. An
//! empty cell means that there is no such number. All but `timings.csv`, where everything is that a clock says, are the same
//! for the same configuration and seed. [`tables`](super::tables) writes them.

use std::time::Duration;

use phalanx_actors::{
    Confusion, Evaluation, Incident, RoundReport, WorkerReport, confusion::ClassCounts, report::Phase,
};

/// A table of a run.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The name of its file.
    pub file: &'static str,
    /// Its entry in a snapshot: how long the file was.
    pub entry: &'static str,
    /// Its columns, in order.
    pub columns: &'static [&'static str],
}

/// From one list a table, with its columns as documentation, and a function that makes a row.
macro_rules! table {
    (
        $(#[$about:meta])*
        $table:ident $entry:literal, $row:ident($($given:ident: $kind:ty),*):
        $($name:literal, $unit:literal, $meaning:literal => $value:expr;)*
    ) => {
        $(#[$about])*
        ///
        /// | column | unit | meaning |
        /// |---|---|---|
        $(#[doc = concat!("| `", $name, "` | ", $unit, " | ", $meaning, " |")])*
        pub const $table: Table =
            Table { file: concat!($entry, ".csv"), entry: $entry, columns: &[$($name),*] };

        /// A row of that table.
        pub(super) fn $row($($given: $kind),*) -> Vec<String> {
            vec![$($value),*]
        }
    };
}

table! {
    /// `rounds.csv` has a row for every round; `gradients` and `bytes` are those of the run so far.
    ROUNDS "rounds", round(report: &RoundReport, gradients: u64, bytes: u64):
    "round", "", "t, from 1" => report.round.to_string();
    "honest_loss", "loss", "mean over the honest workers of their batch's mean loss at x_t; for a convex task with noise that of the sample, which may be negative"
        => number(report.honest_loss);
    "honest_accuracy", "fraction", "the same of their batch's accuracy" => number(report.honest_accuracy);
    "aggregate_norm", "gradient", "norm of the aggregate" => number(report.aggregate_norm);
    "honest_distance", "gradient", "distance of the aggregate to the mean of the honest vectors"
        => number(report.honest_distance);
    "honest_variance", "gradient²", r"(1/\|G\|) Σ ‖x_i − mean‖² over the honest vectors"
        => number(report.honest_variance);
    "robustness_coefficient", "", "honest_distance² / honest_variance"
        => number(report.robustness_coefficient());
    "byzantine_weight", "fraction", r"the attackers' share of the coefficients' sizes, Σ_byzantine \|c_i\| / Σ \|c_i\|, if the rule combines vectors"
        => known(report.byzantine_weight());
    "set_aside", "vectors", "how many were not finite" => count(report, |worker| worker.set_aside);
    "absent", "workers", "how many took no part" => count(report, |worker| worker.absence.is_some());
    "gradients", "gradients", "computed by workers so far in the run, each of one batch, those of attackers who follow the protocol too"
        => gradients.to_string();
    "bytes", "B", "of vectors sent so far in the run, whatever became of them; each message counts as one vector of the task"
        => bytes.to_string();
    "workers", "workers", "how many were called: the whole cast, or the round's cohort"
        => report.workers.len().to_string();
    "attackers", "workers", "how many of them are Byzantine" => count(report, |worker| !worker.honest);
    "f", "workers", "how many Byzantine ones the rule was told to withstand among the m = `accepted` + `stood_in` - `set_aside` whose vectors it was given; each vector set aside counts as one that is withstood"
        => report.f.to_string();
    "sent", "messages", "sent to the barrier; the sum of the next four. Each counts once: one out of order in the round in which it arrives"
        => report.traffic.sent.to_string();
    "accepted", "messages", "taken in, one for each worker that is there" => report.traffic.accepted.to_string();
    "rejected", "messages", "refused by the barrier" => report.traffic.rejected.to_string();
    "late", "messages", "behind the deadline or the quorum" => report.traffic.late.to_string();
    "lost", "messages", "that never arrive, in a later round neither" => report.traffic.lost.to_string();
    "stood_in", "workers", "for how many absent ones an earlier vector stood in"
        => count(report, |worker| worker.stood_in.is_some());
    "skipped", "rounds", "1 if no step was made, because faults, the quorum or a cohort of attackers alone left what the rule cannot stand; 0 else"
        => flag(report.skipped);
    "virtual_seconds", "s", "what the round would have cost by its delays; empty in an experiment without faults"
        => known(report.virtual_seconds);
}

table! {
    /// `evaluations.csv` has a row for every evaluation.
    EVALUATIONS "evaluations", evaluation(taken: &Evaluation):
    "round", "", "after which it was taken; 0 is the initial point" => taken.round.to_string();
    "test_loss", "loss", "mean over the test set; for a convex task the objective" => number(taken.loss);
    "test_accuracy", "fraction", "classified rightly, of the test set; for a convex task of all its samples, which are those that workers train on"
        => number(taken.accuracy);
    "gap", "loss", "f(x) − f(x*) where x* is known" => number(taken.gap);
    "validation_loss", "loss", "on training data held out, where `task.validation` holds some out"
        => number(taken.validation_loss);
    "validation_accuracy", "fraction", "the same of the accuracy" => number(taken.validation_accuracy);
}

table! {
    /// With `evaluation.per_class` the rows of `evaluations.csv` have these columns behind the others. Means over classes are
    /// those of scikit-learn's `balanced_accuracy_score` and `f1_score(average="macro")`; the attack's success is the attack
    /// success rate of Jebreel, Domingo-Ferrer, Sánchez & Blanco-Justicia, "Defending against the Label-Flipping Attack in
    /// Federated Learning", 2022, over all classes that the attack maps to another one.
    OF_CLASSES "evaluations", of_classes(taken: &Evaluation, confusion: &Confusion):
    "balanced_accuracy", "fraction", "mean recall of the classes that have samples"
        => number(confusion.balanced_accuracy());
    "macro_f1", "fraction", "mean F1 of the classes that have samples or are predicted" => number(confusion.macro_f1());
    "attack_success", "fraction", "of the test samples whose class an attack of that round maps to another one, those that are predicted as that one; empty if there are none"
        => number(taken.attack_success);
}

table! {
    /// `classes.csv` has a row for every evaluation and class, with `evaluation.per_class`. What scikit-learn's
    /// `classification_report` calls support is `samples`; where it puts 0 for a number that is not there, the cell is empty.
    CLASSES "classes", class(round: u64, class: usize, counts: ClassCounts):
    "round", "", "of the evaluation" => round.to_string();
    "class", "", "from 0" => class.to_string();
    "samples", "samples", "of the class in the test set" => counts.samples.to_string();
    "predicted", "samples", "predicted as it" => counts.predicted.to_string();
    "right", "samples", "of it and predicted as it" => counts.right.to_string();
    "recall", "fraction", "right / samples; the accuracy within the class" => number(counts.recall());
    "precision", "fraction", "right / predicted" => number(counts.precision());
    "f1", "fraction", "2 right / (samples + predicted), the harmonic mean of the two" => number(counts.f1());
}

table! {
    /// `confusion.csv` has a row for every evaluation and pair of a class and a prediction that occurred, with
    /// `evaluation.per_class`; a pair without a row has no samples.
    CONFUSION "confusion", pair(round: u64, label: usize, predicted: usize, samples: u64):
    "round", "", "of the evaluation" => round.to_string();
    "class", "", "of the samples, from 0" => label.to_string();
    "predicted", "", "the class that they were predicted as" => predicted.to_string();
    "samples", "samples", "of the test set, how many" => samples.to_string();
}

table! {
    /// `faults.csv` has a row for each worker and round in which something happened to it.
    FAULTS "faults", mishap(round: u64, worker: &WorkerReport, incident: &Incident):
    "round", "", "when" => round.to_string();
    "worker", "", "its id" => worker.worker.to_string();
    "role", "", "`honest` or `byzantine`" => role(worker);
    "faults", "", "the faults of the experiment that struck it, joined by `+`; empty where it was not the experiment"
        => incident.faults.join("+");
    "seconds", "s", "virtual time at which its submission arrives" => known(incident.seconds);
    "outcome", "", "`accepted`, `absent`, or `stood-in` (an earlier vector of it stood in)" => outcome(worker);
    "sent", "messages", "of it that were sent; what became of them is in the next three"
        => incident.traffic.sent.to_string();
    "rejected", "messages", "refused by the barrier" => incident.traffic.rejected.to_string();
    "late", "messages", "behind the deadline or the quorum" => incident.traffic.late.to_string();
    "lost", "messages", "that never arrive" => incident.traffic.lost.to_string();
    "restarted", "", "1 if it began anew in this round; 0 else" => flag(incident.restarted);
    "reason", "", "why it was absent, or why a message was rejected"
        => worker.absence.as_ref().or(incident.rejection.as_ref()).map_or_else(String::new, ToString::to_string);
}

table! {
    /// `workers.csv` has a row for every worker that was called in one of the rounds that `record.workers_every` chooses.
    WORKERS "workers", fate(round: u64, worker: &WorkerReport):
    "round", "", "when" => round.to_string();
    "worker", "", "its id" => worker.worker.to_string();
    "role", "", "`honest` or `byzantine`" => role(worker);
    "outcome", "", "`accepted`, `absent`, or `stood-in`" => outcome(worker);
    "weight", "fraction", "the coefficient of its vector, if the rule combines vectors" => known(worker.weight);
    "distance", "gradient", "of its vector to the aggregate" => known(worker.distance);
    "set_aside", "", "1 if its vector was not finite; 0 else" => flag(worker.set_aside);
    "loss", "loss", "mean over its batch" => known(worker.loss);
}

table! {
    /// `timings.csv` has a row for every round.
    TIMINGS "timings", times(report: &RoundReport, elapsed: Duration):
    "round", "", "t, from 1" => report.round.to_string();
    "gradient_seconds", "s", "the learner's computation" => seconds(report.phases.gradient);
    "wait_seconds", "s", "waiting for the barrier beyond that" => seconds(report.phases.wait);
    "attack_seconds", "s", "phase two" => seconds(report.phases.attack);
    "aggregate_seconds", "s", "the rule" => seconds(report.phases.aggregate);
    "step_seconds", "s", "the server's step" => seconds(report.phases.step);
    "round_seconds", "s", "the whole round, without what it waits for evaluations"
        => seconds(report.phases.round);
    "elapsed_seconds", "s", "since the run began" => seconds(elapsed);
}

/// The column of `timings.csv` that a part of the round has.
pub fn timing(part: &Phase) -> String {
    format!("{}_seconds", part.key)
}

/// The rows of `faults.csv` for a round: the workers to which something happened, by id.
pub(super) fn mishaps(report: &RoundReport) -> impl Iterator<Item = Vec<String>> {
    let mut incidents = report.incidents.iter().peekable();
    report.workers.iter().filter_map(move |worker| {
        let mut all = Incident { worker: worker.worker, ..Incident::default() };
        let mut any = worker.absence.is_some();
        while let Some(one) = incidents.next_if(|incident| incident.worker == worker.worker) {
            any = true;
            let restarted = all.restarted || one.restarted;
            // Of a new beginning and of what happened then, the second has more to tell.
            all = if one.restarted { all } else { one.clone() };
            all.restarted = restarted;
        }
        any.then(|| mishap(report.round, worker, &all))
    })
}

/// How many workers of a round are such.
fn count(report: &RoundReport, test: fn(&WorkerReport) -> bool) -> String {
    report.workers.iter().filter(|worker| test(worker)).count().to_string()
}

fn role(worker: &WorkerReport) -> String {
    if worker.honest { "honest" } else { "byzantine" }.to_owned()
}

/// What became of its vector.
fn outcome(worker: &WorkerReport) -> String {
    let word = match (&worker.absence, worker.stood_in) {
        (_, Some(_)) => "stood-in",
        (Some(_), None) => "absent",
        (None, None) => "accepted",
    };
    word.to_owned()
}

fn flag(flag: bool) -> String {
    u8::from(flag).to_string()
}

fn seconds(time: Duration) -> String {
    format!("{:.9}", time.as_secs_f64())
}

/// A number, if there is one.
fn known(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// The shortest decimal that reads back as the same f64; nothing for NaN.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use phalanx_actors::{RoundReport, report::Phases};

    use super::{TIMINGS, seconds, times, timing};

    /// Each part of a round is in the column that is called after it.
    #[test]
    fn times_are_in_the_order_of_their_columns() {
        assert_eq!(Phases::ALL.map(|part| timing(&part)), TIMINGS.columns[1..6]);
        let [gradient, wait, attack, aggregate, step, round] = [1, 2, 3, 4, 5, 6].map(Duration::from_secs);
        let phases = Phases { gradient, wait, attack, aggregate, step, round };
        let row = times(&RoundReport { phases, ..RoundReport::default() }, Duration::ZERO);
        assert_eq!(Phases::ALL.map(|part| seconds((part.time)(&phases))), row[1..6]);
    }
}
