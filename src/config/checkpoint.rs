//! When a run leaves a checkpoint from which it can go on.

use serde::{Deserialize, Serialize};

use super::number;

/// When checkpoints are written. Nothing here changes a result, and a run that ends before its last round because
/// of Ctrl-C or SIGTERM leaves one whatever stands here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Rounds between checkpoints; 0: rounds do not decide.
    pub every_rounds: u64,
    /// Minutes between checkpoints; 0: time does not decide.
    pub every_minutes: f64,
    /// How many are kept, the newest ones.
    pub keep: usize,
}

impl Checkpoint {
    /// The first key whose value cannot be used, and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let (minutes, keep) = (self.every_minutes, self.keep);
        if !(0.0..=1e6).contains(&minutes) {
            let message = format!("{} is given; 0 (off) to 1000000 minutes are accepted", number(minutes));
            return Some(("checkpoint.every_minutes", message));
        }
        if keep == 0 {
            return Some(("checkpoint.keep", "at least one checkpoint is kept".to_owned()));
        }
        None
    }
}
