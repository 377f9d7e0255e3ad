//! Robust aggregation: the traits of a rule, and the list of those built in.
//!
//! A rule is one of three things. A *base* rule ([`Aggregator`]) makes one
//! vector of m. A *pre-aggregator* ([`PreAggregator`]) makes k vectors of m, as
//! weights over the rows. A *meta-aggregator* ([`MetaAggregator`]) upgrades
//! the rule inside it. A [`Defence`] is a chain of them, outermost first.

mod aggregate;
mod aksel;
mod arc;
mod auto_gm;
mod beside;
mod bucketing;
mod buckets;
mod bulyan;
mod caf;
mod centered_clipping;
mod centre;
mod cge;
mod clipped_clustering;
mod clipping;
mod cluster;
mod context;
mod cover;
mod ctma;
mod curvature;
mod cwmed;
mod cwtm;
mod defence;
mod dnc;
mod error;
mod fedseca;
mod fl_defender;
mod flame;
mod fldetector;
mod fltrust;
mod fools_gold;
mod foundation_fl;
mod gap;
mod gas;
mod geometric_median;
mod judge;
mod krum;
mod lasa;
mod layer;
mod masks;
mod mda;
mod meamed;
mod mean;
mod mixer;
mod mixture;
mod monna;
mod nnm;
mod noise;
mod norm_clipping;
mod order;
mod phocas;
mod radius;
mod reconstruction;
mod robust_lr;
mod safeguard;
mod sample;
mod sequential_centered_clipping;
mod sign_majority;
mod signguard;
mod skymask;
mod smea;
mod smea_search;
mod spectrum;
mod sums;
mod tensors;
mod theory;
mod weighted_ctma;
mod weighted_cwmed;
mod weighted_geometric_median;
mod weighted_mean;
mod weights;
mod zeno;

pub use aggregate::{Aggregate, Output};
pub use aksel::{Aksel, Keep};
pub use arc::Arc;
pub use auto_gm::AutoGm;
pub use bucketing::{Bucketing, Grouping};
pub use bulyan::Bulyan;
pub use caf::Caf;
pub use centered_clipping::{CenteredClipping, Centre};
pub use cge::Cge;
pub use clipped_clustering::ClippedClustering;
pub use clipping::Clipping;
pub use context::Context;
pub use ctma::{Ctma, Ties};
pub use cwmed::Cwmed;
pub use cwtm::Cwtm;
pub use defence::{Aggregation, Defence};
pub use dnc::Dnc;
pub use error::RuleError;
pub use fedseca::Fedseca;
pub use fl_defender::FlDefender;
pub use flame::Flame;
pub use fldetector::Fldetector;
pub use fltrust::Fltrust;
pub use fools_gold::{FoolsGold, Over};
pub use foundation_fl::FoundationFl;
pub use gas::Gas;
pub use geometric_median::{GeometricMedian, Start};
pub use judge::Judge;
pub use krum::{Krum, MultiKrum, Neighbours, Select};
pub use lasa::Lasa;
pub use layer::Layer;
pub use mda::Mda;
pub use meamed::Meamed;
pub use mean::Mean;
pub use mixer::{Mixed, Mixer};
pub use monna::Monna;
pub use nnm::Nnm;
pub use norm_clipping::NormClipping;
pub(crate) use order::smallest;
pub use phocas::Phocas;
pub use reconstruction::Reconstruction;
pub use robust_lr::RobustLr;
pub use safeguard::Safeguard;
pub use sequential_centered_clipping::SequentialCenteredClipping;
pub use sign_majority::SignMajority;
pub use signguard::Signguard;
pub use skymask::Skymask;
pub use smea::{Search, Smea};
pub use theory::{Bound, Meaning, pairwise_coefficient, robustness_coefficient};
pub use weighted_ctma::WeightedCtma;
pub use weighted_cwmed::WeightedCwmed;
pub use weighted_geometric_median::WeightedGeometricMedian;
pub use weighted_mean::WeightedMean;
pub use weights::Weights;
pub use zeno::Zeno;

use dyn_clone::DynClone;

