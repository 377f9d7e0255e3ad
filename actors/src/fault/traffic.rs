//! What is told of messages: how many there were, and what happened to whom.

use crate::error::Reason;

/// What became of messages. `sent` is the sum of the others. A message out of order is counted in the round in which it
/// arrives, or as lost in its own if there is none in which it will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent to the barrier.
    pub sent: u64,
    /// Taken in, and given to the rule.
    pub accepted: u64,
    /// Refused by the barrier.
    pub rejected: u64,
    /// Arrived behind the deadline or the quorum.
    pub late: u64,
    /// Never arrived.
    pub lost: u64,
}

impl Traffic {
    pub(super) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.late += other.late;
        self.lost += other.lost;
    }

    /// One message that was taken in turns out to be late.
    pub(super) fn too_late(&mut self) {
        (self.accepted, self.late) = (self.accepted.saturating_sub(1), self.late + 1);
    }
}

/// What happened to one worker in a round, if anything did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incident {
    /// Id of the worker.
    pub worker: usize,
    /// Names of the faults that struck it, in the order of the tables.
    pub faults: Vec<&'static str>,
    /// Virtual time at which its submission arrives, if it sent one.
    pub seconds: Option<f64>,
    /// What became of its messages.
    pub traffic: Traffic,
    /// Why a message of it was rejected, for the first of them.
    pub rejection: Option<Reason>,
    /// Whether it began anew in this round.
    pub restarted: bool,
}

/// Notes in `incidents`, which are then ordered by worker, that a message of each of `late`, whose ids ascend, came behind
/// the quorum.
pub(super) fn overtake(incidents: &mut Vec<Incident>, late: &[(f64, usize)]) {
    incidents.sort_by_key(|incident| incident.worker);
    let known = incidents.len();
    for &(seconds, worker) in late {
        let first = incidents[..known].partition_point(|incident| incident.worker < worker);
        let mut own = incidents[first..known].iter_mut().take_while(|incident| incident.worker == worker);
        match own.find(|incident| !incident.restarted) {
            Some(incident) => incident.traffic.too_late(),
            None => incidents.push(Incident {
                worker,
                seconds: Some(seconds),
                traffic: Traffic { sent: 1, late: 1, ..Traffic::default() },
                ..Incident::default()
            }),
        }
    }
    incidents.sort_by_key(|incident| incident.worker);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Incident, Traffic, overtake};

    /// By the definition: for each who is late the first of its incidents that is no new beginning, or a new one.
    fn one_by_one(mut incidents: Vec<Incident>, late: &[(f64, usize)]) -> Vec<Incident> {
        for &(seconds, worker) in late {
            match incidents.iter_mut().find(|incident| incident.worker == worker && !incident.restarted) {
                Some(incident) => incident.traffic.too_late(),
                None => incidents.push(Incident {
                    worker,
                    seconds: Some(seconds),
                    traffic: Traffic { sent: 1, late: 1, ..Traffic::default() },
                    ..Incident::default()
                }),
            }
        }
        incidents.sort_by_key(|incident| incident.worker);
        incidents
    }

    proptest! {
        #[test]
        fn who_is_late_is_noted_where_it_has_an_incident(
            known in prop::collection::vec((0..20usize, any::<bool>(), 1..5u64), 0..30),
            late in prop::collection::btree_map(0..20usize, 0..9u32, 0..20),
        ) {
            let known: Vec<Incident> = known
                .into_iter()
                .map(|(worker, restarted, sent)| {
                    let traffic = Traffic { sent, accepted: sent, ..Traffic::default() };
                    Incident { worker, restarted, traffic, ..Incident::default() }
                })
                .collect();
            let late: Vec<(f64, usize)> =
                late.into_iter().map(|(worker, seconds)| (f64::from(seconds), worker)).collect();
            let mut noted = known.clone();
            overtake(&mut noted, &late);
            prop_assert_eq!(noted, one_by_one(known, &late));
        }
    }
}
