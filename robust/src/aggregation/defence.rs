//! A chain of rules as one: the server's whole defence.

use std::{collections::HashSet, fmt, sync::Arc};

use super::{
    Aggregate, Aggregator, Bound, Context, Layer, MetaAggregator, Output, PreAggregator, RuleError,
    centre::Remembered,
};
use crate::{
    Batch, BatchError, Layout, Size, Vector,
    batch::in_pool,
    random::Stream,
    state::{State, StateError, Stateful},
};

/// Most layers of a chain; each calls the next.
const LONGEST_CHAIN: usize = 32;

/// That a chain is not too long.
pub(super) fn check_length(layers: &[Layer]) -> Result<(), RuleError> {
    let (layers, most) = (layers.len(), LONGEST_CHAIN);
    if layers <= most { Ok(()) } else { Err(RuleError::Long { layers, most }) }
}

/// What the server learns from one aggregation.
#[derive(Clone, Debug)]
pub struct Aggregation {
    /// The result.
    pub output: Vector,
    /// The weight each vector got, if the result is a combination of the vectors; 0 for those trimmed or set aside.
    pub weights: Option<Vec<f64>>,
    /// ‖x_i - output‖ of each vector, if the context wants them; NaN for those set aside.
    pub distances: Option<Vec<f64>>,
    /// The number of Byzantine vectors that the rule was told to withstand among those that took part.
    pub f: usize,
    /// Vectors that were not finite and took no part, ascending.
    pub set_aside: Vec<usize>,
}

/// A chain of layers with a base rule at its end.
#[derive(Clone)]
pub struct Defence {
    root: Box<dyn Aggregator>,
    /// The last aggregate, if a layer asks for it.
    last: Remembered,
}

impl fmt::Debug for Defence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Defence").finish_non_exhaustive()
    }
}

impl Defence {
    /// The chain of these layers, outermost first.
    ///
    /// # Errors
    /// [`RuleError::Chain`] unless exactly the last layer is a base rule, if vectors are mixed over a rule that goes by
    /// who sent them, or if a layer does not accept what stands inside; [`RuleError::Long`] for more than 32 layers.
    pub fn new(layers: Vec<Layer>) -> Result<Self, RuleError> {
        check_length(&layers)?;
        let mut layers = layers.into_iter().rev();
        let Some(Layer::Base(mut root)) = layers.next() else {
            return Err(RuleError::Chain("the last element must be a base rule, such as `cwmed`".into()));
        };
        for layer in layers {
            root = match layer {
                Layer::Base(_) => {
                    return Err(RuleError::Chain("only the last element may be a base rule".into()));
                }
                Layer::Pre(pre) if !pre.keeps_workers() && root.knows_workers() => {
                    let message = "a layer that mixes vectors, such as `bucketing`, cannot stand over a rule that \
                                   goes by who sent them, such as `monna`";
                    return Err(RuleError::Chain(message.into()));
                }
                Layer::Pre(pre) => Box::new(Under { pre, inner: root }),
                Layer::Meta(meta) => {
                    meta.accepts(root.as_ref())?;
                    Box::new(Over { meta, inner: root })
                }
            };
        }
        Ok(Self::of(root))
    }

    /// A base rule alone.
    pub fn base(rule: impl Aggregator + 'static) -> Self {
        Self::of(Box::new(rule))
    }

    fn of(root: Box<dyn Aggregator>) -> Self {
        Self { root, last: Remembered::default() }
    }

    /// The condition on (m, f) under which every layer is defined.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`] or [`RuleError::Parameter`] of the first layer that is not.
    pub fn check(&self, size: Size) -> Result<(), RuleError> {
        self.root.check(size)
    }

