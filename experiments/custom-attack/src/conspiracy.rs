//! A whole attacker actor from outside, with messages of its own: before each
//! strike the conspirators ask one another for proposals, and all follow the boldest.

use std::sync::{Arc, OnceLock};

use actix::{Actor, Context, Handler, Message, Recipient, ResponseFuture};
use futures_util::future::try_join_all;
use phalanx::registry::{ActorRule, Crew};
use phalanx_actors::{
    Place, Seating,
    messages::{AttackerSeat, Fault, Memory, Open, Reply, Reveal, Seat, Submission},
};
use phalanx_robust::{
    Batch,
    attack::Knowledge,
    describe::{Described, ParameterError},
    random::Seed,
};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Conspirators who agree by messages of their own on how far to go, and then send minus the honest
/// mean, that many times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Conspiracy {
    /// The boldest proposal that a conspirator makes.
    #[schemars(range(min = 0.0))]
    pub nerve: f64,
}

impl Default for Conspiracy {
    fn default() -> Self {
        Self { nerve: 2.0 }
    }
}

impl Described for Conspiracy {
    const NAME: &'static str = "conspiracy";
    const SOURCE: &'static str = "example";
}

impl ActorRule for Conspiracy {
    fn seating(&self, _: Crew) -> Result<Box<dyn Seating>, ParameterError> {
        Ok(Box::new(self.clone()))
    }
}

/// The conspirators' addresses, known once all are seated.
type Ring = Arc<OnceLock<Vec<Recipient<Propose>>>>;

impl Seating for Conspiracy {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let (ring, seed, nerve) = (Ring::default(), place.seed, self.nerve);
        let arbiter = place.own_arbiter();
        let start = |id| {
            let ring = ring.clone();
            Conspirator::start_in_arbiter(&arbiter, move |_| Conspirator { id, seed, nerve, ring })
        };
        let all: Vec<_> = place.ids.clone().map(|id| (id, start(id))).collect();
        let seats = all.iter().map(|(id, actor)| Seat {
            ids: *id..*id + 1,
            open: actor.clone().recipient(),
            attacker: Some(AttackerSeat { reveal: actor.clone().recipient(), knowledge: Knowledge::Honest }),
            learns: false,
            // A proposal follows from the seed and the round.
            memory: Memory::Nothing,
        });
        let seats = seats.collect();
        let _ = ring.set(all.into_iter().map(|(_, actor)| actor.recipient()).collect());
        Ok(seats)
    }
}

/// Conspirator to conspirator: how far would you go in this round?
#[derive(Message)]
#[rtype(result = "f64")]
struct Propose {
    round: u64,
}

struct Conspirator {
    id: usize,
    seed: Seed,
    nerve: f64,
    ring: Ring,
}

impl Actor for Conspirator {
    type Context = Context<Self>;
}

impl Handler<Open> for Conspirator {
    type Result = Result<Reply, Fault>;

    fn handle(&mut self, _: Open, _: &mut Self::Context) -> Self::Result {
        Ok(Reply::Waiting)
    }
}

impl Handler<Propose> for Conspirator {
    type Result = f64;

    fn handle(&mut self, Propose { round }: Propose, _: &mut Self::Context) -> f64 {
        self.nerve * self.seed.stream("conspirator", self.id as u64, "proposal", round).random::<f64>()
    }
}

impl Handler<Reveal> for Conspirator {
    type Result = ResponseFuture<Result<Reply, Fault>>;

    fn handle(&mut self, Reveal { exposed, .. }: Reveal, _: &mut Self::Context) -> Self::Result {
        let (worker, ring) = (self.id, self.ring.clone());
        Box::pin(async move {
            let words = |text: &str| Fault::Custom(text.to_owned());
            let round = exposed.round;
            let peers = ring.get().ok_or_else(|| words("the conspirators have not met"))?;
            let proposals = try_join_all(peers.iter().map(|peer| peer.send(Propose { round })));
            let proposals = proposals.await.map_err(|_| words("a conspirator is lost"))?;
            let boldest = proposals.into_iter().fold(0.0, f64::max);
            let honest = exposed.honest.as_ref().ok_or_else(|| words("nothing is revealed"))?;
            let batch = Batch::new(&honest.vectors).map_err(|error| Fault::Custom(error.to_string()))?;
            let vector = batch.mean().scaled(-boldest);
            Ok(Reply::Submitted(Submission { worker, round, vector, loss: None, accuracy: None }))
        })
    }
}
