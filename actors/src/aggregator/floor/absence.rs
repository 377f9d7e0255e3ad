//! Those who do not answer, or not as they should: how long they are waited for, and what the policy makes of them.

use std::collections::HashSet;

use tokio::time::timeout;

use super::Floor;
use crate::{
    error::{Part, Reason, RunError},
    messages::Tally,
    probed::Probes,
    settings::Policy,
};

impl Floor {
    /// The first deadline has passed. Those who have asked the learner get another one.
    pub(super) async fn too_late_to_ask(&mut self) -> Result<Tally, RunError> {
        let tally = self.close_desk().await?;
        let (unasked, rest): (Vec<_>, Vec<_>) =
            self.outstanding().into_iter().partition(|worker| tally.missing.binary_search(worker).is_ok());
        let silent = rest.into_iter().filter(|&worker| !self.seat(worker).learns).collect();
        self.wait_no_more(unasked, Reason::Unasked(self.deadlines.worker))?;
        self.wait_no_more(silent, Reason::Silent(self.deadlines.worker))?;
        Ok(tally)
    }

    /// Whether it is the rule that attackers wait for: it has as long for them as for the server.
    pub(super) async fn rule_answers(&self, probes: &Probes) -> Result<(), RunError> {
        let (round, deadline) = (self.round, self.deadlines.rule);
        let stuck = |_| RunError::Stuck { round, part: Part::Rule, deadline };
        timeout(deadline, probes.end()).await.map_err(stuck)
    }

    /// Those from whom nothing has been heard.
    pub(super) fn outstanding(&self) -> Vec<usize> {
        let waiting: HashSet<usize> = self.waiting.iter().copied().collect();
        let silent = |worker: &usize| !waiting.contains(worker) && self.barrier.is_missing(*worker);
        self.workers().iter().copied().filter(silent).collect()
    }

    /// Gives up those whose deadline has passed. Those whose own code still runs come first, so that a run that ends by
    /// this does so in their name, not in that of those behind them on the same thread.
    pub(super) fn wait_no_more(&mut self, late: Vec<usize>, reason: Reason) -> Result<(), RunError> {
        let (busy, behind) = late.into_iter().partition(|&worker| self.busy.is(worker));
        self.give_up(busy, reason.clone())?;
        self.give_up(behind, reason)
    }

    /// Does without these workers in this round, if the policy allows it.
    pub(super) fn give_up(&mut self, lost: Vec<usize>, reason: Reason) -> Result<(), RunError> {
        if reason.is_unsent() {
            lost.iter().for_each(|&worker| self.post.attendance.unsent(worker));
        }
        let (again, lost): (Vec<_>, Vec<_>) =
            lost.into_iter().partition(|&worker| reason.is_panic() && self.revivals.spend(worker));
        for worker in again {
            let _ = self.barrier.absent(worker, reason.clone());
        }
        if self.policy == Policy::Fail && !lost.is_empty() {
            return Err(RunError::Workers { round: self.round, workers: lost, reason: Box::new(reason) });
        }
        for worker in lost {
            // A worker whose place is taken already keeps what is known of it.
            let _ = self.barrier.absent(worker, reason.clone());
            if reason.is_silence() {
                self.post.waited_in_vain();
            }
            if reason.is_final() {
                self.gone.insert(worker, (self.round, reason.remembered()));
                self.roll = None;
            }
        }
        Ok(())
    }
}