pub use crate::batch::Median;
use crate::{
    Batch, Layout, Map, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Takes every built-in rule, one after the other; a registry of rules by name is one.
pub trait RuleVisitor {
    /// Takes the rule `R`.
    fn visit<R: Rule>(&mut self);
}

/// Shows every built-in rule to `visitor`: bases, then pre-aggregators, then meta-aggregators.
pub fn built_in(visitor: &mut impl RuleVisitor) {
    visitor.visit::<Mean>();
    visitor.visit::<Cwmed>();
    visitor.visit::<Cwtm>();
    visitor.visit::<Meamed>();
    visitor.visit::<Phocas>();
    visitor.visit::<SignMajority>();
    visitor.visit::<RobustLr>();
    visitor.visit::<GeometricMedian>();
    visitor.visit::<AutoGm>();
    visitor.visit::<Krum>();
    visitor.visit::<MultiKrum>();
    visitor.visit::<Bulyan>();
    visitor.visit::<CenteredClipping>();
    visitor.visit::<SequentialCenteredClipping>();
    visitor.visit::<Mda>();
    visitor.visit::<Monna>();
    visitor.visit::<Smea>();
    visitor.visit::<Caf>();
    visitor.visit::<Cge>();
    visitor.visit::<Dnc>();
    visitor.visit::<Aksel>();
    visitor.visit::<NormClipping>();
    visitor.visit::<Fltrust>();
    visitor.visit::<Signguard>();
    visitor.visit::<ClippedClustering>();
    visitor.visit::<Safeguard>();
    visitor.visit::<Flame>();
    visitor.visit::<FoolsGold>();
    visitor.visit::<Fedseca>();
    visitor.visit::<Lasa>();
    visitor.visit::<FlDefender>();
    visitor.visit::<Zeno>();
    visitor.visit::<Skymask>();
    visitor.visit::<Reconstruction>();
    visitor.visit::<WeightedMean>();
    visitor.visit::<WeightedCwmed>();
    visitor.visit::<WeightedGeometricMedian>();
    visitor.visit::<Nnm>();
    visitor.visit::<Bucketing>();
    visitor.visit::<Clipping>();
    visitor.visit::<Arc>();
    visitor.visit::<FoundationFl>();
    visitor.visit::<Ctma>();
    visitor.visit::<WeightedCtma>();
    visitor.visit::<Gas>();
    visitor.visit::<Fldetector>();
}

/// A base rule: one vector of m. *Span* rules decide from [`Batch::gram`] and return coefficients;
/// *coordinate* rules use [`Batch::columns`]; a rule that fits neither takes what it needs.
///
/// A rule with memory must change it only after the last fallible call, because
/// a round may be tried again with non-finite rows set aside.
///
/// ```
/// use phalanx_robust::{
///     Batch, Size, Vector,
///     aggregation::{Aggregate, Aggregator, Context, Defence, Layer, Rule, RuleError},
///     describe::{Described, ParameterError},
///     random::Seed,
///     state::{State, StateError, Stateful},
///     testing::conform_rule,
/// };
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// The mean, which follows itself slowly: v_t = inertia v_{t-1} + (1 - inertia) mean(x_1, …, x_m), and v_1 is the mean.
/// #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct InertMean {
///     /// What is kept of the last output.
///     #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
///     inertia: f64,
/// }
///
/// impl Described for InertMean {
///     const NAME: &'static str = "inert-mean";
///     const SOURCE: &'static str = "an example";
/// }
///
/// impl Rule for InertMean {
///     fn build(&self) -> Result<Layer, ParameterError> {
///         ParameterError::below_one("inertia", self.inertia)?;
///         Ok(Layer::Base(Box::new(Following { inertia: self.inertia, last: None })))
///     }
///
///     fn condition() -> &'static str {
///         "m > 0"
///     }
/// }
///
/// #[derive(Clone)]
/// struct Following {
///     inertia: f64,
///     /// v_{t-1}.
///     last: Option<Vector>,
/// }
///
/// impl Stateful for Following {
///     fn state(&self) -> State {
///         let vectors = self.last.iter().map(|last| ("last".to_owned(), last.clone())).collect();
///         State { vectors, ..State::default() }
///     }
///
///     fn restore(&mut self, state: &State) -> Result<(), StateError> {
///         self.last = state.vectors.get("last").cloned(); // there is none before round 1
///         Ok(())
///     }
///
///     fn holds(&self, _: usize, _: u64) -> u64 {
///         1
///     }
/// }
///
/// impl Aggregator for Following {
///     fn check(&self, size: Size) -> Result<(), RuleError> {
///         RuleError::unless(size.m > 0, InertMean::NAME, InertMean::condition(), size)
///     }
///
///     fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
///         batch.require_finite()?; // the last that can fail: memory changes only after it
///         let mut output = batch.mean();
///         if let Some(last) = &self.last {
///             output.lerp(self.inertia, last);
///         }
///         self.last = Some(output.clone());
///         Ok(Aggregate::vector(output))
///     }
///
///     fn needs_pairs(&self) -> bool {
///         false
///     }
/// }
///
/// let rule = InertMean { inertia: 0.75 };
/// conform_rule(|| rule.build().unwrap(), Size::new(7, 2)).unwrap();
///
/// let mut defence = Defence::new(vec![rule.build().unwrap()]).unwrap();
/// let mut round = |value: f64, round| {
///     let rows = vec![Vector::from(vec![value; 3]); 5];
///     defence.aggregate(&rows, 1, Seed(1).stream("rule", 0, "aggregate", round)).unwrap().output.to_f64()
/// };
/// assert_eq!(round(8.0, 1), [8.0; 3]);
/// assert_eq!(round(0.0, 2), [6.0; 3]);
/// ```
pub trait Aggregator: DynClone + Stateful + Send + Sync {
    /// The condition on (m, f) under which the rule is defined.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`] or [`RuleError::Parameter`], with the numbers.
    fn check(&self, size: Size) -> Result<(), RuleError>;

    /// Whether the workers that parameters name can be there, where rounds are of `size` and the ids of those who
    /// send vectors are below `workers`. Whoever plans a run asks before it.
    ///
    /// # Errors
    /// [`RuleError::Parameter`].
    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        let _ = (workers, size);
        Ok(())
    }

    /// Aggregates the rows of `batch`.
    ///
    /// # Errors
    /// [`RuleError`]; [`BatchError::NonFinite`](crate::BatchError::NonFinite) is answered by the defence, which tries
    /// again without those rows.
    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError>;

    /// The published bound on how far the rule can be moved, where there is one.
    fn bound(&self, size: Size) -> Option<Bound> {
        let _ = size;
        None
    }

    /// Whether the rule needs [`Context::reference`].
    fn needs_reference(&self) -> bool {
        false
    }

    /// Whether the rule needs [`Context::point`].
    fn needs_point(&self) -> bool {
        false
    }

    /// Whether the rule asks for [`Context::last`], once there has been a round.
    fn needs_last(&self) -> bool {
        false
    }

    /// Whether the rule needs [`Context::judge`].
    fn needs_judge(&self) -> bool {
        false
    }

    /// Whether the rule goes by who sent a vector, now or over rounds, so that mixtures of vectors mean nothing to it.
    fn knows_workers(&self) -> bool {
        false
    }

    /// Told before the first round how many training samples each worker holds, by id; None where nobody can say.
    ///
    /// # Errors
    /// [`RuleError::Parameter`] if the rule weighs by them and there are none.
    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        let _ = held;
        Ok(())
    }

    /// Whether the rule goes by the tensors that coordinates belong to, so that it needs all of them, in their order.
    fn needs_layout(&self) -> bool {
        false
    }

    /// Told before the first round where the parameter tensors lie in the vectors. A rule that is not told takes a vector
    /// as one tensor.
    ///
    /// # Errors
    /// [`RuleError`] if the rule has no use for such a model.
    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        let _ = layout;
        Ok(())
    }

    /// Whether the result at a coordinate depends on what the vectors have there and on nothing else, neither random
    /// numbers nor earlier rounds, so that pieces of the vectors come to pieces of the result.
    fn is_coordinate_wise(&self) -> bool {
        false
    }

    /// Whether the rule may ask for [`Batch::gram`] or hold other tables of m × m numbers.
    fn needs_pairs(&self) -> bool {
        true
    }
}

