//! What the actors say to one another. Peers are held as [`actix::Recipient`],
//! so any actor can stand in for any other: a custom attacker, a proxy of a
//! worker elsewhere, a test double. Every message has an answer; a dead peer
//! is an error, not a silence.

use std::{
    borrow::Cow,
    ops::{Deref, Range},
    sync::Arc,
    time::Duration,
};

use actix::{Message, Recipient};
use phalanx_robust::{
    Batch, BatchError, Size, Vector,
    aggregation::{Defence, Judge},
    attack::{AttackError, Knowledge},
    describe::counted,
    random::Stream,
    state::State,
};

use crate::learner::{Evaluation, Job, Learned, LearnerError, Query};

/// Aggregator to the actor of every seat: round t is open.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Reply, Fault>")]
pub struct Open {
    /// The round and its query points.
    pub query: Arc<Query>,
    /// Which of the actor's workers take part.
    pub workers: Called,
    /// Those of them, ascending, that begin anew: they crashed, and what they remembered is lost.
    pub anew: Vec<usize>,
}

/// The workers of one actor that are called: ids, ascending. All actors share one list of a round's ids.
#[derive(Clone, Debug)]
pub struct Called {
    all: Arc<Vec<usize>>,
    range: Range<usize>,
}

impl Called {
    /// The ids at the places `range` of `all`, which ascends.
    pub fn new(all: &Arc<Vec<usize>>, range: Range<usize>) -> Self {
        Self { all: all.clone(), range }
    }
}

impl Deref for Called {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.all[self.range.clone()]
    }
}

/// An actor's answer to [`Open`] or [`Reveal`]. A fault in place of it concerns all workers that were called.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The worker's vector for this round.
    Submitted(Submission),
    /// Every worker called will answer [`Reveal`]: they are attackers, and done with phase one.
    Waiting,
    /// The answer of each worker, in the order in which they were called.
    Several(Vec<Result<Reply, Fault>>),
}

/// One worker's vector for one round.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who sends it.
    pub worker: usize,
    /// The round it belongs to.
    pub round: u64,
    /// The vector.
    pub vector: Vector,
    /// Mean loss of the worker's batch, if it computed one.
    pub loss: Option<f64>,
    /// Accuracy on the worker's batch, if it computed one.
    pub accuracy: Option<f64>,
}

/// Aggregator to every attacker, in phase two: what its knowledge allows it to see.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Reply, Fault>")]
pub struct Reveal {
    /// What is to be seen.
    pub exposed: Arc<Exposed>,
    /// Which of the actor's workers have come through phase one.
    pub workers: Called,
}

/// What phase two shows to an attacker.
#[derive(Clone, Debug)]
pub struct Exposed {
    /// The round.
    pub round: u64,
    /// How many workers there are, and how many Byzantine ones the server expects.
    pub size: Size,
    /// A zero vector of the kind that is to be submitted.
    pub shape: Vector,
    /// The aggregate of the round before; zero in the first.
    pub last_aggregate: Vector,
    /// x_t, which every worker is told.
    pub point: Vector,
    /// The honest vectors by ascending id, for [`Knowledge::Honest`] and above.
    pub honest: Option<Honest>,
    /// The defence, for [`Knowledge::Defence`].
    pub defence: Option<ExposedDefence>,
}

impl Exposed {
    /// Without the honest vectors that are not finite: the rule will set them aside, and there is nothing in them to
    /// deviate from.
    pub(crate) fn finite(&self) -> Cow<'_, Self> {
        match self.honest.as_ref().and_then(Honest::finite) {
            None => Cow::Borrowed(self),
            Some(honest) => Cow::Owned(Self { honest: Some(honest), ..self.clone() }),
        }
    }
}

impl Honest {
    /// Those that are finite, unless all of them are, or none: then training has diverged, and the run is to end by it. A
    /// device is not asked, for a look at its numbers waits for it.
    fn finite(&self) -> Option<Self> {
        let batch = Batch::new(&self.vectors).ok().filter(|_| self.vectors[0].is_on_host())?;
        let Err(BatchError::NonFinite(bad)) = batch.require_finite() else { return None };
        if bad.len() == self.ids.len() {
            return None;
        }
        let kept = (0..self.ids.len()).filter(|row| bad.binary_search(row).is_err());
        let (ids, vectors) = kept.map(|row| (self.ids[row], self.vectors[row].clone())).unzip();
        Some(Self { ids, vectors })
    }
}

/// The honest vectors of a round.
#[derive(Clone, Debug)]
pub struct Honest {
    /// Ids of the honest workers, ascending.
    pub ids: Vec<usize>,
    /// Their vectors, in that order.
    pub vectors: Vec<Vector>,
}

/// The server's defence as it stands in a round.
#[derive(Clone)]
pub struct ExposedDefence {
    /// A copy of the rule and its memory, whose calls whoever waits for attackers can tell from their own work.
    pub defence: Defence,
    /// The random numbers of its probes: not those that the server draws after the attackers have sent.
    pub rng: Stream,
    /// Old vectors of workers that are absent, by id, which the server takes for theirs.
    pub standing_in: Vec<(usize, Vector)>,
    /// What the server computed itself, for a rule that needs it.
    pub reference: Option<Vector>,
    /// Who tells the server how good other points are, for a rule that needs it.
    pub judge: Option<Arc<dyn Judge>>,
}

impl std::fmt::Debug for ExposedDefence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExposedDefence")
    }
}

