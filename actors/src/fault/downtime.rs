//! Who is down. A crash of many rounds is found without looking back over all of
//! them in each: the last strike on each worker is remembered. It follows from
//! seed, tables and round, so that a run which goes on begins with nothing.

use phalanx_robust::random::Seed;

use super::{Faults, What, strikes};

/// The crashes of a run as far as its rounds have been looked at.
#[derive(Debug, Default)]
pub(crate) struct Downtime {
    /// The last round looked at.
    seen: u64,
    /// For each table and each of its workers the last round in which a crash struck; 0 for none.
    struck: Vec<Vec<u64>>,
}

impl Downtime {
    /// The workers that are down in `round`, ascending, and whether they will come back with what they remember.
    /// Rounds ascend from one call to the next; those between are looked at now.
    pub fn of(&mut self, faults: &Faults, seed: Seed, round: u64) -> Vec<(usize, bool)> {
        let mut down = Vec::new();
        self.struck.resize_with(faults.0.len(), Vec::new);
        for ((at, table), struck) in faults.0.iter().enumerate().zip(&mut self.struck) {
            let What::Crash { rounds, remembers } = table.what else { continue };
            let rounds = rounds.max(1);
            let since = (round + 1).saturating_sub(rounds).max(self.seen + 1);
            struck.resize(table.workers.len(), 0);
            for (&worker, last) in table.workers.iter().zip(struck) {
                let strike = (since..=round).rev().find(|&round| strikes(table, at, seed, worker, round));
                *last = strike.unwrap_or(*last);
                if *last > 0 && round - *last < rounds {
                    down.push((worker, remembers));
                }
            }
        }
        self.seen = round;
        down.sort_unstable();
        // Of two crashes of a worker, the one that loses its memory comes first, and stays.
        down.dedup_by_key(|(worker, _)| *worker);
        down
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Table, When, stream};

    fn crash(workers: Vec<usize>, when: When, rounds: u64, remembers: bool) -> Table {
        Table { workers, when, what: What::Crash { rounds, remembers } }
    }

    #[test]
    fn a_crash_lasts_its_rounds_and_no_longer() {
        let faults = Faults::new(vec![
            crash(vec![1, 4], When::within(3, 5), 0, true),
            crash(vec![4], When::within(5, 5), 2, false),
        ]);
        let mut downtime = Downtime::default();
        let down: Vec<_> = (1..=7).map(|round| downtime.of(&faults, Seed(1), round)).collect();
        let both = vec![(1, true), (4, true)];
        assert_eq!(down[..4], [vec![], vec![], both.clone(), both]);
        assert_eq!(down[4], [(1, true), (4, false)], "the memory of worker 4 is lost");
        assert_eq!(down[5..], [vec![(4, false)], vec![]]);
    }

    #[test]
    fn a_random_crash_is_down_for_its_rounds_from_each_strike_wherever_a_run_begins() {
        let when = When { from: 4, every: 2, probability: 0.2, ..When::ALWAYS };
        let faults = Faults::new(vec![crash(vec![0, 2], when, 1, true), crash(vec![2], when, 5, true)]);
        let struck = |round: u64| when.strikes(Seed(9), stream(1, 2), round);
        for begin in 1..60u64 {
            let mut downtime = Downtime::default();
            for round in begin..100 {
                let expected = when.strikes(Seed(9), stream(0, 2), round)
                    || (round.saturating_sub(4).max(1)..=round).any(struck);
                let down = downtime.of(&faults, Seed(9), round);
                assert_eq!(down.contains(&(2, true)), expected, "round {round} from {begin}");
            }
        }
    }
}
