//! Smallest maximum eigenvalue averaging, exactly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError,
    order::mean_of,
    smea_search::{self, scatter},
    spectrum::{self, top},
};
use crate::{
    Batch, Matrix, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// How the subset is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// Every subset is looked at.
    #[default]
    Exact,
    /// f times the vector goes that reaches farthest along the top eigenvector of those left: an approximation.
    Greedy,
}

/// Smallest maximum eigenvalue averaging: the mean of the m - f vectors whose covariance has the least largest eigenvalue.
///
/// The eigenvalue is exact, from the Gram matrix. Of several best subsets the first in lexicographic order is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Smea {
    /// How the subset is found: "exact", or "greedy" for an approximation.
    pub search: Search,
    /// The largest number of subsets, m over f, that an exact search accepts.
    #[schemars(range(min = 1))]
    pub max_subsets: u64,
}

impl Default for Smea {
    fn default() -> Self {
        Self { search: Search::Exact, max_subsets: 200_000 }
    }
}

impl Described for Smea {
    const NAME: &'static str = "smea";
    const SOURCE: &'static str = "Allouah et al., 2023 (privacy-robustness-utility)";
}

impl Rule for Smea {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("max_subsets", self.max_subsets)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f, and m over f at most max_subsets"
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa = 4f/(m - f) (1 + r)^2, Allouah et al., 2023")
    }
}

impl Stateful for Smea {}

impl Aggregator for Smea {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)?;
        let subsets = binomial(size.m as u64, size.f as u64);
        if self.search == Search::Exact && subsets > self.max_subsets {
            let needs = "at least the number of subsets, m over f, or `search = \"greedy\"`";
            let value = format!("{} for {subsets} subsets", self.max_subsets);
            let error = ParameterError::new("max_subsets", value, needs);
            return Err(RuleError::Parameter { rule: Self::NAME, error });
        }
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let distances2 = spectrum::distances2(batch.gram()?);
        let greedy = greedy(&distances2, context.f);
        let kept = match self.search {
            Search::Greedy => greedy,
            Search::Exact => smea_search::exact(&distances2, greedy),
        };
        Ok(Aggregate::span(mean_of(&kept, batch.m())))
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let ratio = super::theory::ratio(size);
        let kappa = 4.0 * size.f as f64 / size.honest() as f64 * (1.0 + ratio).powi(2);
        let bound = || Bound::kappa(kappa, "4f/(m - f) (1 + r)^2", "Allouah et al., 2023");
        (self.search == Search::Exact).then(bound)
    }
}

/// m over f, or the largest number if it is larger.
fn binomial(m: u64, f: u64) -> u64 {
    (0..f).try_fold(1u64, |all, i| Some(all.checked_mul(m - i)? / (i + 1))).unwrap_or(u64::MAX)
}

fn greedy(distances2: &Matrix, f: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..distances2.rows()).collect();
    for _ in 0..f {
        let (_, vector) = top(&scatter(distances2, &chosen));
        let farthest = vector.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        farthest.map(|(i, _)| i).map(|i| chosen.remove(i));
    }
    chosen
}
