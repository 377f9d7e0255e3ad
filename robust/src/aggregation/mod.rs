//! Robust aggregation: the traits of a rule, and the list of those built in.
//!
//! A rule is one of three things. A *base* rule ([`Aggregator`]) makes one
//! vector of m. A *pre-aggregator* ([`PreAggregator`]) makes k vectors of m, as
//! weights over the rows. A *meta-aggregator* ([`MetaAggregator`]) upgrades
//! the rule inside it. A [`Defence`] is a chain of them, outermost first.

mod aksel;
mod arc;
mod beside;
mod bucketing;
mod bulyan;
mod caf;
mod centered_clipping;
mod cge;
mod clipped_clustering;
mod clipping;
mod cluster;
mod cover;
mod ctma;
mod cwmed;
mod cwtm;
mod defence;
mod dnc;
mod fltrust;
mod geometric_median;
mod krum;
mod mda;
mod meamed;
mod mean;
mod mixer;
mod monna;
mod nnm;
mod norm_clipping;
mod order;
mod phocas;
mod radius;
mod safeguard;
mod sample;
mod sign_majority;
mod signguard;
mod smea;
mod smea_search;
mod spectrum;
mod theory;
mod weighted_ctma;
mod weighted_cwmed;
mod weighted_geometric_median;
mod weighted_mean;
mod weights;

pub use aksel::{Aksel, Keep};
pub use arc::Arc;
pub use bucketing::Bucketing;
pub use bulyan::Bulyan;
pub use caf::Caf;
pub use centered_clipping::CenteredClipping;
pub use cge::Cge;
pub use clipped_clustering::ClippedClustering;
pub use clipping::Clipping;
pub use ctma::{Ctma, Ties};
pub use cwmed::Cwmed;
pub use cwtm::Cwtm;
pub use defence::{Aggregation, Defence};
pub use dnc::Dnc;
pub use fltrust::Fltrust;
pub use geometric_median::{GeometricMedian, Start};
pub use krum::{Krum, MultiKrum, Neighbours, Select};
pub use mda::Mda;
pub use meamed::Meamed;
pub use mean::Mean;
pub use mixer::{Mixed, Mixer};
pub use monna::Monna;
pub use nnm::Nnm;
pub use norm_clipping::NormClipping;
pub use phocas::Phocas;
pub use safeguard::Safeguard;
pub use sign_majority::SignMajority;
pub use signguard::Signguard;
pub use smea::{Search, Smea};
pub use theory::{Bound, Meaning, pairwise_coefficient, robustness_coefficient};
pub use weighted_ctma::WeightedCtma;
pub use weighted_cwmed::WeightedCwmed;
pub use weighted_geometric_median::WeightedGeometricMedian;
pub use weighted_mean::WeightedMean;
pub use weights::Weights;

pub use crate::batch::Median;

use std::{fmt, sync};

use dyn_clone::DynClone;

use crate::{
    Batch, BatchError, Columns, Map, Size, Vector, Watch,
    describe::{Described, ParameterError},
    random::Stream,
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
    visitor.visit::<GeometricMedian>();
    visitor.visit::<Krum>();
    visitor.visit::<MultiKrum>();
    visitor.visit::<Bulyan>();
    visitor.visit::<CenteredClipping>();
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
    visitor.visit::<WeightedMean>();
    visitor.visit::<WeightedCwmed>();
    visitor.visit::<WeightedGeometricMedian>();
    visitor.visit::<Nnm>();
    visitor.visit::<Bucketing>();
    visitor.visit::<Clipping>();
    visitor.visit::<Arc>();
    visitor.visit::<Ctma>();
    visitor.visit::<WeightedCtma>();
}

/// A rule that cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// More Byzantine vectors than the rule is defined for.
    #[error("{rule} needs {condition}, which m = {m}, f = {f} does not meet")]
    Breakdown {
        /// Name of the rule.
        rule: &'static str,
        /// The condition, e.g. `m > 2f`.
        condition: &'static str,
        /// Number of vectors the rule is given.
        m: usize,
        /// Number of Byzantine vectors among them.
        f: usize,
    },
    /// The vectors do not form a batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A parameter that cannot be used with this many vectors.
    #[error("{rule}: {error}")]
    Parameter {
        /// Name of the rule.
        rule: &'static str,
        /// Which parameter, and why.
        error: ParameterError,
    },
    /// There are too many layers.
    #[error("the chain has {layers} elements; at most {most} are accepted")]
    Long {
        /// How many.
        layers: usize,
        /// How many are accepted.
        most: usize,
    },
    /// The layers do not form a chain, e.g. nothing under a meta-aggregator.
    #[error("the rule is not a chain: {0}")]
    Chain(String),
    /// The rule needs a vector of the server's own, and the round has none.
    #[error("{rule} needs a reference vector that the server computed itself")]
    NoReference {
        /// Name of the rule.
        rule: &'static str,
    },
    /// Every vector has a coordinate that is NaN or infinite, or a squared norm that is and that the rule needs.
    #[error("none of the {m} vectors is finite, with a squared norm that is")]
    NoneFinite {
        /// Number of vectors.
        m: usize,
    },
    /// The rule's result is not like the vectors: in length, format or place.
    #[error("the rule makes a vector of {found} coordinates that is not like the vectors of {expected}")]
    Unlike {
        /// Length of the result.
        found: usize,
        /// Length of the vectors.
        expected: usize,
    },
    /// The rule's result has another number of coefficients or of distances than there are vectors.
    #[error("the rule makes {found} {what} for {expected} vectors")]
    Miscounted {
        /// What there are too few or too many of.
        what: &'static str,
        /// Their number.
        found: usize,
        /// Number of vectors.
        expected: usize,
    },
    /// The rule's result is not finite.
    #[error("the rule makes a vector that is not finite from vectors that are")]
    NotFinite,
    /// A rule failed for a reason of its own.
    #[error("{rule}: {message}")]
    Failed {
        /// Name of the rule.
        rule: String,
        /// What it said.
        message: String,
    },
}

