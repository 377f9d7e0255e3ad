//! Every name that an experiment may use, built in or plugged in, and what to
//! do with it. Built-ins and plug-ins come in by the same door: a config
//! struct that implements the trait of its kind.

mod card;
mod datasets;
mod faults;
#[cfg(feature = "torch")]
mod models;
mod range;
mod resolve;
mod switching;

use std::sync::Arc;

use phalanx_actors::{Member, Seating, What};
use phalanx_robust::{
    Size, Vector,
    aggregation::{self, Layer, Rule, RuleVisitor},
    attack::{self, Attack, AttackRule, AttackVisitor},
    describe::{Described, ParameterError, Preset},
    estimator::{self, Estimator, EstimatorRule, EstimatorVisitor},
    random::Seed,
    step::{self, Domain, Step, StepRule, StepVisitor},
};

pub use card::{Alternative, Card, Parameter, Theory};
pub use datasets::{DatasetFactory, Shelf};
#[cfg(feature = "torch")]
pub use models::ModelFactory;
pub use resolve::{ComponentError, resolve};
pub use switching::late_turn;

use crate::{
    config::{Named, unknown},
    data::partition::{self, Deal, PartitionError, PartitionRule, PartitionVisitor},
    learner::convex::{self, Objective, ObjectiveError, ObjectiveRule, ObjectiveVisitor},
};

/// A component made from its parameters, and those parameters in full.
#[derive(Clone, Debug)]
pub struct Resolved<T> {
    /// The component, or its factory.
    pub component: T,
    /// Its name with every parameter written out.
    pub named: Named,
}

type Make<T> = Arc<dyn Fn(&Kind<T>, &Named, Preset) -> Result<Resolved<T>, ComponentError> + Send + Sync>;

/// One name of a kind.
pub struct Entry<T> {
    /// What the catalogue says about it.
    pub card: Card,
    make: Make<T>,
}

/// Makes the adversary of one group, once the numbers of workers are known.
pub type AttackFactory = Arc<dyn Fn(Size) -> Result<Box<dyn Attack>, ParameterError> + Send + Sync>;
/// Makes the estimator of one worker.
pub type EstimatorFactory = Arc<dyn Fn() -> Result<Box<dyn Estimator>, ParameterError> + Send + Sync>;

/// Makes the server's step, once the start and the domain are known.
pub type StepFactory = Arc<dyn Fn(&Vector, Domain) -> Result<Box<dyn Step>, ParameterError> + Send + Sync>;
/// Deals training data of these labels to a number of workers.
pub type PartitionFactory = Arc<dyn Fn(&[u8], usize, Seed) -> Result<Deal, PartitionError> + Send + Sync>;
/// Makes the seating of a group of attacker actors from outside.
pub type ActorFactory = Arc<dyn Fn(Crew) -> Result<Box<dyn Seating>, ParameterError> + Send + Sync>;

/// A convex objective that is not drawn yet.
#[derive(Clone)]
pub struct ObjectiveFactory {
    /// Number of parameters, d.
    pub dim: usize,
    /// Number of classes of its samples; 0 if it makes its own noise.
    pub classes: usize,
    /// Bytes that it will take of memory.
    pub holds: u64,
    /// Draws it.
    pub draw: Arc<DrawObjective>,
}

/// Draws a convex objective.
pub type DrawObjective = dyn Fn(Seed) -> Result<Arc<dyn Objective>, ObjectiveError> + Send + Sync;

/// What an attacker actor from outside has to work with, beside its [`Place`](phalanx_actors::Place).
pub struct Crew {
    /// A sampler and an estimator for each of its workers, for those that follow the honest protocol.
    pub members: Vec<Member>,
    /// The number of workers and of actual Byzantine ones.
    pub size: Size,
    /// Number of classes of the task; 0 if it has none.
    pub classes: i64,
}

/// An attacker actor from outside, as configured.
pub trait ActorRule: Described {
    /// Whether the parameters can be used, as far as they tell by themselves: asked when an experiment is checked.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn check(&self) -> Result<(), ParameterError> {
        Ok(())
    }

    /// Makes the seating of one group of these actors.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn seating(&self, crew: Crew) -> Result<Box<dyn Seating>, ParameterError>;
}

/// All names of one kind.
pub struct Kind<T> {
    /// What the kind is called in messages.
    pub noun: &'static str,
    entries: Vec<Entry<T>>,
}

impl<T> Kind<T> {
    fn new(noun: &'static str) -> Self {
        Self { noun, entries: Vec::new() }
    }

