//! FoolsGold: whoever goes where another goes counts less.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError, beside,
    order::cosine_distances,
    sums::{Sums, entries, plus, taken_back},
};
use crate::{
    Batch, Matrix, Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// FoolsGold: the vectors, each weighted by how little the sum of its worker's vectors over all rounds goes where that of
/// another worker goes.
///
/// c_ij is the cosine of the sums of workers i and j, and v_i = max(0, max_j c_ij). Where v_j > v_i, c_ij becomes c_ij v_i / v_j
/// (pardoning). Then a_i = 1 - max(0, max_j c_ij), divided by the largest a, and the weight of worker i is
/// confidence · (ln(a_i / (1 - a_i)) + 1/2), taken into [0, 1]; all have 1 where every a is 0. The result is the sum of the
/// weighted vectors over m: the paper's sum, by the number of workers as in every mean here, or over the sum of the weights,
/// as others have it. All coordinates count alike; the paper may weigh those of the last layer by what they do to the model.
///
/// It is made for workers with data of different kinds: of such as all draw alike the sums go one way, and what the least
/// alike sent is all that is left. Remembers a vector for every worker, and cannot stand under bucketing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FoolsGold {
    /// How steeply a weight follows from likeness, kappa in the paper.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub confidence: f64,
    /// What the sum of the weighted vectors is divided by.
    pub over: Over,
}

/// What a weighted sum is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The number of vectors.
    #[default]
    Workers,
    /// The sum of their weights.
    Weights,
}

impl Default for FoolsGold {
    fn default() -> Self {
        Self { confidence: 1.0, over: Over::Workers }
    }
}

impl Described for FoolsGold {
    const NAME: &'static str = "fools-gold";
    const SOURCE: &'static str = "Fung, Yoon & Beschastnikh, 2020";
}

impl Rule for FoolsGold {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::positive("confidence", self.confidence)?;
        Ok(Layer::Base(Box::new(Judge { rule: self.clone(), sums: Sums::new() })))
    }

    fn condition() -> &'static str {
        "m > 0; not under `bucketing`"
    }
}

/// The rule with its memory.
#[derive(Clone, Debug)]
struct Judge {
    rule: FoolsGold,
    /// The sum of all vectors of each worker.
    sums: Sums,
}

const SUMS: &str = "sum";

impl Stateful for Judge {
    fn state(&self) -> State {
        State { vectors: entries(SUMS, &self.sums).collect(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.sums = taken_back(state, SUMS);
        Ok(())
    }

    /// The sums before the round and after it.
    fn holds(&self, workers: usize, _: u64) -> u64 {
        2 * workers as u64
    }
}

impl Aggregator for Judge {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, FoolsGold::NAME, "m > 0", size)
    }

    fn knows_workers(&self) -> bool {
        true
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        batch.norms2()?; // a row that is not finite must not enter the sums
        self.sums.values().try_for_each(|sum| beside::check(batch, sum, FoolsGold::NAME))?;
        let m = batch.m();
        let workers: Vec<usize> = (0..m).map(|i| context.worker(i)).collect();
        let added = |(worker, row): (&usize, &Vector)| plus(self.sums.get(worker), row);
        let sums: Vec<Vector> = workers.par_iter().zip(&batch.to_rows()).map(added).collect();
        let weights = self.rule.weights(&cosine_distances(batch.alike(&sums)?.gram()?));
        let whole = match self.rule.over {
            Over::Workers => m as f64,
            Over::Weights => weights.iter().sum(),
        };
        self.sums.extend(workers.into_iter().zip(sums));
        Ok(Aggregate::span(weights.iter().map(|weight| weight / whole).collect()))
    }
}

impl FoolsGold {
    /// The weights of workers whose sums have these cosine distances.
    fn weights(&self, distances: &Matrix) -> Vec<f64> {
        let m = distances.rows();
        let largest = |i: usize, likeness: &dyn Fn(usize) -> f64| {
            (0..m).filter(|&j| j != i).map(likeness).fold(0.0, f64::max)
        };
        let most: Vec<f64> = (0..m).map(|i| largest(i, &|j| 1.0 - distances[(i, j)])).collect();
        let pardoned = |i: usize, j: usize| {
            let pardon = if most[j] > most[i] { most[i] / most[j] } else { 1.0 };
            pardon * (1.0 - distances[(i, j)])
        };
        let unlike: Vec<f64> = (0..m).map(|i| 1.0 - largest(i, &|j| pardoned(i, j))).collect();
        match unlike.iter().copied().fold(0.0, f64::max) {
            0.0 => vec![1.0; m],
            least_alike => unlike.iter().map(|a| self.logit(a / least_alike)).collect(),
        }
    }

    fn logit(&self, share: f64) -> f64 {
        (self.confidence * ((share / (1.0 - share)).ln() + 0.5)).clamp(0.0, 1.0)
    }
}
