//! An attack on its own, outside of a run: for matrices in files and for searches.

use std::fmt;

use super::{Attack, AttackError, Probe, Scene, Setting};
use crate::{
    Batch, Size, Vector,
    aggregation::{Defence, RuleError},
    random::Seed,
};

/// A first round, in which the attackers have the ids behind the honest ones. The last aggregate is zero, and random
/// numbers are those of a run with this seed.
#[derive(Clone)]
pub struct FirstRound<'a> {
    /// The server's rule.
    pub defence: &'a Defence,
    /// What the honest workers send.
    pub honest: &'a [Vector],
    /// What the attackers computed by the honest protocol.
    pub own: Option<&'a [Vector]>,
    /// What the server computed itself.
    pub reference: Option<&'a Vector>,
    /// The server's point.
    pub point: Option<&'a Vector>,
    /// How many workers there are, and how many Byzantine ones the server is told of.
    pub size: Size,
    /// Of all that is drawn.
    pub seed: Seed,
}

impl fmt::Debug for FirstRound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstRound")
            .field("size", &self.size)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl FirstRound<'_> {
    /// What the attack sends.
    ///
    /// # Errors
    /// [`AttackError`].
    pub fn forge(&self, attack: &mut dyn Attack) -> Result<Vec<Vector>, AttackError> {
        let &Self { defence, honest, own, reference, point, size, seed } = self;
        let ids: Vec<usize> = (0..size.m).collect();
        let (honest_ids, members) = ids.split_at(honest.len().min(size.m));
        let batch = Batch::new(honest).map_err(RuleError::from)?;
        // No batch of data is drawn here, whose labels might not do.
        attack.check(&Setting { honest: honest.len(), d: batch.d(), classes: i64::MAX })?;
        let zero = honest[0].zeros_like();
        let rng = seed.stream("rule", 0, "probe", 1);
        let f = size.f;
        let probe =
            Probe { defence, rng, f, honest, honest_ids, standing_in: &[], reference, point, judge: None };
        let scene =
            Scene { round: 1, size, honest: &batch, last_aggregate: &zero, shape: &zero, probe: &probe };
        let view = scene.view(attack.knowledge(), members, own, seed.stream("attack", 0, "forge", 1));
        attack.forge(&view)
    }
}
