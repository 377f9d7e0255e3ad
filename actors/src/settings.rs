//! The checked values of a run that are not actors.

use std::time::Duration;

use phalanx_robust::random::Seed;

use crate::fault::{Closing, Faults};

/// What to do about a worker that takes no part in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The run ends with an error that names it.
    #[default]
    Fail,
    /// The round goes on without it, and its report says why. One that died or was late is not asked
    /// again; one that was rejected or failed is. The server is told the same f as before, so that the
    /// run ends when too few vectors are left for its rule, unless a fault of the experiment is the cause:
    /// then the round makes no step.
    Drop,
    /// As [`Policy::Drop`], but the server is told the share of f that falls to those present, rounded up:
    /// see [`Size::part`](phalanx_robust::Size::part).
    Recompute,
    /// The worker's last submission that was taken in stands in for it, however old; one that has none is dropped.
    Reuse,
}

/// How long the aggregator waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a worker, beyond the learner's computation: once until it has asked the learner, and once
    /// more until it has submitted.
    pub worker: Duration,
    /// For the learner's computation of a round. It begins when the workers' deadline has passed: before
    /// that nobody can tell whether the learner computes or still waits for a worker.
    pub learner: Duration,
    /// For all attackers, in phase two.
    pub attack: Duration,
    /// For the rule and the step.
    pub rule: Duration,
    /// For an evaluation, when the run cannot go on without it.
    pub evaluation: Duration,
}

impl Deadlines {
    /// The same deadline for everyone.
    pub fn all(deadline: Duration) -> Self {
        Self { worker: deadline, learner: deadline, attack: deadline, rule: deadline, evaluation: deadline }
    }
}

impl Default for Deadlines {
    /// One minute for a worker, ten for phase two, one hour for everything else.
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self { worker: minutes(1), attack: minutes(10), ..Self::all(minutes(60)) }
    }
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where all random numbers come from.
    pub seed: Seed,
    /// Number of rounds.
    pub rounds: u64,
    /// Number of Byzantine workers that the server is told to withstand among those of a round.
    pub f: usize,
    /// Partial participation: each round calls so many workers, drawn uniformly without replacement,
    /// attackers among them. Without it, all of them take part.
    pub cohort: Option<usize>,
    /// A point is evaluated every so many rounds, beside the first and the last; 0 for those two alone.
    pub evaluate_every: u64,
    /// Number of threads that compute, and of threads that host honest workers.
    pub threads: usize,
    /// Workers that one actor hosts; 0 lets the number of workers decide, see [`Settings::hosted`].
    pub block: usize,
    /// What to do about absent workers.
    pub policy: Policy,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// When a round closes, in virtual time.
    pub closing: Closing,
    /// Whether a round really takes as long as its virtual time says, beside its computation.
    pub real_time: bool,
    /// How often a worker or attack whose own code panicked begins anew, in the round after; then it is dead.
    pub restarts: u64,
    /// What befalls the workers by the experiment's will.
    pub faults: Faults,
    /// Whether reports hold the mean and variance of the honest vectors, which costs two passes over them.
    pub measure_honest: bool,
}

impl Settings {
    /// Groups of workers are cut into about so many actors at most: a message costs microseconds, and
    /// more actors than this make no better use of any number of threads.
    pub const ACTORS: usize = 64;

    /// How many workers one actor hosts in a cast of `workers`: one, up to [`Settings::ACTORS`] of them.
    pub fn hosted(&self, workers: usize) -> usize {
        match self.block {
            0 => workers.div_ceil(Self::ACTORS).max(1),
            block => block,
        }
    }
}

impl Default for Settings {
    /// One round, one thread, f = 0.
    fn default() -> Self {
        Self {
            seed: Seed(0),
            rounds: 1,
            f: 0,
            cohort: None,
            evaluate_every: 0,
            threads: 1,
            block: 0,
            policy: Policy::default(),
            deadlines: Deadlines::default(),
            closing: Closing::default(),
            real_time: false,
            restarts: 0,
            faults: Faults::default(),
            measure_honest: true,
        }
    }
}
