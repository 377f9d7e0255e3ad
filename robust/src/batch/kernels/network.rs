//! Networks of comparators that sort many columns at once, lane by lane.
//!
//! The network is Parberry's pairwise sorting network (Parberry, 1992), which
//! has as many comparators as Batcher's and loses more of them when only some
//! outputs are wanted (Codish & Zazon-Ivry, 2010): of the 74 for 17 values
//! the median needs 59, of which 16 keep one of their two results.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use pulp::{Simd, WithSimd};

use super::tile::{Ahead, Tile};
use crate::simd::Real;

/// What is done with an output of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// Nothing.
    Dropped,
    /// It is summed with all others so marked, so it does not matter which is which.
    Summed,
    /// Its value is needed.
    Exact,
}

/// Orders two rows of a tile, column by column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparator {
    low: u32,
    high: u32,
    keep: Keep,
}

/// Which results of a comparator anyone reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Both,
    Low,
    High,
}

/// Networks that were asked for before: a run asks for the same one in every round.
static KNOWN: LazyLock<Mutex<Networks>> = LazyLock::new(Mutex::default);
type Networks = HashMap<Vec<Use>, Arc<[Comparator]>>;
/// How many are kept.
const MOST_KNOWN: usize = 64;

/// [`network`], made once.
pub(super) fn known(uses: Vec<Use>) -> Arc<[Comparator]> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(network) = known.get(&uses) {
        return network.clone();
    }
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    let made: Arc<[Comparator]> = network(&uses).into();
    known.insert(uses, made.clone());
    made
}

/// The comparators that bring every output with a use to its place among `uses.len()` values.
fn network(uses: &[Use]) -> Vec<Comparator> {
    let (m, count) = (uses.len(), uses.len().next_power_of_two());
    let mut pairs = vec![(0, 0); pairwise(0, 1, count, m, &mut [], 0)];
    pairwise(0, 1, count, m, &mut pairs, 0);
    pruned(&pairs, uses)
}

/// The wires of the lower and of the higher value.
pub(super) type Pair = (usize, usize);

/// The network over the `count` wires `start`, `start + stride` …; wires from `m` on hold infinity, so nothing
/// happens there. Its comparators stand in `pairs` from `at` on, as far as there is room; where they end.
pub(super) const fn pairwise(
    start: usize,
    stride: usize,
    count: usize,
    m: usize,
    pairs: &mut [Pair],
    at: usize,
) -> usize {
    if count < 2 || start + stride >= m {
        return at;
    }
    let mut at = at;
    let mut i = 0;
    while i < count {
        at = with((start + i * stride, start + (i + 1) * stride), m, pairs, at);
        i += 2;
    }
    at = pairwise(start, 2 * stride, count / 2, m, pairs, at);
    at = pairwise(start + stride, 2 * stride, count / 2, m, pairs, at);
    let mut reach = count / 4;
    while reach > 0 {
        let mut i = 0;
        while i + reach < count / 2 {
            at = with((start + (2 * i + 1) * stride, start + 2 * (i + reach) * stride), m, pairs, at);
            i += 1;
        }
        reach /= 2;
    }
    at
}

/// One comparator more, unless it has a wire from `m` on.
const fn with(pair: Pair, m: usize, pairs: &mut [Pair], at: usize) -> usize {
    if pair.1 >= m {
        return at;
    }
    if at < pairs.len() {
        pairs[at] = pair;
    }
    at + 1
}

/// Drops, from the last to the first, the comparators that change nothing that is used.
fn pruned(pairs: &[Pair], uses: &[Use]) -> Vec<Comparator> {
    let mut uses = uses.to_vec();
    let mut kept = Vec::with_capacity(pairs.len());
    for &(low, high) in pairs.iter().rev() {
        let keep = match (uses[low], uses[high]) {
            (Use::Dropped, Use::Dropped) | (Use::Summed, Use::Summed) => continue,
            (_, Use::Dropped) => Keep::Low,
            (Use::Dropped, _) => Keep::High,
            _ => Keep::Both,
        };
        (uses[low], uses[high]) = (Use::Exact, Use::Exact);
        kept.push(Comparator { low: low as u32, high: high as u32, keep });
    }
    kept.reverse();
    kept
}

/// Runs a network over the rows of a tile.
pub(super) struct Exchange<'a, T> {
    pub network: &'a [Comparator],
    pub tile: &'a mut Tile<T>,
    /// What memory is to bring in the meantime.
    pub ahead: Ahead<'a, T>,
}

impl<T: Real> WithSimd for Exchange<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lines = self.ahead.share(self.network.len());
        let rows = self.tile.rows();
        let (tile, _) = T::split_mut::<S>(self.tile.all_mut());
        let width = tile.len() / rows;
        for c in self.network {
            self.ahead.step(lines);
            let (before, from_high) = tile.split_at_mut(c.high as usize * width);
            let low = &mut before[c.low as usize * width..][..width];
            let both = low.iter_mut().zip(&mut from_high[..width]);
            match c.keep {
                Keep::Both => both.for_each(|(a, b)| (*a, *b) = (T::min(simd, *a, *b), T::max(simd, *a, *b))),
                Keep::Low => both.for_each(|(a, b)| *a = T::min(simd, *a, *b)),
                Keep::High => both.for_each(|(a, b)| *b = T::max(simd, *a, *b)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Exchange, Use, network};
    use crate::batch::kernels::tile::{Ahead, GROUP, Tile};

    fn run(values: &[f64], uses: &[Use]) -> Vec<f64> {
        let mut tile = Tile::new(values.len(), GROUP);
        values.iter().enumerate().for_each(|(i, &v)| tile.row_mut(i).fill(v));
        pulp::Arch::new().dispatch(Exchange {
            network: &network(uses),
            tile: &mut tile,
            ahead: Ahead::new(&[], 0..0),
        });
        (0..values.len()).map(|i| tile.row(i)[0]).collect()
    }

    #[test]
    fn every_pattern_of_zeros_and_ones_is_sorted() {
        // by the zero-one principle, these networks sort everything
        for m in 1..=14 {
            for pattern in 0..1u32 << m {
                let values: Vec<f64> = (0..m).map(|i| f64::from(pattern >> i & 1)).collect();
                let sorted = run(&values, &vec![Use::Exact; m]);
                assert!(sorted.is_sorted(), "{values:?} became {sorted:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_pruned_network_brings_what_is_used(values in prop::collection::vec(-9i8..9, 1..70), cut in 0usize..35, at in 0usize..70) {
            let (m, at) = (values.len(), at % values.len());
            let cut = cut.min((m - 1) / 2);
            let mut uses = vec![Use::Dropped; m];
            uses[cut..m - cut].fill(Use::Summed);
            uses[at] = Use::Exact;
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let mut found = run(&values, &uses);
            prop_assert_eq!(found[at], sorted[at]);
            found[cut..m - cut].sort_by(f64::total_cmp);
            prop_assert_eq!(&found[cut..m - cut], &sorted[cut..m - cut]);
        }
    }
}
