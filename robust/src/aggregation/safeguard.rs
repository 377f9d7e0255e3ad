//! Safeguard: workers are judged by what they sent over many rounds.

use std::collections::BTreeMap;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError, beside,
    order::{ascending, mean_of},
    sums::{Sums, entries, plus, taken_back},
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
/// max(scale · radius, floor) is out for good. Windows start anew after their length; the good ones are kept. Where
/// workers missed rounds, which the paper knows nothing of, A_i counts as many times as makes it as long as theirs who
/// missed least. Remembers two vectors for every worker, and cannot stand under bucketing or where rounds call a part of
/// the workers.
///
/// Unlike Algorithm 1 of the paper, which is given its thresholds: here a threshold follows from the radius, as in its
/// experiments; twice the threshold is not let pass (`scale = 3` would); sums are not divided by the number of good
/// workers; whoever is put out in a round is not in that round's mean; and no Gaussian noise is added to the step. With
/// fewer than some twenty effective dimensions the default scale puts honest workers out too: of 17 standard Gaussian
/// ones 9 stay in one dimension and 16 in twenty after 100 rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Safeguard {
    /// Rounds in the short window.
    #[schemars(range(min = 1))]
    pub short: u64,
    /// Rounds in the long window, no fewer than in the short one.
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
        ParameterError::at_least_one("short", self.short)?;
        ParameterError::unless(self.long >= self.short, "long", self.long, "at least the short window")?;
        ParameterError::at_least_one("scale", self.scale)?;
        ParameterError::not_negative("floor", self.floor)?;
        Ok(Layer::Base(Box::new(Guard { rule: self.clone(), ..Guard::default() })))
    }

    fn condition() -> &'static str {
        "m > 2f, and rounds that call all workers; not under `bucketing`"
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
    /// The number of vectors in these.
    counts: [BTreeMap<usize, u64>; 2],
}

const WINDOWS: [&str; 2] = ["short", "long"];

impl Stateful for Guard {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert("round".into(), self.round.into());
        state.values.insert("evicted".into(), self.evicted.clone().into());
        state.values.insert("counts".into(), json!(self.counts));
        for (name, sums) in WINDOWS.iter().zip(&self.sums) {
            state.vectors.extend(entries(name, sums));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.round = state.value(Safeguard::NAME, "round")?;
        self.evicted = state.value(Safeguard::NAME, "evicted")?;
        self.counts = state.value(Safeguard::NAME, "counts")?;
        for (name, sums) in WINDOWS.iter().zip(&mut self.sums) {
            *sums = taken_back(state, name);
        }
        Ok(())
    }

    /// The sums of both windows, before the round and after it.
    fn holds(&self, workers: usize, _: u64) -> u64 {
        4 * workers as u64
    }
}

impl Aggregator for Guard {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Safeguard::NAME, size)
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        if size.m >= workers {
            return Ok(());
        }
        let message =
            format!("it compares sums over rounds, and a round calls {} of {workers} workers", size.m);
        Err(RuleError::Failed { rule: Safeguard::NAME.into(), message })
    }

    fn knows_workers(&self) -> bool {
        true
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        batch.norms2()?; // a row that is not finite must not enter the sums
        let mut sums = self.sums.iter().flat_map(BTreeMap::values);
        sums.try_for_each(|sum| beside::check(batch, sum, Safeguard::NAME))?;
        let m = batch.m();
        let workers: Vec<usize> = (0..m).map(|i| context.worker(i)).collect();
        let mut next = self.clone();
        next.extend(&workers, &batch.to_rows());
        let good: Vec<usize> = (0..m).filter(|&i| !self.evicted.contains(&workers[i])).collect();
        if good.is_empty() {
            return Err(RuleError::NobodyLeft { rule: Safeguard::NAME });
        }
        let good_ones: Vec<usize> = good.iter().map(|&i| workers[i]).collect();
        let [short, long] = [0, 1].map(|window| next.comparable(window, &good_ones));
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
    /// The sums of `workers`, made as long as if each had been in as many rounds as the most frequent of them.
    fn comparable(&self, window: usize, workers: &[usize]) -> Vec<Vector> {
        let (sums, counts) = (&self.sums[window], &self.counts[window]);
        let most = workers.iter().map(|worker| counts[worker]).max().unwrap_or(0);
        let scaled = |worker: &usize| match counts[worker] {
            count if count == most => sums[worker].clone(),
            count => sums[worker].scaled(most as f64 / count as f64),
        };
        workers.iter().map(scaled).collect()
    }

    /// Adds the round's vectors to the sums of both windows. As long as both began in the same round, they share them.
    fn extend(&mut self, workers: &[usize], rows: &[Vector]) {
        let starts = [self.rule.short, self.rule.long].map(|length| self.round.is_multiple_of(length));
        for at in (0..2).filter(|&at| starts[at]) {
            self.sums[at].clear();
            self.counts[at].clear();
        }
        let sums = &self.sums;
        let added = |(worker, row): (&usize, &Vector)| {
            let [short, long] = sums.each_ref().map(|sums| sums.get(worker));
            let shared = short.map(Vector::address) == long.map(Vector::address);
            let first = plus(short, row);
            (*worker, if shared { [first.clone(), first] } else { [first, plus(long, row)] })
        };
        let added: Vec<_> = workers.par_iter().zip(rows).map(added).collect();
        for (worker, [short, long]) in added {
            self.sums[0].insert(worker, short);
            self.sums[1].insert(worker, long);
            self.counts.iter_mut().for_each(|counts| *counts.entry(worker).or_default() += 1);
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
