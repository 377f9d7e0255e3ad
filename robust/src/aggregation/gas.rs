//! Gradient splitting: a rule judges the vectors by random groups of their coordinates.

use rand::{SeedableRng, seq::SliceRandom};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, MetaAggregator, Rule, RuleError, beside,
    ctma::Anchor,
    order::{each, mean_of, smallest},
};
use crate::{
    Batch, BatchError, Pass, Size, Vector,
    describe::{Described, ParameterError},
    random::Stream,
    state::Stateful,
};

/// Gradient splitting (GAS): the mean of the m - f vectors of the least scores Σ ‖x_i - z‖, each distance over one group
/// of coordinates, where z is what the rule inside makes of the vectors there; equal scores go by index.
///
/// The coordinates are dealt at random into `groups`, anew in every round, whose sizes differ by one at most. In one
/// group of all of them the score is the distance to the result of the rule inside; else each thread copies one group after
/// the other. A rule that remembers cannot stand inside, for what it remembers is of other coordinates in the next round,
/// nor one that goes by the tensors of the model, of which a group has pieces.
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
        let distances = if self.groups.min(batch.d()) == 1 {
            let distances2 = Anchor::of(inner, batch, context)?.distances2;
            self.accepts(inner)?; // also of one that had nothing to tell before its first round
            vec![distances2]
        } else {
            self.by_group(&*inner, batch, context)?
        };
        Ok(each(batch.m(), |i| distances.iter().map(|distances2| distances2[i].sqrt()).sum()))
    }

    /// The squared distances of the vectors to the result of `inner` within every group. It is one walk over the numbers for
    /// who watches: the groups are worked on side by side.
    fn by_group(
        &self,
        inner: &dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Vec<Vec<f64>>, RuleError> {
        let point = context.point.clone().filter(|_| inner.needs_point());
        for own in context.reference.iter().chain(&point) {
            beside::check(batch, own, Self::NAME)?;
        }
        let groups = dealt(batch.d(), self.groups, &mut context.rng);
        let rngs: Vec<Stream> = groups.iter().map(|_| Stream::from_rng(&mut context.rng)).collect();
        let distances = |(places, rng): (&Vec<usize>, &Stream)| {
            let picked = |own: &Option<Vector>| own.as_ref().map(|own| own.picked(places));
            let (reference, point) = (picked(&context.reference), picked(&point));
            let part = Context { rng: rng.clone(), reference, point, watch: None, ..context.clone() };
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

/// d places in so many groups of random ones, ascending in each; in d groups if there are no more places.
fn dealt(d: usize, groups: usize, rng: &mut Stream) -> Vec<Vec<usize>> {
    let mut places: Vec<usize> = (0..d).collect();
    places.shuffle(rng);
    let groups = groups.min(d);
    let group = |i: usize| {
        let mut group = places[i * d / groups..(i + 1) * d / groups].to_vec();
        group.sort_unstable();
        group
    };
    (0..groups).map(group).collect()
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

#[cfg(test)]
mod tests {
    use super::dealt;
    use crate::random::Seed;

    #[test]
    fn every_place_is_in_one_of_the_groups_and_they_are_of_one_size() {
        let mut rng = Seed(1).stream("test", 0, "groups", 1);
        for (d, groups) in [(1, 1), (10, 3), (10, 6), (10, 10), (3, 8), (1000, 7)] {
            let dealt = dealt(d, groups, &mut rng);
            assert_eq!(dealt.len(), groups.min(d));
            let sizes: Vec<usize> = dealt.iter().map(Vec::len).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
            assert!(dealt.iter().all(|group| group.is_sorted()));
            let mut all = dealt.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..d), "{d} in {groups}");
        }
    }
}
