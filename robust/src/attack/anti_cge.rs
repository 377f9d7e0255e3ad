//! The attack on comparative gradient elimination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Anti-CGE: all send -r · mu / ‖mu‖, against the honest mean mu and just short enough (r) that a
/// server which keeps the m - f vectors of smallest norm keeps all of theirs and drops the longest
/// honest ones instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AntiCge {
    /// r, as a part of the norm of the shortest honest vector that is to be dropped.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub margin: f64,
}

impl Default for AntiCge {
    fn default() -> Self {
        Self { margin: 0.999 }
    }
}

impl Described for AntiCge {
    const NAME: &'static str = "anti-cge";
    const SOURCE: &'static str = "after ByzantineMomentum (El-Mhamdi, Guerraoui & Rouault, 2021)";
}

impl AttackRule for AntiCge {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if !(self.margin > 0.0 && self.margin <= 1.0) {
            return Err(ParameterError::new("margin", self.margin, "0 < margin <= 1"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for AntiCge {}

impl Attack for AntiCge {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        let mut norms: Vec<f64> = (0..honest.m()).map(|i| honest.row(i).norm()).collect();
        norms.sort_by(f64::total_cmp);
        // The server keeps m - f, of which the attackers, m - n of them, are to be the first to stay.
        let attackers = view.size.m.saturating_sub(norms.len());
        let kept = view.size.honest().saturating_sub(attackers).min(norms.len() - 1);
        let mean = honest.mean();
        let length = mean.norm();
        let scale = if length > 0.0 { -self.margin * norms[kept] / length } else { 0.0 };
        Ok(view.everyone(&mean.scaled(scale)))
    }
}
