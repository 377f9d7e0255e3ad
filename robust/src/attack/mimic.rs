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
/// the victim is the i with the largest ⟨z, x_i⟩; the last one stays. In rounds without the victim the next one by id
/// is copied under `fixed`, after the last the first; under `variance` the one that is then farthest out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mimic {
    /// How the victim is chosen.
    pub choice: Choice,
    /// Under `fixed`: the victim's id; those of honest workers begin at 0.
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
        ParameterError::at_least_one("warm_up", self.warm_up)?;
        let warm_up = if self.choice == Choice::Fixed { 0 } else { self.warm_up };
        Ok(Box::new(Mimicry { warm_up, seen: 0, victim: self.victim, direction: None }))
    }
}

#[derive(Clone)]
struct Mimicry {
    warm_up: u64,
    /// Rounds learnt from so far.
    seen: u64,
    /// The victim's id.
    victim: usize,
    /// The running mean mu, and z.
    direction: Option<(Vector, Vector)>,
}

impl Mimicry {
    fn learn(&mut self, honest: &Batch<'_>, ids: &[usize], mut rng: Stream) {
        self.seen += 1;
        let share = 1.0 / self.seen as f64;
        let rows = statistics::rows(honest);
        let (mu, z) = match self.direction.take() {
            None => {
                let draw: Vec<f64> = (0..honest.d()).map(|_| StandardNormal.sample(&mut rng)).collect();
                let z = rows[0].like(&draw);
                let mu = honest.mean();
                let image = image(&rows, &mu, &z).unit().unwrap_or(z);
                (mu, image)
            }
            Some((mut mu, mut z)) => {
                mu.lerp(share, &honest.mean());
                if let Some(image) = image(&rows, &mu, &z).unit() {
                    z.lerp(share, &image);
                }
                (mu, z.unit().unwrap_or(z))
            }
        };
        self.victim = ids[farthest_out(&rows, &z)];
        self.direction = Some((mu, z));
    }

    /// The place among the honest vectors of the workers `ids` of the one that is copied.
    fn place(&self, honest: &Batch<'_>, ids: &[usize]) -> usize {
        match (ids.binary_search(&self.victim), &self.direction) {
            (Ok(place), _) => place,
            (Err(_), Some((_, z))) => farthest_out(&statistics::rows(honest), z),
            (Err(next), None) => next % ids.len(),
        }
    }
}

/// The place of the first row with the largest ⟨z, row⟩.
fn farthest_out(rows: &[Vector], z: &Vector) -> usize {
    let heights: Vec<f64> = rows.iter().map(|row| row.dot(z)).collect();
    (0..rows.len()).rev().max_by(|&i, &j| heights[i].total_cmp(&heights[j])).unwrap_or(0)
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

    fn holds(&self, _: usize, _: u64) -> u64 {
        if self.warm_up > 0 { 2 } else { 0 }
    }
}

impl Attack for Mimicry {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        // One that is learnt is among those that are there.
        if self.warm_up > 0 || self.victim < setting.honest {
            return Ok(());
        }
        let message = format!("victim = {}: there are {} honest workers", self.victim, setting.honest);
        Err(Misfit { path: format!("{}.victim", Mimic::NAME), message })
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let (honest, ids) = (view.honest()?, view.honest_ids()?);
        if ids.is_empty() {
            return Ok(view.everyone(view.shape));
        }
        if self.seen < self.warm_up {
            self.learn(honest, ids, view.rng.clone());
        }
        Ok(view.everyone(&honest.row(self.place(honest, ids))))
    }
}
