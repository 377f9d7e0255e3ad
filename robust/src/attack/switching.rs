//! A schedule of attacks. It knows nothing of their configuration: whoever
//! resolves names to attacks builds them and hands them over.

use std::fmt;

use super::{Attack, AttackError, Knowledge, Misfit, Setting, View};
use crate::{
    Layout, Vector,
    describe::ParameterError,
    state::{State, StateError, Stateful},
};

/// A schedule of attacks: each acts from its first round until the next one's. Every attack sees what
/// its own declared knowledge allows. If any of them follows the honest protocol, the group's workers
/// do so in all rounds.
#[derive(Clone)]
pub struct Switching {
    /// First round and attack, ascending.
    schedule: Vec<(u64, Box<dyn Attack>)>,
}

impl Switching {
    /// Name in TOML.
    pub const NAME: &'static str = "switching";

    /// The schedule of these attacks, each with its first round.
    ///
    /// # Errors
    /// [`ParameterError`] unless the first one acts from round 1 and the rounds ascend.
    pub fn new(schedule: Vec<(u64, Box<dyn Attack>)>) -> Result<Self, ParameterError> {
        let rounds: Vec<u64> = schedule.iter().map(|(round, _)| *round).collect();
        if rounds.first() != Some(&1) || !rounds.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(ParameterError::new(
                "from",
                format!("{rounds:?}"),
                "ascending rounds, of which the first is 1",
            ));
        }
        Ok(Self { schedule })
    }

    fn at(&self, round: u64) -> usize {
        self.schedule.partition_point(|(first, _)| *first <= round).saturating_sub(1)
    }
}

impl fmt::Debug for Switching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds: Vec<u64> = self.schedule.iter().map(|(round, _)| *round).collect();
        f.debug_struct("Switching").field("from", &rounds).finish_non_exhaustive()
    }
}

impl Stateful for Switching {
    fn state(&self) -> State {
        let attacks = self.schedule.iter().enumerate();
        attacks.fold(State::default(), |all, (i, (_, attack))| all.with(&i.to_string(), attack.state()))
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let mut attacks = self.schedule.iter_mut().enumerate();
        attacks.try_for_each(|(i, (_, attack))| attack.restore(&state.part(&i.to_string())))
    }

    fn forget(&mut self) -> Result<(), StateError> {
        self.schedule.iter_mut().try_for_each(|(_, attack)| attack.forget())
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        let held = self.schedule.iter().map(|(_, attack)| attack.holds(workers, rounds));
        held.fold(0, u64::saturating_add)
    }
}

impl Attack for Switching {
    fn knowledge(&self) -> Knowledge {
        self.schedule.iter().map(|(_, attack)| attack.knowledge()).max().unwrap_or(Knowledge::Blind)
    }

    fn follows_protocol(&self) -> bool {
        self.schedule.iter().any(|(_, attack)| attack.follows_protocol())
    }

    fn needs_pairs(&self) -> bool {
        self.schedule.iter().any(|(_, attack)| attack.needs_pairs())
    }

    fn remark(&self) -> Option<String> {
        self.schedule
            .iter()
            .find_map(|(from, attack)| Some(format!("from round {from}: {}", attack.remark()?)))
    }

    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        let inside = |at: usize, misfit: Misfit| Misfit {
            path: format!("{}.schedule.{at}.attack.{}", Self::NAME, misfit.path),
            ..misfit
        };
        let mut attacks = self.schedule.iter().enumerate();
        attacks.try_for_each(|(at, (_, attack))| attack.check(setting).map_err(|misfit| inside(at, misfit)))
    }

    fn know_layout(&mut self, layout: &Layout) {
        self.schedule.iter_mut().for_each(|(_, attack)| attack.know_layout(layout));
    }

    fn poison(&self, round: u64, labels: &mut [i64], classes: i64) {
        self.schedule[self.at(round)].1.poison(round, labels, classes);
    }

    fn target_class(&self, round: u64, label: i64, classes: i64) -> i64 {
        self.schedule[self.at(round)].1.target_class(round, label, classes)
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let at = self.at(view.round);
        let attack = &mut self.schedule[at].1;
        attack.forge(&view.restricted(attack.knowledge(), attack.follows_protocol()))
    }
}
