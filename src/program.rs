//! The command line with a registry behind it. A crate of your own adds its
//! components and calls [`Program::main`]; the rest is the same program.

use phalanx_robust::{
    aggregation::{Rule, RuleVisitor},
    attack::{AttackRule, AttackVisitor},
    estimator::{EstimatorRule, EstimatorVisitor},
    step::{StepRule, StepVisitor},
};

use crate::{
    cli,
    data::{
        DatasetRule,
        partition::{PartitionRule, PartitionVisitor},
    },
    exit,
    learner::convex::{ObjectiveRule, ObjectiveVisitor},
    limits,
    registry::{ActorRule, Registry},
};

/// The program, with all that is built in and what you add.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     phalanx::Program::new().attack::<phalanx_robust::attack::SignFlip>().main()
/// }
/// ```
#[derive(Default)]
pub struct Program {
    registry: Registry,
}

impl Program {
    /// The program with all that is built in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attack; TOML names it by its `NAME`. Here as for all kinds, one that has the name of another takes its
    /// place, and a note on stderr says so.
    pub fn attack<A: AttackRule>(mut self) -> Self {
        AttackVisitor::visit::<A>(&mut self.registry);
        self
    }

    /// Adds an attacker actor; TOML names it as `actor` of a group of attackers.
    pub fn actor<A: ActorRule>(mut self) -> Self {
        self.registry.add_actor::<A>();
        self
    }

    /// Adds a rule.
    pub fn rule<R: Rule>(mut self) -> Self {
        RuleVisitor::visit::<R>(&mut self.registry);
        self
    }

    /// Adds an estimator.
    pub fn estimator<E: EstimatorRule>(mut self) -> Self {
        EstimatorVisitor::visit::<E>(&mut self.registry);
        self
    }

    /// Adds a server step.
    pub fn step<S: StepRule>(mut self) -> Self {
        StepVisitor::visit::<S>(&mut self.registry);
        self
    }

    /// Adds a model.
    #[cfg(feature = "torch")]
    pub fn model<M: crate::learner::torch::ModelRule>(mut self) -> Self {
        crate::learner::torch::ModelVisitor::visit::<M>(&mut self.registry);
        self
    }

    /// Adds a convex objective; [`ObjectiveRule`] has a whole one.
    pub fn objective<O: ObjectiveRule>(mut self) -> Self {
        ObjectiveVisitor::visit::<O>(&mut self.registry);
        self
    }

    /// Adds a data set; [`DatasetRule`] has a whole one.
    pub fn dataset<D: DatasetRule>(mut self) -> Self {
        self.registry.add_dataset::<D>();
        self
    }

    /// Adds a way to deal the data; [`PartitionRule`] has a whole one.
    pub fn partition<P: PartitionRule>(mut self) -> Self {
        PartitionVisitor::visit::<P>(&mut self.registry);
        self
    }

    /// Reads the command line and does what it says. The exit status is 0 for success, 1 for a run
    /// that failed, 2 for a command line, configuration or data that cannot be used (nothing ran),
    /// and 130 for a run that was interrupted (its results are written).
    ///
    /// It does not return: the process ends without what libraries arranged for its end.
    pub fn main(self) -> ! {
        limits::widen();
        limits::keep_memory();
        exit::leave(cli::main(&self.registry))
    }

    /// The names that an experiment may use.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}
