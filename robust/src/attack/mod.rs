//! What Byzantine workers send.
//!
//! A group of attackers is one adversary with several workers. It acts twice
//! in a round. In phase one its workers may take part in the honest protocol
//! ([`Attack::follows_protocol`]), with labels the attack may poison
//! ([`Attack::poison`]). In phase two, when all honest vectors are in, it
//! makes the vectors its workers submit ([`Attack::forge`]) from a [`View`]
//! that holds exactly what its declared [`Knowledge`] allows, and no more.

mod alie;
mod anti_cge;
mod constant;
mod drift;
mod fang;
mod first_round;
mod foe;
mod gaussian;
mod inf;
mod ipm;
mod label_flip;
mod line_search;
mod mimic;
mod min_max;
mod min_sum;
mod nan;
mod none;
mod opt_alie;
mod opt_ipm;
mod rop;
mod sign_flip;
mod single_coordinate;
mod stale;
mod statistics;
mod switching;
mod zero;

pub use alie::{Alie, Share, Sign};
pub use anti_cge::AntiCge;
pub use constant::Constant;
pub use drift::{Drift, Heading};
use dyn_clone::DynClone;
pub use fang::{Fang, Target};
pub use first_round::FirstRound;
pub use foe::Foe;
pub use gaussian::Gaussian;
pub use inf::Inf;
pub use ipm::Ipm;
pub use label_flip::{Flip, LabelFlip};
pub use mimic::{Choice, Mimic};
pub use min_max::{Direction, MinMax};
pub use min_sum::MinSum;
pub use nan::Nan;
pub use none::NoAttack;
pub use opt_alie::OptAlie;
pub use opt_ipm::OptIpm;
pub use rop::Rop;
use serde::{Deserialize, Serialize};
pub use sign_flip::{Flipped, SignFlip};
pub use single_coordinate::SingleCoordinate;
pub use stale::{Replayed, Stale};
pub use switching::Switching;
pub use zero::Zero;

use crate::{
    Batch, Size, Vector,
    aggregation::{Context, Defence, RuleError},
    describe::{Described, ParameterError},
    random::Stream,
    state::Stateful,
};

/// What an attack may look at. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Nothing but the shape of a vector and the last aggregate, which every worker sees.
    Blind,
    /// What its own workers computed by the honest protocol.
    Own,
    /// All vectors the honest workers submitted in this round.
    Honest,
    /// The server's defence too, to be probed.
    Defence,
}

/// An attack that could not make its vectors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttackError {
    /// The attack asked its view for something that its declared knowledge does not include.
    #[error("the attack looks at {wanted:?} knowledge but declares {declared:?}")]
    Knowledge {
        /// What it looked at.
        wanted: Knowledge,
        /// What it declares.
        declared: Knowledge,
    },
    /// The attack asked for what its own workers computed, but they took no part in the protocol.
    #[error("the attack looks at its workers' own vectors, but does not follow the protocol")]
    NoOwnVectors,
    /// Probing the defence failed.
    #[error("probing the defence: {0}")]
    Probe(#[from] RuleError),
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}

/// What a run has for an attack, at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The number of honest workers; their ids are the lowest.
    pub honest: usize,
    /// Number of coordinates of a vector.
    pub d: usize,
    /// Number of classes of the task; 0 without labels.
    pub classes: i64,
}

/// An attack that can do nothing in a run, or not what it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Misfit {
    /// Name of the attack, followed by the parameter that is beyond what there is, as in TOML.
    pub path: String,
    /// Why.
    pub message: String,
}

impl From<Misfit> for AttackError {
    fn from(misfit: Misfit) -> Self {
        Self::Failed(misfit.message)
    }
}

/// What the attack sees in phase two.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The round, from 1.
    pub round: u64,
    /// Ids of the group's workers, ascending.
    pub members: &'a [usize],
    /// How many workers there are and how many the server believes to be Byzantine.
    pub size: Size,
    /// A zero vector of the kind that is to be submitted.
    pub shape: &'a Vector,
    /// The aggregate of the round before; zero in the first.
    pub last_aggregate: &'a Vector,
    /// Random numbers of this group in this round.
    pub rng: Stream,
    knowledge: Knowledge,
    own: Option<&'a [Vector]>,
    honest: &'a Batch<'a>,
    probe: &'a Probe<'a>,
}