/// Actor to learner: gradients for its workers, please. Answered when the jobs of all expected workers are
/// in, in the order of `jobs`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Vec<Learned>, LearnerError>")]
pub struct Ask {
    /// The round.
    pub round: u64,
    /// The jobs of its workers, by ascending id.
    pub jobs: Vec<Job>,
    /// Those of its workers that will not ask in this round, though they are expected to.
    pub without: Vec<usize>,
}

impl Ask {
    /// For one worker.
    pub fn one(round: u64, job: Job) -> Self {
        Self { round, jobs: vec![job], without: Vec::new() }
    }
}

/// Aggregator to learner: these workers will ask in this round. To be answered before the round opens.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Expect {
    /// The round and its query points.
    pub query: Arc<Query>,
    /// Who will ask; ids ascend.
    pub workers: Arc<Vec<usize>>,
    /// What the server asks for itself; answered in the [`Tally`].
    pub root: Option<Root>,
}

/// A batch of the server's own, and what it needs of it.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its job, by an id above those of all workers.
    pub job: Job,
    /// Whether the gradient at x_t is needed.
    pub gradient: bool,
    /// Whether the loss at other points is.
    pub judge: bool,
}

/// Aggregator to learner: these workers will not ask in this round any more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Withdraw {
    /// The round.
    pub round: u64,
    /// The workers.
    pub workers: Called,
}

/// Aggregator to learner: nobody may ask in this round any more. Answered when those who have asked
/// have been answered.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Tally")]
pub struct Close {
    /// The round.
    pub round: u64,
}

/// The learner's part of a round.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Expected workers who have not asked, ascending.
    pub missing: Vec<usize>,
    /// How long the learner computed.
    pub computing: Duration,
    /// How many gradients it computed for workers.
    pub gradients: u64,
    /// The gradient at x_t of the server's own job, if it gave one.
    pub reference: Option<Vector>,
    /// Who tells the loss of the server's own batch at other points, if it asked for that.
    pub judge: Option<Arc<dyn Judge>>,
    /// Why it could not answer, if so.
    pub error: Option<LearnerError>,
}

/// Aggregator to learner: how good is this point? Answered from a snapshot, off the critical path.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Evaluation, LearnerError>")]
pub struct Evaluate {
    /// The round after which it was reached; 0 is the initial point.
    pub round: u64,
    /// The point.
    pub point: Vector,
}

/// To the learner: what do you remember beyond the parameters (the model's buffers)?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<State, LearnerError>")]
pub struct Remember;

/// Aggregator to the actor of a seat, between rounds: what do your workers remember? Answered with parts of a
/// [`Snapshot`](crate::Snapshot) by name, see [`snapshot`](crate::snapshot).
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<(String, State)>, Fault>")]
pub struct Recall;

/// The learner as the aggregator knows it.
#[derive(Clone, Debug)]
pub struct LearnerSeat {
    /// Opens a round.
    pub expect: Recipient<Expect>,
    /// Gives a worker up.
    pub withdraw: Recipient<Withdraw>,
    /// Ends phase one.
    pub close: Recipient<Close>,
    /// Evaluates a point.
    pub evaluate: Recipient<Evaluate>,
    /// Tells its memory.
    pub remember: Recipient<Remember>,
}

/// Why a group of attackers has no vectors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ForgeError {
    /// The attack said so.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// It made another number of vectors than it has workers in this round.
    #[error("it made {} for {}", counted(*.made, "vector"), counted(*.members, "worker"))]
    Count {
        /// How many it made.
        made: usize,
        /// How many workers of the group take part in this round.
        members: usize,
    },
    /// It gave a sample a label that the task does not have.
    #[error("it labels a sample {label} of {classes} classes")]
    Label {
        /// The label.
        label: i64,
        /// The number of classes.
        classes: i64,
    },
    /// It panicked, with this message; it is not called again.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// The worker took no part in phase one.
    #[error("worker {0} took no part in phase one")]
    NotThere(usize),
}

/// A worker that cannot do its part of a round.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The learner refused its job.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// The learner is gone.
    #[error("the learner does not answer")]
    NoLearner,
    /// The worker's own code panicked, with this message; the worker is not asked again.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The attack failed, in the words of a custom attacker.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The attack of a group failed.
    #[error("the attack {attack}: {error}")]
    Forge {
        /// Its name.
        attack: String,
        /// Why.
        error: ForgeError,
    },
    /// A custom actor's own words.
    #[error("{0}")]
    Custom(String),
}

/// The place of one actor: one worker, or several of a kind, honest or not.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Ids of its workers; no other seat has them.
    pub ids: Range<usize>,
    /// Where to send [`Open`].
    pub open: Recipient<Open>,
    /// What an attacker is shown, and where; none for honest workers.
    pub attacker: Option<AttackerSeat>,
    /// Whether its workers ask the learner in phase one. The learner waits for the jobs of such workers, at
    /// most until the deadline or until [`Open`] is answered with a [`Fault`]; so they must ask in every round.
    pub learns: bool,
    /// What its workers remember from one round to the next.
    pub memory: Memory,
}

/// What the workers of a seat remember between rounds, as far as it can be told. They are given it back by their
/// [`Seating`](crate::Seating), which finds it in its [`Place`](crate::Place).
#[derive(Clone, Debug)]
pub enum Memory {
    /// Nothing: what they do in a round depends on that round alone.
    Nothing,
    /// What this actor tells.
    Told(Recipient<Recall>),
    /// Something that nobody can tell. A cast with such a seat runs, but no snapshot can be taken of it.
    Untold,
}

/// What an attacker adds to a [`Seat`].
#[derive(Clone, Debug)]
pub struct AttackerSeat {
    /// Where to send [`Reveal`].
    pub reveal: Recipient<Reveal>,
    /// What it may see.
    pub knowledge: Knowledge,
}
