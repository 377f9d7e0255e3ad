//! `[[faults]]`: what befalls workers, whom and when. Names are looked up and
//! ids checked by the plan.

use serde::{Deserialize, Serialize};

use super::Named;

/// One fault of the experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultTable {
    /// What happens: a name with parameters, see `phalanx list faults`.
    pub fault: Named,
    /// Whom it may strike: ids. Attackers come behind the honest workers, in file order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<usize>>,
    /// Or all of `all`, `honest`, `attackers`, `workers.N` or `attackers.N` (the N-th table, from 0); without both, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only this fraction of them, drawn once by the seed and rounded to the nearest number of workers.
    #[serde(default = "all")]
    pub fraction: f64,
    /// The first round.
    #[serde(default = "one")]
    pub from: u64,
    /// The last round; without it, that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// It is due every so many rounds from the first.
    #[serde(default = "one")]
    pub every: u64,
    /// How likely it strikes when it is due, each worker by itself.
    #[serde(default = "all")]
    pub probability: f64,
}

fn one() -> u64 {
    1
}

fn all() -> f64 {
    1.0
}
