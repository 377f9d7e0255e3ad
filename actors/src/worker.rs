//! The honest worker: it draws its batch, asks the learner, and submits what
//! its estimator makes of the answer. An actor hosts a [`Block`] of them.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use phalanx_robust::{
    estimator::Estimator,
    state::{State, StateError},
};

use crate::{
    block::Block,
    learner::{Job, Learned, Query, Sampler},
    messages::{Fault, Open, Recall, Reply, Submission},
};

/// The honest protocol as one worker follows it; an attacker may follow it too.
pub struct Protocol {
    id: usize,
    sampler: Box<dyn Sampler>,
    estimator: Box<dyn Estimator>,
}

impl Protocol {
    /// The protocol of worker `id`.
    pub fn new(id: usize, sampler: Box<dyn Sampler>, estimator: Box<dyn Estimator>) -> Self {
        Self { id, sampler, estimator }
    }

    /// Forgets what was before, as a worker that crashed. Batches are drawn by the round alone.
    ///
    /// # Errors
    /// [`StateError`] of an estimator that cannot begin anew.
    pub fn forget(&mut self) -> Result<(), StateError> {
        self.estimator.forget()
    }

    /// Draws the batch of a round: what the worker asks of the learner.
    pub fn job(&mut self, query: &Query) -> Job {
        let draw = self.sampler.draw(query.round);
        Job { worker: self.id, draw, points: self.estimator.points(query.round), root: false }
    }

    /// Its id.
    pub fn id(&self) -> usize {
        self.id
    }

    /// What it remembers between rounds: what its estimator does. A draw is a function of the round alone.
    ///
    /// # Errors
    /// [`StateError`] of an estimator that would not take it back.
    pub fn state(&self) -> Result<State, StateError> {
        self.estimator.state().retaken(|told| self.estimator.clone().restore(told))
    }

    /// Makes the vector of a round from the learner's answer.
    pub fn learned(&mut self, round: u64, Learned { gradients, loss, accuracy }: Learned) -> Submission {
        let vector = self.estimator.update(round, gradients);
        let accuracy = Some(accuracy).filter(|value| !value.is_nan());
        Submission { worker: self.id, round, vector, loss: Some(loss), accuracy }
    }
}

/// The actor of honest workers.
pub struct Worker {
    block: Block,
}

impl Worker {
    /// The actor that hosts `block`.
    pub fn new(block: Block) -> Self {
        Self { block }
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Open> for Worker {
    type Result = ResponseActFuture<Self, Result<Reply, Fault>>;

    fn handle(&mut self, Open { query, workers, anew }: Open, _: &mut Self::Context) -> Self::Result {
        let round = query.round;
        self.block.forget(&anew);
        let answer = self.block.ask(&query, &workers, |_| Ok(())).into_actor(self);
        // Let go of x_t before waiting, so that the server's step need not copy it.
        drop::<Arc<Query>>(query);
        Box::pin(
            answer
                .map(move |answer, actor, _| actor.block.replies(round, &workers, answer, Reply::Submitted)),
        )
    }
}

impl Handler<Recall> for Worker {
    type Result = Result<Vec<(String, State)>, Fault>;

    fn handle(&mut self, _: Recall, _: &mut Self::Context) -> Self::Result {
        self.block.memories()
    }
}
