//! How much memory a run will need, before it is needed: a run that cannot fit
//! is refused by the plan, not ended by the system.
//!
//! Counted are the vectors of a round, what estimators, the rule, the step and attacks remember, an objective, the passes of
//! a model, and tables of all pairs of vectors where the rule or an attack may ask for distances.

mod claim;
mod limit;
mod need;
mod together;

use phalanx_robust::{describe::ParameterError, random::Seed, state::Stateful, step::Domain};

pub(super) use self::need::Need;
use self::{
    claim::{Claim, Scale},
    limit::Limit,
    need::Kept,
};
pub use self::{
    limit::MemoryError,
    together::{Demands, TogetherError},
};
use super::{
    cast::Group,
    plan::{Found, PlanError, Planner, trial},
    workload::dtype,
};
use crate::{
    config::{Absence, Config, StatePlace},
    store::Format,
};

impl Planner<'_> {
    /// What a run of all that was found needs, but for the passes of the model. On a GPU it is the device's memory that
    /// must hold it. Rules, the step, attacks and estimators are asked; an estimator is also tried out.
    pub fn need(&self, found: &Found) -> Result<Need, PlanError> {
        let Found { size, groups, defence, subject, .. } = found;
        let (scale, workers) = (self.scale(found)?, workers(groups));
        let claim = |group: &Group| {
            // Of an honest group it can be the estimator alone.
            let of = if group.is_honest() { ".estimator" } else { "" };
            Ok::<_, PlanError>(self.guarded(&format!("{}{of}", group.key), || Claim::of(group, scale))??)
        };
        let need = Need::of(groups.iter().map(claim).collect::<Result<_, _>>()?, workers, scale);
        let served = self.served(found, workers, scale)?;
        let reused = if self.config.barrier.absence == Absence::Reuse { workers } else { 0 };
        // libtorch takes the vectors of a round as one matrix.
        let stacked = if scale.kept.gpu { size.round.m } else { 0 };
        let need = need.and_vectors(served.saturating_add((reused + stacked) as u64));
        let need = need.and_objective(subject.holds());
        let pairs = self.guarded("aggregator.rule", || defence.needs_pairs())?;
        Ok(if pairs { need.and_pairs() } else { need })
    }

    /// What the need of a run depends on, beside who takes part.
    fn scale(&self, Found { size, subject, .. }: &Found) -> Result<Scale, PlanError> {
        let Config { task, machine, rounds, .. } = &self.config;
        let (half, file) = (task.state == Format::Bf16, machine.state == StatePlace::File);
        let gpu = machine.gpu().is_some();
        if gpu && (half || file) {
            let key = if half { "task.state" } else { "machine.state" };
            return Err(self.error(key, "what workers remember stays on the GPU as it is").into());
        }
        Ok(Scale {
            rounds: *rounds,
            called: size.round.m,
            attack: size.attack(),
            d: subject.dim(),
            dtype: dtype(task.precision),
            kept: Kept { gpu, half, file },
            walking: task.local_steps > 1,
        })
    }

    /// Vectors that the rule and the step hold.
    fn served(&self, found: &Found, workers: usize, scale: Scale) -> Result<u64, PlanError> {
        let Found { defence, step, .. } = found;
        let ruled = self.guarded("aggregator.rule", || defence.holds(workers, scale.rounds))?;
        let stepped = self.guarded("aggregator.step", || {
            let mut step = step(&trial(scale.d, scale.dtype), Domain::Everywhere)?;
            step.place(Seed(0));
            Ok::<_, ParameterError>(step.holds(workers, scale.rounds))
        })??;
        Ok(ruled.saturating_add(stepped))
    }

    /// A need that fits: as it is, or with what estimators remember in a file where that is left to the plan.
    pub fn fitting(&self, need: Need) -> Result<Need, MemoryError> {
        let machine = &self.config.machine;
        let limit = Limit::find(machine.memory_gb, machine.gpu());
        let may_spill = machine.gpu().is_none() && machine.state == StatePlace::Auto;
        let need = if may_spill && need.check(limit).is_err() { need.in_file() } else { need };
        need.check(limit)?;
        Ok(need)
    }
}

/// Members of all groups.
fn workers(groups: &[Group]) -> usize {
    groups.iter().map(|group| group.ids.len()).sum()
}
