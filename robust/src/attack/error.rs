//! Why an attack could not make its vectors.

use super::{Knowledge, Misfit};
use crate::aggregation::RuleError;

/// An attack that could not make its vectors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttackError {
    /// The attack asked its view for something that its declared knowledge does not include.
    #[error("the attack looks at {wanted} knowledge but declares {declared}")]
    Knowledge {
        /// What it looked at.
        wanted: Knowledge,
        /// What it declares.
        declared: Knowledge,
    },
    /// The attack asked for what its own workers computed, but they took no part in the protocol.
    #[error("the attack looks at its workers' own vectors, but does not follow the protocol")]
    NoOwnVectors,
    /// The attack looks at the server's point, and there is none.
    #[error("the attack looks at the point at which the vectors were computed, and there is none")]
    NoPoint,
    /// Probing the defence failed.
    #[error("probing the defence: {0}")]
    Probe(#[from] RuleError),
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}

impl From<Misfit> for AttackError {
    fn from(misfit: Misfit) -> Self {
        Self::Failed(misfit.message)
    }
}
