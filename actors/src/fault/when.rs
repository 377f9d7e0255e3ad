//! In which rounds a fault strikes.

use phalanx_robust::random::Seed;
use rand::RngExt;

/// The rounds of a fault: `from`, `from + every`, … up to `until`, in each of them with `probability`, for each
/// worker by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct When {
    /// The first round, from 1.
    pub from: u64,
    /// The last round.
    pub until: u64,
    /// Rounds from one to the next; at least 1.
    pub every: u64,
    /// How likely it is in each of these rounds.
    pub probability: f64,
}

impl When {
    /// In every round.
    pub const ALWAYS: Self = Self { from: 1, until: u64::MAX, every: 1, probability: 1.0 };

    /// In `from` and all rounds up to `until`.
    pub fn within(from: u64, until: u64) -> Self {
        Self { from, until, ..Self::ALWAYS }
    }

    /// Whether it strikes the worker of stream `id` in `round`. A function of its arguments alone.
    pub fn strikes(&self, seed: Seed, id: u64, round: u64) -> bool {
        let due = round >= self.from
            && round <= self.until
            && (round - self.from).is_multiple_of(self.every.max(1));
        due && (self.probability >= 1.0
            || seed.stream("fault", id, "strike", round).random::<f64>() < self.probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(when: When, id: u64) -> Vec<u64> {
        (0..40).filter(|&round| when.strikes(Seed(1), id, round)).collect()
    }

    #[test]
    fn rounds_are_counted_from_the_first() {
        assert_eq!(rounds(When { from: 3, until: 20, every: 7, probability: 1.0 }, 0), [3, 10, 17]);
        assert_eq!(rounds(When::within(38, u64::MAX), 0), [38, 39]);
        assert!(rounds(When { probability: 0.0, ..When::ALWAYS }, 0).is_empty());
    }

    #[test]
    fn probability_is_a_rate_and_each_worker_has_its_own_luck() {
        let when = When { probability: 0.3, ..When::ALWAYS };
        let hits = (1..=20_000).filter(|&round| when.strikes(Seed(1), 4, round)).count() as f64;
        assert!((hits / 20_000.0 - 0.3).abs() < 5.0 * (0.21f64 / 20_000.0).sqrt(), "{hits}");
        assert_ne!(rounds(when, 0), rounds(when, 1));
        assert_eq!(rounds(when, 1), rounds(when, 1));
    }
}
