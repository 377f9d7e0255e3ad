//! Seating: how actors come to their places. A [`Seating`] is a factory that
//! runs inside the actor system and seats one group of workers; custom actors
//! are seated by a seating of their own.
//!
//! A group is cut into blocks of workers, one actor each: in a small cast a
//! worker is an actor of its own, in a large one an actor hosts many.
//! Honest workers are spread over the run's arbiters. A group of attackers has
//! an arbiter to itself: its members share one adversary, so that more threads
//! would only wait for one another, and an attack that never ends must not
//! take honest workers with it.

use std::{
    cell::RefCell,
    fmt,
    ops::Range,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use actix::{Actor, Arbiter, ArbiterHandle, Recipient};
use phalanx_robust::{estimator::Estimator, random::Seed, state::Stateful};
use rayon::ThreadPool;

use crate::{
    attacker::Attacker,
    block::Block,
    busy::Busy,
    collusion::{Collusion, Scheme},
    learner::Sampler,
    messages::{Ask, AttackerSeat, Memory, Seat},
    snapshot::{self, Snapshot},
    worker::{Protocol, Worker},
};

/// Seats one group of workers.
pub trait Seating: Send {
    /// Starts the group's actors; their seats hold each of [`Place::ids`] once. Called once, inside the
    /// actor system, before the first round.
    ///
    /// # Errors
    /// In words; the run does not begin.
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String>;
}

/// What a seating has to work with.
pub struct Place {
    /// The ids of the group's workers.
    pub ids: Range<usize>,
    /// Where its workers ask for gradients.
    pub learner: Recipient<Ask>,
    /// Where its random streams come from.
    pub seed: Seed,
    /// Where it computes in parallel.
    pub pool: Arc<ThreadPool>,
    /// How many workers one actor hosts; an actor from outside hosts as many as it likes.
    pub block: usize,
    /// Where the run goes on from; none for a new one.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Where it is said whose own code runs.
    pub busy: Busy,
    pub(crate) arbiters: Rc<Arbiters>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ids, seed, block, snapshot, .. } = self;
        let round = snapshot.as_ref().map(|snapshot| snapshot.round);
        let mut place = f.debug_struct("Place");
        place.field("ids", ids).field("seed", seed).field("block", block).field("after", &round);
        place.finish_non_exhaustive()
    }
}

impl Place {
    /// Gives `component` back what the snapshot's `part` holds, if the run goes on from one.
    ///
    /// # Errors
    /// In words, if it does not fit.
    pub fn restore(&self, part: &str, component: &mut (impl Stateful + ?Sized)) -> Result<(), String> {
        let restore = |snapshot: &Arc<Snapshot>| snapshot.restore(part, component);
        self.snapshot.as_ref().map_or(Ok(()), restore).map_err(|error| error.to_string())
    }

    /// The ids, cut into blocks for one actor each.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (ids, block) = (self.ids.clone(), self.block.max(1));
        ids.clone().step_by(block).map(move |first| first..ids.end.min(first + block))
    }

    /// The arbiter that hosts the block of worker `id`; it hosts others too.
    pub fn arbiter(&self, id: usize) -> ArbiterHandle {
        self.arbiters.shared[id / self.block.max(1) % self.arbiters.shared.len()].clone()
    }

    /// A new arbiter for this group alone.
    pub fn own_arbiter(&self) -> ArbiterHandle {
        self.arbiters.start()
    }
}

/// What a worker that follows the honest protocol needs.
pub struct Member {
    /// Where its batches come from.
    pub sampler: Box<dyn Sampler>,
    /// What it makes of its gradients.
    pub estimator: Box<dyn Estimator>,
}

/// The seating of honest workers, one member for each id, in that order.
pub struct Workers(pub Vec<Member>);

