//! What differs between two sets of runs, in configuration and in result.
//! Runs are paired when they agree in the seed and in everything that the two
//! sets do not differ in.

use super::{
    ReportError,
    facts::{Fact, facts},
    measure::{Digest, Measure},
    statistics::Estimate,
};
use crate::results::read::RunRecord;

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name or key.
    pub key: String,
    /// Its values in the first set.
    pub from: Vec<String>,
    /// Its values in the second.
    pub to: Vec<String>,
}

/// A number of both sets.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// What it is, with its unit.
    pub name: String,
    /// Mean over the first set.
    pub a: Option<Estimate>,
    /// Mean over the second.
    pub b: Option<Estimate>,
    /// Mean of second minus first over the pairs.
    pub difference: Option<Estimate>,
    /// Unit of the difference, if that is another one.
    pub difference_unit: &'static str,
}

/// Two sets of runs side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Settings that differ; empty if nothing but seeds does.
    pub changes: Vec<Change>,
    /// Results.
    pub quantities: Vec<Quantity>,
    /// Number of runs in each set.
    pub runs: (usize, usize),
    /// How many of them are pairs.
    pub pairs: usize,
}

/// Compares the runs `a` with the runs `b`.
///
/// # Errors
/// [`ReportError::Mixed`] if there is no measure in common.
pub fn compare(a: &[RunRecord], b: &[RunRecord]) -> Result<Comparison, ReportError> {
    let measure = Measure::common(a.iter().chain(b))?;
    let side = |runs: &[RunRecord]| -> Vec<Side> { runs.iter().map(|run| Side::new(run, measure)).collect() };
    let (a, b) = (side(a), side(b));
    let changes = changes(&a, &b);
    let changed: Vec<String> = changes.iter().map(|change| change.key.clone()).collect();
    let pairs = pairs(&a, &b, &changed);
    let changes = without_parts(changes);
    let (scale, points) = (measure.scale(), measure.difference_unit());
    let quantity = |name: String, scale: f64, difference_unit, of: fn(&Digest) -> Option<f64>| {
        let value = |side: &Side| of(&side.digest).map(|value| value * scale);
        let mean = |runs: &[Side]| Estimate::of(&runs.iter().filter_map(value).collect::<Vec<_>>());
        let difference = |(a, b): &(&Side, &Side)| Some(value(b)? - value(a)?);
        let difference = Estimate::of(&pairs.iter().filter_map(difference).collect::<Vec<_>>());
        Quantity { name, a: mean(&a), b: mean(&b), difference, difference_unit }
    };
    let quantities = vec![
        quantity(format!("final {}", measure.label()), scale, points, |digest| digest.settled),
        quantity(format!("last {}", measure.label()), scale, points, |digest| digest.last),
        quantity(measure.of_difference("rough"), scale, "", |digest| digest.rough),
        quantity("rounds/s".to_owned(), 1.0, "", |digest| digest.rounds_per_second),
        quantity("aggregation (ms)".to_owned(), 1e3, "", |digest| digest.aggregate_seconds),
    ];
    Ok(Comparison { changes, quantities, runs: (a.len(), b.len()), pairs: pairs.len() })
}

struct Side {
    facts: Vec<Fact>,
    seed: u64,
    digest: Digest,
}

impl Side {
    fn new(run: &RunRecord, measure: Measure) -> Self {
        Self { facts: facts(&run.config), seed: run.config.seed, digest: Digest::of(run, measure) }
    }

    /// Whether both say the same but for the keys `changed`.
    fn agrees(&self, other: &Self, changed: &[String]) -> bool {
        let rest = |side: &Self| -> Vec<Fact> {
            side.facts.iter().filter(|fact| !changed.contains(&fact.key)).cloned().collect()
        };
        rest(self) == rest(other)
    }
}

/// The runs that are alike but for the keys `changed`, if each has one such partner only.
fn pairs<'a>(a: &'a [Side], b: &'a [Side], changed: &[String]) -> Vec<(&'a Side, &'a Side)> {
    let only = |run: &Side, others: &'a [Side]| {
        let mut alike = others.iter().filter(|other| other.seed == run.seed && run.agrees(other, changed));
        alike.next().filter(|_| alike.next().is_none())
    };
    let pair =
        |run: &'a Side| only(run, b).filter(|other| only(other, a).is_some()).map(|other| (run, other));
    a.iter().filter_map(pair).collect()
}

/// The settings whose values are not the same in both sets, in order of appearance.
fn changes(a: &[Side], b: &[Side]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for fact in a.iter().chain(b).flat_map(|side| &side.facts) {
        let (from, to) = (values(a, &fact.key), values(b, &fact.key));
        if from != to && changes.iter().all(|change| change.key != fact.key) {
            changes.push(Change { key: fact.key.clone(), from, to });
        }
    }
    changes
}

/// The same without the parts of a rule, if the rule is there to say what they say.
fn without_parts(mut changes: Vec<Change>) -> Vec<Change> {
    if changes.iter().any(|change| change.key == "rule") {
        changes.retain(|change| !["meta-aggregator", "base"].contains(&change.key.as_str()));
    }
    changes
}

/// The values of `key` in a set, each once, sorted.
fn values(runs: &[Side], key: &str) -> Vec<String> {
    let value = |run: &Side| run.facts.iter().find(|fact| fact.key == key).map(|fact| fact.value.clone());
    let mut values: Vec<String> = runs.iter().filter_map(value).collect();
    values.sort();
    values.dedup();
    values
}