    /// Whether the workers that parameters name can be there, where rounds are of `size` and there are so many
    /// `workers` in all.
    ///
    /// # Errors
    /// [`RuleError::Parameter`], or as [`check`](Self::check).
    pub fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        self.root.check_workers(workers, size)
    }

    /// Tells the layers how many training samples each worker holds, by id; None where nobody can say. Whoever plans a
    /// run does so before its first round, for rules whose weights are these.
    ///
    /// # Errors
    /// [`RuleError::Parameter`] of the first layer that weighs by samples, if there are none.
    pub fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.root.count_samples(held)
    }

    /// Whether a layer of the chain goes by the tensors of the model.
    pub fn needs_layout(&self) -> bool {
        self.root.needs_layout()
    }

    /// Tells the chain where the parameter tensors lie in the vectors. Whoever plans a run does so before its first round;
    /// rules that are not told take a vector as one tensor.
    ///
    /// # Errors
    /// [`RuleError`] of the first rule that has no use for such a model.
    pub fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        self.root.know_layout(layout)
    }

    /// The published bound of the whole chain, if every layer has one that fits the next.
    pub fn bound(&self, size: Size) -> Option<Bound> {
        self.root.bound(size)
    }

    /// Whether a layer needs [`Context::reference`].
    pub fn needs_reference(&self) -> bool {
        self.root.needs_reference()
    }

    /// Whether a layer needs [`Context::point`].
    pub fn needs_point(&self) -> bool {
        self.root.needs_point()
    }

    /// Whether a layer needs [`Context::judge`].
    pub fn needs_judge(&self) -> bool {
        self.root.needs_judge()
    }

    /// Whether a layer may hold tables of m × m numbers, for a round of m vectors.
    pub fn needs_pairs(&self) -> bool {
        self.root.needs_pairs()
    }

    /// Aggregates `rows`, of which up to `f` are Byzantine. Rows that are not finite
    /// count as Byzantine: they are set aside, and `f` shrinks by their number, or by less if the
    /// rule is only then defined.
    ///
    /// # Errors
    /// [`RuleError`], also if all rows are set aside. The memory of the rules is then as it was before.
    pub fn aggregate(&mut self, rows: &[Vector], f: usize, rng: Stream) -> Result<Aggregation, RuleError> {
        self.aggregate_in(rows, Context::new(f, rng))
    }

    /// [`aggregate`](Self::aggregate) with all that a rule may know of the round.
    ///
    /// # Errors
    /// As [`aggregate`](Self::aggregate).
    pub fn aggregate_in(&mut self, rows: &[Vector], context: Context) -> Result<Aggregation, RuleError> {
        in_pool(rows, || self.aggregate_here(rows, context))
    }

    fn aggregate_here(&mut self, rows: &[Vector], mut context: Context) -> Result<Aggregation, RuleError> {
        if self.root.needs_last() {
            context.last = self.last.0.clone();
        }
        let before = self.root.clone();
        let result = match self.aggregate_finite(rows, context.clone()) {
            Err(RuleError::Batch(BatchError::NonFinite(bad))) => {
                self.root = before.clone();
                self.aggregate_without(rows, bad, context)
            }
            other => other,
        };
        match &result {
            Ok(found) if self.root.needs_last() => self.last = Remembered(Some(found.output.clone())),
            Ok(_) => {}
            Err(_) => self.root = before,
        }
        result
    }

    fn aggregate_finite(&mut self, rows: &[Vector], mut context: Context) -> Result<Aggregation, RuleError> {
        let batch = Batch::new(rows)?.watched(context.watch.clone());
        let f = context.f;
        self.check(Size::new(batch.m(), f))?;
        let wants_distances = context.wants_distances;
        let Aggregate { output, distances } = self.root.aggregate(&batch, &mut context)?.checked(&batch)?;
        let (output, weights) = match output {
            Output::Span(c) => (batch.combine(&c), Some(c)),
            Output::Vector(output) => (output, None),
        };
        if !batch.known_finite() && !output.is_finite() {
            batch.require_finite()?;
        }
        let measured = || match (&weights, batch.known_gram()) {
            (Some(c), Some(gram)) => gram.distances2_to(c),
            _ => batch.distances(&output),
        };
        let squared = wants_distances.then(|| distances.unwrap_or_else(measured));
        let distances = squared.map(|all| all.into_iter().map(f64::sqrt).collect());
        Ok(Aggregation { output, weights, distances, f, set_aside: Vec::new() })
    }

    fn aggregate_without(
        &mut self,
        rows: &[Vector],
        bad: Vec<usize>,
        mut context: Context,
    ) -> Result<Aggregation, RuleError> {
        let told = context.f;
        let (kept, finite) = set_aside(rows, &bad, &mut context)?;
        // Up to f is up to any larger number too: buckets that grow as f shrinks may become too few for the next rule.
        let stands = |f: &usize| self.check(Size::new(kept.len(), *f)).is_ok();
        context.f = (context.f..=told).find(stands).unwrap_or(context.f);
        let mut result = self.aggregate_finite(&finite, context)?;
        let spread = |values: Vec<f64>, missing: f64| {
            let mut all = vec![missing; rows.len()];
            kept.iter().zip(values).for_each(|(&i, v)| all[i] = v);
            all
        };
        result.weights = result.weights.map(|w| spread(w, 0.0));
        result.distances = result.distances.map(|r| spread(r, f64::NAN));
        result.set_aside = bad;
        Ok(result)
    }
}

/// The indices of the rows other than `bad`, and these rows, with a context for them.
pub(super) fn set_aside(
    rows: &[Vector],
    bad: &[usize],
    context: &mut Context,
) -> Result<(Vec<usize>, Vec<Vector>), RuleError> {
    let bad: HashSet<usize> = bad.iter().copied().collect();
    let kept: Vec<usize> = (0..rows.len()).filter(|i| !bad.contains(i)).collect();
    if kept.is_empty() {
        return Err(RuleError::NoneFinite { m: rows.len() });
    }
    context.workers = kept.iter().map(|&i| context.worker(i)).collect();
    context.f = context.f.saturating_sub(rows.len() - kept.len());
    let finite = kept.iter().map(|&i| rows[i].clone()).collect();
    Ok((kept, finite))
}

