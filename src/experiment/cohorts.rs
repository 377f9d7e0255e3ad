//! The numbers of workers: in the cast, and in a round of it.

use phalanx_robust::Size;
use statrs::distribution::{DiscreteCDF, Hypergeometric};

use super::plan::Planner;
use crate::config::ConfigError;

/// How many workers there are, and how many of them are Byzantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turnout {
    /// All workers, and how many Byzantine ones among them the server is told of.
    pub cast: Size,
    /// All attackers.
    pub byzantine: usize,
    /// The workers of a round, and how many Byzantine ones the rule is told to withstand in it.
    pub round: Size,
}

impl Turnout {
    /// What an attack is made for: the workers of a round, and how many attackers to expect among them.
    pub fn attack(&self) -> Size {
        Size::new(self.cast.m, self.byzantine).part(self.round.m)
    }

    /// Whether a round calls a part of the workers only.
    pub fn is_partial(&self) -> bool {
        self.round.m < self.cast.m
    }

    /// The probability that a cohort holds more attackers than its rule is told to withstand.
    pub fn excess(&self) -> f64 {
        let numbers = [self.cast.m, self.byzantine, self.round.m].map(|number| number as u64);
        Hypergeometric::new(numbers[0], numbers[1], numbers[2])
            .map_or(f64::NAN, |attackers| attackers.sf(self.round.f as u64))
    }

    /// What to say where more attack than the rule is told of.
    pub fn remark(&self) -> Option<String> {
        let (attack, told) = (self.byzantine, self.cast.f);
        (attack > told)
            .then(|| format!("aggregator.f: {attack} workers attack; the rule is told that {told} do"))
    }

    /// The numbers in a few words.
    pub fn describe(&self) -> String {
        let Self { cast, byzantine, round } = self;
        let everyone = format!("{} workers, {byzantine} of them Byzantine", cast.m);
        if !self.is_partial() {
            return format!("{everyone}, f = {}", round.f);
        }
        let excess = 100.0 * self.excess();
        format!(
            "{everyone}, cohorts of {} with f = {} (exceeded in {excess:.1} % of rounds)",
            round.m, round.f
        )
    }
}

impl Planner<'_> {
    /// The numbers of workers in a round of a cast of this size.
    pub(super) fn round_size(&mut self, cast: Size) -> Result<Size, ConfigError> {
        let given = &self.config.participation;
        let (cohort, f) = (given.cohort, given.f);
        if cohort == 0 {
            return match f {
                Some(_) => Err(self.error(
                    "participation.f",
                    "it is given without a cohort; `aggregator.f` is that of the whole cast",
                )),
                None => Ok(cast),
            };
        }
        if cohort > cast.m {
            let message = format!("a cohort of {cohort} from {} workers", cast.m);
            return Err(self.error("participation.cohort", message));
        }
        let told = f.unwrap_or_else(|| cast.part(cohort).f);
        if told >= cohort {
            let key = if f.is_some() { "participation.f" } else { "participation.cohort" };
            let message = format!("f = {told} of cohorts of {cohort} workers; f < cohort is needed");
            return Err(self.error(key, message));
        }
        self.config.participation.f = Some(told);
        Ok(Size::new(cohort, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_is_the_tail_of_the_hypergeometric_distribution() {
        let turnout =
            |byzantine, cohort, f| Turnout { cast: Size::new(6, 2), byzantine, round: Size::new(cohort, f) };
        // Of the 20 cohorts of three from six, 4 hold both attackers and 12 one.
        assert!((turnout(2, 3, 1).excess() - 4.0 / 20.0).abs() < 1e-12);
        assert!((turnout(2, 3, 0).excess() - 16.0 / 20.0).abs() < 1e-12);
        assert_eq!(turnout(2, 6, 2).excess(), 0.0);
        assert_eq!(turnout(2, 3, 1).attack(), Size::new(3, 1));
    }
}
