//! One adversary with several workers: what the members of a group of
//! attackers share. It makes the vectors of all of them at once, from a view
//! that holds exactly what its attack declares. A plain data structure; the
//! attacker actors lock it.

use std::{borrow::Cow, sync::Arc};

use phalanx_robust::{
    Batch, Vector,
    aggregation::{Defence, Mean},
    attack::{Attack, AttackError, Knowledge, Probe, Scene},
    contained,
    random::Seed,
    state::State,
};
use rayon::ThreadPool;

use crate::{
    messages::{Exposed, Fault, ForgeError, Submission},
    snapshot::{self, Snapshot, Unfit},
};

/// What a group of attackers is.
pub struct Scheme {
    /// Name of the attack, for errors.
    pub name: String,
    /// Number of the group; names its random stream.
    pub group: u64,
    /// The attack.
    pub attack: Box<dyn Attack>,
    /// Number of classes of the task; 0 if it has none.
    pub classes: i64,
}

/// What is remembered of an attack that panicked: its message, and nothing of its own.
const BROKEN: &str = "attack.panicked";

/// The adversary behind a group of attackers.
pub struct Collusion {
    scheme: Scheme,
    knowledge: Knowledge,
    follows: bool,
    seed: Seed,
    pool: Arc<ThreadPool>,
    round: u64,
    present: Vec<Present>,
    forged: Option<Result<Vec<Vector>, ForgeError>>,
    broken: Option<ForgeError>,
}

/// A member that is there in the open round.
struct Present {
    id: usize,
    /// What it made by the honest protocol, if the attack follows it.
    own: Option<Submission>,
}

impl Collusion {
    /// The adversary of `scheme`, which computes in `pool`.
    pub fn new(scheme: Scheme, seed: Seed, pool: Arc<ThreadPool>) -> Self {
        let (knowledge, follows) = (scheme.attack.knowledge(), scheme.attack.follows_protocol());
        let (present, forged, broken) = (Vec::new(), None, None);
        Self { scheme, knowledge, follows, seed, pool, round: 0, present, forged, broken }
    }

    /// What the attack declares to look at.
    pub fn knowledge(&self) -> Knowledge {
        self.knowledge
    }

    /// Whether the members compute vectors by the honest protocol in phase one.
    pub fn follows_protocol(&self) -> bool {
        self.follows
    }

    /// What the group remembers between rounds, by the name of its part in a snapshot.
    ///
    /// # Errors
    /// [`Fault::Forge`] if the attack panics.
    pub fn memory(&mut self) -> Result<(String, State), Fault> {
        let mut state = match &self.broken {
            Some(_) => State::default(),
            None => {
                let attack = &self.scheme.attack;
                let told = || attack.state().retaken(|told| attack.clone().restore(told));
                let told = contained(told).map_err(|message| {
                    let error = self.break_down(message);
                    self.fault(error)
                })?;
                let unfit =
                    |error| AttackError::Failed(format!("it would not take back what it remembers: {error}"));
                told.map_err(|error| self.fault(ForgeError::Attack(unfit(error))))?
            }
        };
        if let Some(ForgeError::Panicked(message)) = &self.broken {
            state.values.insert(BROKEN.to_owned(), message.clone().into());
        }
        Ok((snapshot::group(self.scheme.group), state))
    }