impl Stateful for Defence {
    fn state(&self) -> State {
        if self.root.needs_last() {
            self.last.state().with("root", self.root.state())
        } else {
            self.root.state()
        }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if !self.root.needs_last() {
            return self.root.restore(state);
        }
        self.last.restore(state)?;
        self.root.restore(&state.part("root"))
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        let last = if self.root.needs_last() { self.last.holds(workers, rounds) } else { 0 };
        self.root.holds(workers, rounds).saturating_add(last)
    }
}

/// A meta-aggregator over its inner rule.
#[derive(Clone)]
struct Over {
    meta: Box<dyn MetaAggregator>,
    inner: Box<dyn Aggregator>,
}

impl Stateful for Over {
    fn state(&self) -> State {
        self.meta.state().with("inner", self.inner.state())
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.meta.restore(state)?;
        self.inner.restore(&state.part("inner"))
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.meta.holds(workers, rounds).saturating_add(self.inner.holds(workers, rounds))
    }
}

impl Aggregator for Over {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.meta.check(size)?;
        self.inner.check(size)
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        self.meta.check_workers(workers, size)?;
        self.inner.check_workers(workers, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        self.meta.aggregate(self.inner.as_mut(), batch, context)
    }

    fn needs_pairs(&self) -> bool {
        self.meta.needs_pairs() || self.inner.needs_pairs()
    }

    fn knows_workers(&self) -> bool {
        self.meta.knows_workers() || self.inner.knows_workers()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.meta.count_samples(held)?;
        self.inner.count_samples(held)
    }

    fn needs_layout(&self) -> bool {
        self.meta.needs_layout() || self.inner.needs_layout()
    }

    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        self.meta.know_layout(layout)?;
        self.inner.know_layout(layout)
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        self.meta.bound(size, &self.inner.bound(size)?)
    }

    fn needs_reference(&self) -> bool {
        self.inner.needs_reference()
    }

    fn needs_point(&self) -> bool {
        self.meta.needs_point() || self.inner.needs_point()
    }

    fn needs_last(&self) -> bool {
        self.meta.needs_last() || self.inner.needs_last()
    }

    fn needs_judge(&self) -> bool {
        self.meta.needs_judge() || self.inner.needs_judge()
    }
}

/// A pre-aggregator before its inner rule.
#[derive(Clone)]
struct Under {
    pre: Box<dyn PreAggregator>,
    inner: Box<dyn Aggregator>,
}

impl Stateful for Under {
    fn state(&self) -> State {
        self.pre.state().with("inner", self.inner.state())
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.pre.restore(state)?;
        self.inner.restore(&state.part("inner"))
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.pre.holds(workers, rounds).saturating_add(self.inner.holds(workers, rounds))
    }
}

impl Aggregator for Under {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.inner.check(self.pre.inner_size(size)?)
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        let inner = self.pre.inner_size(size)?;
        // Rows that stand for no worker go by their place.
        self.inner.check_workers(if self.pre.keeps_workers() { workers } else { inner.m }, inner)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let inner = self.pre.inner_size(Size::new(batch.m(), context.f))?;
        let w = Arc::new(RuleError::fitting(self.pre.weights(batch, context)?, batch.m(), inner.m)?);
        let f = std::mem::replace(&mut context.f, inner.f);
        let workers = (!self.pre.keeps_workers()).then(|| std::mem::take(&mut context.workers));
        let mapped = batch.mapped(w.clone());
        let result = self.inner.aggregate(&mapped, context).and_then(|found| found.checked(&mapped));
        context.f = f;
        if let Some(workers) = workers {
            context.workers = workers;
        }
        let mut result = result?;
        if let Output::Span(c) = &result.output {
            result.output = Output::Span(w.transposed_times(c));
        }
        Ok(result)
    }

    fn knows_workers(&self) -> bool {
        self.inner.knows_workers()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        self.inner.count_samples(held)
    }

    fn needs_layout(&self) -> bool {
        self.inner.needs_layout()
    }

    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        self.inner.know_layout(layout)
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        self.pre.bound(size, &self.inner.bound(self.pre.inner_size(size).ok()?)?)
    }

    fn needs_reference(&self) -> bool {
        self.inner.needs_reference()
    }

    fn needs_point(&self) -> bool {
        self.inner.needs_point()
    }

    fn needs_last(&self) -> bool {
        self.pre.needs_last() || self.inner.needs_last()
    }

    fn needs_judge(&self) -> bool {
        self.inner.needs_judge()
    }

    fn needs_pairs(&self) -> bool {
        self.pre.needs_pairs() || self.inner.needs_pairs()
    }
}
