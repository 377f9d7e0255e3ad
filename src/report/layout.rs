//! Which factor becomes rows, columns, colour or a figure of its own.

use super::{
    factors::{Factor, is_below, is_of_problem},
    study::{Series, combinations},
};

/// As many labels as there are colours.
const MOST_LABELS: usize = 8;
/// As many rows as a figure can hold.
const MOST_ROWS: usize = 6;

/// Which factors go where; each list is outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// A figure for each value.
    pub split: Vec<usize>,
    /// Rows of panels.
    pub rows: Vec<usize>,
    /// Columns of panels.
    pub columns: Vec<usize>,
    /// Colours of lines.
    pub colour: Vec<usize>,
}

impl Layout {
    /// The same without the factors `which`.
    pub fn without(&self, which: &[usize]) -> Self {
        let rest = |list: &[usize]| list.iter().copied().filter(|at| !which.contains(at)).collect();
        Self {
            split: rest(&self.split),
            rows: rest(&self.rows),
            columns: rest(&self.columns),
            colour: rest(&self.colour),
        }
    }
}

/// Attack and its parameters become rows, base and optimiser columns, the meta-aggregator or rule colour. Another problem
/// is another figure; of the rest one may become rows, and what the colours can tell apart joins them. Parameters stay
/// with the name whose they are.
pub fn layout(factors: &[Factor], series: &[Series]) -> Layout {
    let [mut split, mut rows, mut columns, mut colour, mut rest] = [const { Vec::<Vec<usize>>::new() }; 5];
    for group in groups(factors) {
        let list = match factors[group[0]].key.as_str() {
            key if is_below(key, "attack") => &mut rows,
            "meta-aggregator" | "rule" => &mut colour,
            "base" | "estimator" | "step" | "estimator / step" => &mut columns,
            key if is_of_problem(key) => &mut split,
            _ => &mut rest,
        };
        list.push(group);
    }
    if colour.is_empty() {
        let attack = rows.len();
        let lists = [(&mut columns, 1), (&mut rest, 1), (&mut rows, attack), (&mut split, 1)];
        let first = lists.into_iter().find(|(list, _)| !list.is_empty());
        colour = first.map_or_else(Vec::new, |(list, taken)| list.drain(..taken).collect());
    }
    if rows.is_empty() {
        let fits = |group: &Vec<usize>| combinations(series, group).len() <= MOST_ROWS;
        rows.extend(rest.iter().position(fits).map(|place| rest.remove(place)));
    }
    for group in rest {
        let wider = [colour.concat(), group.clone()].concat();
        let sizes = ["f", "m"].contains(&factors[group[0]].key.as_str());
        let fits = !sizes && combinations(series, &wider).len() <= MOST_LABELS;
        if fits { &mut colour } else { &mut split }.push(group);
    }
    let [split, rows, columns, colour] = [split, rows, columns, colour].map(|groups| groups.concat());
    Layout { split, rows, columns, colour }
}

/// Every factor with the parameters of what it names. Those of rules stand alone: a study of them has a rule in each
/// colour anyway.
fn groups(factors: &[Factor]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, Factor { key, .. }) in factors.iter().enumerate() {
        let has = |group: &&mut Vec<usize>| {
            let first = &factors[group[0]].key;
            first != "rule" && first.split(" / ").any(|name| is_below(key, name))
        };
        match groups.iter_mut().find(has) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}
