//! Centered clipping around the aggregate of the round before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Output, Rule, RuleError,
    beside::Beside,
    centre::{Remembered, pull},
    radius::factor,
};
use crate::{
    Batch, ColumnRule, Median, Size, Vector,
    describe::{Described, ParameterError, Preset},
    state::{State, StateError, Stateful},
};

/// Where a centre that is not remembered lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// At the origin.
    #[default]
    Zero,
    /// At the mean of the vectors.
    Mean,
    /// At their coordinate-wise median (midpoint), which costs one more pass over memory.
    Median,
}

/// Centered clipping: from a centre v, steps v ← v + (1/m) Σ (x_i - v) min(1, tau / ‖x_i - v‖).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CenteredClipping {
    /// The radius around the centre.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub tau: f64,
    /// Number of steps in a round.
    #[schemars(range(min = 1))]
    pub iterations: usize,
    /// Whether the result is the centre of the next round, as published.
    pub stateful: bool,
    /// The centre of the first round, and of every round if not stateful.
    pub start: Centre,
}

impl Default for CenteredClipping {
    fn default() -> Self {
        Self { tau: 10.0, iterations: 1, stateful: true, start: Centre::Zero }
    }
}

impl Described for CenteredClipping {
    const NAME: &'static str = "centered-clipping";
    const SOURCE: &'static str = "Karimireddy, He & Jaggi, 2021";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper | Preset::Dahan => Self::default(),
            Preset::Byzfl => Self { tau: 100.0, ..Self::default() },
        }
    }
}

impl Rule for CenteredClipping {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::positive("tau", self.tau)?;
        ParameterError::at_least_one("iterations", self.iterations)?;
        Ok(Layer::Base(Box::new(Clipper { rule: self.clone(), centre: Remembered::default() })))
    }
}

/// The rule with its memory.
#[derive(Clone, Debug)]
struct Clipper {
    rule: CenteredClipping,
    centre: Remembered,
}

impl Stateful for Clipper {
    fn state(&self) -> State {
        self.centre.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.centre.restore(state)
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        if self.rule.stateful { self.centre.holds(workers, rounds) } else { 0 }
    }
}

impl Aggregator for Clipper {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(CenteredClipping::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let centre = match (&self.centre.0, self.rule.start) {
            (Some(centre), _) => Some(centre.clone()),
            (None, Centre::Median) => {
                Some(batch.columns(&ColumnRule::Median(Median::Midpoint), false)?.output)
            }
            (None, Centre::Zero | Centre::Mean) => None,
        };
        let beside = centre.as_ref().map(|v| Beside::new(batch, v, CenteredClipping::NAME)).transpose()?;
        let near = self.near(batch, centre.as_ref())?;
        let (rows, mut v) = match &beside {
            Some(beside) => (beside.batch()?, (0..=m).map(|i| f64::from(u8::from(i == m))).collect()),
            None if self.rule.start == Centre::Mean => (batch.clone(), vec![1.0 / m as f64; m]),
            None => (batch.clone(), vec![0.0; m]),
        };
        match &near {
            Some(distances2) => self.step(distances2, &mut v),
            None => self.clip(&rows, m, &mut v)?,
        }
        if !self.rule.stateful && beside.is_none() {
            return Ok(Aggregate::span(v));
        }
        let mut result = Aggregate::vector(rows.combine(&v));
        if near.is_none() && context.wants_distances && batch.map().is_none() {
            result.distances = Some(rows.gram()?.distances2_to(&v)[..m].to_vec());
        }
        if let (true, Output::Vector(centre)) = (self.rule.stateful, &result.output) {
            self.centre = Remembered(Some(centre.clone()));
        }
        Ok(result)
    }
}

impl Clipper {
    /// The squared distances from the first centre, `None` for zero, where they are all that a round needs: they are
    /// less work than the Gram matrix, which names the rows that are not finite.
    fn near(&self, batch: &Batch<'_>, centre: Option<&Vector>) -> Result<Option<Vec<f64>>, RuleError> {
        if self.rule.iterations > 1 || batch.map().is_some() {
            return Ok(None);
        }
        let distances2 = match (centre, self.rule.start) {
            (Some(centre), _) => batch.distances(centre),
            (None, Centre::Zero) => batch.norms2()?,
            (None, _) => return Ok(None),
        };
        Ok(Some(distances2).filter(|all| all.iter().all(|d2| d2.is_finite())))
    }

    /// Moves the centre, given as coefficients over the rows of `batch`, of which the first m count.
    fn clip(&self, batch: &Batch<'_>, m: usize, v: &mut [f64]) -> Result<(), RuleError> {
        let gram = batch.gram()?;
        for _ in 0..self.rule.iterations {
            self.step(&gram.distances2_to(v)[..m], v);
        }
        Ok(())
    }

    /// One step of the centre, given the squared distances from it.
    fn step(&self, distances2: &[f64], v: &mut [f64]) {
        let m = distances2.len() as f64;
        let part = |(i, &d2): (usize, &f64)| (i, factor(d2, self.rule.tau) / m);
        pull(v, &distances2.iter().enumerate().map(part).collect::<Vec<_>>());
    }
}
