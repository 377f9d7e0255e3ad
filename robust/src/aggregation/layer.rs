//! What a chain is made of.

use std::fmt;

use super::{Aggregator, MetaAggregator, PreAggregator};

/// One element of a chain.
#[derive(Clone)]
pub enum Layer {
    /// The innermost rule.
    Base(Box<dyn Aggregator>),
    /// A map of the vectors.
    Pre(Box<dyn PreAggregator>),
    /// A rule over a rule.
    Meta(Box<dyn MetaAggregator>),
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Base(_) => "Base",
            Self::Pre(_) => "Pre",
            Self::Meta(_) => "Meta",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}
