//! One shuffled stream over all data, cut into the workers' batches.

use phalanx_robust::{describe::Described, random::Seed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deal, PartitionError, PartitionRule, check};

/// No shards: each epoch the whole training set is shuffled and cut into global batches, of which worker j takes the
/// j-th slice in every round; a last global batch that is incomplete is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharedStream {}

impl Described for SharedStream {
    const NAME: &'static str = "shared-stream";
    const SOURCE: &'static str = "released code of Dahan & Levy, 2024";
}

impl PartitionRule for SharedStream {
    fn deal(&self, labels: &[u8], workers: usize, _: Seed) -> Result<Deal, PartitionError> {
        check::enough(labels.len(), workers)?;
        Ok(Deal::Stream)
    }
}