    /// Gives the group its memory back.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Unfit> {
        let part = snapshot::group(self.scheme.group);
        let message = snapshot.parts.get(&part).and_then(|state| state.values.get(BROKEN)?.as_str());
        if let Some(message) = message {
            self.broken = Some(ForgeError::Panicked(message.to_owned()));
            return Ok(());
        }
        snapshot.restore(&part, self.scheme.attack.as_mut())
    }

    /// Changes the labels that a member drew for `round`, as the attack wants it.
    ///
    /// # Errors
    /// [`Fault::Forge`] if the attack panics, or makes labels that there are not.
    pub fn poison(&mut self, round: u64, labels: &mut [i64]) -> Result<(), Fault> {
        let classes = self.scheme.classes;
        let result = match &self.broken {
            Some(error) => Err(error.clone()),
            None => contained(|| self.scheme.attack.poison(round, labels, classes))
                .map_err(|m| self.break_down(m)),
        };
        let is_strange = |label: &&i64| classes > 0 && !(0..classes).contains(*label);
        let strange = labels.iter().find(is_strange).map(|&label| ForgeError::Label { label, classes });
        result.and(strange.map_or(Ok(()), Err)).map_err(|error| self.fault(error))
    }

    /// Member `id` is there in `round`.
    pub fn stand_by(&mut self, round: u64, id: usize) {
        self.enter(round, Present { id, own: None });
    }

    /// A member is there, with what it made by the honest protocol.
    pub fn join(&mut self, own: Submission) {
        self.enter(own.round, Present { id: own.worker, own: Some(own) });
    }

    /// Takes a member in, unless it comes too late: nobody waits for it any more.
    fn enter(&mut self, round: u64, member: Present) {
        if round > self.round {
            self.round = round;
            self.present.clear();
            self.forged = None;
        }
        if round == self.round && self.forged.is_none() {
            self.present.push(member);
        }
    }

    /// What member `id` submits. The first member to ask has the vectors of all members made.
    ///
    /// # Errors
    /// [`Fault::Forge`], the same for every member.
    pub fn forged(&mut self, exposed: &Exposed, id: usize) -> Result<Submission, Fault> {
        if self.round != exposed.round {
            return Err(self.fault(ForgeError::NotThere(id)));
        }
        let forged = match self.forged.take() {
            Some(forged) => forged,
            None => self.forge(exposed),
        };
        let submission = match &forged {
            Ok(vectors) => self.submission(vectors, id),
            Err(error) => Err(error.clone()),
        };
        self.forged = Some(forged);
        submission.map_err(|error| self.fault(error))
    }

    /// The submission of member `id`: the forged vector, beside the loss that its own work had.
    fn submission(&self, vectors: &[Vector], id: usize) -> Result<Submission, ForgeError> {
        let at = self.present.binary_search_by_key(&id, |member| member.id);
        let at = at.map_err(|_| ForgeError::NotThere(id))?;
        let own = self.present[at].own.as_ref();
        let (loss, accuracy) = (own.and_then(|own| own.loss), own.and_then(|own| own.accuracy));
        Ok(Submission { worker: id, round: self.round, vector: vectors[at].clone(), loss, accuracy })
    }

    fn forge(&mut self, exposed: &Exposed) -> Result<Vec<Vector>, ForgeError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.present.sort_unstable_by_key(|member| member.id);
        self.present.dedup_by_key(|member| member.id);
        let members: Vec<usize> = self.present.iter().map(|member| member.id).collect();
        let own: Option<Vec<Vector>> =
            self.present.iter().map(|member| Some(member.own.as_ref()?.vector.clone())).collect();
        let rng = self.seed.stream("attack", self.scheme.group, "forge", exposed.round);
        let (knowledge, attack) = (self.knowledge, &mut self.scheme.attack);
        let pool = &self.pool;
        let looks = knowledge >= Knowledge::Honest;
        let exposed = if looks { pool.install(|| exposed.finite()) } else { Cow::Borrowed(exposed) };
        if looks && exposed.honest.as_ref().is_some_and(|honest| honest.vectors.is_empty()) {
            // There is nothing to deviate from: a cohort may hold attackers alone.
            return Ok(vec![exposed.shape.clone(); members.len()]);
        }
        let made = contained(|| {
            pool.install(|| {
                seen(&exposed, |scene, shown| {
                    let view = scene.view(knowledge.min(shown), &members, own.as_deref(), rng);
                    attack.forge(&view)
                })
            })
        });
        let vectors = made.map_err(|message| self.break_down(message))??;
        if vectors.len() != members.len() {
            return Err(ForgeError::Count { made: vectors.len(), members: members.len() });
        }
        Ok(vectors)
    }

    /// Lets an attack that panicked begin anew, if it can.
    pub fn revive(&mut self) {
        if self.broken.is_some() && matches!(contained(|| self.scheme.attack.forget()), Ok(Ok(()))) {
            self.broken = None;
        }
    }

    fn break_down(&mut self, message: String) -> ForgeError {
        let error = ForgeError::Panicked(message);
        self.broken = Some(error.clone());
        error
    }

    fn fault(&self, error: ForgeError) -> Fault {
        Fault::Forge { attack: self.scheme.name.clone(), error }
    }
}

