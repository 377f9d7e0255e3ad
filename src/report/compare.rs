//! What differs between two sets of runs, in configuration and in result.
//! The runs of a set that count are those that count in a report of it. They are
//! paired when they agree in the seed and in everything that the two sets do not differ in.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ReportError, classes,
    facts::Fact,
    measure::{Measure, count},
    statistics::Estimate,
    study::{Run, counted},
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
    /// Mean over the seeds of the first set, of each the mean over its settings. A seed that lacks one counts only if
    /// every seed does, and then there is no interval.
    pub a: Option<Estimate>,
    /// The same of the second.
    pub b: Option<Estimate>,
    /// The same of second minus first over the pairs; none if it is not finite.
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
    /// How many seeds the pairs have.
    pub seeds: usize,
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
    let settings = |runs: &[Run]| runs.iter().map(|run| setting(run, &[])).collect::<Vec<_>>();
    let (of_a, of_b) = (settings(&a), settings(&b));
    let of_pairs: Vec<Vec<Fact>> = pairs.iter().map(|(a, _)| setting(a, &changed)).collect();
    let quantity = |name: String, scale: f64, difference_unit, of: &dyn Fn(&Run) -> Option<f64>| {
        let value = |run: &Run| of(run).map(|value| value * scale);
        let mean =
            |runs: &[Run], settings| over_seeds(settings, runs.iter().map(|run| (run.seed(), value(run))));
        let difference = |(a, b): &(&Run, &Run)| (a.seed(), value(b).zip(value(a)).map(|(b, a)| b - a));
        let difference = over_seeds(&of_pairs, pairs.iter().map(difference)).and_then(Estimate::finite);
        Quantity { name, a: mean(&a, &of_a), b: mean(&b, &of_b), difference, difference_unit }
    };
    let mut quantities = vec![
        quantity(format!("final {}", measure.label()), scale, points, &|run| run.digest.settled),
        quantity(format!("last {}", measure.label()), scale, points, &|run| run.digest.last),
        quantity(measure.of_difference("rough"), scale, "", &|run| run.digest.rough),
        quantity("rounds/s".to_owned(), 1.0, "", &|run| run.digest.rounds_per_second),
        quantity("aggregation (ms)".to_owned(), 1e3, "", &|run| run.digest.aggregate_seconds),
    ];
    for (name, of) in classes::quantities(a.iter().chain(&b)) {
        quantities.push(quantity(name, 100.0, "points", &of));
    }
    let (runs, notes) = ((a.len(), b.len()), (a_notes, b_notes));
    let seeds: BTreeSet<u64> = pairs.iter().map(|(a, _)| a.seed()).collect();
    Ok(Comparison { changes, quantities, runs, pairs: pairs.len(), seeds: seeds.len(), notes })
}

/// The mean over seeds of what each seed's runs have in the mean, given the setting of each run, its seed and its value.
///
/// Runs of one seed that differ in their settings are no repetitions: an interval tells what another seed would change,
/// so that its values are those of seeds. And these are alike only if each has a value of every setting. If no seed has,
/// there is the mean of all, and no interval.
fn over_seeds<S: Ord>(settings: &[S], values: impl Iterator<Item = (u64, Option<f64>)>) -> Option<Estimate> {
    let mut seeds: BTreeMap<u64, BTreeMap<&S, f64>> = BTreeMap::new();
    let known =
        settings.iter().zip(values).filter_map(|(setting, (seed, value))| Some((setting, seed, value?)));
    known.for_each(|(setting, seed, value)| _ = seeds.entry(seed).or_default().insert(setting, value));
    let all: BTreeSet<&S> = seeds.values().flat_map(|settings| settings.keys().copied()).collect();
    let mean = |values: &BTreeMap<&S, f64>| values.values().sum::<f64>() / values.len() as f64;
    let whole: Vec<f64> = seeds.values().filter(|values| values.len() == all.len()).map(mean).collect();
    Estimate::of(&whole).or_else(|| {
        let values: Vec<f64> = seeds.values().flat_map(|values| values.values().copied()).collect();
        Estimate::of(&values).map(|all| Estimate { half: None, ..all })
    })
}

/// The runs of a set that count, and notes on the others.
fn side(records: Vec<RunRecord>, measure: Measure) -> Result<(Vec<Run>, Vec<String>), ReportError> {
    let folders = records.len();
    let (runs, notes) = counted(records, measure);
    let notes = notes.into_iter().map(|note| note.text).chain(lacking(&runs)).chain(nan(&runs)).collect();
    if runs.is_empty() { Err(ReportError::Empty { folders }) } else { Ok((runs, notes)) }
}

