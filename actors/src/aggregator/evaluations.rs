//! Evaluations under way. They run beside the rounds, at most two behind, and
//! come to the observers in the order of rounds.

use std::{
    collections::VecDeque,
    future::{Future, pending},
    pin::{Pin, pin},
    time::Duration,
};

use actix::{MailboxError, dev::RecipientRequest};
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use phalanx_robust::Vector;
use tokio::time::timeout;

use crate::{
    error::{Part, RunError},
    learner::{Evaluation, LearnerError},
    messages::{Evaluate, LearnerSeat},
};

/// How many snapshots may wait; another one waits for the oldest.
const BACKLOG: usize = 2;

/// The evaluations that have been asked for.
pub(super) struct Evaluations {
    learner: LearnerSeat,
    deadline: Duration,
    pending: VecDeque<Pending>,
    asked: Option<u64>,
}

/// An evaluation under way, of `point`, which stands after `round`.
struct Pending {
    round: u64,
    point: Vector,
    answer: Pin<Box<RecipientRequest<Evaluate>>>,
}

type Answer = Result<Result<Evaluation, LearnerError>, MailboxError>;

impl Evaluations {
    pub fn new(learner: LearnerSeat, deadline: Duration) -> Self {
        Self { learner, deadline, pending: VecDeque::new(), asked: None }
    }

    /// The round after which the last evaluation was asked for.
    pub fn asked(&self) -> Option<u64> {
        self.asked
    }

    /// Takes it that the evaluation after this round was asked for and made.
    pub fn made(&mut self, round: Option<u64>) {
        self.asked = round;
    }

    /// Whether so many are under way that another one should wait.
    pub fn are_many(&self) -> bool {
        self.pending.len() >= BACKLOG
    }

    /// Asks for the evaluation of `point`, which stands after `round`.
    pub fn ask(&mut self, round: u64, point: Vector) {
        let answer = Box::pin(self.learner.evaluate.send(Evaluate { round, point: point.clone() }));
        self.pending.push_back(Pending { round, point, answer });
        self.asked = Some(round);
    }

    /// The rounds and points of those under way, the oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = (u64, &Vector)> {
        self.pending.iter().map(|pending| (pending.round, &pending.point))
    }

    /// The oldest evaluation, if it is ready.
    pub fn ready(&mut self) -> Result<Option<Evaluation>, RunError> {
        let Some(oldest) = self.pending.front_mut() else { return Ok(None) };
        let Some(answer) = oldest.answer.as_mut().now_or_never() else { return Ok(None) };
        self.told(answer)
    }

    /// Waits for the oldest evaluation; none if there is none.
    pub async fn oldest(&mut self) -> Result<Option<Evaluation>, RunError> {
        self.oldest_until(pending()).await
    }

    /// Waits for the oldest evaluation; none if there is none, or if `over` is over first.
    pub async fn oldest_until(
        &mut self,
        over: impl Future<Output = ()>,
    ) -> Result<Option<Evaluation>, RunError> {
        let deadline = self.deadline;
        let Some(oldest) = self.pending.front_mut() else { return Ok(None) };
        let answer = pin!(timeout(deadline, oldest.answer.as_mut()));
        let Either::Left((answer, _)) = select(answer, pin!(over)).await else { return Ok(None) };
        let stuck = |_| RunError::Stuck { round: oldest.round, part: Part::Evaluation, deadline };
        let answer = answer.map_err(stuck)?;
        self.told(answer)
    }

    /// What became of the oldest, which is under way no more.
    fn told(&mut self, answer: Answer) -> Result<Option<Evaluation>, RunError> {
        self.pending.pop_front().map(|oldest| checked(oldest.round, answer)).transpose()
    }
}

fn checked(round: u64, answer: Answer) -> Result<Evaluation, RunError> {
    match answer {
        Ok(Ok(evaluation)) => Ok(evaluation),
        Ok(Err(error)) => Err(RunError::Evaluation { round, error }),
        Err(_) => Err(RunError::Died { round, part: Part::Learner, message: String::new() }),
    }
}