impl Seating for Workers {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let seat = |(ids, block): (Range<usize>, Block)| {
            let worker = Worker::start_in_arbiter(&place.arbiter(ids.start), |_| Worker::new(block));
            let memory = Memory::Told(worker.clone().recipient());
            Seat { ids, open: worker.recipient(), attacker: None, learns: true, memory }
        };
        Ok(blocks(self.0, place)?.map(seat).collect())
    }
}

/// The seating of a group of attackers: their attack, and one member for each id, in that order. The
/// members' samplers and estimators are used if the attack follows the honest protocol.
pub struct Attackers {
    /// The attack.
    pub scheme: Scheme,
    /// The workers.
    pub members: Vec<Member>,
}

impl Seating for Attackers {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let mut collusion = Collusion::new(self.scheme, place.seed, place.pool.clone());
        if let Some(snapshot) = &place.snapshot {
            collusion.restore(snapshot).map_err(|error| error.to_string())?;
        }
        let (knowledge, learns) = (collusion.knowledge(), collusion.follows_protocol());
        let group = Arc::new(Mutex::new(collusion));
        let arbiter = place.own_arbiter();
        let seat = |(ids, block): (Range<usize>, Block)| {
            let group = group.clone();
            let actor = Attacker::start_in_arbiter(&arbiter, move |_| Attacker::new(block, group));
            let attacker = Some(AttackerSeat { reveal: actor.clone().recipient(), knowledge });
            let memory = Memory::Told(actor.clone().recipient());
            Seat { ids, open: actor.recipient(), attacker, learns, memory }
        };
        Ok(blocks(self.members, place)?.map(seat).collect())
    }
}

/// The members in blocks, with the ids of each.
fn blocks(
    mut members: Vec<Member>,
    place: &Place,
) -> Result<impl Iterator<Item = (Range<usize>, Block)>, String> {
    if members.len() != place.ids.len() {
        return Err(format!("{} members for {} workers", members.len(), place.ids.len()));
    }
    for (id, member) in place.ids.clone().zip(&mut members) {
        place.restore(&snapshot::worker(id), member.estimator.as_mut())?;
    }
    let (learner, busy) = (place.learner.clone(), place.busy.clone());
    let mut members = members.into_iter();
    let block = move |ids: Range<usize>| {
        let hosted = ids.clone().zip(members.by_ref());
        let protocol = |(id, Member { sampler, estimator })| Protocol::new(id, sampler, estimator);
        let hosted = hosted.map(protocol).collect();
        (ids.clone(), Block::new(ids.start, hosted, learner.clone(), busy.clone()))
    };
    Ok(place.blocks().map(block))
}

/// The threads that host actors.
pub(crate) struct Arbiters {
    shared: Vec<ArbiterHandle>,
    all: RefCell<Vec<Arbiter>>,
}

impl Arbiters {
    /// Starts `threads` arbiters to be shared by workers. To be called inside an actor system.
    pub fn new(threads: usize) -> Self {
        let mut arbiters = Self { shared: Vec::new(), all: RefCell::default() };
        arbiters.shared = (0..threads.max(1)).map(|_| arbiters.start()).collect();
        arbiters
    }

    /// Starts one more.
    pub fn start(&self) -> ArbiterHandle {
        let arbiter = Arbiter::new();
        let handle = arbiter.handle();
        self.all.borrow_mut().push(arbiter);
        handle
    }

    /// Stops them and waits until their actors are dropped, but no longer than `grace`: the thread of
    /// a stuck actor is left behind.
    pub fn stop(&self, grace: Duration) {
        let all = self.all.take();
        all.iter().for_each(|arbiter| {
            arbiter.stop();
        });
        let (sender, done) = mpsc::channel();
        let joiner = thread::Builder::new().name("phalanx-join".to_owned());
        let joined = joiner.spawn(move || {
            for arbiter in all {
                // A panic on that thread has already been answered as the death of its actor.
                let _ = arbiter.join();
            }
            // If the grace is over, nobody listens.
            let _ = sender.send(());
        });
        if joined.is_ok() {
            let _ = done.recv_timeout(grace);
        }
    }
}
