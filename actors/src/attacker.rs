//! The Byzantine worker. Its actor is as thin as the honest one's: what its
//! workers submit is decided by the [`Collusion`] of their group.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Actor, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture, fut};
use phalanx_robust::state::State;

use crate::{
    block::Block,
    collusion::Collusion,
    messages::{Fault, Open, Recall, Reply, Reveal},
};

/// The actor of attackers.
pub struct Attacker {
    block: Block,
    group: Arc<Mutex<Collusion>>,
}

impl Attacker {
    /// The actor that hosts `block`, all of them of `group`.
    pub fn new(block: Block, group: Arc<Mutex<Collusion>>) -> Self {
        Self { block, group }
    }
}

/// The group. Its methods contain panics, so that a poisoned lock means no broken data.
fn locked(group: &Mutex<Collusion>) -> MutexGuard<'_, Collusion> {
    group.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Actor for Attacker {
    type Context = Context<Self>;
}

impl Handler<Open> for Attacker {
    type Result = ResponseActFuture<Self, Result<Reply, Fault>>;

    fn handle(&mut self, Open { query, workers, anew }: Open, _: &mut Self::Context) -> Self::Result {
        let round = query.round;
        self.block.forget(&anew);
        let mut group = locked(&self.group);
        if !anew.is_empty() {
            group.revive();
        }
        if !group.follows_protocol() {
            workers.iter().for_each(|&worker| group.stand_by(round, worker));
            return Box::pin(fut::ok(Reply::Waiting));
        }
        let answer = self.block.ask(&query, &workers, |draw| group.poison(round, &mut draw.labels));
        drop((query, group));
        Box::pin(answer.into_actor(self).map(move |answer, actor, _| {
            let mut group = locked(&actor.group);
            actor.block.replies(round, &workers, answer, |own| {
                group.join(own);
                Reply::Waiting
            })
        }))
    }
}

impl Handler<Reveal> for Attacker {
    type Result = Result<Reply, Fault>;

    fn handle(&mut self, Reveal { exposed, workers }: Reveal, _: &mut Self::Context) -> Self::Result {
        let mut group = locked(&self.group);
        let forged = |&worker: &usize| group.forged(&exposed, worker).map(Reply::Submitted);
        Ok(Reply::Several(workers.iter().map(forged).collect()))
    }
}

impl Handler<Recall> for Attacker {
    type Result = Result<Vec<(String, State)>, Fault>;

    /// Every actor of the group tells what the group remembers; the copies are the same.
    fn handle(&mut self, _: Recall, _: &mut Self::Context) -> Self::Result {
        let mut parts = self.block.memories()?;
        parts.push(locked(&self.group).memory()?);
        Ok(parts)
    }
}
