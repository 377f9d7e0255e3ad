//! What the floor and its workers remember between rounds.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{FutureExt, future::try_join_all};
use phalanx_robust::state::{State, StateError, Stateful};
use tokio::time::timeout;

use super::Floor;
use crate::{
    error::{Reason, RunError},
    messages::{Fault, Memory, Recall, Remember, Seat},
    snapshot::{Snapshot, Unfit},
};

const FLOOR: &str = "floor";
const ATTENDANCE: &str = "attendance";
const REVIVALS: &str = "revivals";
const UNDERSTUDIES: &str = "understudies";

/// A worker that is not asked any more: its id, since when, why, and how many nanoseconds it was waited for.
type Gone = (usize, u64, String, u64);

impl Floor {
    /// What the workers remember, as parts of a snapshot by name. Those that are gone are not asked, and will not be.
    ///
    /// # Errors
    /// In words, if somebody cannot tell.
    pub async fn recall(&self) -> Result<Vec<(String, State)>, String> {
        let there = |seat: &&Seat| seat.ids.clone().any(|worker| !self.gone.contains_key(&worker));
        let told = try_join_all(self.seats.iter().filter(there).map(|seat| self.told(seat))).await?;
        Ok(told.into_iter().flatten().filter(|(_, state)| !state.is_empty()).collect())
    }

    async fn told(&self, seat: &Seat) -> Result<Vec<(String, State)>, String> {
        let who = |trouble: &str| {
            let (first, last) = (seat.ids.start, seat.ids.end.saturating_sub(1));
            let workers = if first == last { format!("{first}") } else { format!("{first} to {last}") };
            format!("the actor of worker {workers}{trouble}")
        };
        let recall = match &seat.memory {
            Memory::Nothing => return Ok(Vec::new()),
            Memory::Untold => return Err(who(" cannot tell what it remembers")),
            Memory::Told(actor) => actor.send(Recall),
        };
        let limit = self.deadlines.worker;
        match timeout(limit, recall).map(Result::ok).await {
            Some(Ok(Ok(parts))) => Ok(parts),
            Some(Ok(Err(fault @ Fault::Panicked(_)))) => Err(who(&format!(" {fault}"))),
            Some(Ok(Err(fault))) => Err(who(&format!(": {fault}"))),
            Some(Err(_)) => Err(who(" is dead")),
            None => Err(who(&format!(" does not tell within {limit:?} what it remembers"))),
        }
    }

    /// What the learner remembers.
    pub async fn remember(&self) -> Result<State, RunError> {
        let memory = self.of_learner(self.learner.remember.send(Remember)).await?;
        memory.map_err(|error| RunError::Learner { round: self.round, error })
    }

    /// What the floor itself remembers, as parts of a snapshot by name: the workers that are not asked any more, who
    /// sent nothing, who begins anew, and who stands in for the absent.
    pub fn memories(&self) -> [(&'static str, State); 4] {
        let gone: Vec<_> =
            self.gone.iter().map(|(worker, (since, why))| lost(*worker, *since, why)).collect();
        let mut floor = State::default();
        if !gone.is_empty() {
            floor.values.insert("gone".to_owned(), gone.into());
        }
        [
            (FLOOR, floor),
            (ATTENDANCE, self.post.attendance.state()),
            (REVIVALS, self.revivals.state()),
            (UNDERSTUDIES, self.understudies.state()),
        ]
    }

    /// Takes it back.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Unfit> {
        snapshot.restore(ATTENDANCE, &mut self.post.attendance)?;
        snapshot.restore(REVIVALS, &mut self.revivals)?;
        snapshot.restore(UNDERSTUDIES, &mut self.understudies)?;
        self.round = snapshot.round;
        let Some(state) = snapshot.parts.get(FLOOR) else { return Ok(()) };
        self.gone = gone(state).map_err(|error| Unfit { part: FLOOR.to_owned(), error })?;
        Ok(())
    }
}

/// The workers that are not asked any more.
fn gone(state: &State) -> Result<BTreeMap<usize, (u64, Reason)>, StateError> {
    let one = |(worker, since, why, waited): Gone| {
        let waited = Duration::from_nanos(waited);
        let reason = match why.as_str() {
            "died" => Reason::Died,
            "silent" => Reason::Silent(waited),
            "unasked" => Reason::Unasked(waited),
            _ => return Err(StateError::Unusable { component: FLOOR, entry: "gone".to_owned() }),
        };
        Ok((worker, (since, reason)))
    };
    state.value::<Vec<Gone>>(FLOOR, "gone")?.into_iter().map(one).collect()
}

/// A worker that was lost for one of the reasons that are final.
fn lost(worker: usize, since: u64, why: &Reason) -> serde_json::Value {
    let (why, waited) = match why {
        Reason::Silent(waited) => ("silent", *waited),
        Reason::Unasked(waited) => ("unasked", *waited),
        _ => ("died", Duration::ZERO),
    };
    serde_json::json!([worker, since, why, u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX)])
}
