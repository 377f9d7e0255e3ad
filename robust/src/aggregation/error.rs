//! Why a rule cannot be applied.

use crate::{
    BatchError, Map, Size,
    describe::{ParameterError, counted},
};

/// A rule that cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// More Byzantine vectors than the rule is defined for.
    #[error("{rule} needs {condition}, which m = {m}, f = {f} does not meet")]
    Breakdown {
        /// Name of the rule.
        rule: &'static str,
        /// The condition, e.g. `m > 2f`.
        condition: &'static str,
        /// Number of vectors the rule is given.
        m: usize,
        /// Number of Byzantine vectors among them.
        f: usize,
    },
    /// The vectors do not form a batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A parameter that cannot be used with this many vectors.
    #[error("{rule}: {error}")]
    Parameter {
        /// Name of the rule.
        rule: &'static str,
        /// Which parameter, and why.
        error: ParameterError,
    },
    /// There are too many layers.
    #[error("the chain has {layers} elements; at most {most} are accepted")]
    Long {
        /// How many.
        layers: usize,
        /// How many are accepted.
        most: usize,
    },
    /// The layers do not form a chain, e.g. nothing under a meta-aggregator, or not in this order.
    #[error("the chain is not allowed: {0}")]
    Chain(String),
    /// The rule needs a vector of the server's own, and the round has none.
    #[error("{rule} needs a reference vector that the server computed itself")]
    NoReference {
        /// Name of the rule.
        rule: &'static str,
    },
    /// The rule needs the server's point, and nobody has told it.
    #[error("{rule} needs the point of the server at which the vectors were computed")]
    NoPoint {
        /// Name of the rule.
        rule: &'static str,
    },
    /// The rule needs to know how good other points are, and nobody tells it.
    #[error("{rule} needs losses on data of the server's own, which only a run has")]
    NoJudge {
        /// Name of the rule.
        rule: &'static str,
    },
    /// Every vector has a coordinate that is NaN or infinite, or a squared norm that is and that the rule needs.
    #[error("none of the {m} vectors is finite, with a squared norm that is")]
    NoneFinite {
        /// Number of vectors.
        m: usize,
    },
    /// The rule has put out every worker that is there.
    #[error("{rule}: every worker that is there was evicted in an earlier round")]
    NobodyLeft {
        /// Name of the rule.
        rule: &'static str,
    },
    /// The rule's result is not like the vectors: in length, format or place.
    #[error("the rule makes a vector of {found}, where those that it is given have {expected}")]
    Unlike {
        /// Length, format and place of the result.
        found: String,
        /// Those of the vectors.
        expected: String,
    },
    /// The rule's result has another number of coefficients or of distances than there are vectors.
    #[error("the rule makes {} for {}", counted(*.found, .what), counted(*.expected, "vector"))]
    Miscounted {
        /// What there are too few or too many of, as one of them is called.
        what: &'static str,
        /// Their number.
        found: usize,
        /// Number of vectors.
        expected: usize,
    },
    /// A pre-aggregator's weights are not over the vectors that it is given, or make another number than it says.
    #[error(
        "a pre-aggregator makes {} of {of}, where it said {expected} of the {given} that there are",
        counted(*.made, "vector")
    )]
    Misshapen {
        /// How many vectors its weights make.
        made: usize,
        /// Of how many.
        of: usize,
        /// How many it said.
        expected: usize,
        /// How many it was given.
        given: usize,
    },
    /// The rule's result is not finite.
    #[error("the rule makes a vector that is not finite from vectors that are")]
    NotFinite,
    /// The rule panicked.
    #[error("the rule panicked: {0}")]
    Panicked(String),
    /// A rule failed for a reason of its own.
    #[error("{rule}: {message}")]
    Failed {
        /// Name of the rule.
        rule: String,
        /// What it said.
        message: String,
    },
}

impl RuleError {
    /// Whether the rule is to blame, whatever it was given.
    pub fn is_own(&self) -> bool {
        matches!(
            self,
            Self::Unlike { .. }
                | Self::Miscounted { .. }
                | Self::Misshapen { .. }
                | Self::NotFinite
                | Self::Panicked(_)
        )
    }

    /// Whether the cause is that too few vectors came in, or too few finite ones, or none that the rule takes.
    pub fn is_turnout(&self) -> bool {
        match self {
            Self::Breakdown { .. }
            | Self::NoneFinite { .. }
            | Self::NobodyLeft { .. }
            | Self::Parameter { .. }
            | Self::Batch(BatchError::Empty) => true,
            Self::Batch(_)
            | Self::Chain(_)
            | Self::Long { .. }
            | Self::NoReference { .. }
            | Self::NoPoint { .. }
            | Self::NoJudge { .. }
            | Self::Unlike { .. }
            | Self::Miscounted { .. }
            | Self::Misshapen { .. }
            | Self::NotFinite
            | Self::Panicked(_)
            | Self::Failed { .. } => false,
        }
    }

    /// `map`, if it is over the `given` vectors and makes as many as `expected`.
    ///
    /// # Errors
    /// [`RuleError::Misshapen`].
    pub(crate) fn fitting(map: Map, given: usize, expected: usize) -> Result<Map, Self> {
        let (made, of) = (map.rows(), map.columns());
        if (made, of) == (expected, given) {
            Ok(map)
        } else {
            Err(Self::Misshapen { made, of, expected, given })
        }
    }

    /// `Ok` if f of the m vectors are fewer than half, which most rules need, else the breakdown of `rule`.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`].
    pub fn minority(rule: &'static str, size: Size) -> Result<(), Self> {
        Self::unless(size.f < size.m.div_ceil(2), rule, "m > 2f", size)
    }

    /// `Ok` if `holds`, else the breakdown of `rule` at this size.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`].
    pub fn unless(holds: bool, rule: &'static str, condition: &'static str, size: Size) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Breakdown { rule, condition, m: size.m, f: size.f }) }
    }
}