/// Everything there is to see, of which a [`View`] shows a part.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The round, from 1.
    pub round: u64,
    /// How many workers there are and how many the server believes to be Byzantine.
    pub size: Size,
    /// The honest workers' vectors, by ascending id.
    pub honest: &'a Batch<'a>,
    /// The aggregate of the round before; zero in the first.
    pub last_aggregate: &'a Vector,
    /// A zero vector of the kind that is to be submitted.
    pub shape: &'a Vector,
    /// The defence as it will be when the barrier is full.
    pub probe: &'a Probe<'a>,
}

impl<'a> Scene<'a> {
    /// What `knowledge` shows of this to the group of `members`, whose own protocol vectors are `own`.
    pub fn view(
        &self,
        knowledge: Knowledge,
        members: &'a [usize],
        own: Option<&'a [Vector]>,
        rng: Stream,
    ) -> View<'a> {
        View {
            round: self.round,
            members,
            size: self.size,
            shape: self.shape,
            last_aggregate: self.last_aggregate,
            rng,
            knowledge,
            own,
            honest: self.honest,
            probe: self.probe,
        }
    }
}

impl<'a> View<'a> {
    fn needs(&self, wanted: Knowledge) -> Result<(), AttackError> {
        if self.knowledge >= wanted {
            return Ok(());
        }
        Err(AttackError::Knowledge { wanted, declared: self.knowledge })
    }

    /// What the group's workers computed by the honest protocol, in the order of [`View::members`].
    ///
    /// # Errors
    /// [`AttackError::Knowledge`], or [`AttackError::NoOwnVectors`].
    pub fn own(&self) -> Result<&'a [Vector], AttackError> {
        self.needs(Knowledge::Own)?;
        self.own.ok_or(AttackError::NoOwnVectors)
    }

    /// The vectors the honest workers submitted, by ascending worker id.
    ///
    /// # Errors
    /// [`AttackError::Knowledge`].
    pub fn honest(&self) -> Result<&'a Batch<'a>, AttackError> {
        self.needs(Knowledge::Honest)?;
        Ok(self.honest)
    }

    /// The ids of these workers, ascending.
    ///
    /// # Errors
    /// [`AttackError::Knowledge`].
    pub fn honest_ids(&self) -> Result<&'a [usize], AttackError> {
        self.needs(Knowledge::Honest)?;
        Ok(self.probe.honest_ids)
    }

    /// The server's defence, to be probed.
    ///
    /// # Errors
    /// [`AttackError::Knowledge`].
    pub fn defence(&self) -> Result<&'a Probe<'a>, AttackError> {
        self.needs(Knowledge::Defence)?;
        Ok(self.probe)
    }

    /// What the server would compute if the group submitted `vectors`, one for each of
    /// [`View::members`]. Workers of other groups are unknown: they are left out, and the f that the
    /// rule is told shrinks by their number.
    ///
    /// # Errors
    /// [`AttackError::Knowledge`], or [`AttackError::Probe`].
    pub fn outcome(&self, vectors: &[Vector]) -> Result<Vector, AttackError> {
        let probe = self.defence()?;
        let unknown = self.size.m.saturating_sub(probe.honest.len() + self.members.len());
        let probe = Probe { f: probe.f.saturating_sub(unknown), ..probe.clone() };
        Ok(probe.aggregate(self.members, vectors)?)
    }

    /// This view with no more than `knowledge`, and the group's own vectors only if `own`.
    pub fn restricted(&self, knowledge: Knowledge, own: bool) -> Self {
        let own = self.own.filter(|_| own);
        Self { knowledge: self.knowledge.min(knowledge), own, ..self.clone() }
    }

    /// The same vector from every worker of the group.
    pub fn everyone(&self, vector: &Vector) -> Vec<Vector> {
        vec![vector.clone(); self.members.len()]
    }

    /// The vector with this value at every coordinate from every worker of the group.
    pub fn filled(&self, value: f64) -> Vec<Vector> {
        self.everyone(&self.shape.like(&vec![value; self.shape.len()]))
    }
}

/// The defence as it stands in this round. Probing works on a copy of its state
/// and of its random stream, so it leaves no trace.
#[derive(Clone)]
pub struct Probe<'a> {
    /// The server's defence.
    pub defence: &'a Defence,
    /// The random stream it will use in this round.
    pub rng: Stream,
    /// The f it is told.
    pub f: usize,
    /// The honest vectors, by ascending id.
    pub honest: &'a [Vector],
    /// Ids of the honest workers, ascending.
    pub honest_ids: &'a [usize],
    /// Old vectors of workers that are absent, by id, which the server takes for theirs.
    pub standing_in: &'a [(usize, Vector)],
    /// What the server computed itself in this round, for a rule that needs it.
    pub reference: Option<&'a Vector>,
}

