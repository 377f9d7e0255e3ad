//! Faults as part of an experiment: what happens on the way from a worker's
//! reply to the barrier. A table says who, when and what; whether it strikes is
//! a function of (seed, table, worker, round), so that nothing needs saving
//! and no order of arrival changes it.
//!
//! [`Faults`] are the tables, checked; [`What`] are the kinds of fault, each with what it does; the post carries
//! submissions under them. Time here is virtual: delays are numbers, nobody sleeps.

mod attendance;
mod closing;
pub mod delay;
mod downtime;
mod post;
mod traffic;
mod trip;
mod what;
pub mod when;

use phalanx_robust::random::Seed;

pub(crate) use attendance::Attendance;
pub use closing::Closing;
pub use delay::Delay;
use downtime::Downtime;
pub(crate) use post::{Bill, Post};
pub use traffic::{Incident, Traffic};
pub use what::What;
pub use when::When;

/// One table of faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Whom it may strike: ids, ascending.
    pub workers: Vec<usize>,
    /// In which rounds.
    pub when: When,
    /// What happens.
    pub what: What,
}

/// All tables of an experiment; of none by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Table>);

impl Faults {
    /// These tables.
    pub fn new(tables: Vec<Table>) -> Self {
        Self(tables)
    }

    /// The tables.
    pub fn tables(&self) -> &[Table] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some table delays messages.
    pub fn delay_anyone(&self) -> bool {
        self.0.iter().any(|table| table.what.delay().is_some())
    }

    /// What strikes `worker` in `round`, in the order of the tables; crashes are those of [`Downtime`].
    fn striking(&self, seed: Seed, worker: usize, round: u64) -> impl Iterator<Item = (usize, &What)> {
        let strikes = move |(at, table): &(usize, &Table)| {
            !matches!(table.what, What::Crash { .. }) && strikes(table, *at, seed, worker, round)
        };
        self.0.iter().enumerate().filter(strikes).map(|(at, table)| (at, &table.what))
    }

    /// How long the messages of `worker` take in `round`, in virtual seconds.
    pub fn seconds(&self, seed: Seed, worker: usize, round: u64) -> f64 {
        let delays = self.striking(seed, worker, round).filter_map(|(at, what)| {
            let rng = || seed.stream("fault", stream(at, worker), "delay", round);
            what.delay().map(|delay| delay.sample(&mut rng()))
        });
        // a sum of nothing would be -0
        delays.fold(0.0, |all, seconds| all + seconds)
    }
}

/// Whether table `at` strikes `worker` in `round`.
fn strikes(table: &Table, at: usize, seed: Seed, worker: usize, round: u64) -> bool {
    table.workers.binary_search(&worker).is_ok() && table.when.strikes(seed, stream(at, worker), round)
}

/// The number of the stream of `worker` for table `at`.
fn stream(at: usize, worker: usize) -> u64 {
    ((at as u64) << 40) | worker as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_add_up_and_every_table_has_its_own_luck() {
        let table = |mean| Table {
            workers: vec![0],
            when: When::ALWAYS,
            what: What::Delay(Delay::exponential(1.0, mean).unwrap()),
        };
        let one = Faults::new(vec![table(1.0)]);
        let two = Faults::new(vec![table(1.0), table(1.0)]);
        let (a, both) = (one.seconds(Seed(1), 0, 1), two.seconds(Seed(1), 0, 1));
        assert!(a > 1.0 && both - a > 1.0);
        assert!((both - 2.0 * a).abs() > 1e-9, "both tables drew the same");
        assert_eq!(one.seconds(Seed(1), 1, 1), 0.0);
    }
}
