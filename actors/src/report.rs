//! What a run tells those who watch: telemetry, results, progress.

use std::time::Duration;

use phalanx_robust::state::State;

use crate::{
    error::Reason,
    fault::{Incident, Traffic},
    learner::Evaluation,
};

/// One worker's part in a round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerReport {
    /// Id of the worker.
    pub worker: usize,
    /// Whether it is honest.
    pub honest: bool,
    /// The weight its vector got, if the rule combines vectors.
    pub weight: Option<f64>,
    /// Distance of its vector to the aggregate.
    pub distance: Option<f64>,
    /// Mean loss of its batch.
    pub loss: Option<f64>,
    /// Why it took no part, if it did not.
    pub absence: Option<Reason>,
    /// The round of the submission that stood in for it, if one did.
    pub stood_in: Option<u64>,
    /// Whether its vector was not finite and set aside.
    pub set_aside: bool,
}

/// Where the time of a round went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases {
    /// The learner's computation.
    pub gradient: Duration,
    /// Waiting for the barrier to fill, beyond the learner's computation.
    pub wait: Duration,
    /// Phase two, the attackers.
    pub attack: Duration,
    /// The rule.
    pub aggregate: Duration,
    /// The server's step.
    pub step: Duration,
    /// The whole round.
    pub round: Duration,
}

/// A part of a round.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Its name in tables: that of its field.
    pub key: &'static str,
    /// Its name in metrics.
    pub label: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// How long it took.
    pub time: fn(&Phases) -> Duration,
}

impl Phases {
    /// The parts of a round, in their order.
    pub const ALL: [Phase; 5] = [
        Phase { key: "gradient", label: "gradient", name: "gradient", time: |phases| phases.gradient },
        Phase { key: "wait", label: "barrier_wait", name: "barrier wait", time: |phases| phases.wait },
        Phase { key: "attack", label: "attack", name: "attack", time: |phases| phases.attack },
        Phase {
            key: "aggregate",
            label: "aggregation",
            name: "aggregation",
            time: |phases| phases.aggregate,
        },
        Phase { key: "step", label: "step", name: "step", time: |phases| phases.step },
    ];

    /// How long the parts took, in the same order.
    pub fn times(&self) -> [Duration; 5] {
        Self::ALL.map(|phase| (phase.time)(self))
    }
}

/// What happened in a round. All but `phases` is the same for the same config and seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundReport {
    /// The round, from 1.
    pub round: u64,
    /// Mean training loss over the honest workers at x_t.
    pub honest_loss: f64,
    /// Mean training accuracy over the honest workers at x_t.
    pub honest_accuracy: f64,
    /// Norm of the aggregate.
    pub aggregate_norm: f64,
    /// Distance of the aggregate to the mean of the honest vectors.
    pub honest_distance: f64,
    /// Variance of the honest vectors, (1/|G|) Σ ‖x_i - mean‖².
    pub honest_variance: f64,
    /// The workers, by id.
    pub workers: Vec<WorkerReport>,
    /// Gradients computed for workers.
    pub gradients: u64,
    /// Bytes of this round's vectors that the server had.
    pub bytes: u64,
    /// Bytes of the vectors that were sent to it, whatever became of them.
    pub sent_bytes: u64,
    /// How many Byzantine vectors the rule was told to withstand among those that it was given: fewer than there may be in
    /// all, where some were set aside.
    pub f: usize,
    /// Whether no step was made, because faults of the experiment, the quorum or a cohort of attackers alone left what the
    /// rule cannot stand.
    pub skipped: bool,
    /// What became of the messages to the barrier.
    pub traffic: Traffic,
    /// What happened to workers, by id: faults that struck, messages that were rejected, new beginnings.
    pub incidents: Vec<Incident>,
    /// When the round closed, in virtual seconds; none in an experiment without faults.
    pub virtual_seconds: Option<f64>,
    /// Where the time went.
    pub phases: Phases,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Rounds completed.
    pub rounds: u64,
    /// Whether it was asked to stop before its last round.
    pub interrupted: bool,
    /// The final query point.
    pub point: phalanx_robust::Vector,
    /// The last evaluation.
    pub evaluation: Option<Evaluation>,
    /// What the learner remembers beyond the parameters, such as a model's buffers.
    pub learner: State,
}

