//! A vector for every worker, as rules keep it that judge workers by what they sent over many rounds.

use std::collections::BTreeMap;

use crate::{Vector, state::State};

/// The vector of each worker that sent one, by id.
pub(super) type Sums = BTreeMap<usize, Vector>;

/// `sum`, if there is one, and `row`.
pub(super) fn plus(sum: Option<&Vector>, row: &Vector) -> Vector {
    sum.map_or_else(|| row.clone(), |sum| sum.plus(row))
}

/// The entries of `sums` in a state, under `name`.
pub(super) fn entries(name: &str, sums: &Sums) -> impl Iterator<Item = (String, Vector)> {
    sums.iter().map(move |(worker, sum)| (format!("{name}.{worker}"), sum.clone()))
}

/// What [`entries`] told.
pub(super) fn taken_back(state: &State, name: &str) -> Sums {
    let own = state.vectors.iter().filter_map(|(entry, sum)| {
        let worker = entry.strip_prefix(name)?.strip_prefix('.')?.parse().ok()?;
        Some((worker, sum.clone()))
    });
    own.collect()
}
