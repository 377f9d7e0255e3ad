//! Partial participation: who of a cast takes part in a round. A pure function
//! of the seed and the round, so that a resumed run calls the same workers.

use phalanx_robust::random::Seed;
use rand::seq::index;

/// The cohort of `round`: `size` of the `workers`, drawn uniformly without replacement, in their order; all of
/// them if there are no more. The cost does not depend on how many there are.
pub(crate) fn cohort(seed: Seed, round: u64, workers: &[usize], size: usize) -> Vec<usize> {
    let mut rng = seed.stream("aggregator", 0, "cohort", round);
    let mut places = index::sample(&mut rng, workers.len(), size.min(workers.len())).into_vec();
    places.sort_unstable();
    places.iter_mut().for_each(|place| *place = workers[*place]);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_and_every_pair_is_drawn_as_often_as_any_other() {
        const ROUNDS: u64 = 20_000;
        let workers: Vec<usize> = (0..10).map(|i| 3 * i).collect();
        let (mut single, mut pairs) = ([0u64; 10], [[0u64; 10]; 10]);
        for round in 1..=ROUNDS {
            let drawn = cohort(Seed(1), round, &workers, 3);
            assert!(
                drawn.len() == 3 && drawn.is_sorted_by(|a, b| a < b) && drawn.iter().all(|id| id % 3 == 0)
            );
            for &one in &drawn {
                single[one / 3] += 1;
                drawn.iter().for_each(|&other| pairs[one / 3][other / 3] += 1);
            }
        }
        // Binomial with 3/10, and with 3/10 · 2/9 for a pair; five standard deviations are allowed.
        let near = |count: u64, p: f64| {
            let (mean, deviation) = (ROUNDS as f64 * p, (ROUNDS as f64 * p * (1.0 - p)).sqrt());
            (count as f64 - mean).abs() < 5.0 * deviation
        };
        assert!(single.iter().all(|&count| near(count, 0.3)), "{single:?}");
        let apart = |i: usize| (0..10).filter(move |&j| j != i);
        assert!((0..10).all(|i| apart(i).all(|j| near(pairs[i][j], 1.0 / 15.0))), "{pairs:?}");
    }

    #[test]
    fn seed_and_round_decide() {
        let workers: Vec<usize> = (0..100).collect();
        let drawn = |seed, round| cohort(Seed(seed), round, &workers, 10);
        assert_eq!(drawn(1, 1), drawn(1, 1));
        assert!(drawn(1, 1) != drawn(1, 2) && drawn(1, 1) != drawn(2, 1));
        assert_eq!(cohort(Seed(1), 1, &workers, 200), workers);
    }
}
