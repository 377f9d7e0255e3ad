//! What computed a run's gradients, as it was resolved: `computation` in `run.json`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::config::{Precision, Way};

/// How gradients are computed; with the configuration it says what a repetition must do to get the same bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computation {
    /// The way that was taken, never `auto`; none for a convex objective.
    pub way: Option<Way>,
    /// The most workers that one pass of the model answers, by the size of their batches.
    pub tiles: BTreeMap<usize, usize>,
    /// Number format.
    pub precision: Precision,
    /// `cpu` or `cuda:N`.
    pub device: String,
}

/// `f32 on cpu by torch, at most 9 workers a pass (batch 4)`.
impl fmt::Display for Computation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.precision.name(), self.device)?;
        let Some(way) = self.way else { return Ok(()) };
        write!(f, " by {}", way.name())?;
        let each = self.tiles.iter().map(|(batch, most)| format!("{most} workers a pass (batch {batch})"));
        match way {
            Way::Torch => write!(f, ", at most {}", each.collect::<Vec<_>>().join(" and ")),
            Way::Kernels | Way::Auto => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Computation, Precision, Way};

    #[test]
    fn it_is_told_in_a_line() {
        let mut told = Computation {
            way: Some(Way::Torch),
            tiles: [(4, 9), (32, 2)].into(),
            precision: Precision::F32,
            device: "cpu".into(),
        };
        let tiles = "9 workers a pass (batch 4) and 2 workers a pass (batch 32)";
        assert_eq!(told.to_string(), format!("f32 on cpu by torch, at most {tiles}"));
        told.way = Some(Way::Kernels);
        assert_eq!(told.to_string(), "f32 on cpu by kernels");
        told.way = None;
        assert_eq!(told.to_string(), "f32 on cpu");
    }
}
