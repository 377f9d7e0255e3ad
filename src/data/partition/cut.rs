//! Cutting lists of samples into pieces, for the partitions beside this file.

use phalanx_robust::random::Stream;
use rand::{RngExt, seq::SliceRandom};

/// The positions 0 to `samples - 1` in random order.
pub(super) fn shuffled(samples: usize, rng: &mut Stream) -> Vec<u32> {
    let mut all: Vec<u32> = (0..samples as u32).collect();
    all.shuffle(rng);
    all
}

/// The samples of each class, in the order of `positions`; class k comes k-th and may be empty.
pub(super) fn by_class(labels: &[u8], positions: &[u32]) -> Vec<Vec<u32>> {
    let classes = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let mut lists = vec![Vec::new(); classes];
    positions.iter().for_each(|&at| lists[usize::from(labels[at as usize])].push(at));
    lists
}

/// Contiguous pieces whose sizes differ by at most one, the larger ones first.
pub(super) fn evenly(items: &[u32], pieces: usize) -> Vec<&[u32]> {
    let (size, larger) = (items.len() / pieces, items.len() % pieces);
    let mut rest = items;
    (0..pieces)
        .map(|piece| {
            let (cut, left) = rest.split_at(size + usize::from(piece < larger));
            rest = left;
            cut
        })
        .collect()
}

/// Contiguous pieces proportional to `weights`: the end of each is rounded to the nearest sample.
pub(super) fn proportionally<'a>(items: &'a [u32], weights: &[f64]) -> Vec<&'a [u32]> {
    let whole: f64 = weights.iter().sum();
    let (mut sum, mut begin) = (0.0, 0);
    weights
        .iter()
        .enumerate()
        .map(|(piece, weight)| {
            sum += weight;
            let end = (items.len() as f64 * (sum / whole)).round() as usize;
            let end = if piece + 1 == weights.len() { items.len() } else { end.clamp(begin, items.len()) };
            let cut = &items[begin..end];
            begin = end;
            cut
        })
        .collect()
}

/// Moves random samples from the largest shard to the smallest, one at a time, until no shard has fewer than `least`.
/// Returns how many were moved. The shards hold at least `least` samples each on average.
pub(super) fn refill(shards: &mut [Vec<u32>], least: usize, rng: &mut Stream) -> usize {
    let mut moved = 0;
    while let Some((short, _)) = shards
        .iter()
        .enumerate()
        .min_by_key(|(_, shard)| shard.len())
        .filter(|(_, shard)| shard.len() < least)
    {
        let Some(large) = (0..shards.len()).max_by_key(|&worker| (shards[worker].len(), worker)) else {
            break;
        };
        let at = rng.random_range(0..shards[large].len());
        let sample = shards[large].swap_remove(at);
        shards[short].push(sample);
        moved += 1;
    }
    moved
}
