//! Bulyan: Krum's choices, then a mean around their median.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{ascending, pairwise2},
};
use crate::{
    Batch, ColumnRule, Map, Matrix, Median, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Bulyan: Krum chooses m - 2f vectors, one after the other and each among those left; at every coordinate, the
/// mean of the m - 4f chosen values nearest to their median.
///
/// Krum's score is the published one, squared distances to the m' - f - 2 nearest of the m' vectors left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bulyan {
    /// Which value is the median of an even number of values.
    pub even: Median,
}

impl Described for Bulyan {
    const NAME: &'static str = "bulyan";
    const SOURCE: &'static str = "El-Mhamdi, Guerraoui & Rouault, 2018";
}

impl Rule for Bulyan {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m >= 4f + 3"
    }
}

impl Stateful for Bulyan {}

impl Aggregator for Bulyan {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        let least = size.f.saturating_mul(4).saturating_add(3);
        RuleError::unless(size.m >= least, Self::NAME, "m >= 4f + 3", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let (m, f) = (batch.m(), context.f);
        let chosen = choose(&pairwise2(batch.gram()?), f);
        let rule = ColumnRule::MeanAroundMedian { keep: m - 4 * f, median: self.even };
        let columns = batch.mapped(Map::picking(&chosen, m)).columns(&rule, context.wants_distances)?;
        Ok(columns.into())
    }
}

/// The m - 2f rows that Krum takes, one by one.
fn choose(distances2: &Matrix, f: usize) -> Vec<usize> {
    let m = distances2.rows();
    let nearest: Vec<Vec<usize>> = (0..m).map(|i| ascending(distances2.row(i))).collect();
    let mut left = vec![true; m];
    let mut chosen = Vec::new();
    for size in (2 * f + 1..=m).rev() {
        let score = |i: usize| -> f64 {
            let others = nearest[i].iter().filter(|&&j| j != i && left[j]);
            others.take(size.saturating_sub(f + 2)).map(|&j| distances2[(i, j)]).sum()
        };
        let scores: Vec<(usize, f64)> = (0..m).filter(|&i| left[i]).map(|i| (i, score(i))).collect();
        let Some(&(next, _)) = scores.iter().min_by(|a, b| a.1.total_cmp(&b.1)) else {
            break;
        };
        left[next] = false;
        chosen.push(next);
    }
    chosen
}
