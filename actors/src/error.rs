//! What can go wrong in a run: why a worker takes no part in a round, and why
//! a run ends before its time. Errors name the round and the actor.

use std::{fmt, time::Duration};

use phalanx_robust::aggregation::RuleError;

use crate::{
    barrier::Rejection,
    learner::LearnerError,
    messages::{Fault, ForgeError},
    snapshot::Unfit,
};

/// Why a worker takes no part in a round.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Its actor stopped. It is not asked again.
    #[error("died")]
    Died,
    /// Its own code panicked, with this message. It is not asked again.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It did not answer within the deadline. It is not asked again.
    #[error("stayed silent for {0:?}")]
    Silent(Duration),
    /// It did not ask the learner within the deadline. It is not asked again.
    #[error("did not ask the learner within {0:?}")]
    Unasked(Duration),
    /// It submitted under another worker's id.
    #[error("submitted in the name of worker {0}")]
    Impostor(usize),
    /// It left its vector for phase two, which only attackers take part in.
    #[error("waits for phase two, but is no attacker")]
    NoAttacker,
    /// The barrier rejected its vector.
    #[error("was rejected: {}", .0.said_of("it"))]
    Rejected(#[from] Rejection),
    /// It said that it could not do its part.
    #[error("failed: {0}")]
    Fault(Fault),
    /// It is down, by a fault of the experiment.
    #[error("is down")]
    Crashed,
    /// Its messages did not arrive, by a fault of the experiment.
    #[error("was not heard of")]
    Lost,
    /// Its submission arrives in a later round, by a fault of the experiment.
    #[error("was not heard of; its submission is {rounds} round{} late", if *.rounds == 1 { "" } else { "s" })]
    Overtaken {
        /// How many rounds later.
        rounds: u64,
    },
    /// Its submission arrived behind the deadline, in virtual time.
    #[error("is late: its submission takes {seconds:.3} s, the deadline is {deadline} s")]
    Late {
        /// When it arrived.
        seconds: f64,
        /// When the round closed.
        deadline: f64,
    },
    /// Its submission arrived when the quorum was reached already, in virtual time.
    #[error("came behind the quorum, after {seconds:.3} s")]
    Overtime {
        /// When it arrived.
        seconds: f64,
    },
    /// It has not been asked since an earlier round.
    #[error("{reason} in round {since}")]
    Gone {
        /// The round in which it was lost.
        since: u64,
        /// Why.
        reason: Box<Reason>,
    },
}

fn wanted(expected: Option<&str>) -> String {
    expected.map_or_else(String::new, |expected| format!(", but {expected} are wanted"))
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Panicked(message) => Self::Panicked(message),
            fault => Self::Fault(fault),
        }
    }
}

impl Reason {
    /// What so many workers did.
    fn of(&self, workers: usize) -> String {
        match self {
            _ if workers == 1 => self.to_string(),
            Self::NoAttacker => "wait for phase two, but are no attackers".to_owned(),
            Self::Rejected(rejection) => format!("were rejected: {rejection}"),
            Self::Crashed => "are down".to_owned(),
            Self::Lost => "were not heard of".to_owned(),
            Self::Overtaken { .. } => "were not heard of; their submissions are late".to_owned(),
            Self::Late { deadline, .. } => format!("are late: the deadline is {deadline} s"),
            _ => self.to_string(),
        }
    }

    /// Whether code of the worker, or of its attack, panicked.
    pub fn is_panic(&self) -> bool {
        matches!(
            self,
            Self::Died | Self::Panicked(_) | Self::Fault(Fault::Forge { error: ForgeError::Panicked(_), .. })
        )
    }

    /// Whether the worker itself sent nothing, whatever else it did.
    pub(crate) fn is_unsent(&self) -> bool {
        self.is_silence()
            || matches!(self, Self::Died | Self::Panicked(_) | Self::NoAttacker | Self::Fault(_))
    }

    /// Whether it was waited for until a deadline.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Unasked(_))
    }

    /// Whether the worker is lost for the rest of the run: dead, or so late that waiting for it again
    /// would cost every round a deadline.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Died | Self::Panicked(_) | Self::Silent(_) | Self::Unasked(_) | Self::Gone { .. }
        )
    }

    /// What is remembered of it in later rounds, if it is final: the words of a panic belong to its own round.
    pub(crate) fn remembered(&self) -> Self {
        match self {
            Self::Panicked(_) => Self::Died,
            reason => reason.clone(),
        }
    }
}

