//! FoundationFL: copies of the vector that is least extreme, for the rule inside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Layer, PreAggregator, Rule, RuleError, order::ascending};
use crate::{
    Batch, ColumnRule, Map, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// FoundationFL: all vectors, and beside them copies of the one that is farthest from both extremes, for the rule inside,
/// which may be `cwtm` or `cwmed`.
///
/// The extremes are the largest and the smallest value at every coordinate; the copied x_i has the largest
/// min(‖x_i - max‖, ‖x_i - min‖), of equal ones the first. The rule inside meets m + `copies` vectors and is told the same f,
/// as if no Byzantine vector were ever copied. Two that are far off at opposite corners, (1, -1) and (-1, 1) around zeros, are:
/// then the rule inside can be moved anywhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FoundationFl {
    /// How many copies there are; without it, half as many as vectors, ⌊m/2⌋.
    #[schemars(range(min = 1))]
    pub copies: Option<usize>,
}

impl Described for FoundationFl {
    const NAME: &'static str = "foundation-fl";
    const SOURCE: &'static str = "Fang et al., 2025";
}

impl Rule for FoundationFl {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("copies", self.copies.unwrap_or(1))?;
        Ok(Layer::Pre(Box::new(self.clone())))
    }
}

impl Stateful for FoundationFl {}

impl FoundationFl {
    fn copies(&self, m: usize) -> usize {
        self.copies.unwrap_or(m / 2)
    }
}

impl PreAggregator for FoundationFl {
    fn inner_size(&self, size: Size) -> Result<Size, RuleError> {
        RuleError::minority(Self::NAME, size)?;
        Ok(Size::new(size.m.saturating_add(self.copies(size.m)), size.f))
    }

    fn keeps_workers(&self) -> bool {
        false
    }

    fn weights(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Map, RuleError> {
        let m = batch.m();
        let [high, low] = [ColumnRule::Maximum, ColumnRule::Minimum].map(|rule| distances(batch, &rule));
        let nearness: Vec<f64> = high?.iter().zip(low?).map(|(high, low)| -high.min(low)).collect();
        let copied = ascending(&nearness)[0];
        let rows: Vec<usize> = (0..m).chain(vec![copied; self.copies(m)]).collect();
        Ok(Map::picking(&rows, m))
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}

/// The squared distance of every row to what the rule makes of the columns.
fn distances(batch: &Batch<'_>, rule: &ColumnRule) -> Result<Vec<f64>, RuleError> {
    let found = batch.columns(rule, batch.map().is_none())?;
    Ok(found.distances.unwrap_or_else(|| batch.distances(&found.output)))
}
