//! Divide and conquer: a spectral test on random coordinates.

use rand::SeedableRng;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, smallest},
    sample::drawn,
    spectrum::{centred, distances2, top},
};
use crate::{
    Batch, Gram, Size,
    batch::Places,
    describe::{Described, ParameterError},
    random::Stream,
    state::Stateful,
};

/// Most tests.
const MOST_TESTS: usize = 10_000;

/// Tests whose coordinates are drawn at the same time: memory for those of all of them would grow with their number.
const TOGETHER: usize = 60;

/// Divide and conquer: the mean of the vectors that pass every one of several spectral tests.
///
/// A test draws `sub_dim` coordinates, projects the vectors, around their mean, on their top right singular vector,
/// and fails the ⌊filter_frac · f⌋ with the largest squared projections. If no vector passes all tests, those that
/// pass most of them are averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dnc {
    /// Number of coordinates in a test.
    #[schemars(range(min = 1))]
    pub sub_dim: usize,
    /// Number of tests.
    #[schemars(range(min = 1, max = 10_000))]
    pub iterations: usize,
    /// How many vectors a test fails, as a multiple of f.
    #[schemars(range(min = 0.0))]
    pub filter_frac: f64,
}

impl Default for Dnc {
    fn default() -> Self {
        Self { sub_dim: 10_000, iterations: 5, filter_frac: 1.0 }
    }
}

impl Described for Dnc {
    const NAME: &'static str = "dnc";
    const SOURCE: &'static str = "Shejwalkar & Houmansadr, 2021";
}

impl Rule for Dnc {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("sub_dim", self.sub_dim)?;
        let few = (1..=MOST_TESTS).contains(&self.iterations);
        ParameterError::unless(few, "iterations", self.iterations, "1 to 10,000")?;
        ParameterError::not_negative("filter_frac", self.filter_frac)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f, m > filter_frac f"
    }
}

impl Stateful for Dnc {}

impl Aggregator for Dnc {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)?;
        RuleError::unless(size.m > self.failed(size.f), Self::NAME, "m > filter_frac f", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let keep = m - self.failed(context.f);
        let whole = self.sub_dim >= batch.d(); // every test is then the same one
        let tests = if whole {
            vec![passing(batch.gram()?, keep)]
        } else {
            rayon::scope(|_| self.tests(batch, keep, context))? // in the pool as a whole, else each step would wake it
        };
        let mut passed = vec![0; m];
        tests.into_iter().flatten().for_each(|i| passed[i] += 1);
        let most = passed.iter().copied().max().unwrap_or(0);
        let kept: Vec<usize> = (0..m).filter(|&i| passed[i] == most).collect();
        Ok(Aggregate::span(mean_of(&kept, m)))
    }
}

impl Dnc {
    fn failed(&self, f: usize) -> usize {
        (self.filter_frac * f as f64) as usize
    }

    /// The vectors that pass each test on coordinates of its own, which come from a stream of its own: so tests need
    /// not wait for each other.
    fn tests(
        &self,
        batch: &Batch<'_>,
        keep: usize,
        context: &mut Context,
    ) -> Result<Vec<Vec<usize>>, RuleError> {
        let streams: Vec<Stream> = (0..self.iterations).map(|_| Stream::from_rng(&mut context.rng)).collect();
        let draw = |rng: &Stream| drawn(batch.d(), self.sub_dim, &mut rng.clone());
        let mut tests = Vec::with_capacity(self.iterations);
        for streams in streams.chunks(TOGETHER) {
            let samples: Vec<Places> = streams.par_iter().map(draw).collect();
            match batch.grams_at(&samples) {
                Ok(grams) => tests.par_extend(grams.par_iter().map(|gram| passing(gram, keep))),
                Err(error) => {
                    batch.require_finite()?; // names the raw rows
                    return Err(error.into());
                }
            }
        }
        Ok(tests)
    }
}

/// The `keep` vectors with the least squared projections on the top right singular vector of the vectors around their
/// mean.
fn passing(gram: &Gram, keep: usize) -> Vec<usize> {
    let (_, u) = top(&centred(&distances2(gram), &vec![1.0; gram.m()])); // the projections, up to a common factor
    let squares: Vec<f64> = u.iter().map(|u| u * u).collect();
    smallest(&squares, keep)
}
