//! A group of attackers that shares nothing but messages of its own.

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};
use phalanx_actors::{
    Place, Policy, Seating,
    messages::{AttackerSeat, Fault, Memory, Open, Reply, Reveal, Seat, Submission},
};
use phalanx_robust::{Vector, attack::Knowledge};

use crate::stage::*;

/// From one attacker to the other: what shall we send?
#[derive(Message)]
#[rtype(result = "f64")]
struct Whisper {
    round: u64,
}

/// Decides.
struct Leader {
    id: usize,
}

/// Does what the leader says.
struct Follower {
    id: usize,
    leader: Addr<Leader>,
}

/// Seats both.
struct Pair;

impl Seating for Pair {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let (first, second) = (place.ids.start, place.ids.start + 1);
        let leader = Leader::start_in_arbiter(&place.arbiter(first), move |_| Leader { id: first });
        let peer = leader.clone();
        let follower =
            Follower::start_in_arbiter(&place.own_arbiter(), move |_| Follower { id: second, leader: peer });
        let knowledge = Knowledge::Blind;
        let seat = |id, open, reveal| Seat {
            ids: id..id + 1,
            open,
            attacker: Some(AttackerSeat { reveal, knowledge }),
            learns: false,
            memory: Memory::Nothing,
        };
        Ok(vec![
            seat(first, leader.clone().recipient(), leader.recipient()),
            seat(second, follower.clone().recipient(), follower.recipient()),
        ])
    }
}

impl Actor for Leader {
    type Context = Context<Self>;
}

impl Actor for Follower {
    type Context = Context<Self>;
}

impl Handler<Whisper> for Leader {
    type Result = f64;

    fn handle(&mut self, whisper: Whisper, _: &mut Self::Context) -> f64 {
        whisper.round as f64
    }
}

impl Handler<Open> for Leader {
    type Result = Result<Reply, Fault>;

    fn handle(&mut self, _: Open, _: &mut Self::Context) -> Self::Result {
        Ok(Reply::Waiting)
    }
}

impl Handler<Open> for Follower {
    type Result = Result<Reply, Fault>;

    fn handle(&mut self, _: Open, _: &mut Self::Context) -> Self::Result {
        Ok(Reply::Waiting)
    }
}

fn whispered(leader: Addr<Leader>, worker: usize, reveal: Reveal) -> ResponseFuture<Result<Reply, Fault>> {
    Box::pin(async move {
        let Reveal { exposed, .. } = reveal;
        assert!(exposed.honest.is_none() && exposed.defence.is_none(), "it is blind");
        let lost = |_| Fault::Custom("the leader is lost".to_owned());
        let value = leader.send(Whisper { round: exposed.round }).await.map_err(lost)?;
        let vector: Vector = exposed.shape.like(&[value; D]);
        Ok(Reply::Submitted(Submission { worker, round: exposed.round, vector, loss: None, accuracy: None }))
    })
}

impl Handler<Reveal> for Leader {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, reveal: Reveal, ctx: &mut Self::Context) -> Self::Result {
        whispered(ctx.address(), self.id, reveal)
    }
}

impl Handler<Reveal> for Follower {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, reveal: Reveal, _: &mut Self::Context) -> Self::Result {
        whispered(self.leader.clone(), self.id, reveal)
    }
}

#[test]
fn attackers_may_be_actors_with_messages_of_their_own() {
    let played = play(four_honest(settings(Policy::Fail)).seat(4..6, Pair));
    assert_eq!(played.end.unwrap().rounds, 5);
    for round in &played.rounds {
        assert_eq!(round.workers[4].distance, round.workers[5].distance);
        assert!(!round.workers[4].honest && round.workers[4].absence.is_none());
    }
}
