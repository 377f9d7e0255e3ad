//! What an attack sees: no more than its declared knowledge allows.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::AttackError;
use crate::{
    Batch, Size, Vector,
    aggregation::{Context, Defence, Judge, RuleError},
    contained,
    random::Stream,
};

/// What an attack may look at. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Nothing but the shape of a vector, the last aggregate and the point, which every worker sees.
    Blind,
    /// What its own workers computed by the honest protocol.
    Own,
    /// All vectors the honest workers submitted in this round.
    Honest,
    /// The server's defence too, to be probed.
    Defence,
}

impl fmt::Display for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blind => "blind",
            Self::Own => "own",
            Self::Honest => "honest",
            Self::Defence => "defence",
        })
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

    /// x_t, at which the vectors of this round were computed; every worker knows it.
    ///
    /// # Errors
    /// [`AttackError::NoPoint`] outside of a run, where nobody has given one.
    pub fn point(&self) -> Result<&'a Vector, AttackError> {
        self.probe.point.ok_or(AttackError::NoPoint)
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

/// The defence as it stands in this round. Probing works on a copy of its state, so it leaves no trace.
#[derive(Clone)]
pub struct Probe<'a> {
    /// The server's defence.
    pub defence: &'a Defence,
    /// The random numbers of every probe in this round, so that a search has one objective. The server draws others, after
    /// the attackers have sent: what is proven of rules that draw (as of bucketing) holds for attackers who do not know them.
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
    /// x_t, as [`Context::point`]; every worker knows it.
    pub point: Option<&'a Vector>,
    /// Who tells the server how good other points are, for a rule that needs it.
    pub judge: Option<&'a Arc<dyn Judge>>,
}

impl fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("f", &self.f)
            .field("honest", &self.honest.len())
            .finish_non_exhaustive()
    }
}

impl Probe<'_> {
    /// What the server would compute if worker `ids[i]` submitted `vectors[i]` beside the honest ones and those standing
    /// in. A panic of the defence is an error too, so that the attack is not taken for what panicked.
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
            point: self.point.cloned(),
            judge: self.judge.cloned(),
            ..Context::new(self.f, self.rng.clone())
        };
        let mut defence = self.defence.clone();
        let found = contained(|| defence.aggregate_in(&rows, context)).map_err(RuleError::Panicked)?;
        Ok(found?.output)
    }
}