    /// What the catalogue says about every name, in the order of registration.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.entries.iter().map(|entry| &entry.card)
    }

    /// Makes the component that `named` names, with the meaning of `preset` where it says nothing itself.
    ///
    /// # Errors
    /// [`ComponentError`] for an unknown name, an unknown parameter or a value out of range.
    pub fn make(&self, named: &Named, preset: Preset) -> Result<Resolved<T>, ComponentError> {
        match self.entries.iter().find(|entry| entry.card.name == named.name) {
            Some(entry) => (entry.make)(self, named, preset),
            None => {
                let known: Vec<&str> = self.entries.iter().map(|entry| entry.card.name.as_str()).collect();
                Err(ComponentError::whole(unknown(self.noun, &named.name, &known)))
            }
        }
    }

    /// Adds `C` under its name; a later one of the same name takes its place, which is said.
    fn add<C: Described>(&mut self, make: impl Fn(C) -> Result<T, ParameterError> + Send + Sync + 'static) {
        self.add_as(Card::of::<C>(), make);
    }

    /// [`add`](Self::add), and the catalogue says `card`.
    fn add_as<C: Described>(
        &mut self,
        card: Card,
        make: impl Fn(C) -> Result<T, ParameterError> + Send + Sync + 'static,
    ) {
        self.add_nested(card, move |_, config: &mut C, _| {
            make(config.clone()).map_err(|error| ComponentError::parameter(&error))
        });
    }

    /// Adds a `C` that names components of its own kind, and writes their parameters out too.
    fn add_nested<C: Described>(
        &mut self,
        card: Card,
        make: impl Fn(&Self, &mut C, Preset) -> Result<T, ComponentError> + Send + Sync + 'static,
    ) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.card.name != C::NAME);
        if self.entries.len() < before {
            say!(
                "note: the {} `{}` of this program takes the place of another of that name",
                self.noun,
                C::NAME
            );
        }
        let make: Make<T> = Arc::new(move |kind, named, preset| {
            let mut config: C = resolve(named, preset)?;
            let component = make(kind, &mut config, preset)?;
            Ok(Resolved { component, named: resolve::recorded(&config, named, preset)? })
        });
        self.entries.push(Entry { card, make });
    }
}

/// Every name that an experiment may use.
pub struct Registry {
    /// Elements of a chain of rules.
    pub rules: Kind<Layer>,
    /// Attacks.
    pub attacks: Kind<AttackFactory>,
    /// Estimators.
    pub estimators: Kind<EstimatorFactory>,
    /// Server steps.
    pub steps: Kind<StepFactory>,
    /// Attacker actors from outside.
    pub actors: Kind<ActorFactory>,
    /// Data sets.
    pub datasets: Kind<DatasetFactory>,
    /// The one that was read last.
    pub shelf: Shelf,
    /// Ways to deal the data.
    pub partitions: Kind<PartitionFactory>,
    /// Convex objectives.
    pub objectives: Kind<ObjectiveFactory>,
    /// What `[[faults]]` may do.
    pub faults: Kind<What>,
    /// Neural networks.
    #[cfg(feature = "torch")]
    pub models: Kind<ModelFactory>,
}

impl Registry {
    /// What the catalogue says about every name of one kind.
    pub fn cards(&self, kind: Catalogue) -> Vec<Card> {
        match kind {
            Catalogue::Attacks => self.attacks.cards().chain(self.actors.cards()).cloned().collect(),
            Catalogue::Rules => self.rules.cards().cloned().collect(),
            Catalogue::Estimators => self.estimators.cards().cloned().collect(),
            Catalogue::Steps => self.steps.cards().cloned().collect(),
            #[cfg(feature = "torch")]
            Catalogue::Models => self.models.cards().cloned().collect(),
            #[cfg(not(feature = "torch"))]
            Catalogue::Models => Vec::new(),
            Catalogue::Objectives => self.objectives.cards().cloned().collect(),
            Catalogue::Datasets => self.datasets.cards().cloned().collect(),
            Catalogue::Partitions => self.partitions.cards().cloned().collect(),
            Catalogue::Faults => self.faults.cards().cloned().collect(),
        }
    }
}