/// How many seeds are without a setting that others have.
fn lacking(runs: &[Run]) -> Option<String> {
    let mut seeds: BTreeMap<u64, BTreeSet<Vec<Fact>>> = BTreeMap::new();
    runs.iter().for_each(|run| _ = seeds.entry(run.seed()).or_default().insert(setting(run, &[])));
    let all: BTreeSet<&Vec<Fact>> = seeds.values().flatten().collect();
    let lacking = seeds.values().filter(|settings| settings.len() < all.len()).count();
    (lacking > 0).then(|| format!("{lacking} of {} seeds lack a setting that others have.", seeds.len()))
}

/// How many runs have a final value that is no number.
fn nan(runs: &[Run]) -> Option<String> {
    let nan = runs.iter().filter(|run| run.is_nan()).count();
    (nan > 0).then(|| format!("{nan} of {} came to NaN, which is in no mean.", count(runs.len(), "run")))
}

/// What a run says of itself but for the keys `changed` and its seed.
fn setting(run: &Run, changed: &[String]) -> Vec<Fact> {
    run.facts.iter().filter(|fact| !changed.contains(&fact.key)).cloned().collect()
}

/// The runs that are alike but for the keys `changed`, if each has one such partner only.
fn pairs<'a>(a: &'a [Run], b: &'a [Run], changed: &[String]) -> Vec<(&'a Run, &'a Run)> {
    let only = |run: &Run, others: &'a [Run]| {
        let mut alike = others
            .iter()
            .filter(|other| other.seed() == run.seed() && setting(run, changed) == setting(other, changed));
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
    use std::path::Path;

    use super::{Quantity, changes, compare, over_seeds, without_parts};
    use crate::{
        report::{
            Estimate,
            study::{
                Run,
                tests::{altered, ended_at, failed, run},
            },
        },
        results::{Columns, read::RunRecord},
    };

    /// What `run` came to beside a complete one of another rule.
    fn beside(run: Run) -> Vec<Quantity> {
        let other = crate::report::study::tests::run(1, "'mean'", "ipm", "");
        compare(vec![other.record], vec![run.record]).unwrap().quantities
    }

    #[test]
    fn a_run_that_failed_is_in_no_mean() {
        for quantity in beside(failed(run(1, "'cwmed'", "ipm", ""))) {
            assert!(quantity.b.is_none() && quantity.difference.is_none(), "{quantity:?}");
        }
    }

    #[test]
    fn there_is_no_difference_to_what_diverged() {
        let settled = &beside(ended_at(run(1, "'cwmed'", "ipm", ""), f64::INFINITY))[0];
        assert_eq!((settled.b.unwrap().mean, settled.difference), (f64::INFINITY, None));
    }

    #[test]
    fn runs_that_came_to_nan_are_told() {
        let seeds = |accuracies: [f64; 2]| {
            let of = |(accuracy, seed)| {
                let table = format!("round,test_accuracy\n0,0.1\n1,{accuracy}\n");
                let evaluations = Columns::parse(Path::new("evaluations.csv"), table.as_bytes()).unwrap();
                RunRecord { evaluations, ..run(seed, "'mean'", "ipm", "").record }
            };
            accuracies.into_iter().zip(1..).map(of).collect()
        };
        let comparison = compare(seeds([0.5, 0.5]), seeds([0.5, f64::NAN])).unwrap();
        let told = vec!["1 of 2 runs came to NaN, which is in no mean.".to_owned()];
        assert_eq!(comparison.notes, (Vec::new(), told));
    }

    /// Settings 'x' and 'y' under three seeds: the interval is that of the seeds' means, and a seed without one of them
    /// would have its difference in it.
    #[test]
    fn settings_are_no_repetitions_and_seeds_have_them_all() {
        let over = |values: &[(char, u64, f64)]| {
            let settings: Vec<char> = values.iter().map(|(setting, ..)| *setting).collect();
            let some = |value: f64| Some(value).filter(|value| !value.is_nan());
            over_seeds(&settings, values.iter().map(|&(_, seed, value)| (seed, some(value))))
        };
        let mut values =
            [('x', 1, 10.0), ('x', 2, 11.0), ('x', 3, 12.0), ('y', 1, 50.0), ('y', 2, 51.0), ('y', 3, 55.0)];
        assert_eq!(over(&values), Estimate::of(&[30.0, 31.0, 33.5]));
        assert_eq!(over(&values[..5]), Estimate::of(&[30.0, 31.0]), "seed 3 has no run of y");
        values[5].2 = f64::NAN;
        assert_eq!(over(&values), Estimate::of(&[30.0, 31.0]), "seed 3 has no value of y");
        let estimate = over(&[('x', 1, 10.0), ('y', 2, 50.0)]).unwrap();
        assert_eq!((estimate.mean, estimate.half), (30.0, None), "no seed has both");
        let alone = over(&[('x', 7, 1.0), ('y', 7, 3.0)]).unwrap();
        assert_eq!((alone.mean, alone.half), (2.0, None), "one seed says nothing of another");
        assert!(over(&[('x', 7, f64::NAN)]).is_none());
    }

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