impl std::fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("f", &self.f)
            .field("honest", &self.honest.len())
            .finish_non_exhaustive()
    }
}

impl Probe<'_> {
    /// What the server would compute if worker `ids[i]` submitted `vectors[i]` beside the honest ones and those standing
    /// in.
    ///
    /// # Errors
    /// [`RuleError`] of the defence.
    pub fn aggregate(&self, ids: &[usize], vectors: &[Vector]) -> Result<Vector, RuleError> {
        let mut all: Vec<(usize, Vector)> = self
            .honest_ids
            .iter()
            .copied()
            .zip(self.honest.iter().cloned())
            .chain(ids.iter().copied().zip(vectors.iter().cloned()))
            .chain(self.standing_in.iter().cloned())
            .collect();
        all.sort_by_key(|(id, _)| *id);
        let (workers, rows): (Vec<usize>, Vec<Vector>) = all.into_iter().unzip();
        let context = Context {
            workers,
            wants_distances: false,
            reference: self.reference.cloned(),
            ..Context::new(self.f, self.rng.clone())
        };
        Ok(self.defence.clone().aggregate_in(&rows, context)?.output)
    }
}

/// An adversary: what a group of Byzantine workers does in a round.
pub trait Attack: DynClone + Stateful + Send {
    /// What the attack looks at; its view holds no more.
    fn knowledge(&self) -> Knowledge;

    /// Whether the group's workers compute honest-protocol vectors of their own in phase one.
    fn follows_protocol(&self) -> bool {
        false
    }

    /// Whether the attack asks for tables of all pairs of vectors, as [`Batch::gram`](crate::Batch::gram) is one; unlike
    /// rules, most do not. One that does and does not say so is left out of a run's need of memory.
    fn needs_pairs(&self) -> bool {
        false
    }

    /// Whether the attack can do what it is told where there is no more than `setting` says. Whoever plans a run
    /// asks before it.
    ///
    /// # Errors
    /// [`Misfit`].
    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        let _ = setting;
        Ok(())
    }

    /// What whoever starts a run should know of the attack at the size that it was built for, if it is less than its
    /// name promises.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Changes the labels of a batch that one of the group's workers drew for `round`; `classes` is the number of
    /// classes. Called once for each worker that follows the protocol, before its gradients are computed.
    fn poison(&self, round: u64, labels: &mut [i64], classes: i64) {
        let _ = (round, labels, classes);
    }

    /// Makes the vectors that the group submits, one for each of [`View::members`], in that order.
    ///
    /// # Errors
    /// [`AttackError`].
    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError>;
}

dyn_clone::clone_trait_object!(Attack);

/// An attack as configured: its parameters, which make the adversary of one group.
pub trait AttackRule: Described {
    /// Makes the adversary. `size` holds the number of workers and the number of *actual* Byzantine
    /// ones, which the parameters of some attacks depend on.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError>;

    /// What the attack with default parameters looks at, for the catalogue; `None` if it cannot be built.
    fn usual_knowledge() -> Option<Knowledge> {
        Self::default().build(Size::new(17, 4)).ok().map(|attack| attack.knowledge())
    }
}

/// Takes every attack that it is shown, built in or from outside.
pub trait AttackVisitor {
    /// Called once for each.
    fn visit<A: AttackRule>(&mut self);
}

/// The attacks built in. [`Switching`] is not among them: it is made of other attacks, by whoever
/// knows their names.
pub fn built_in(v: &mut impl AttackVisitor) {
    v.visit::<NoAttack>();
    v.visit::<SignFlip>();
    v.visit::<LabelFlip>();
    v.visit::<Ipm>();
    v.visit::<Foe>();
    v.visit::<Alie>();
    v.visit::<OptIpm>();
    v.visit::<OptAlie>();
    v.visit::<Mimic>();
    v.visit::<MinMax>();
    v.visit::<MinSum>();
    v.visit::<Fang>();
    v.visit::<Rop>();
    v.visit::<SingleCoordinate>();
    v.visit::<AntiCge>();
    v.visit::<Stale>();
    v.visit::<Drift>();
    v.visit::<Gaussian>();
    v.visit::<Constant>();
    v.visit::<Zero>();
    v.visit::<Inf>();
    v.visit::<Nan>();
}

/// A number that can be used as a parameter.
fn check_finite(parameter: &'static str, value: f64) -> Result<(), ParameterError> {
    ParameterError::finite(parameter, value)
}
