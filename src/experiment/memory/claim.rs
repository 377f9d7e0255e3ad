//! What the members of a group want, in vectors.

use phalanx_robust::{
    Dtype, Size, Vector,
    attack::Attack,
    describe::ParameterError,
    estimator::{Estimator, Gradients, Points},
    random::Seed,
};

use super::{
    super::{
        cast::{Group, Part},
        plan::trial,
    },
    need::Kept,
};

/// Vectors that a worker under way holds beside the difference it has made.
const WALKING: u64 = 2;

/// What of a run its need depends on, beside who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Number of rounds.
    pub rounds: u64,
    /// Workers called in a round.
    pub called: usize,
    /// For which attacks are made.
    pub attack: Size,
    /// Number of parameters.
    pub d: usize,
    /// Their format.
    pub dtype: Dtype,
    /// How what estimators remember is kept.
    pub kept: Kept,
    /// Whether workers walk several local steps.
    pub walking: bool,
}

/// What the members of a group want together, in vectors.
#[derive(Clone, Copy, Default)]
pub struct Claim {
    /// Those that each of their rounds takes.
    pub asked: u64,
    /// What their estimators remember.
    pub remembered: u64,
    /// What their attack keeps and sends.
    pub others: u64,
    /// Whether it may want tables of all pairs.
    pub pairs: bool,
}

impl Claim {
    /// That of `group` in a run of this scale: who learns holds gradients, and where workers walk local steps the point they
    /// have come to and the gradient there.
    ///
    /// # Errors
    /// That of an estimator or an attack that cannot be made.
    pub fn of(group: &Group, scale: Scale) -> Result<Self, ParameterError> {
        let Scale { rounds, attack: size, d, dtype, walking, .. } = scale;
        let (members, attack) = (group.ids.len(), attack(group, size)?);
        let pairs = attack.as_ref().is_some_and(|attack| attack.needs_pairs());
        let held = attack.as_ref().map_or(0, |attack| attack.holds(members, rounds));
        if attack.is_some_and(|attack| !attack.follows_protocol()) {
            // Colluders who do not learn send one common vector.
            return Ok(Self { others: held.saturating_add(1), pairs, ..Self::default() });
        }
        let (gradients, memory) = appetite((group.estimator)()?.as_mut(), rounds, &trial(d, dtype));
        let each = gradients + if walking { WALKING } else { 0 };
        let (asked, remembered) = (each * members as u64, memory * members as u64);
        Ok(Self { asked, remembered, others: held, pairs })
    }
}

/// The attack of the group for rounds of `size`, if that is what its members do.
fn attack(group: &Group, size: Size) -> Result<Option<Box<dyn Attack>>, ParameterError> {
    match &group.part {
        Part::Honest | Part::Actor(_) => Ok(None),
        Part::Attack { make, .. } => make(size).map(Some),
    }
}

/// Vectors that one worker has alive at once: the gradients it asked for, and beside them what its estimator keeps
/// from round to round. That is what it says to hold, or more if it does after two rounds with this `gradient`.
fn appetite(estimator: &mut dyn Estimator, rounds: u64, gradient: &Vector) -> (u64, u64) {
    let mut gradients = 1;
    estimator.place(0, Seed(0));
    for round in 1..=2 {
        let both = estimator.points(round) == Points::CurrentAndPrevious;
        gradients = 1 + u64::from(both);
        let previous = Some(gradient.clone()).filter(|_| both && round > 1);
        estimator.update(round, Gradients { current: gradient.clone(), previous });
    }
    (gradients, estimator.holds(1, rounds).max(estimator.state().vectors.len() as u64))
}

#[cfg(test)]
mod tests {
    use phalanx_robust::{
        Dtype, Vector,
        estimator::{Estimator, EstimatorRule, Gradients, Momentum, Points, Sgd, Storm},
        state::Stateful,
    };

    use super::appetite;

    fn gradient() -> Vector {
        Vector::zeros(3, Dtype::F32)
    }

    #[test]
    fn estimators_are_known_by_what_they_keep() {
        let of = |rule: &dyn Fn() -> Box<dyn Estimator>| appetite(rule().as_mut(), 100, &gradient());
        assert_eq!(of(&|| Sgd::default().build().unwrap()), (1, 0));
        assert_eq!(of(&|| Momentum::default().build().unwrap()), (1, 1));
        assert_eq!(of(&|| Storm::default().build().unwrap()), (2, 1));
    }

    /// Says that it keeps a window of ten gradients, and has begun it.
    #[derive(Clone)]
    struct Window(Vec<Vector>);

    impl Stateful for Window {
        fn holds(&self, workers: usize, rounds: u64) -> u64 {
            workers as u64 * rounds.min(10)
        }
    }

    impl Estimator for Window {
        fn points(&self, _: u64) -> Points {
            Points::Current
        }

        fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
            self.0.push(gradients.current.clone());
            gradients.current
        }
    }

    #[test]
    fn estimators_are_believed() {
        assert_eq!(appetite(&mut Window(Vec::new()), 100, &gradient()), (1, 10));
        assert_eq!(appetite(&mut Window(Vec::new()), 3, &gradient()), (1, 3));
    }
}
