//! Who takes part: the groups of workers and attackers, with ids in file order.

use std::ops::Range;

use phalanx_robust::{
    Size,
    attack::{Attack, Setting},
};

use super::{cohorts::Turnout, plan::Planner, targets::targets, workload::Subject};
use crate::{
    config::{ConfigError, Named},
    registry::{ActorFactory, AttackFactory, EstimatorFactory, Resolved, late_turn},
};

/// Most samples in a batch: no data set here has as many.
const MOST_SAMPLES: usize = 10_000_000;

/// A group of identical actors.
pub(super) struct Group {
    /// Its key in the configuration.
    pub key: String,
    /// Ids of its members.
    pub ids: Range<usize>,
    /// What they do.
    pub part: Part,
    /// Samples in a batch.
    pub batch_size: usize,
    /// What they make of gradients.
    pub estimator: EstimatorFactory,
}

/// What a group does.
pub(super) enum Part {
    /// Honest work.
    Honest,
    /// An attack.
    Attack {
        /// Its name.
        name: String,
        /// Its factory.
        make: AttackFactory,
    },
    /// An actor from outside.
    Actor(ActorFactory),
}

impl Group {
    /// Whether its members are honest.
    pub fn is_honest(&self) -> bool {
        matches!(self.part, Part::Honest)
    }
}

/// The groups of the configuration, honest ones first; attacks are made for rounds of `size`.
pub(super) fn groups(planner: &mut Planner<'_>, size: Size) -> Result<Vec<Group>, ConfigError> {
    let mut groups = Vec::new();
    let mut next = 0;
    for at in 0..planner.config.workers.len() {
        let group = workers(planner, at, next)?;
        next = group.ids.end;
        groups.push(group);
    }
    for at in 0..planner.config.attackers.len() {
        let group = attackers(planner, at, next, size)?;
        next = group.ids.end;
        groups.push(group);
    }
    Ok(groups)
}

fn workers(planner: &mut Planner<'_>, at: usize, first: usize) -> Result<Group, ConfigError> {
    let given = planner.config.workers[at].clone();
    if given.count == 0 {
        return Err(planner.error(&format!("workers.{at}.count"), "a group has at least one member"));
    }
    check_batch(planner, "workers", at, given.batch_size)?;
    let key = format!("workers.{at}");
    let estimators = &planner.registry.estimators;
    let Resolved { component, named } =
        planner.make(estimators, &format!("{key}.estimator"), &given.estimator)?;
    planner.config.workers[at].estimator = named;
    Ok(Group {
        key,
        ids: first..first + given.count,
        part: Part::Honest,
        batch_size: given.batch_size,
        estimator: component,
    })
}

fn attackers(planner: &mut Planner<'_>, at: usize, first: usize, size: Size) -> Result<Group, ConfigError> {
    let given = planner.config.attackers[at].clone();
    let model = planner.config.workers[0].clone();
    let batch_size = given.batch_size.unwrap_or(model.batch_size);
    check_batch(planner, "attackers", at, batch_size)?;
    let part = part(planner, at, size)?;
    let key = format!("attackers.{at}");
    let estimator = given.estimator.unwrap_or(model.estimator);
    let estimators = &planner.registry.estimators;
    let Resolved { component, named } = planner.make(estimators, &format!("{key}.estimator"), &estimator)?;
    let group = &mut planner.config.attackers[at];
    (group.batch_size, group.estimator) = (Some(batch_size), Some(named));
    Ok(Group { key, ids: first..first + given.count, part, batch_size, estimator: component })
}

/// What the attackers of group `at` do: an attack, or an actor from outside.
fn part(planner: &mut Planner<'_>, at: usize, size: Size) -> Result<Part, ConfigError> {
    let (attack, actor) =
        (planner.config.attackers[at].attack.clone(), planner.config.attackers[at].actor.clone());
    match (attack, actor) {
        (Some(named), None) => attack_part(planner, at, &named, size),
        (None, Some(named)) => {
            let made = planner.make(&planner.registry.actors, &format!("attackers.{at}.actor"), &named)?;
            planner.config.attackers[at].actor = Some(made.named);
            Ok(Part::Actor(made.component))
        }
        (None, None) => Err(planner.error(&format!("attackers.{at}"), "`attack` is missing")),
        (Some(_), Some(_)) => Err(planner
            .error(&format!("attackers.{at}"), "`attack` and `actor` are given; one of them is accepted")),
    }
}

fn attack_part(planner: &mut Planner<'_>, at: usize, named: &Named, size: Size) -> Result<Part, ConfigError> {
    let key = format!("attackers.{at}.attack");
    let made = planner.make(&planner.registry.attacks, &key, named)?;
    if planner.config.attackers[at].count > 0 {
        attack(planner, &key, &named.name, &made.component, size)?;
    }
    planner.config.attackers[at].attack = Some(made.named);
    Ok(Part::Attack { name: named.name.clone(), make: made.component })
}

/// The attack `name` at `key` for rounds of `size`.
fn attack(
    planner: &Planner<'_>,
    key: &str,
    name: &str,
    make: &AttackFactory,
    size: Size,
) -> Result<Box<dyn Attack>, ConfigError> {
    planner.guarded(key, || make(size))?.map_err(|error| planner.parameter(key, name, &error))
}

/// Checks that every attack can do on `subject`, in rounds of a cast of this size, what it is told; the remarks of
/// those that can do little.
pub(super) fn check_attacks(
    planner: &Planner<'_>,
    groups: &[Group],
    size: Turnout,
    subject: &Subject,
) -> Result<Vec<String>, ConfigError> {
    let mut remarks = Vec::new();
    let honest = groups.iter().filter(|group| group.is_honest()).map(|group| group.ids.len()).sum();
    let setting = Setting { honest, d: subject.dim(), classes: subject.classes() };
    for (at, group) in groups.iter().filter(|group| !group.is_honest()).enumerate() {
        if group.ids.is_empty() {
            continue;
        }
        let Part::Attack { name, make } = &group.part else { continue };
        let key = format!("attackers.{at}.attack");
        let attack = attack(planner, &key, name, make, size.attack())?;
        let remark = planner
            .guarded(&key, || attack.check(&setting).map(|()| attack.remark()))?
            .map_err(|misfit| planner.error(&format!("{key}.{}", misfit.path), misfit.message))?;
        if planner.config.evaluation.per_class {
            targets(attack.as_ref(), 1, setting.classes)
                .map_err(|message| planner.error(&format!("{key}.{name}"), message))?;
        }
        remarks.extend(remark.map(|remark| format!("{key}.{name}: {remark}")));
    }
    remarks.extend(late_turns(planner));
    Ok(remarks)
}

/// The attacks whose turn would come after the last round.
fn late_turns(planner: &Planner<'_>) -> impl Iterator<Item = String> {
    let rounds = planner.config.rounds;
    let groups = planner.config.attackers.iter().enumerate().filter(|(_, group)| group.count > 0);
    groups.filter_map(move |(at, group)| {
        let (place, from) = late_turn(group.attack.as_ref()?, rounds)?;
        Some(format!(
            "attackers.{at}.attack.{place}: {from} is after the last round, {rounds}; it never comes"
        ))
    })
}

fn check_batch(planner: &Planner<'_>, list: &str, at: usize, batch: usize) -> Result<(), ConfigError> {
    if !(1..=MOST_SAMPLES).contains(&batch) {
        let message = format!("{batch} is given; a batch has 1 to {MOST_SAMPLES} samples");
        return Err(planner.error(&format!("{list}.{at}.batch_size"), message));
    }
    Ok(())
}
