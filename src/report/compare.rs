//! What differs between two sets of runs, in configuration and in result.
//! The runs of a set that count are those that count in a report of it. They are
//! paired when they agree in the seed and in everything that the two sets do not differ in.

use super::{
    ReportError,
    facts::Fact,
    measure::{Digest, Measure},
    select::{Run, counted},
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
    /// Number of runs in each set that count.
    pub runs: (usize, usize),
    /// How many of them are pairs.
    pub pairs: usize,
    /// What a reader has to know of the other runs, for each set.
    pub notes: (Vec<String>, Vec<String>),
}

/// Compares the runs `a` with the runs `b`.
///
/// # Errors
/// [`ReportError::Mixed`] if there is no measure in common, [`ReportError::Empty`] if no run of a set counts.
pub fn compare(a: Vec<RunRecord>, b: Vec<RunRecord>) -> Result<Comparison, ReportError> {
    let measure = Measure::common(a.iter().chain(&b))?;
    let ((a, a_notes), (b, b_notes)) = (side(a, measure)?, side(b, measure)?);
    let changes = changes(&a, &b);
    let changed: Vec<String> = changes.iter().map(|change| change.key.clone()).collect();
    let pairs = pairs(&a, &b, &changed);
    let changes = without_parts(changes);
    let (scale, points) = (measure.scale(), measure.difference_unit());
    let quantity = |name: String, scale: f64, difference_unit, of: fn(&Digest) -> Option<f64>| {
        let value = |run: &Run| of(&run.digest).map(|value| value * scale);
        let mean = |runs: &[Run]| Estimate::of(&runs.iter().filter_map(value).collect::<Vec<_>>());
        let difference = |(a, b): &(&Run, &Run)| Some(value(b)? - value(a)?);
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
    let (runs, notes) = ((a.len(), b.len()), (a_notes, b_notes));
    Ok(Comparison { changes, quantities, runs, pairs: pairs.len(), notes })
}

/// The runs of a set that count, and notes on the others.
fn side(records: Vec<RunRecord>, measure: Measure) -> Result<(Vec<Run>, Vec<String>), ReportError> {
    let folders = records.len();
    let (runs, notes) = counted(records, measure);
    if runs.is_empty() { Err(ReportError::Empty { folders }) } else { Ok((runs, notes)) }
}

/// Whether both say the same but for the keys `changed`.
fn agree(a: &Run, b: &Run, changed: &[String]) -> bool {
    let rest = |run: &Run| -> Vec<Fact> {
        run.facts.iter().filter(|fact| !changed.contains(&fact.key)).cloned().collect()
    };
    rest(a) == rest(b)
}

/// The runs that are alike but for the keys `changed`, if each has one such partner only.
fn pairs<'a>(a: &'a [Run], b: &'a [Run], changed: &[String]) -> Vec<(&'a Run, &'a Run)> {
    let only = |run: &Run, others: &'a [Run]| {
        let mut alike =
            others.iter().filter(|other| other.seed() == run.seed() && agree(run, other, changed));
        alike.next().filter(|_| alike.next().is_none())
    };
    let pair = |run: &'a Run| only(run, b).filter(|other| only(other, a).is_some()).map(|other| (run, other));
    a.iter().filter_map(pair).collect()
}

/// The settings whose values are not the same in both sets, in order of appearance.
fn changes(a: &[Run], b: &[Run]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for fact in a.iter().chain(b).flat_map(|run| run.facts.iter()) {
        let (from, to) = (values(a, &fact.key), values(b, &fact.key));
        if from != to && changes.iter().all(|change| change.key != fact.key) {
            changes.push(Change { key: fact.key.clone(), from, to });
        }
    }
    changes
}

/// The same without the parts of a rule, if the rule is there to say what they say, and without the f that the rule is
/// told of if it is that of the attackers.
fn without_parts(mut changes: Vec<Change>) -> Vec<Change> {
    let of = |key: &str| changes.iter().find(|change| change.key == key).map(|c| (&c.from, &c.to));
    if of("aggregator.f") == of("f") {
        changes.retain(|change| change.key != "aggregator.f");
    }
    if changes.iter().any(|change| change.key == "rule") {
        changes.retain(|change| !["meta-aggregator", "base"].contains(&change.key.as_str()));
    }
    changes
}

/// The values of `key` in a set, each once, sorted.
fn values(runs: &[Run], key: &str) -> Vec<String> {
    let value = |run: &Run| run.facts.value(key).map(str::to_owned);
    let mut values: Vec<String> = runs.iter().filter_map(value).collect();
    values.sort();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::{changes, without_parts};
    use crate::report::select::{
        Run,
        tests::{altered, run},
    };

    #[test]
    fn the_f_that_is_told_is_a_change_where_it_is_not_that_of_the_attackers() {
        let keys = |a: Run, b: Run| -> Vec<String> {
            without_parts(changes(&[a], &[b])).into_iter().map(|change| change.key).collect()
        };
        let plain = || run(1, "'cwtm'", "alie", "");
        let fewer = altered(plain(), "count = 4\nattack", "count = 3\nattack");
        assert_eq!(keys(plain(), fewer), ["f", "m"]);
        let told = altered(plain(), "rule = ", "f = 3\nrule = ");
        assert_eq!(keys(plain(), told), ["aggregator.f"]);
    }
}
