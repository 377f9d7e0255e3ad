//! A chain of pre-aggregators alone: m vectors in, k vectors out.

use std::fmt;

use rayon::prelude::*;

use super::{
    Context, Layer, PreAggregator, RuleError,
    defence::{check_length, set_aside},
};
use crate::{Batch, BatchError, Map, Pass, Size, Vector, random::Stream};

/// What a chain of pre-aggregators makes of a batch.
#[derive(Clone, Debug)]
pub struct Mixed {
    /// The k vectors that a rule would see.
    pub rows: Vec<Vector>,
    /// Their k×m weights over the vectors that came in; 0 for those set aside.
    pub weights: Map,
    /// k, and how many of the k vectors may be Byzantine.
    pub size: Size,
    /// Vectors that were not finite and took no part.
    pub set_aside: Vec<usize>,
}

/// A chain of pre-aggregators without a rule at its end.
#[derive(Clone)]
pub struct Mixer {
    layers: Vec<Box<dyn PreAggregator>>,
}

impl fmt::Debug for Mixer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mixer").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}

impl Mixer {
    /// The chain of these layers, outermost first: the first sees the raw vectors.
    ///
    /// # Errors
    /// [`RuleError::Chain`] unless there is a layer and each is a pre-aggregator.
    pub fn new(layers: Vec<Layer>) -> Result<Self, RuleError> {
        check_length(&layers)?;
        let refuse =
            || RuleError::Chain("only pre-aggregators, such as `nnm`, can stand without a base rule".into());
        let pre = |layer| if let Layer::Pre(pre) = layer { Ok(pre) } else { Err(refuse()) };
        let layers: Vec<_> = layers.into_iter().map(pre).collect::<Result<_, _>>()?;
        if layers.is_empty() { Err(refuse()) } else { Ok(Self { layers }) }
    }

    /// How many vectors come out of this many, and how many Byzantine ones among them.
    ///
    /// # Errors
    /// [`RuleError::Breakdown`] or [`RuleError::Parameter`] of the first layer that is not defined.
    pub fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        self.layers.iter().try_fold(size, |size, layer| layer.inner_size(size))
    }

    /// Mixes `rows`, of which up to `f` are Byzantine; those that are not finite are set aside, and `f` shrinks.
    ///
    /// # Errors
    /// [`RuleError`], also if all rows are set aside.
    pub fn mix(&mut self, rows: &[Vector], f: usize, rng: Stream) -> Result<Mixed, RuleError> {
        self.mix_in(rows, Context::new(f, rng))
    }

    /// [`mix`](Self::mix) with all that a layer may know of the round.
    ///
    /// # Errors
    /// As [`mix`](Self::mix).
    pub fn mix_in(&mut self, rows: &[Vector], context: Context) -> Result<Mixed, RuleError> {
        self.mix_owned(rows.to_vec(), context)
    }

    /// [`mix_in`](Self::mix_in) of vectors that are not needed any more: where the layers only scale them, and nobody
    /// shares them, it happens in their place.
    ///
    /// # Errors
    /// As [`mix`](Self::mix).
    pub fn mix_owned(&mut self, rows: Vec<Vector>, mut context: Context) -> Result<Mixed, RuleError> {
        let bad = match self.weigh(&rows, context.clone()) {
            Ok(weighed) => return weighed.applied(rows, &context),
            Err(RuleError::Batch(BatchError::NonFinite(bad))) => bad,
            Err(other) => return Err(other),
        };
        let (kept, finite) = set_aside(&rows, &bad, &mut context)?;
        let m = rows.len();
        drop(rows);
        let mixed = self.weigh(&finite, context.clone())?.applied(finite, &context)?;
        Ok(Mixed { weights: mixed.weights.spread(&kept, m), set_aside: bad, ..mixed })
    }

    /// The weights of the whole chain over these rows.
    fn weigh(&mut self, rows: &[Vector], mut context: Context) -> Result<Weighed, RuleError> {
        let mut batch = Batch::new(rows)?.watched(context.watch.clone());
        let mut size = Size::new(batch.m(), context.f);
        for layer in &mut self.layers {
            let inner = layer.inner_size(size)?;
            let weights = layer.weights(&batch, &mut context)?;
            batch = batch.mapped(RuleError::fitting(weights, batch.m(), inner.m)?);
            (size, context.f) = (inner, inner.f);
        }
        let made = if batch.known_finite() { None } else { Some(finite_rows(&batch)?) };
        let weights = batch.map().cloned().unwrap_or_else(|| Map::picking(&[], rows.len()));
        Ok(Weighed { weights, size, made })
    }
}

/// The weights of a chain over the rows it was given.
struct Weighed {
    weights: Map,
    size: Size,
    /// The rows of the result, if they had to be made to see whether all that they are made of is finite.
    made: Option<Vec<Vector>>,
}

impl Weighed {
    /// The result, from the rows that were weighed.
    fn applied(self, rows: Vec<Vector>, context: &Context) -> Result<Mixed, RuleError> {
        let Self { weights, size, made: known } = self;
        let rows = known.map_or_else(|| made(rows, &weights, context), Ok)?;
        Ok(Mixed { rows, weights, size, set_aside: Vec::new() })
    }
}

/// The rows of a batch that has not been looked at. A number that is not finite would show in what it is part of.
fn finite_rows(batch: &Batch<'_>) -> Result<Vec<Vector>, BatchError> {
    let made = batch.to_rows();
    if !made.par_iter().all(Vector::is_finite) {
        batch.require_finite()?;
    }
    Ok(made)
}

/// The rows of W times these.
fn made(rows: Vec<Vector>, weights: &Map, context: &Context) -> Result<Vec<Vector>, RuleError> {
    let Some(factors) = weights.factors() else {
        return Ok(Batch::new(&rows)?.watched(context.watch.clone()).mapped(weights.clone()).to_rows());
    };
    let scale = || rows.into_par_iter().zip(factors).map(|(row, c)| row.times(c)).collect();
    Ok(Pass::Combine.seen(context.watch.as_deref(), scale))
}
