//! What is known of a round before it closes: how many vectors there will be, and what attackers may be shown.

use std::collections::BTreeSet;

use phalanx_robust::{Size, Vector, attack::Knowledge};

use super::Floor;
use crate::{aggregator::record::honest, settings::Policy};

impl Floor {
    /// How many vectors the rule will be given if all attackers submit, old ones aside.
    pub fn present(&self) -> usize {
        let all = self.barrier.submissions().count() + self.waiting.len();
        all.min(self.quorum.unwrap_or(usize::MAX))
    }

    /// How many Byzantine workers the server is told to withstand among `present` of the round's workers.
    pub fn byzantine(&self, present: usize) -> usize {
        let Size { f, .. } = match self.policy {
            Policy::Recompute => Size::new(self.workers().len(), self.f).part(present),
            Policy::Fail | Policy::Drop | Policy::Reuse => Size::new(present, self.f),
        };
        f
    }

    /// The highest knowledge among those who wait for phase two.
    pub fn knowledge(&self) -> Knowledge {
        let of =
            |&worker: &usize| self.seat(worker).attacker.as_ref().map_or(Knowledge::Blind, |a| a.knowledge);
        self.waiting.iter().map(of).max().unwrap_or(Knowledge::Blind)
    }

    /// Ids and vectors of the honest workers that have submitted, in time for the quorum.
    pub fn honest(&self) -> (Vec<usize>, Vec<Vector>) {
        let first = self.post.first(&self.waiting);
        let in_time = honest(&self.seats, self.barrier.submissions()).filter(|s| first(s.worker));
        in_time.map(|s| (s.worker, s.vector.clone())).unzip()
    }

    /// The old vectors that will stand in, by id, for workers of the round who neither wait nor have submitted in time.
    pub fn standing_in(&self) -> Vec<(usize, Vector)> {
        if self.policy != Policy::Reuse {
            return Vec::new();
        }
        let first = self.post.first(&self.waiting);
        let submitted =
            self.barrier.submissions().map(|submission| submission.worker).filter(|&id| first(id));
        let here: BTreeSet<usize> = submitted.chain(self.waiting.iter().copied()).collect();
        let absent = self.workers().iter().copied().filter(|id| !here.contains(id));
        absent.filter_map(|id| Some((id, self.understudies.of(id)?.clone()))).collect()
    }
}
