//! Gradient splitting: a rule judges the vectors by random groups of their coordinates.

use rand::{SeedableRng, seq::SliceRandom};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, MetaAggregator, Output, Rule, RuleError, beside,
    ctma::Anchor,
    order::{each, mean_of, smallest},
};
use crate::{
    Batch, BatchError, Pass, Size, Vector,
    batch::Groups,
    describe::{Described, ParameterError},
    random::Stream,
    state::Stateful,
};

/// Gradient splitting (GAS): the mean of the m - f vectors of the least scores Σ ‖x_i - z‖, each distance over one group
/// of coordinates, where z is what the rule inside makes of the vectors there; equal scores go by index.
///
/// The coordinates are dealt at random into `groups`, anew in every round, whose sizes differ by one at most. In one
/// group of all of them the score is the distance to the result of the rule inside. A rule that works coordinate by
/// coordinate, such as `cwtm`, is asked once for all groups; for others each thread copies one group after the other. A rule
/// that remembers cannot stand inside, for what it remembers is of other coordinates in the next round, nor one that goes by
/// the tensors of the model, of which a group has pieces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gas {
    /// Number of groups; each coordinate is one of its own if there are no more of them.
    #[schemars(range(min = 1))]
    pub groups: usize,
}

impl Default for Gas {
    fn default() -> Self {
        Self { groups: 1000 }
    }
}

impl Described for Gas {
    const NAME: &'static str = "gas";
    const SOURCE: &'static str = "Liu et al., 2023";
}

impl Rule for Gas {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("groups", self.groups)?;
        Ok(Layer::Meta(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f, and a rule inside that remembers nothing and knows no tensors"
    }
}

impl Stateful for Gas {}

impl MetaAggregator for Gas {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn accepts(&self, inner: &dyn Aggregator) -> Result<(), RuleError> {
        let refused = |rule: &str| {
            let message = format!(
                "a rule that {rule}, cannot stand under `gas`, whose groups of coordinates are others in every round"
            );
            Err(RuleError::Chain(message))
        };
        if inner.needs_judge() {
            return refused("asks how good points are, such as `zeno`");
        }
        if inner.needs_layout() {
            return refused("goes by the tensors of the model, such as `lasa`");
        }
        if !inner.state().is_empty() || inner.holds(1, 1) > 0 {
            return refused("remembers, such as `centered-clipping`");
        }
        Ok(())
    }

    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError> {
        let scores = self.scores(inner, batch, context).map_err(|error| all_named(batch, error))?;
        Ok(Aggregate::span(mean_of(&smallest(&scores, batch.m() - context.f), batch.m())))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}

impl Gas {
    /// The score of every vector.
    fn scores(
        &self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Vec<f64>, RuleError> {
        if self.groups.min(batch.d()) == 1 {
            let distances2 = Anchor::of(inner, batch, context)?.distances2;
            self.accepts(inner)?; // which may have had nothing to tell before its first round
            return Ok(distances2.into_iter().map(f64::sqrt).collect());
        }
        let groups = dealt(batch.d(), self.groups, &mut context.rng);
        if inner.is_coordinate_wise() && batch.map().is_none() {
            let scores = at_once(inner, &groups, batch, context)?;
            self.accepts(inner)?; // as above
            return Ok(scores);
        }
        let distances2 = self.by_group(&*inner, &groups.members(), batch, context)?;
        Ok(each(batch.m(), |i| distances2.iter().map(|group| group[i].sqrt()).sum()))
    }

    /// The squared distances of the vectors to the result of `inner` within every group. It is one walk over the numbers for
    /// who watches: the groups are worked on side by side.
    fn by_group(
        &self,
        inner: &dyn Aggregator,
        groups: &[Vec<usize>],
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Vec<Vec<f64>>, RuleError> {
        let point = context.point.clone().filter(|_| inner.needs_point());
        let last = context.last.clone().filter(|_| inner.needs_last());
        for own in context.reference.iter().chain(&point).chain(&last) {
            beside::check(batch, own, Self::NAME)?;
        }
        let rngs: Vec<Stream> = groups.iter().map(|_| Stream::from_rng(&mut context.rng)).collect();
        let distances = |(places, rng): (&Vec<usize>, &Stream)| {
            let picked = |own: &Option<Vector>| own.as_ref().map(|own| own.picked(places));
            let (reference, point, last) = (picked(&context.reference), picked(&point), picked(&last));
            let part = Context { rng: rng.clone(), reference, point, last, watch: None, ..context.clone() };
            self.within(places, dyn_clone::clone_box(inner), batch, part)
        };
        let all: Vec<_> = Pass::Distances.seen(context.watch.as_deref(), || {
            if batch.raw()[0].is_on_host() {
                groups.par_iter().zip(&rngs).map(distances).collect()
            } else {
                groups.iter().zip(&rngs).map(distances).collect()
            }
        });
        all.into_iter().collect() // the error of the first group that has one
    }

    /// The squared distances of the vectors to the result of `inner`, both at these places alone.
    fn within(
        &self,
        places: &[usize],
        mut inner: Box<dyn Aggregator + '_>,
        batch: &Batch<'_>,
        mut context: Context,
    ) -> Result<Vec<f64>, RuleError> {
        let rows = batch.raw_at(places);
        let anchor = Anchor::of(inner.as_mut(), &batch.over(&rows)?.watched(None), &mut context)?;
        self.accepts(inner.as_ref())?; // as above
        Ok(anchor.distances2)
    }
}

/// The scores by a rule whose result in a group of coordinates is a piece of its result in all of them.
fn at_once(
    inner: &mut dyn Aggregator,
    groups: &Groups,
    batch: &Batch<'_>,
    context: &Context,
) -> Result<Vec<f64>, RuleError> {
    let mut context = Context { wants_distances: false, ..context.clone() };
    let found = match inner.aggregate(batch, &mut context)?.checked(batch)?.output {
        Output::Span(c) => batch.combine(&c),
        Output::Vector(found) => found,
    };
    let distances2 = batch.raw_distances_within(groups, &found);
    if distances2.iter().flatten().any(|distance2| !distance2.is_finite()) {
        batch.check_finite()?;
    }
    Ok(distances2.iter().map(|own| own.iter().map(|distance2| distance2.sqrt()).sum()).collect())
}

/// d coordinates in so many groups of random ones.
fn dealt(d: usize, groups: usize, rng: &mut Stream) -> Groups {
    let mut places: Vec<usize> = (0..d).collect();
    places.shuffle(rng);
    Groups::cut(&places, groups)
}

/// The error of a group, which may not have met all rows that are not finite, with all of them.
fn all_named(batch: &Batch<'_>, error: RuleError) -> RuleError {
    match error {
        RuleError::Batch(BatchError::NonFinite(_)) => {
            batch.check_finite().err().map_or(error, RuleError::from)
        }
        other => other,
    }
}
