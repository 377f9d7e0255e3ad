//! Safeguard: workers are judged by what they sent over many rounds.

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{ascending, mean_of},
};
use crate::{
    Batch, Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// Safeguard: the mean of the workers that never strayed from the crowd, judged by the sums of their vectors over
/// two windows of rounds.
///
/// For each window, A_i is the sum of worker i's vectors since the window began. The median worker is the good one
/// whose ⌊m/2⌋ + 1 nearest good sums, its own included, lie within the least radius; whoever is farther from it than
/// max(scale · radius, floor) is out for good. This is the paper's automatic threshold. Windows start anew after
/// their length; the good ones are kept. Remembers two vectors for every worker, and cannot stand under bucketing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Safeguard {
    /// Rounds in the short window.
    #[schemars(range(min = 1))]
    pub short: u64,
    /// Rounds in the long window.
    #[schemars(range(min = 1))]
    pub long: u64,
    /// The distance that is too far, as a multiple of the radius of the crowd.
    #[schemars(range(min = 1.0))]
    pub scale: f64,
    /// The least distance that can be too far.
    #[schemars(range(min = 0.0))]
    pub floor: f64,
}

impl Default for Safeguard {
    fn default() -> Self {
        Self { short: 100, long: 600, scale: 1.5, floor: 0.0 }
    }
}

impl Described for Safeguard {
    const NAME: &'static str = "safeguard";
    const SOURCE: &'static str = "Allen-Zhu et al., 2021";
}

impl Rule for Safeguard {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::unless(self.short > 0, "short", self.short, "at least 1")?;
        ParameterError::unless(self.long >= self.short, "long", self.long, "at least the short window")?;
        ParameterError::unless(self.scale >= 1.0, "scale", self.scale, "at least 1")?;
        ParameterError::not_negative("floor", self.floor)?;
        Ok(Layer::Base(Box::new(Guard { rule: self.clone(), ..Guard::default() })))
    }
}

/// The rule with its memory.
#[derive(Clone, Debug, Default)]
struct Guard {
    rule: Safeguard,
    round: u64,
    /// Who is out, by worker.
    evicted: Vec<usize>,
    /// The sums of the short and of the long window, by worker.
    sums: [Sums; 2],
}

type Sums = BTreeMap<usize, Vector>;

const WINDOWS: [&str; 2] = ["short", "long"];

impl Stateful for Guard {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert("round".into(), self.round.into());
        state.values.insert("evicted".into(), self.evicted.clone().into());
        for (name, sums) in WINDOWS.iter().zip(&self.sums) {
            state.vectors.extend(sums.iter().map(|(worker, v)| (format!("{name}.{worker}"), v.clone())));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.round = state.value(Safeguard::NAME, "round")?;
        self.evicted = state.value(Safeguard::NAME, "evicted")?;
        for (name, sums) in WINDOWS.iter().zip(&mut self.sums) {
            let own = state.vectors.iter().filter_map(|(entry, v)| {
                let worker = entry.strip_prefix(name)?.strip_prefix('.')?.parse().ok()?;
                Some((worker, v.clone()))
            });
            *sums = own.collect();
        }
        Ok(())
    }
}

impl Aggregator for Guard {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 2 * size.f, Safeguard::NAME, "m > 2f", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        batch.norms2()?; // a row that is not finite must not enter the sums
        let m = batch.m();
        let workers: Vec<usize> = (0..m).map(|i| context.worker(i)).collect();
        let mut next = self.clone();
        next.extend(&workers, &batch.to_rows());
        let good: Vec<usize> = (0..m).filter(|&i| !self.evicted.contains(&workers[i])).collect();
        if good.is_empty() {
            let message = "every worker that is there was evicted in an earlier round".into();
            return Err(RuleError::Failed { rule: Safeguard::NAME.into(), message });
        }
        let of = |sums: &Sums| good.iter().map(|&i| sums[&workers[i]].clone()).collect::<Vec<_>>();
        let [short, long] = next.sums.each_ref().map(of);
        let mut near = self.crowd(batch, &short, m)?;
        if !short.iter().zip(&long).all(|(short, long)| short.address() == long.address()) {
            near.iter_mut().zip(self.crowd(batch, &long, m)?).for_each(|(near, also)| *near &= also);
        }
        let (kept, strayed): (Vec<_>, Vec<_>) = good.iter().zip(near).partition(|(_, near)| *near);
        let kept: Vec<usize> = kept.into_iter().map(|(&i, _)| i).collect();
        next.evicted.extend(strayed.into_iter().map(|(&i, _)| workers[i]));
        next.round += 1;
        *self = next;
        Ok(Aggregate::span(mean_of(if kept.is_empty() { &good } else { &kept }, m)))
    }
}

impl Guard {
    /// Adds the round's vectors to the sums of both windows. As long as both began in the same round, they share them.
    fn extend(&mut self, workers: &[usize], rows: &[Vector]) {
        let starts = [self.rule.short, self.rule.long].map(|length| self.round.is_multiple_of(length));
        self.sums.iter_mut().zip(starts).filter(|(_, starts)| *starts).for_each(|(sums, _)| sums.clear());
        let sums = &self.sums;
        let added = |(worker, row): (&usize, &Vector)| {
            let [short, long] = sums.each_ref().map(|sums| sums.get(worker));
            let plus = |sum: Option<&Vector>| sum.map_or_else(|| row.clone(), |sum| sum.plus(row));
            let shared = short.map(Vector::address) == long.map(Vector::address);
            let first = plus(short);
            (*worker, if shared { [first.clone(), first] } else { [first, plus(long)] })
        };
        let added: Vec<_> = workers.par_iter().zip(rows).map(added).collect();
        for (worker, [short, long]) in added {
            self.sums[0].insert(worker, short);
            self.sums[1].insert(worker, long);
        }
    }

    /// Which of the sums are near the median one, for m workers in all.
    fn crowd(&self, raw: &Batch<'_>, sums: &[Vector], m: usize) -> Result<Vec<bool>, RuleError> {
        let batch = raw.alike(sums)?;
        let gram = batch.gram()?;
        let rank = (m / 2 + 1).min(sums.len());
        let from = |i: usize| (0..sums.len()).map(|j| gram.distance2(i, j).sqrt()).collect::<Vec<f64>>();
        let radii: Vec<f64> = (0..sums.len())
            .map(|i| {
                let distances = from(i);
                distances[ascending(&distances)[rank - 1]]
            })
            .collect();
        let median = ascending(&radii)[0];
        let limit = (self.rule.scale * radii[median]).max(self.rule.floor);
        Ok(from(median).into_iter().map(|d| d <= limit).collect())
    }
}
