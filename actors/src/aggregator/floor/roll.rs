//! Who takes part in a round, and at which seat.

use std::sync::Arc;

use super::Floor;
use crate::{
    cohort::cohort,
    error::{Reason, RunError},
    messages::{Called, Seat},
};

/// Who takes part in a round.
#[derive(Clone)]
pub(super) struct Roll {
    pub called: Arc<Vec<usize>>,
    /// Those of them that ask the learner.
    pub askers: Arc<Vec<usize>>,
}

impl Floor {
    /// Opens the barrier of `round`, and says who is to be asked.
    pub(super) fn open(&mut self, round: u64) -> Result<Roll, RunError> {
        self.round = round;
        self.waiting.clear();
        let workers = match self.cohort {
            Some(size) => Arc::new(cohort(self.seed, round, &self.all, size)),
            None => self.all.clone(),
        };
        self.barrier.open(round, workers.clone());
        self.miss_the_gone();
        let anyone_down = self.miss_the_crashed()?;
        if self.cohort.is_some() || anyone_down {
            return Ok(self.call(&workers));
        }
        let roll = self.roll.take().unwrap_or_else(|| self.call(&workers));
        Ok(self.roll.insert(roll).clone())
    }

    /// Those of the round's workers that are down are absent from the start; says whether there are any.
    fn miss_the_crashed(&mut self) -> Result<bool, RunError> {
        let down = self.post.open(self.round);
        self.revivals.lose(down.iter().filter(|(_, remembers)| !remembers).map(|(worker, _)| *worker));
        let missed = down.iter().map(|(worker, _)| *worker).filter(|&worker| self.barrier.is_missing(worker));
        let missed: Vec<usize> = missed.collect();
        missed.iter().for_each(|&worker| self.post.down(worker));
        let anyone = !missed.is_empty();
        self.give_up(missed, Reason::Crashed)?;
        Ok(anyone)
    }

    /// Those of the round's workers that are gone are absent from the start.
    fn miss_the_gone(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        for worker in self.workers().to_vec() {
            if let Some((since, reason)) = self.gone.get(&worker) {
                let reason = Reason::Gone { since: *since, reason: Box::new(reason.clone()) };
                let fresh = self.barrier.absent(worker, reason);
                debug_assert!(fresh.is_ok(), "the barrier was just opened");
            }
        }
    }

    /// Those of `workers` that are there.
    pub(super) fn call(&self, workers: &[usize]) -> Roll {
        let called: Vec<usize> =
            workers.iter().copied().filter(|&worker| self.barrier.is_missing(worker)).collect();
        let askers = called.iter().copied().filter(|&worker| self.seat(worker).learns).collect();
        Roll { called: Arc::new(called), askers: Arc::new(askers) }
    }

    /// Those of `called` that were to begin anew have been told.
    pub(super) fn begun_anew(&mut self, called: &[usize]) {
        let anew = self.revivals.of(called);
        anew.iter().for_each(|&worker| self.post.restarted(worker));
        self.revivals.told(&anew);
    }
}

/// Where the seat of `worker` is; seats have ascending ids.
pub(super) fn seat_of(seats: &[Seat], worker: usize) -> usize {
    seats.partition_point(|seat| seat.ids.end <= worker)
}

/// The workers `called` by seat; their ids ascend.
pub(super) fn by_seat<'a>(
    seats: &'a [Seat],
    called: &'a Arc<Vec<usize>>,
) -> impl Iterator<Item = (usize, Called)> + use<'a> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        let at = seat_of(seats, *called.get(start)?);
        next += called[start..].partition_point(|worker| seats[at].ids.contains(worker)).max(1);
        Some((at, Called::new(called, start..next)))
    })
}