/// One who watches a run. Called on the aggregator's thread: be quick.
pub trait Observer: Send {
    /// Once, before the first round of this process: everyone is seated, and remembers what a snapshot says.
    ///
    /// # Errors
    /// As [`Observer::round`].
    fn begin(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// After every round.
    ///
    /// # Errors
    /// In words; the run ends with it (a result that cannot be written is not lost in silence).
    fn round(&mut self, report: &RoundReport) -> Result<(), String>;

    /// After every evaluation, in the order of rounds.
    ///
    /// # Errors
    /// As [`Observer::round`].
    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        let _ = evaluation;
        Ok(())
    }

    /// What it has added up over the rounds so far, under a name of its own: a part of a
    /// [`Snapshot`](crate::Snapshot). Those that watch only the present have none.
    fn state(&self) -> Option<(&'static str, State)> {
        None
    }
}

impl RoundReport {
    /// The measured robustness coefficient of the round: squared distance of the aggregate to the
    /// honest mean over the variance of the honest vectors; NaN if all of them are equal.
    pub fn robustness_coefficient(&self) -> f64 {
        if self.honest_variance > 0.0 {
            self.honest_distance.powi(2) / self.honest_variance
        } else {
            f64::NAN
        }
    }

    /// The attackers' share of the sizes of the coefficients, Σ_byzantine |c_i| / Σ |c_i|, if the rule combines vectors and
    /// not all are zero.
    pub fn byzantine_weight(&self) -> Option<f64> {
        let [mut byzantine, mut all] = [0.0; 2];
        for worker in self.heard() {
            let size = worker.weight?.abs();
            all += size;
            byzantine += if worker.honest { 0.0 } else { size };
        }
        (all > 0.0).then(|| byzantine / all)
    }

    /// The attackers' share of the vectors that were given to the rule, if there were any.
    pub fn byzantine_share(&self) -> Option<f64> {
        let byzantine = self.heard().filter(|worker| !worker.honest).count();
        let all = self.heard().count();
        (all > 0).then(|| byzantine as f64 / all as f64)
    }

    /// The workers of whom there is a vector, be it an old one.
    fn heard(&self) -> impl Iterator<Item = &WorkerReport> {
        self.workers.iter().filter(|worker| worker.absence.is_none() || worker.stood_in.is_some())
    }
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    fn begin(&mut self) -> Result<(), String> {
        (**self).begin()
    }

    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        (**self).round(report)
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> Result<(), String> {
        (**self).evaluation(evaluation)
    }

    fn state(&self) -> Option<(&'static str, State)> {
        (**self).state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(workers: &[(bool, Option<f64>)]) -> Option<f64> {
        let worker = |&(honest, weight)| WorkerReport { honest, weight, ..WorkerReport::default() };
        RoundReport { workers: workers.iter().map(worker).collect(), ..RoundReport::default() }
            .byzantine_weight()
    }

    #[test]
    fn the_attackers_weight_is_zero_without_attackers_and_none_without_vectors() {
        assert_eq!(weighed(&[(true, Some(0.5)), (false, Some(0.375)), (false, Some(0.125))]), Some(0.5));
        assert_eq!(weighed(&[(true, Some(1.0))]).map(f64::to_bits), Some(0.0f64.to_bits()), "not -0");
        assert_eq!(
            weighed(&[(true, Some(0.01)), (false, Some(-0.03))]),
            Some(0.75),
            "sizes that sum to less than 1"
        );
        assert_eq!(weighed(&[(true, Some(0.0)), (false, Some(0.0))]), None, "nothing counts");
        assert_eq!(weighed(&[(true, None), (false, None)]), None, "no combination");
        assert_eq!(weighed(&[]), None, "nobody was counted");
    }
}
