//! The settings in which runs differ, and their values in order.

use std::cmp::Ordering;

use super::{notes::Note, study::Run};

/// The value of a setting that a run does not have.
pub(super) const ABSENT: &str = "–";
/// The value of a parameter without one, in a run that has its component: what that makes of it is its own.
pub(super) const UNSET: &str = "default";

/// Whether a setting's value is one that was given.
pub fn is_given(value: &str) -> bool {
    ![ABSENT, UNSET].contains(&value)
}

/// A setting in which runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name or key.
    pub key: String,
    /// Its values in order: `none` first, numbers by size, chains by length.
    pub values: Vec<String>,
    /// Whether it is a parameter of a component, which some runs may be without.
    pub parameter: bool,
}

/// Whether `key` is `name`, or a parameter of what it names.
pub fn is_below(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `key` is part of what the problem is: results of different ones are not held against one another.
pub fn is_of_problem(key: &str) -> bool {
    ["task.dataset", "task.model", "task.objective"].iter().any(|name| is_below(key, name))
}

/// A key as short as a label has room for: the part of a component says what it is.
pub fn without_role(key: &str) -> &str {
    let roles = ["task.partition.", "task.", "attack.", "rule.", "estimator.", "step."];
    roles.iter().find_map(|role| key.strip_prefix(role)).unwrap_or(key)
}

/// The factors, and for every run its level of each.
pub fn factors(runs: &[Run], notes: &mut Vec<Note>) -> (Vec<Factor>, Vec<Vec<usize>>) {
    let mut factors: Vec<(Factor, Vec<usize>)> =
        keys(runs).iter().filter_map(|key| factor(runs, key)).collect();
    join_optimiser(&mut factors);
    let mut kept: Vec<(Factor, Vec<usize>)> = Vec::new();
    for (factor, levels) in factors {
        match kept.iter().find(|(_, other)| in_step(&levels, other)) {
            Some((first, _)) => {
                notes.push(format!("{} varies together with {}.", factor.key, first.key).into());
            }
            None => kept.push((factor, levels)),
        }
    }
    let table = (0..runs.len()).map(|run| kept.iter().map(|(_, levels)| levels[run]).collect()).collect();
    (kept.into_iter().map(|(factor, _)| factor).collect(), table)
}

/// Keys of all facts in order of appearance; of the rule the whole, or where they are crossed meta-aggregator and base,
/// and the f that the rule is told of only if it is not that of the attackers in all runs.
fn keys(runs: &[Run]) -> Vec<String> {
    let count = |key: &str| distinct(runs.iter().map(|run| run.value_of(key))).len();
    let (rules, metas, bases) = (count("rule"), count("meta-aggregator"), count("base"));
    let crossed = metas > 1 && bases > 1 && 4 * rules >= 3 * metas * bases;
    let mut left_out = if crossed { vec!["rule"] } else { vec!["meta-aggregator", "base"] };
    if runs.iter().all(|run| run.value_of("aggregator.f") == run.value_of("f")) {
        left_out.push("aggregator.f");
    }
    let mut keys: Vec<String> = Vec::new();
    for fact in runs.iter().flat_map(|run| run.facts.iter()) {
        if !keys.contains(&fact.key) && !left_out.contains(&fact.key.as_str()) {
            keys.push(fact.key.clone());
        }
    }
    keys
}

fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut values: Vec<String> = values.map(str::to_owned).collect();
    values.sort_by(|a, b| by_nature(a, b));
    values.dedup();
    values
}

/// `key` as a factor, if runs differ in it. Runs without the component of a parameter do not count.
fn factor(runs: &[Run], key: &str) -> Option<(Factor, Vec<usize>)> {
    let facts = runs.iter().flat_map(|run| run.facts.iter());
    let component = facts.filter(|fact| fact.key == key).find_map(|fact| fact.component.as_deref());
    let value = |run| component.map_or_else(|| Run::value_of(run, key), |of| run.parameter(key, of));
    let found: Vec<&str> = runs.iter().map(value).collect();
    let values = distinct(found.iter().copied());
    let parameter = component.is_some();
    let differing = values.iter().filter(|value| !(parameter && *value == ABSENT)).count();
    let level = |found: &&str| values.iter().position(|value| value == found).unwrap_or(0);
    let levels = found.iter().map(level).collect();
    (differing > 1).then(|| (Factor { key: key.to_owned(), values, parameter }, levels))
}

/// `none` and `mean` first, absent ones last, numbers by size, chains by length, then by letters.
fn by_nature(a: &str, b: &str) -> Ordering {
    let plain = |value: &str| ["none", "mean"].iter().position(|first| *first == value).unwrap_or(2);
    let rank = |value: &str| (value == ABSENT, plain(value), value.matches(" > ").count());
    match (finite(a), finite(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)),
    }
}

/// The number that `text` is; `inf` and `nan` are names of attacks.
pub fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether two factors divide the runs in the same way.
fn in_step(a: &[usize], b: &[usize]) -> bool {
    let mut pairs: Vec<(usize, usize)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let unique = |side: fn(&(usize, usize)) -> usize| {
        let mut values: Vec<usize> = pairs.iter().map(side).collect();
        values.sort_unstable();
        values.dedup();
        values.len() == pairs.len()
    };
    unique(|pair| pair.0) && unique(|pair| pair.1)
}

/// Makes one factor of estimator and step where each estimator has its step.
fn join_optimiser(factors: &mut Vec<(Factor, Vec<usize>)>) {
    let place = |key: &str| factors.iter().position(|(factor, _)| factor.key == key);
    let (Some(estimator), Some(step)) = (place("estimator"), place("step")) else { return };
    if !in_step(&factors[estimator].1, &factors[step].1) {
        return;
    }
    let (steps, step_levels) = factors.remove(step);
    let (factor, levels) = &mut factors[estimator];
    factor.key = "estimator / step".to_owned();
    for (&level, &step) in levels.iter().zip(&step_levels) {
        let own = factor.values[level].split(" / ").next().unwrap_or_default().to_owned();
        factor.values[level] = format!("{own} / {}", steps.values[step]);
    }
}

#[cfg(test)]
mod tests {
    use super::{by_nature, finite};

    #[test]
    fn names_of_attacks_are_no_numbers() {
        assert_eq!(
            ["0.5", "-3", "inf", "nan", "alie"].map(finite),
            [Some(0.5), Some(-3.0), None, None, None]
        );
    }

    #[test]
    fn values_are_in_the_order_of_a_reader() {
        let mut values = ["nnm", "none", "ctma > nnm", "–", "bucketing"];
        values.sort_by(|a, b| by_nature(a, b));
        assert_eq!(values, ["none", "bucketing", "nnm", "ctma > nnm", "–"]);
        let mut numbers = ["10", "9", "0.5"];
        numbers.sort_by(|a, b| by_nature(a, b));
        assert_eq!(numbers, ["0.5", "9", "10"]);
    }
}
