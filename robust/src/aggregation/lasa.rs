//! LASA: sparse vectors, judged tensor by tensor by their norms and their signs.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, median},
    radius::factor,
    tensors::layout,
};
use crate::{
    Batch, Block, Layout, Size,
    batch::Left,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// What rounding may change in a comparison with standard deviations, as a part of them.
const ROUNDING: f64 = 1e-9;

/// LASA: in every parameter tensor, the mean of the clipped and sparsified vectors whose norm and whose balance of signs
/// there are near those of most.
///
/// Vectors are scaled down to the median norm (midpoint), and of x_i only the coordinates no shorter than the
/// `sparsity`-quantile of its own lengths (interpolated) are left. Of what is left of x_i in a tensor, n_i is the norm and
/// p_i = (u - v) / (u + v), with u coordinates above 0 and v below; 0 if there are none. It passes if n_i and p_i are nearer
/// to their medians (midpoint) than `lambda_n` and `lambda_s` standard deviations over all m (ddof 0), and all pass in what
/// does not differ. In a tensor where nobody passes all count.
///
/// The tensors are those of the task's model. A convex task has one, which is the whole vector. What lies on a device comes
/// to the host for the quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lasa {
    /// The share of the coordinates of every vector that is left out.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub sparsity: f64,
    /// How many standard deviations a norm may be from the median.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lambda_n: f64,
    /// How many a balance of signs may be.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lambda_s: f64,
}

impl Default for Lasa {
    fn default() -> Self {
        Self { sparsity: 0.3, lambda_n: 1.0, lambda_s: 1.0 }
    }
}

impl Described for Lasa {
    const NAME: &'static str = "lasa";
    const SOURCE: &'static str = "Xu, Zhang & Hu, 2025";
}

impl Rule for Lasa {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::below_one("sparsity", self.sparsity)?;
        ParameterError::positive("lambda_n", self.lambda_n)?;
        ParameterError::positive("lambda_s", self.lambda_s)?;
        Ok(Layer::Base(Box::new(Filter { rule: self.clone(), layout: None })))
    }

    fn condition() -> &'static str {
        "m > 2f; not under `gas`"
    }
}

/// The rule with what it was told.
#[derive(Clone, Debug)]
struct Filter {
    rule: Lasa,
    layout: Option<Layout>,
}

impl Stateful for Filter {}

impl Aggregator for Filter {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Lasa::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let layout = layout(self.layout.as_ref(), batch.d(), Lasa::NAME)?;
        let blocks: Vec<Range<usize>> =
            layout.blocks().iter().map(|Block { range, .. }| range.clone()).collect();
        let norms2 = batch.norms2()?;
        let radius = median(&norms2.iter().map(|norm2| norm2.sqrt()).collect::<Vec<_>>());
        let factors: Vec<f64> = norms2.iter().map(|&norm2| factor(norm2, radius)).collect();
        let rows = batch.to_rows();
        let raw = batch.alike(&rows)?;
        // between the length before and this one lies the quantile, so that the same coordinates are no shorter than either
        let place = self.rule.sparsity * (batch.d() - 1) as f64;
        let least = raw.ranked_lengths(place.ceil() as usize)?;
        let left = raw.raw_left(&blocks, &least);
        let coefficients = |at: usize| {
            let passed = self.rule.passed(&left.iter().map(|row| row[at]).collect::<Vec<_>>(), &factors);
            let mean = mean_of(&passed, factors.len());
            mean.iter().zip(&factors).map(|(share, factor)| share * factor).collect()
        };
        let coefficients: Vec<Vec<f64>> = (0..blocks.len()).map(coefficients).collect();
        Ok(Aggregate::vector(raw.combine_raw_left(&blocks, &least, &coefficients)))
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn needs_layout(&self) -> bool {
        true
    }

    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        self.layout = Some(layout.clone());
        Ok(())
    }
}

impl Lasa {
    /// Which rows count in a tensor where this is left of them, before they are scaled by these factors.
    fn passed(&self, left: &[Left], factors: &[f64]) -> Vec<usize> {
        let lengths = left.iter().zip(factors).map(|(left, factor)| factor * left.norm2.sqrt());
        let by_norm = near(lengths.collect(), self.lambda_n);
        let by_sign = near(left.iter().map(balance).collect(), self.lambda_s);
        let passed: Vec<usize> = (0..left.len()).filter(|&i| by_norm[i] && by_sign[i]).collect();
        if passed.is_empty() { (0..left.len()).collect() } else { passed }
    }
}

/// The excess of positive coordinates over negative ones, as a part of both.
fn balance(left: &Left) -> f64 {
    let (up, down) = (left.up as f64, left.down as f64);
    if up + down == 0.0 { 0.0 } else { (up - down) / (up + down) }
}

/// Whether each value is nearer to the median than so many standard deviations; all are if they do not differ.
fn near(mut values: Vec<f64>, lambda: f64) -> Vec<bool> {
    let largest = values.iter().fold(0.0f64, |all, value| all.max(value.abs()));
    if largest > 0.0 {
        values.iter_mut().for_each(|value| *value /= largest); // their squares neither overflow nor vanish
    }
    let (m, centre) = (values.len() as f64, median(&values));
    let mean = values.iter().sum::<f64>() / m;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / m).sqrt();
    let reach = if deviation <= ROUNDING { f64::INFINITY } else { lambda * deviation * (1.0 - ROUNDING) };
    values.iter().map(|value| (value - centre).abs() < reach).collect()
}
