//! Whose fault it is that a run failed, in words of the configuration: actors know rounds and workers, but not what a
//! component is called.

use phalanx_actors::{
    LearnerError, RunError,
    barrier::Rejection,
    error::{Part, Reason},
    messages::{Fault, ForgeError},
    snapshot::Unfit,
};
use phalanx_robust::{aggregation::RuleError, attack::AttackError};

use crate::config::{Config, Named};

/// The component behind `error` with its key, to be written after the error; nothing if it is no component's own.
pub(super) fn blame(error: &RunError, config: &Config) -> String {
    let server = &config.aggregator;
    let named = match error {
        RunError::Workers { workers, reason, .. } if is_own(reason) => probed(reason)
            .and_then(|error| ruled(error, config))
            .or_else(|| forged(reason, config))
            .or_else(|| makers(workers, config)),
        RunError::Stuck { part: Part::Rule, .. } | RunError::Died { part: Part::Rule, .. } => {
            rule(&server.rule)
        }
        RunError::Rule { error, .. } => ruled(error, config),
        RunError::Evaluation { error: LearnerError::Targets(_), .. } => None, // it names the attack
        RunError::Learner { .. }
        | RunError::Evaluation { .. }
        | RunError::Stuck { part: Part::Learner | Part::Evaluation, .. }
        | RunError::Died { part: Part::Learner, .. } => learner(config),
        RunError::Seating { from, to, .. } => makers(&(*from..*to).collect::<Vec<_>>(), config),
        RunError::Snapshot(Unfit { part, .. }) => match part.as_str() {
            "rule" => rule(&server.rule),
            "step" => step(config),
            "learner" => learner(config),
            _ => None,
        },
        RunError::Stuck { part: Part::Step, .. }
        | RunError::Died { part: Part::Step, .. }
        | RunError::Step { .. } => step(config),
        _ => None,
    };
    named.map_or_else(String::new, |named| format!("; {named}"))
}

/// What the rule said to an attack that tried it.
fn probed(reason: &Reason) -> Option<&RuleError> {
    match reason {
        Reason::Fault(
            Fault::Forge { error: ForgeError::Attack(AttackError::Probe(error)), .. }
            | Fault::Attack(AttackError::Probe(error)),
        ) => Some(error),
        _ => None,
    }
}

/// What is behind an error of the rule: itself, or what it was given.
fn ruled(error: &RuleError, config: &Config) -> Option<String> {
    match error {
        RuleError::NoneFinite { .. } => gradients(config),
        error if error.is_own() => rule(&config.aggregator.rule),
        _ => None,
    }
}

/// Whether a worker is absent by what its own components did.
fn is_own(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Panicked(_) | Reason::Silent(_) | Reason::Unasked(_) | Reason::Rejected(_) | Reason::Fault(_)
    )
}

/// The fault of the experiment that makes vectors of the kind that was rejected, if there is one.
fn forged(reason: &Reason, config: &Config) -> Option<String> {
    let name = match reason {
        Reason::Rejected(Rejection::WrongKind { .. }) => "wrong-length",
        Reason::Rejected(Rejection::WrongRound { .. }) => "wrong-round",
        _ => return None,
    };
    let at = config.faults.iter().position(|table| table.fault.name == name)?;
    Some(format!("faults.{at}.fault is {name}"))
}

fn rule(chain: &[Named]) -> Option<String> {
    let names: Vec<&str> = chain.iter().map(|rule| rule.name.as_str()).collect();
    Some(format!("aggregator.rule is {}", names.join(" > ")))
}

fn step(config: &Config) -> Option<String> {
    Some(format!("aggregator.step is {}", config.aggregator.step.name))
}

/// What makes all gradients.
fn learner(config: &Config) -> Option<String> {
    let task = &config.task;
    let model = task.model.as_ref().map(|model| format!("task.model is {}", model.name));
    model.or(task.objective.as_ref().map(|objective| format!("task.objective is {}", objective.name)))
}

/// What can leave no vector finite: what makes gradients and what workers make of them, or a walk that runs away.
fn gradients(config: &Config) -> Option<String> {
    let step = &config.aggregator.step.name;
    let estimators = config.workers.iter().enumerate();
    let estimators =
        estimators.map(|(at, group)| format!("workers.{at}.estimator is {}", group.estimator.name));
    let makers: Vec<String> = learner(config).into_iter().chain(estimators).collect();
    Some(format!("{}, or training diverges and aggregator.step is {step}", makers.join(", ")))
}

/// What makes the vectors of these workers: one component for each group that they belong to.
fn makers(workers: &[usize], config: &Config) -> Option<String> {
    let mut all: Vec<String> = workers.iter().filter_map(|&id| maker(id, config)).collect();
    all.dedup();
    Some(all.join(", ")).filter(|all| !all.is_empty())
}

/// What makes the vectors of worker `id`.
fn maker(id: usize, config: &Config) -> Option<String> {
    let mut end = 0;
    for (at, group) in config.workers.iter().enumerate() {
        end += group.count;
        if id < end {
            return Some(format!("workers.{at}.estimator is {}", group.estimator.name));
        }
    }
    for (at, group) in config.attackers.iter().enumerate() {
        end += group.count;
        let (attack, actor) = (group.attack.as_ref(), group.actor.as_ref());
        if id < end {
            let named = attack.map(|named| ("attack", named)).or(actor.map(|named| ("actor", named)))?;
            return Some(format!("attackers.{at}.{} is {}", named.0, named.1.name));
        }
    }
    None
}