/// A rule that replaces m vectors by k combinations of them before another rule sees them.
pub trait PreAggregator: DynClone + Stateful + Send + Sync {
    /// How many vectors, and how many Byzantine ones among them, the inner rule meets.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`] or [`RuleError::Parameter`], with the numbers.
    fn inner_size(&self, size: Size) -> Result<Size, RuleError>;

    /// The weights W (k×m); the inner rule sees W times the rows.
    ///
    /// # Errors
    /// As [`Aggregator::aggregate`].
    fn weights(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Map, RuleError>;

    /// Whether row i of the result still stands for the worker of row i.
    fn keeps_workers(&self) -> bool {
        true
    }

    /// As [`Aggregator::needs_pairs`], of this layer alone.
    fn needs_pairs(&self) -> bool {
        true
    }

    /// As [`Aggregator::needs_last`], of this layer alone.
    fn needs_last(&self) -> bool {
        false
    }

    /// The published bound of this layer over a rule with the bound `inner` at [`inner_size`](Self::inner_size).
    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        let _ = (size, inner);
        None
    }
}

/// A rule that uses the result of an inner one on the same vectors.
pub trait MetaAggregator: DynClone + Stateful + Send + Sync {
    /// The condition on (m, f) of this layer alone.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`] or [`RuleError::Parameter`], with the numbers.
    fn check(&self, size: Size) -> Result<(), RuleError>;