/// Calls `look` with what was exposed as a scene, and the knowledge that it holds. What was not
/// exposed is filled with blanks, which a view of that knowledge does not show.
fn seen<T>(
    exposed: &Exposed,
    look: impl FnOnce(&Scene<'_>, Knowledge) -> Result<T, AttackError>,
) -> Result<T, AttackError> {
    let shown = match (&exposed.honest, &exposed.defence) {
        (Some(_), Some(_)) => Knowledge::Defence,
        (Some(_), None) => Knowledge::Honest,
        (None, _) => Knowledge::Own,
    };
    let honest = exposed.honest.as_ref().filter(|honest| !honest.vectors.is_empty());
    let blank = std::slice::from_ref(&exposed.shape);
    let batch = Batch::new(honest.map_or(blank, |honest| &honest.vectors))
        .map_err(|error| AttackError::Failed(error.to_string()))?;
    let nothing = Defence::base(Mean::default());
    let probe = Probe {
        defence: exposed.defence.as_ref().map_or(&nothing, |open| &open.defence),
        rng: exposed
            .defence
            .as_ref()
            .map_or_else(|| Seed(0).stream("blank", 0, "", 0), |open| open.rng.clone()),
        f: exposed.size.f,
        honest: honest.map_or(&[], |honest| &honest.vectors),
        honest_ids: honest.map_or(&[], |honest| &honest.ids),
        standing_in: exposed.defence.as_ref().map_or(&[], |open| &open.standing_in),
        reference: exposed.defence.as_ref().and_then(|open| open.reference.as_ref()),
        point: Some(&exposed.point),
        judge: exposed.defence.as_ref().and_then(|open| open.judge.as_ref()),
    };
    let scene = Scene {
        round: exposed.round,
        size: exposed.size,
        honest: &batch,
        last_aggregate: &exposed.last_aggregate,
        shape: &exposed.shape,
        probe: &probe,
    };
    look(&scene, shown)
}

#[cfg(test)]
mod tests {
    use phalanx_robust::{
        Size,
        attack::{AttackRule, NoAttack},
    };
    use rayon::ThreadPoolBuilder;

    use super::*;

    /// Sends what its members made.
    fn collusion() -> Collusion {
        let attack = NoAttack::default().build(Size::new(12, 5)).unwrap();
        let scheme = Scheme { name: "none".to_owned(), group: 0, attack, classes: 0 };
        let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        Collusion::new(scheme, Seed(1), Arc::new(pool))
    }

    /// What `worker` makes in `round`: a vector that tells both.
    fn own(worker: usize, round: u64) -> Submission {
        let vector = Vector::from(vec![worker as f32, round as f32]);
        Submission { worker, round, vector, loss: None, accuracy: None }
    }

    fn exposed(round: u64) -> Exposed {
        let zero = Vector::from(vec![0f32; 2]);
        let (shape, last_aggregate, point) = (zero.clone(), zero.clone(), zero);
        Exposed { round, size: Size::new(12, 5), shape, last_aggregate, point, honest: None, defence: None }
    }

    fn sent(group: &mut Collusion, round: u64, worker: usize) -> Result<Vec<f64>, Fault> {
        Ok(group.forged(&exposed(round), worker)?.vector.to_f64())
    }

    #[test]
    fn a_member_that_joins_after_the_forging_hides_nobody() {
        let mut group = collusion();
        [11, 10].into_iter().for_each(|worker| group.join(own(worker, 1)));
        assert_eq!(sent(&mut group, 1, 10).unwrap(), [10.0, 1.0]);
        [7, 8].into_iter().for_each(|worker| group.join(own(worker, 1)));
        assert_eq!(sent(&mut group, 1, 11).unwrap(), [11.0, 1.0]);
        assert!(sent(&mut group, 1, 7).is_err(), "nothing was made for it");
    }

    #[test]
    fn a_member_that_ends_an_older_round_leaves_the_open_one_alone() {
        let mut group = collusion();
        group.join(own(10, 1));
        group.join(own(10, 2));
        group.join(own(11, 1));
        group.join(own(12, 2));
        assert_eq!(sent(&mut group, 2, 10).unwrap(), [10.0, 2.0]);
        assert_eq!(sent(&mut group, 2, 12).unwrap(), [12.0, 2.0]);
        assert!(sent(&mut group, 2, 11).is_err());
    }
}
