//! Evaluations under way. They run beside the rounds, at most two behind, and
//! come to the observers in the order of rounds.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use actix::{MailboxError, dev::RecipientRequest};
use futures_util::FutureExt;
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
    pending: VecDeque<(u64, Pin<Box<RecipientRequest<Evaluate>>>)>,
    asked: Option<u64>,
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

    /// Asks for the evaluation of `point`, which stands after `round`, unless that was done already.
    /// The evaluation that had to be waited for, if any, comes back.
    pub async fn ask(&mut self, round: u64, point: &Vector) -> Result<Option<Evaluation>, RunError> {
        if self.asked == Some(round) {
            return Ok(None);
        }
        let oldest = if self.pending.len() < BACKLOG { None } else { self.oldest().await? };
        let request = self.learner.evaluate.send(Evaluate { round, point: point.clone() });
        self.pending.push_back((round, Box::pin(request)));
        self.asked = Some(round);
        Ok(oldest)
    }

    /// The oldest evaluation, if it is ready.
    pub fn ready(&mut self) -> Result<Option<Evaluation>, RunError> {
        let Some((round, request)) = self.pending.front_mut() else { return Ok(None) };
        let Some(answer) = request.as_mut().now_or_never() else { return Ok(None) };
        let round = *round;
        self.pending.pop_front();
        checked(round, answer).map(Some)
    }

    /// Waits for the oldest evaluation; none if there is none.
    pub async fn oldest(&mut self) -> Result<Option<Evaluation>, RunError> {
        let Some((round, request)) = self.pending.pop_front() else { return Ok(None) };
        let deadline = self.deadline;
        let stuck = |_| RunError::Stuck { round, part: Part::Evaluation, deadline };
        let answer = timeout(deadline, request).await.map_err(stuck)?;
        checked(round, answer).map(Some)
    }
}

fn checked(round: u64, answer: Answer) -> Result<Evaluation, RunError> {
    match answer {
        Ok(Ok(evaluation)) => Ok(evaluation),
        Ok(Err(error)) => Err(RunError::Evaluation { round, error }),
        Err(_) => Err(RunError::Died { round, part: Part::Learner, message: String::new() }),
    }
}
