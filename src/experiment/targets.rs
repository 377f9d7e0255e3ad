//! What attacks want of the classes: a learner over the learner, whose
//! evaluations say how often they come to it.

use std::sync::Arc;

use phalanx_actors::{
    Evaluation, Learner,
    learner::{EvaluationTask, Job, Learned, LearnerError, Query},
};
use phalanx_robust::{
    Size, Vector,
    aggregation::Judge,
    attack::Attack,
    contained,
    describe::ParameterError,
    state::{State, StateError, Stateful},
};

use super::cast::{Group, Part};

/// The class that `attack`, as it acts in `round`, wants samples of each class to be predicted as; or why that cannot be.
pub(super) fn targets(attack: &dyn Attack, round: u64, classes: i64) -> Result<Vec<usize>, String> {
    let target = |label| match attack.target_class(round, label, classes) {
        target if (0..classes).contains(&target) => Ok(target as usize),
        target => {
            Err(format!("it wants samples of class {label} to be taken for {target} of {classes} classes"))
        }
    };
    contained(|| (0..classes).map(target).collect())
        .unwrap_or_else(|panic| Err(format!("it panicked as it was asked what it wants of classes: {panic}")))
}

/// A learner among attackers: where it counts what is taken for what, the attacks' success is known.
pub(super) struct Targeted {
    inner: Box<dyn Learner>,
    /// Each with its key.
    attacks: Vec<(String, Box<dyn Attack>)>,
    classes: i64,
}

impl Targeted {
    /// `inner` among the attacks of `groups`, made for rounds of `size`.
    ///
    /// # Errors
    /// [`ParameterError`] of an attack that cannot be made.
    pub fn new(
        inner: Box<dyn Learner>,
        groups: &[Group],
        size: Size,
        classes: i64,
    ) -> Result<Self, ParameterError> {
        let made = |group: &Group| match &group.part {
            Part::Attack { name, make } => {
                Some(make(size).map(|attack| (format!("{}.attack.{name}", group.key), attack)))
            }
            Part::Honest | Part::Actor(_) => None,
        };
        Ok(Self { inner, attacks: groups.iter().filter_map(made).collect::<Result<_, _>>()?, classes })
    }

    /// What the attacks want in `round`.
    fn targets(&self, round: u64) -> Result<Vec<Vec<usize>>, LearnerError> {
        let of = |(key, attack): &(String, Box<dyn Attack>)| {
            let told = targets(attack.as_ref(), round, self.classes);
            told.map_err(|message| LearnerError::Targets(format!("{key}: {message}")))
        };
        self.attacks.iter().map(of).collect()
    }
}

impl Stateful for Targeted {
    fn state(&self) -> State {
        self.inner.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.inner.restore(state)
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.inner.forget()
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.inner.holds(workers, rounds)
    }
}

impl Learner for Targeted {
    fn start(&self) -> Vector {
        self.inner.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.inner.gradients(query, jobs)
    }

    fn judge(&mut self, job: &Job) -> Result<Arc<dyn Judge>, LearnerError> {
        self.inner.judge(job)
    }

    fn effort(&self) -> u64 {
        self.inner.effort()
    }

    /// The attacks are those of the round that led to the point; of the initial point, those of the first round.
    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        let (task, targets) = (self.inner.evaluation(round, point), self.targets(round.max(1)));
        Box::new(move || {
            let (evaluation, targets) = (task()?, targets?);
            let success = evaluation.confusion.as_ref().map(|counts| counts.attack_success(&targets));
            Ok(Evaluation { attack_success: success.unwrap_or(f64::NAN), ..evaluation })
        })
    }
}
