//! A schedule of attacks by name: the attack that is made of other attacks, and
//! so the one whose parameters only the registry can read.

use std::sync::Arc;

use phalanx_robust::{
    attack::{Attack, Switching},
    describe::{Described, Preset},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AttackFactory, Card, ComponentError, Kind, resolve};
use crate::config::Named;

/// One attack after another, each from a round of its own on:
/// `{ switching = { schedule = [{ from = 1, attack = "ipm" }, { from = 100, attack = "alie" }] } }`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Schedule {
    /// The attacks in the order of their first rounds; the first of them acts from round 1.
    schedule: Vec<Turn>,
}

/// One attack of the schedule.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// Its first round.
    from: u64,
    /// The attack.
    #[schemars(with = "String")]
    attack: Named,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { schedule: vec![Turn { from: 1, attack: Named::plain("none") }] }
    }
}

impl Described for Schedule {
    const NAME: &'static str = Switching::NAME;
    const SOURCE: &'static str = "folklore";
}

/// Adds the attack.
pub(super) fn register(attacks: &mut Kind<AttackFactory>) {
    let card = Card { knows: Some("as the attacks it schedules"), ..Card::of::<Schedule>() };
    attacks.add_nested(card, |kind, config: &mut Schedule, preset| {
        let mut factories = Vec::new();
        for (at, turn) in config.schedule.iter_mut().enumerate() {
            let place = format!("schedule.{at}.attack");
            let made =
                kind.make(&turn.attack, preset).map_err(|error| inside(&place, &turn.attack, error))?;
            turn.attack = made.named;
            factories.push((turn.from, made.component, format!("{place}.{}", turn.attack.name)));
        }
        let factory: AttackFactory = Arc::new(move |size| {
            let build = |(from, factory, place): &(u64, AttackFactory, String)| {
                Ok((*from, factory(size).map_err(|error| error.inside(place))?))
            };
            let attacks: Result<Vec<_>, _> = factories.iter().map(build).collect();
            Ok(Box::new(Switching::new(attacks?)?) as Box<dyn Attack>)
        });
        Ok(factory)
    });
}

/// The first turn in `named`, if that is a schedule, which begins after the last of so many rounds: the path to its first
/// round, and that round.
pub fn late_turn(named: &Named, rounds: u64) -> Option<(String, u64)> {
    let is_schedule = named.name == Switching::NAME;
    let schedule =
        is_schedule.then(|| resolve::<Schedule>(named, Preset::default()).ok()).flatten()?.schedule;
    schedule.iter().enumerate().find_map(|(at, turn)| {
        let place = format!("{}.schedule.{at}", Switching::NAME);
        if turn.from > rounds {
            return Some((format!("{place}.from"), turn.from));
        }
        let (inner, from) = late_turn(&turn.attack, rounds)?;
        Some((format!("{place}.attack.{inner}"), from))
    })
}

/// The error of an attack of the schedule, with the path to it.
fn inside(place: &str, named: &Named, error: ComponentError) -> ComponentError {
    let mut parameter = place.to_owned();
    if !error.parameter.is_empty() {
        parameter += &format!(".{}.{}", named.name, error.parameter);
    }
    ComponentError { parameter, ..error }
}
