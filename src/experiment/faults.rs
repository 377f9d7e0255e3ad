//! `[[faults]]` and `[barrier]` checked against the cast: who is meant, when,
//! and whether the rule can stand what the barrier lets through.

use std::ops::Range;

use phalanx_actors::{Closing, Faults, What, When, fault::Table};
use phalanx_robust::{Size, aggregation::Defence, random::Seed};
use rand::seq::index;

use super::{cast::Group, cohorts::Turnout, plan::Planner};
use crate::{
    config::{Absence, ConfigError, FaultTable, number},
    registry::Resolved,
};

impl Planner<'_> {
    /// The faults of the experiment, over these groups.
    pub(super) fn faults(&mut self, groups: &[Group]) -> Result<Faults, ConfigError> {
        let tables = (0..self.config.faults.len()).map(|at| self.fault(at, groups));
        tables.collect::<Result<_, _>>().map(Faults::new)
    }

    fn fault(&mut self, at: usize, groups: &[Group]) -> Result<Table, ConfigError> {
        let given = self.config.faults[at].clone();
        let Resolved { component: what, named } =
            self.make(&self.registry.faults, &format!("faults.{at}.fault"), &given.fault)?;
        self.config.faults[at].fault = named;
        let when = self.when(at, &given)?;
        let workers = self.whom(at, &given, groups)?;
        let workers = match what {
            What::Impostor { of: Some(of) } => self.impostors(at, of, workers, groups)?,
            _ => workers,
        };
        Ok(Table { workers, when, what })
    }

    /// Those of `workers` that submit in the name of `of`: all but that one.
    fn impostors(
        &self,
        at: usize,
        of: usize,
        mut workers: Vec<usize>,
        groups: &[Group],
    ) -> Result<Vec<usize>, ConfigError> {
        let wrong = |message: String| Err(self.fault_error(at, "fault.impostor.of", message));
        let last = groups.last().map_or(0, |group| group.ids.end);
        if of >= last {
            return wrong(format!("there is no worker {of}; ids are 0 to {}", last.saturating_sub(1)));
        }
        if workers == [of] {
            return wrong(format!("worker {of} would submit in its own name, which is no fault"));
        }
        workers.retain(|worker| *worker != of);
        Ok(workers)
    }

    /// That a length which is to be wrong is not that of vectors with `d` coordinates.
    pub(super) fn wrong_lengths(&self, faults: &Faults, d: usize) -> Result<(), ConfigError> {
        let right = |table: &Table| table.what == What::WrongLength { length: Some(d) };
        let Some(at) = faults.tables().iter().position(right) else { return Ok(()) };
        let message = format!("{d} is given, and the vectors of this task have {d} coordinates");
        Err(self.fault_error(at, "fault.wrong-length.length", message))
    }

    fn when(&self, at: usize, given: &FaultTable) -> Result<When, ConfigError> {
        let FaultTable { from, every, probability, .. } = *given;
        let (rounds, until) = (self.config.rounds, given.until.unwrap_or(u64::MAX));
        let wrong = |key: &str, message: String| Err(self.fault_error(at, key, message));
        if from == 0 || from > rounds {
            return wrong("from", format!("{from} is given; rounds are 1 to {rounds}"));
        }
        if until < from {
            return wrong("until", format!("{until} is given; at least `from` = {from} is needed"));
        }
        if every == 0 {
            return wrong("every", "0 is given; at least 1 round is needed".to_owned());
        }
        if !(0.0..=1.0).contains(&probability) {
            return wrong("probability", format!("{} is given; 0 to 1 is accepted", number(probability)));
        }
        Ok(When { from, until, every, probability })
    }

    /// The ids that a table means, ascending.
    fn whom(&self, at: usize, given: &FaultTable, groups: &[Group]) -> Result<Vec<usize>, ConfigError> {
        let mut named = match (&given.workers, &given.group) {
            (Some(_), Some(_)) => {
                let message = "`workers` and `group` are given; one of them is accepted";
                return Err(self.layers.error(&format!("faults.{at}"), message));
            }
            (Some(ids), None) => self.listed(at, ids, groups)?,
            (None, group) => self.grouped(at, group.as_deref().unwrap_or("all"), groups)?,
        };
        let fraction = given.fraction;
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(self.fault_error(
                at,
                "fraction",
                format!("{} is given; more than 0, up to 1 is accepted", number(fraction)),
            ));
        }
        if fraction < 1.0 && !named.is_empty() {
            let count = (fraction * named.len() as f64).round() as usize;
            if count == 0 {
                let message = format!("{fraction} of {} workers is nobody", named.len());
                return Err(self.fault_error(at, "fraction", message));
            }
            let mut rng = Seed(self.config.seed).stream("fault", at as u64, "who", 0);
            let places = index::sample(&mut rng, named.len(), count);
            named = places.iter().map(|place| named[place]).collect();
            named.sort_unstable();
        }
        Ok(named)
    }

    fn listed(&self, at: usize, ids: &[usize], groups: &[Group]) -> Result<Vec<usize>, ConfigError> {
        let last = groups.last().map_or(0, |group| group.ids.end);
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        if let Some(id) = sorted.iter().find(|id| **id >= last) {
            return Err(self.fault_error(
                at,
                "workers",
                format!("there is no worker {id}; ids are 0 to {}", last.saturating_sub(1)),
            ));
        }
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.fault_error(at, "workers", format!("worker {} is given twice", pair[0])));
        }
        if sorted.is_empty() {
            return Err(self.fault_error(at, "workers", "nobody is given".to_owned()));
        }
        Ok(sorted)
    }

    fn grouped(&self, at: usize, name: &str, groups: &[Group]) -> Result<Vec<usize>, ConfigError> {
        let honest = self.config.workers.len();
        let one = |at: usize| groups.get(at).map(|group| group.ids.clone());
        let number = |prefix: &str| name.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
        let ranges: Option<Vec<Range<usize>>> = match name {
            "all" => Some(groups.iter().map(|group| group.ids.clone()).collect()),
            "honest" => Some(groups[..honest].iter().map(|group| group.ids.clone()).collect()),
            "attackers" => Some(groups[honest..].iter().map(|group| group.ids.clone()).collect()),
            _ => match (number("workers."), number("attackers.")) {
                (Some(number), _) => Some(number).filter(|n| *n < honest).and_then(one).map(|ids| vec![ids]),
                (_, Some(number)) => one(honest + number).map(|ids| vec![ids]),
                _ => None,
            },
        };
        let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) else {
            let message = format!(
                "`{name}` is nobody here; all, honest, attackers, workers.0 to workers.{} and attackers.N are accepted",
                honest.saturating_sub(1)
            );
            return Err(self.fault_error(at, "group", message));
        };
        // Of a group of no attackers nobody is struck, as in a sweep over f from 0.
        Ok(ranges.into_iter().flatten().collect())
    }

    fn fault_error(&self, at: usize, key: &str, message: String) -> ConfigError {
        self.layers.error(&format!("faults.{at}.{key}"), message)
    }

    /// When a round of the barrier closes, in virtual time.
    pub(super) fn closing(
        &self,
        size: Turnout,
        defence: &Defence,
        faults: &Faults,
    ) -> Result<Closing, ConfigError> {
        let given = &self.config.barrier;
        let (quorum, m) = (given.quorum, size.round.m);
        let deadline = given.virtual_deadline_seconds.unwrap_or(given.deadline_seconds);
        if !(deadline > 0.0 && deadline <= 1e9) {
            let message =
                format!("{} is given; a positive number of seconds up to 1e9 is accepted", number(deadline));
            return Err(self.layers.error("barrier.virtual_deadline_seconds", message));
        }
        if quorum == 0 {
            return Ok(Closing { quorum: None, deadline });
        }
        let wrong = |message: String| Err(self.layers.error("barrier.quorum", message));
        if quorum > m {
            return wrong(format!("a quorum of {quorum} from {m} workers in a round"));
        }
        if quorum < m && !faults.delay_anyone() {
            return wrong(format!(
                "the first {quorum} of {m} are those with the least delay, and no [[faults]] delays anyone"
            ));
        }
        let told = self.told_by(size.round, quorum);
        if let Err(error) = self.guarded("aggregator.rule", || defence.check(told))? {
            return wrong(format!("a round with {quorum} vectors: {error}"));
        }
        Ok(Closing { quorum: Some(quorum), deadline })
    }

    /// What the rule is told of a round in which the quorum of `size` is there.
    fn told_by(&self, size: Size, quorum: usize) -> Size {
        match self.config.barrier.absence {
            Absence::Recompute => size.part(quorum),
            Absence::Fail | Absence::Drop => Size::new(quorum, size.f),
            // From the second round on; the first is skipped if the rule does not stand it.
            Absence::Reuse => size,
        }
    }
}
