//! The messages of one worker in a round, offered to the barrier one by one.

use super::Traffic;
use crate::{
    barrier::{Barrier, Rejection},
    error::Reason,
    messages::Submission,
};

/// The messages of one sender in a round.
pub(super) struct Trip<'a> {
    pub sender: usize,
    barrier: &'a mut Barrier,
    /// The length that its vectors are said to have, if a fault says so.
    pub length: Option<usize>,
    pub traffic: Traffic,
    /// Why the first of those rejected was.
    pub rejection: Option<Reason>,
}

impl<'a> Trip<'a> {
    /// Those of `sender`, on their way to `barrier`.
    pub fn new(sender: usize, barrier: &'a mut Barrier) -> Self {
        Self { sender, barrier, length: None, traffic: Traffic::default(), rejection: None }
    }

    /// Offers a message so many times.
    ///
    /// # Errors
    /// Why none of them was taken in.
    pub fn all(&mut self, submission: Submission, messages: u64) -> Result<(), Reason> {
        let first = self.offer(submission.clone());
        (1..messages).for_each(|_| drop(self.offer(submission.clone())));
        first
    }

    fn offer(&mut self, submission: Submission) -> Result<(), Reason> {
        self.traffic.sent += 1;
        let taken = match submission.worker == self.sender {
            true => {
                let length = self.length.unwrap_or(submission.vector.len());
                self.barrier.offer_as(length, submission).map_err(|rejection: Rejection| rejection.into())
            }
            false => Err(Reason::Impostor(submission.worker)),
        };
        match &taken {
            Ok(()) => self.traffic.accepted += 1,
            Err(reason) => {
                self.traffic.rejected += 1;
                self.rejection.get_or_insert_with(|| reason.clone());
            }
        }
        taken
    }
}