impl RuleError {
    /// Whether the cause is that too few vectors came in, or too few finite ones.
    pub fn is_turnout(&self) -> bool {
        match self {
            Self::Breakdown { .. }
            | Self::NoneFinite { .. }
            | Self::Parameter { .. }
            | Self::Batch(BatchError::Empty) => true,
            Self::Batch(_)
            | Self::Chain(_)
            | Self::Long { .. }
            | Self::NoReference { .. }
            | Self::Unlike { .. }
            | Self::Miscounted { .. }
            | Self::NotFinite
            | Self::Failed { .. } => false,
        }
    }

    /// `Ok` if f of the m vectors are fewer than half, which most rules need, else the breakdown of `rule`.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`].
    pub fn minority(rule: &'static str, size: Size) -> Result<(), Self> {
        Self::unless(size.f < size.m.div_ceil(2), rule, "m > 2f", size)
    }

    /// `Ok` if `holds`, else the breakdown of `rule` at this size.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`].
    pub fn unless(holds: bool, rule: &'static str, condition: &'static str, size: Size) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Breakdown { rule, condition, m: size.m, f: size.f }) }
    }
}

/// What a rule may know of the round besides the vectors.
#[derive(Clone, Debug)]
pub struct Context {
    /// Number of Byzantine vectors the rule is told to withstand.
    pub f: usize,
    /// Random numbers for this round.
    pub rng: Stream,
    /// Whether the rule above wants [`Aggregate::distances`]; at the top, whether the report shall hold them.
    pub wants_distances: bool,
    /// What the server computed itself, e.g. a gradient on data that it trusts.
    pub reference: Option<Vector>,
    /// Which worker sent each row, for parameters and memory that belong to workers; empty if row i is worker i's.
    pub workers: Vec<usize>,
    /// Who is told of every pass over the vectors.
    pub watch: Option<sync::Arc<dyn Watch>>,
}

impl Context {
    /// A round in which the rule is told `f`: every worker is there, and the server has no vector of its own.
    pub fn new(f: usize, rng: Stream) -> Self {
        Self { f, rng, wants_distances: true, reference: None, workers: Vec::new(), watch: None }
    }

    /// The worker that sent row i.
    pub fn worker(&self, i: usize) -> usize {
        self.workers.get(i).copied().unwrap_or(i)
    }
}

/// What a base or meta rule found: the output, or how to make it.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The result.
    pub output: Output,
    /// ‖x_i - output‖² of every *raw* row of the batch, if the rule has it at hand.
    pub distances: Option<Vec<f64>>,
}

/// The result of a rule.
#[derive(Clone, Debug)]
pub enum Output {
    /// Coefficients over the rows of the batch that the rule was given; the vector is not made yet.
    Span(Vec<f64>),
    /// The vector.
    Vector(Vector),
}

impl Aggregate {
    /// The combination Σ c_i x_i of the batch's rows.
    pub fn span(coefficients: Vec<f64>) -> Self {
        Self { output: Output::Span(coefficients), distances: None }
    }

    /// A vector that is no combination known to the rule.
    pub fn vector(output: Vector) -> Self {
        Self { output: Output::Vector(output), distances: None }
    }

    /// This, if it fits the batch that the rule was given: rules from outside may count wrongly.
    pub(super) fn checked(self, batch: &Batch<'_>) -> Result<Self, RuleError> {
        let row = &batch.raw()[0];
        match &self.output {
            Output::Span(coefficients) => check_number("coefficients", coefficients, batch.m())?,
            Output::Vector(output) if !output.is_like(row) => {
                return Err(RuleError::Unlike { found: output.len(), expected: row.len() });
            }
            Output::Vector(_) => {}
        }
        if let Some(distances) = &self.distances {
            check_number("distances", distances, batch.raw().len())?;
        }
        Ok(self)
    }
}

fn check_number(what: &'static str, numbers: &[f64], expected: usize) -> Result<(), RuleError> {
    let found = numbers.len();
    if found == expected { Ok(()) } else { Err(RuleError::Miscounted { what, found, expected }) }
}

impl From<Columns> for Aggregate {
    fn from(columns: Columns) -> Self {
        Self { output: Output::Vector(columns.output), distances: columns.distances }
    }
}

/// A base rule: one vector of m. *Span* rules decide from [`Batch::gram`] and return coefficients;
/// *coordinate* rules use [`Batch::columns`]; a rule that fits neither takes what it needs.
///
/// A rule with memory must change it only after the last fallible call, because
/// a round may be tried again with non-finite rows set aside.
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
    /// [`RuleError`]; [`BatchError::NonFinite`] is answered by the defence, which tries again without those rows.
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

    /// The published bound of this layer over a rule with the bound `inner`.
    fn bound(&self, size: Size, inner: &Bound) -> Option<Bound> {
        let _ = (size, inner);
        None
    }
}

dyn_clone::clone_trait_object!(Aggregator);
dyn_clone::clone_trait_object!(PreAggregator);
dyn_clone::clone_trait_object!(MetaAggregator);

/// One element of a chain.
#[derive(Clone)]
pub enum Layer {
    /// The innermost rule.
    Base(Box<dyn Aggregator>),
    /// A map of the vectors.
    Pre(Box<dyn PreAggregator>),
    /// A rule over a rule.
    Meta(Box<dyn MetaAggregator>),
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Base(_) => "Base",
            Self::Pre(_) => "Pre",
            Self::Meta(_) => "Meta",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

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