/// A part of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Catalogue {
    /// What Byzantine workers send.
    Attacks,
    /// How the server aggregates.
    Rules,
    /// What honest workers make of gradients.
    Estimators,
    /// What the server does with the aggregate.
    Steps,
    /// Neural networks.
    Models,
    /// Convex objectives.
    Objectives,
    /// Data sets.
    Datasets,
    /// How data is dealt to workers.
    Partitions,
    /// What befalls workers by the experiment's will.
    Faults,
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self {
            rules: Kind::new("rule"),
            attacks: Kind::new("attack"),
            estimators: Kind::new("estimator"),
            steps: Kind::new("step"),
            actors: Kind::new("attacker actor"),
            datasets: Kind::new("data set"),
            shelf: Shelf::default(),
            partitions: Kind::new("partition"),
            objectives: Kind::new("objective"),
            faults: Kind::new("fault"),
            #[cfg(feature = "torch")]
            models: Kind::new("model"),
        };
        aggregation::built_in(&mut registry);
        attack::built_in(&mut registry);
        switching::register(&mut registry.attacks);
        estimator::built_in(&mut registry);
        step::built_in(&mut registry);
        partition::built_in(&mut registry);
        convex::built_in(&mut registry);
        datasets::register(&mut registry);
        faults::register(&mut registry.faults);
        #[cfg(feature = "torch")]
        crate::learner::torch::built_in(&mut registry);
        registry
    }
}

impl RuleVisitor for Registry {
    fn visit<R: Rule>(&mut self) {
        self.rules.add_as(Card::of_rule::<R>(), |config: R| config.build());
    }
}

impl AttackVisitor for Registry {
    fn visit<A: AttackRule>(&mut self) {
        self.attacks.add_as(Card::of_attack::<A>(), |config: A| {
            let factory: AttackFactory = Arc::new(move |size| config.build(size));
            Ok(factory)
        });
    }
}

impl EstimatorVisitor for Registry {
    fn visit<E: EstimatorRule>(&mut self) {
        self.estimators.add(|config: E| {
            config.build()?;
            let factory: EstimatorFactory = Arc::new(move || config.build());
            Ok(factory)
        });
    }
}

impl StepVisitor for Registry {
    fn visit<S: StepRule>(&mut self) {
        self.steps.add(|config: S| {
            let factory: StepFactory = Arc::new(move |start, domain| config.build(start, domain));
            Ok(factory)
        });
    }
}

impl Registry {
    /// Adds an attacker actor from outside.
    pub fn add_actor<A: ActorRule>(&mut self) {
        self.actors.add(|config: A| {
            config.check()?;
            let factory: ActorFactory = Arc::new(move |crew| config.seating(crew));
            Ok(factory)
        });
    }
}

impl PartitionVisitor for Registry {
    fn visit<P: PartitionRule>(&mut self) {
        self.partitions.add(|config: P| {
            let factory: PartitionFactory = Arc::new(move |labels, workers, seed| {
                config.deal(labels, workers, seed)?.checked(labels.len(), workers)
            });
            Ok(factory)
        });
    }
}

impl ObjectiveVisitor for Registry {
    fn visit<O: ObjectiveRule>(&mut self) {
        self.objectives.add(|config: O| {
            config.check()?;
            let (dim, classes, holds) = (config.dim(), config.classes(), config.holds());
            let draw = Arc::new(move |seed| convex::draw(&config, seed));
            Ok(ObjectiveFactory { dim, classes, holds, draw })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under every preset of the experiment, with every preset of its own.
    fn is_read_back<T>(kind: &Kind<T>) -> usize {
        let presets = ["paper", "dahan", "byzfl"];
        let mut with_their_own = 0;
        for (name, own) in kind.cards().flat_map(|card| presets.map(|own| (card.name.clone(), own))) {
            for outer in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
                let mut named = Named::plain(&name);
                named.parameters.insert("preset".to_owned(), own.into());
                let Ok(made) = kind.make(&named, outer) else { continue };
                let again = kind.make(&made.named, outer).unwrap();
                assert_eq!(made.named, again.named, "{name} of {own} under {outer:?}");
                with_their_own += usize::from(made.named.parameters.contains_key("preset"));
            }
        }
        with_their_own
    }

    /// TOML has no word for a parameter without a value, and `z` of `alie` has one under `byzfl` alone.
    #[test]
    fn what_is_recorded_is_read_back_as_the_same() {
        let registry = Registry::default();
        is_read_back(&registry.rules);
        is_read_back(&registry.estimators);
        is_read_back(&registry.steps);
        assert!(is_read_back(&registry.attacks) > 0);
        let mut named = Named::plain("alie");
        named.parameters.insert("preset".to_owned(), "paper".into());
        let recorded = registry.attacks.make(&named, Preset::Byzfl).unwrap().named;
        assert!(!recorded.parameters.contains_key("z") && recorded.parameters.contains_key("preset"));
    }
}
