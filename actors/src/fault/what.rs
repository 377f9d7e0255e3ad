//! The kinds of fault, and what each does to a worker or to its submission: a new one is a variant here, and the config
//! struct that a file names it by. Who is down is found by `downtime`; what comes from another round needs to know who
//! took part in that, and is brought by the post.

use super::Delay;
use crate::{error::Reason, messages::Submission};

/// What happens to a worker or to its submission.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// It is down: not asked, and known to be down. `rounds` from each strike on; 0 for the struck rounds alone.
    Crash {
        /// How many rounds it stays down.
        rounds: u64,
        /// Whether it comes back with what it remembered; else as if just made.
        remembers: bool,
    },
    /// Its messages take this time.
    Delay(Delay),
    /// Its messages do not arrive.
    Silence,
    /// Its submission arrives so many times more.
    Duplicate {
        /// How many more.
        copies: u64,
    },
    /// Its submission of an earlier round arrives again, before the new one.
    Replay {
        /// How many rounds earlier.
        age: u64,
    },
    /// Its submission arrives in a later round, behind those of the rounds between, if it takes part in that one.
    OutOfOrder {
        /// How many rounds later.
        rounds: u64,
    },
    /// Its vector has so many coordinates; none: one more than it should. Nobody makes such a vector: the barrier refuses
    /// it by its length.
    WrongLength {
        /// How many; the right number is no fault.
        length: Option<usize>,
    },
    /// Its submission names another round.
    WrongRound {
        /// How far ahead; negative for a round that is over.
        by: i64,
    },
    /// Every coordinate is NaN.
    Nan,
    /// Every coordinate is infinite.
    Inf,
    /// It submits as another worker; none: as the one with the next id.
    Impostor {
        /// As whom.
        of: Option<usize>,
    },
    /// It sends so many messages in place of one.
    Flood {
        /// How many.
        messages: u64,
    },
}

impl What {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Delay(delay) => delay.name(),
            Self::Silence => "silence",
            Self::Duplicate { .. } => "duplicate",
            Self::Replay { .. } => "replay",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::WrongLength { .. } => "wrong-length",
            Self::WrongRound { .. } => "wrong-round",
            Self::Nan => "nan",
            Self::Inf => "inf",
            Self::Impostor { .. } => "impostor",
            Self::Flood { .. } => "flood",
        }
    }
    /// How long its messages take, if it delays them.
    pub(super) fn delay(&self) -> Option<&Delay> {
        if let Self::Delay(delay) = self { Some(delay) } else { None }
    }

    /// How many rounds earlier the messages were sent that it brings.
    pub(super) fn looks_back(&self) -> Option<u64> {
        match *self {
            Self::Replay { age: rounds } | Self::OutOfOrder { rounds } => Some(rounds),
            _ => None,
        }
    }

    /// How many rounds later the messages arrive that it keeps back.
    pub(super) fn looks_ahead(&self) -> Option<u64> {
        if let Self::OutOfOrder { rounds } = *self { Some(rounds) } else { None }
    }

    /// Why nothing arrives in the round, if so.
    pub(super) fn lost(&self) -> Option<Reason> {
        match *self {
            Self::Silence => Some(Reason::Lost),
            Self::OutOfOrder { rounds } => Some(Reason::Overtaken { rounds }),
            _ => None,
        }
    }

    /// How many messages it makes of so many.
    pub(super) fn multiplied(&self, messages: u64) -> u64 {
        match *self {
            Self::Duplicate { copies } => messages.saturating_add(copies),
            Self::Flood { messages: flood } => messages.max(flood),
            _ => messages,
        }
    }

    /// The length that a vector of `own` coordinates is said to have, if it says so.
    pub(super) fn length(&self, own: usize) -> Option<usize> {
        if let Self::WrongLength { length } = *self { Some(length.unwrap_or(own + 1)) } else { None }
    }

    /// What it makes of the submission itself.
    pub(super) fn damage(&self, submission: &mut Submission) {
        let vector = &submission.vector;
        let filled = |value: f64| vector.like(&vec![value; vector.len()]);
        match *self {
            Self::Nan => submission.vector = filled(f64::NAN),
            Self::Inf => submission.vector = filled(f64::INFINITY),
            Self::WrongRound { by } => submission.round = submission.round.saturating_add_signed(by),
            Self::Impostor { of } => submission.worker = of.unwrap_or(submission.worker + 1),
            _ => {}
        }
    }
}