    /// As [`Aggregator::check_workers`], of this layer alone.
    ///
    /// # Errors
    /// [`RuleError::Parameter`].
    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        let _ = (workers, size);
        Ok(())
    }

    /// Whether the layer can stand over `inner`, asked when a chain is made of them.
    ///
    /// # Errors
    /// [`RuleError::Chain`].
    fn accepts(&self, inner: &dyn Aggregator) -> Result<(), RuleError> {
        let _ = inner;
        Ok(())
    }

    /// Aggregates with the help of `inner`.
    ///
    /// # Errors
    /// As [`Aggregator::aggregate`].
    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError>;

    /// As [`Aggregator::needs_pairs`], of this layer alone.
    fn needs_pairs(&self) -> bool {
        true
    }

    /// As [`Aggregator::needs_point`], of this layer alone.
    fn needs_point(&self) -> bool {
        false
    }

    /// As [`Aggregator::needs_last`], of this layer alone.
    fn needs_last(&self) -> bool {
        false
    }

    /// As [`Aggregator::needs_judge`], of this layer alone.
    fn needs_judge(&self) -> bool {
        false
    }

    /// As [`Aggregator::knows_workers`], of this layer alone.
    fn knows_workers(&self) -> bool {
        false
    }

    /// As [`Aggregator::count_samples`], for this layer alone.
    ///
    /// # Errors
    /// As there.
    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        let _ = held;
        Ok(())
    }

    /// As [`Aggregator::needs_layout`], of this layer alone.
    fn needs_layout(&self) -> bool {
        false
    }

    /// As [`Aggregator::know_layout`], for this layer alone.
    ///
    /// # Errors
    /// As there.
    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        let _ = layout;
        Ok(())
    }

    /// The published bound of this layer over a rule with the bound `inner`.
    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        let _ = (size, inner);
        None
    }
}

dyn_clone::clone_trait_object!(Aggregator);
dyn_clone::clone_trait_object!(PreAggregator);
dyn_clone::clone_trait_object!(MetaAggregator);

/// A rule as configured: its parameters, which make a layer of a chain.
pub trait Rule: Described {
    /// Makes the layer.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn build(&self) -> Result<Layer, ParameterError>;

    /// The condition on (m, f) under which the rule is defined, for tables.
    fn condition() -> &'static str {
        "m > 2f"
    }

    /// The published bound with its source, for tables; r = f/(m - 2f), delta = f/m.
    fn guarantee() -> Option<&'static str> {
        None
    }
}
