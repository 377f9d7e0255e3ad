//! Divide and conquer: a spectral test on random coordinates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    defence::require_finite,
    order::{mean_of, pairwise2, smallest},
    sample::sampled,
    spectrum::{centred, top},
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

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
    #[schemars(range(min = 1))]
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
        ParameterError::unless(self.sub_dim > 0, "sub_dim", self.sub_dim, "at least 1")?;
        ParameterError::unless(self.iterations > 0, "iterations", self.iterations, "at least 1")?;
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
        RuleError::unless(size.m > 2 * size.f, Self::NAME, "m > 2f", size)?;
        RuleError::unless(size.m > self.failed(size.f), Self::NAME, "m > filter_frac f", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let whole = self.sub_dim >= batch.d(); // every test is then the same one
        let mut passed = vec![0; m];
        for _ in 0..if whole { 1 } else { self.iterations } {
            let rows = if whole { Vec::new() } else { sampled(batch, self.sub_dim, &mut context.rng)? };
            let distances2 = match whole {
                true => pairwise2(batch.gram()?),
                false => match batch.alike(&rows)?.gram() {
                    Ok(gram) => pairwise2(gram),
                    Err(error) => {
                        require_finite(batch.raw())?; // names the raw rows
                        return Err(error.into());
                    }
                },
            };
            let (_, u) = top(&centred(&distances2, &vec![1.0; m])); // the projections, up to a common factor
            let squares: Vec<f64> = u.iter().map(|u| u * u).collect();
            smallest(&squares, m - self.failed(context.f)).into_iter().for_each(|i| passed[i] += 1);
        }
        let most = passed.iter().copied().max().unwrap_or(0);
        let kept: Vec<usize> = (0..m).filter(|&i| passed[i] == most).collect();
        let coefficients = mean_of(&kept, m);
        Ok(if whole { Aggregate::span(coefficients) } else { Aggregate::combination(coefficients) })
    }
}

impl Dnc {
    fn failed(&self, f: usize) -> usize {
        (self.filter_frac * f as f64) as usize
    }
}
