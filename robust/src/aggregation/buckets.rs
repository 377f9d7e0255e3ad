//! Buckets of vectors: at random, or such that each has its share of those that are alike.

use rand::seq::SliceRandom;

use super::order::ascending;
use crate::random::Stream;

/// These in an order drawn at random.
pub(super) fn shuffled(mut all: Vec<usize>, rng: &mut Stream) -> Vec<usize> {
    all.shuffle(rng);
    all
}

/// The vectors by their cosine to one with which they have these inner products; a zero vector is orthogonal to all.
pub(super) fn by_cosine(dots: &[f64], norms: &[f64]) -> Vec<usize> {
    let projection = |(dot, norm): (&f64, &f64)| if *norm == 0.0 { 0.0 } else { dot / norm };
    ascending(&dots.iter().zip(norms).map(projection).collect::<Vec<f64>>())
}

/// Buckets of `size` of these, of which each takes one of every one of `size` runs of the order.
pub(super) fn across(order: &[usize], size: usize, rng: &mut Stream) -> Vec<Vec<usize>> {
    let m = order.len();
    let runs = size.min(m);
    let mut buckets = vec![Vec::with_capacity(runs); m.div_ceil(runs)];
    let mut rest = order;
    for run in 0..runs {
        let (now, later) = rest.split_at(m / runs + usize::from(run < m % runs));
        rest = later;
        let drawn = shuffled(now.to_vec(), rng);
        buckets.iter_mut().zip(drawn).for_each(|(bucket, i)| bucket.push(i));
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::across;
    use crate::random::Seed;

    #[test]
    fn buckets_take_one_of_each_run() {
        let mut rng = Seed(1).stream("test", 0, "buckets", 1);
        for (m, size) in [(9, 3), (10, 3), (11, 3), (17, 4), (5, 1), (4, 4), (3, 8), (1, 1)] {
            let order: Vec<usize> = (0..m).rev().collect();
            let made = across(&order, size, &mut rng);
            assert_eq!(made.len(), m.div_ceil(size.min(m)), "{m} in buckets of {size}");
            let mut all = made.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..m), "{made:?}");
            for bucket in &made {
                assert!(bucket.len() <= size && bucket.is_sorted_by(|a, b| a > b), "{made:?}");
            }
        }
    }
}
