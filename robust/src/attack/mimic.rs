//! Mimicry.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, Misfit, Setting, View, statistics};
use crate::{
    Batch, Size, Vector,
    describe::{Described, ParameterError},
    random::Stream,
    state::{State, StateError, Stateful},
};

/// How the victim is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// It is the honest worker `victim`.
    #[default]
    Fixed,
    /// It is the one farthest out in the direction of largest honest variance, learnt in the first
    /// rounds.
    Variance,
}

/// Mimicry: all send a copy of one honest worker's vector, which gives this worker's data too much
/// weight. Under `variance`, in each of the first `warm_up` rounds a running mean mu and one step of
/// power iteration on Σ (x_i - mu)(x_i - mu)ᵀ improve a unit vector z, as means over the rounds, and
/// the victim is the i with the largest ⟨z, x_i⟩; the last one stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mimic {
    /// How the victim is chosen.
    pub choice: Choice,
    /// Under `fixed`: the victim's place among the honest workers by ascending id, from 0.
    pub victim: usize,
    /// Under `variance`: the number of rounds in which the direction is learnt.
    #[schemars(range(min = 1))]
    pub warm_up: u64,
}

impl Default for Mimic {
    fn default() -> Self {
        Self { choice: Choice::Fixed, victim: 0, warm_up: 100 }
    }
}

impl Described for Mimic {
    const NAME: &'static str = "mimic";
    const SOURCE: &'static str = "Karimireddy, He & Jaggi, 2022";
}

impl AttackRule for Mimic {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if self.warm_up == 0 {
            return Err(ParameterError::new("warm_up", 0, "at least 1 round"));
        }
        let warm_up = if self.choice == Choice::Fixed { 0 } else { self.warm_up };
        Ok(Box::new(Mimicry { warm_up, seen: 0, victim: self.victim, direction: None }))
    }
}

#[derive(Clone)]
struct Mimicry {
    warm_up: u64,
    /// Rounds learnt from so far.
    seen: u64,
    victim: usize,
    /// The running mean mu, and z.
    direction: Option<(Vector, Vector)>,
}

impl Mimicry {
    fn learn(&mut self, honest: &Batch<'_>, mut rng: Stream) {
        self.seen += 1;
        let share = 1.0 / self.seen as f64;
        let rows = statistics::rows(honest);
        let (mu, z) = match self.direction.take() {
            None => {
                let draw: Vec<f64> = (0..honest.d()).map(|_| StandardNormal.sample(&mut rng)).collect();
                let z = rows[0].like(&draw);
                let mu = honest.mean();
                let image = unit(image(&rows, &mu, &z)).unwrap_or(z);
                (mu, image)
            }
            Some((mut mu, mut z)) => {
                mu.lerp(share, &honest.mean());
                if let Some(image) = unit(image(&rows, &mu, &z)) {
                    z.lerp(share, &image);
                }
                (mu, unit(z.clone()).unwrap_or(z))
            }
        };
        let heights: Vec<f64> = rows.iter().map(|row| row.dot(&z)).collect();
        self.victim = (0..rows.len()).rev().max_by(|&i, &j| heights[i].total_cmp(&heights[j])).unwrap_or(0);
        self.direction = Some((mu, z));
    }
}

/// That there is a victim among `n` honest vectors.
fn check_victim(victim: usize, n: usize) -> Result<(), Misfit> {
    if victim < n {
        return Ok(());
    }
    let message = format!("victim = {victim}: there are {n} honest vectors");
    Err(Misfit { path: format!("{}.victim", Mimic::NAME), message })
}

/// Σ (x_i - mu) ⟨x_i - mu, z⟩.
fn image(rows: &[Vector], mu: &Vector, z: &Vector) -> Vector {
    let mut sum = mu.zeros_like();
    for row in rows {
        let away = row.minus(mu);
        sum.axpy(away.dot(z), &away);
    }
    sum
}

/// The vector of length 1 in the direction of `vector`, if it has one.
fn unit(mut vector: Vector) -> Option<Vector> {
    let norm = vector.norm();
    (norm > 0.0).then(|| {
        vector.scale(1.0 / norm);
        vector
    })
}

impl Stateful for Mimicry {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert("seen".to_owned(), self.seen.into());
        state.values.insert("victim".to_owned(), self.victim.into());
        if let Some((mu, z)) = &self.direction {
            state.vectors.insert("mean".to_owned(), mu.clone());
            state.vectors.insert("direction".to_owned(), z.clone());
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let seen = state.value(Mimic::NAME, "seen")?;
        let victim = state.value(Mimic::NAME, "victim")?;
        self.direction = match seen {
            0 => None,
            _ => Some((
                state.vector(Mimic::NAME, "mean")?.clone(),
                state.vector(Mimic::NAME, "direction")?.clone(),
            )),
        };
        (self.seen, self.victim) = (seen, victim);
        Ok(())
    }

    fn forget(&mut self) -> Result<(), StateError> {
        (self.seen, self.direction) = (0, None);
        Ok(())
    }
}

impl Attack for Mimicry {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        // One that is learnt is among those that are there.
        if self.warm_up > 0 { Ok(()) } else { check_victim(self.victim, setting.honest) }
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        if self.seen < self.warm_up {
            self.learn(honest, view.rng.clone());
        }
        check_victim(self.victim, honest.m())?;
        Ok(view.everyone(&honest.row(self.victim)))
    }
}