/// A part of the program that is no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The learner actor.
    Learner,
    /// The defence.
    Rule,
    /// The server's step.
    Step,
    /// Where the server's own batches come from.
    Root,
    /// An observer.
    Observer,
    /// What keeps snapshots.
    Keeper,
    /// The evaluation of a snapshot.
    Evaluation,
    /// The aggregator actor.
    Aggregator,
    /// What seats the actors.
    Cast,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Learner => "the learner",
            Self::Rule => "the aggregation rule",
            Self::Step => "the server's step",
            Self::Root => "the server's sampler",
            Self::Observer => "an observer",
            Self::Keeper => "the keeper of snapshots",
            Self::Evaluation => "the evaluation",
            Self::Aggregator => "the aggregator",
            Self::Cast => "the cast",
        })
    }
}

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Workers took no part in a round, and the policy is to fail.
    #[error("round {round}: {} {}", Names(.workers), .reason.of(.workers.len()))]
    Workers {
        /// The round.
        round: u64,
        /// Who, ascending.
        workers: Vec<usize>,
        /// Why.
        reason: Box<Reason>,
    },
    /// The learner could not answer.
    #[error("round {round}: {error}")]
    Learner {
        /// The round.
        round: u64,
        /// What it said.
        error: LearnerError,
    },
    /// The rule could not aggregate what was submitted.
    #[error("round {round}: {error}; {submitted} of {workers} workers submitted")]
    Rule {
        /// The round.
        round: u64,
        /// What it said.
        error: Box<RuleError>,
        /// How many vectors it was given.
        submitted: usize,
        /// How many workers there are.
        workers: usize,
    },
    /// The server's step made a point that cannot be used.
    #[error("round {round}: the server's step makes {found}{}", wanted(.expected.as_deref()))]
    Step {
        /// The round.
        round: u64,
        /// What it made.
        found: String,
        /// Its length, format and place as they should be, where they are not.
        expected: Option<String>,
    },
    /// A point could not be evaluated.
    #[error("evaluation after round {round}: {error}")]
    Evaluation {
        /// The round after which it was due.
        round: u64,
        /// What the learner said.
        error: LearnerError,
    },
    /// An observer failed.
    #[error("round {round}: {message}")]
    Observer {
        /// The round.
        round: u64,
        /// Its words.
        message: String,
    },
    /// A part of the program did not answer in time.
    #[error("round {round}: {part} did not answer within {deadline:?}")]
    Stuck {
        /// The round.
        round: u64,
        /// Which part.
        part: Part,
        /// How long it was given.
        deadline: Duration,
    },
    /// A part of the program panicked or stopped.
    #[error("round {round}: {part} died{}", Because(.message))]
    Died {
        /// The round; 0 before the first.
        round: u64,
        /// Which part.
        part: Part,
        /// The panic's message, if it is known.
        message: String,
    },
    /// The actors could not be seated.
    #[error("cannot seat workers {from}..{to}: {message}")]
    Seating {
        /// The first id of the group.
        from: usize,
        /// The id after its last.
        to: usize,
        /// Why not.
        message: String,
    },
    /// The run cannot go on from its snapshot.
    #[error(transparent)]
    Snapshot(#[from] Unfit),
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {message}")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// What the system said.
        message: String,
    },
}

/// Writes at most eight workers.
struct Names<'a>(&'a [usize]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let ids: Vec<String> = self.0.iter().take(SHOWN).map(usize::to_string).collect();
        write!(f, "worker{} {}", if self.0.len() == 1 { "" } else { "s" }, ids.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Writes a panic's message, if there is one.
struct Because<'a>(&'a str);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_who_and_when() {
        let error = RunError::Workers { round: 7, workers: vec![3], reason: Box::new(Reason::Died) };
        assert_eq!(error.to_string(), "round 7: worker 3 died");
        let reason = Box::new(Reason::Silent(Duration::from_millis(200)));
        let error = RunError::Workers { round: 2, workers: (0..10).collect(), reason };
        assert_eq!(
            error.to_string(),
            "round 2: workers 0, 1, 2, 3, 4, 5, 6, 7 and 2 more stayed silent for 200ms"
        );
        let down = |workers| RunError::Workers { round: 1, workers, reason: Box::new(Reason::Crashed) };
        assert_eq!(down(vec![0]).to_string(), "round 1: worker 0 is down");
        assert_eq!(down(vec![0, 3]).to_string(), "round 1: workers 0, 3 are down");
        let error = RunError::Died { round: 1, part: Part::Learner, message: String::new() };
        assert_eq!(error.to_string(), "round 1: the learner died");
    }
}
