//! Zeno: the vectors whose steps lower the server's own loss most.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError, beside,
    order::{mean_of, smallest},
};
use crate::{
    Batch, Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Zeno: the mean of the m - b vectors of the highest scores f(w) - f(w - gamma x_i) - rho ‖x_i‖², where f is the loss on a batch
/// of the server's own, and w its point; equal scores go by index.
///
/// A vector after whose step the loss is not a number has the lowest score. f(w) is the same for all, and is not computed.
/// The server computes m losses a round, each at one point; attackers who probe the rule compute as many for every probe, on
/// the same batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Zeno {
    /// Length of the steps that are tried, in vectors; the paper takes the learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gamma: f64,
    /// What a unit of squared norm takes off the score.
    #[schemars(range(min = 0.0))]
    pub rho: f64,
    /// How many vectors are left out, b in the paper; by default f.
    pub trimmed: Option<usize>,
}

impl Default for Zeno {
    fn default() -> Self {
        Self { gamma: 0.1, rho: 0.0005, trimmed: None }
    }
}

impl Described for Zeno {
    const NAME: &'static str = "zeno";
    const SOURCE: &'static str = "Xie, Koyejo & Gupta, 2019";
}

impl Rule for Zeno {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::positive("gamma", self.gamma)?;
        ParameterError::not_negative("rho", self.rho)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > b, and data of the server's own, which only a run has; not under `gas`"
    }
}

impl Stateful for Zeno {}

impl Zeno {
    fn trimmed(&self, f: usize) -> usize {
        self.trimmed.unwrap_or(f)
    }
}

impl Aggregator for Zeno {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > self.trimmed(size.f), Self::NAME, "m > b", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let judge = context.judge.as_ref().ok_or(RuleError::NoJudge { rule: Self::NAME })?;
        let point = context.point.as_ref().ok_or(RuleError::NoPoint { rule: Self::NAME })?;
        beside::check(batch, point, Self::NAME)?;
        let norms2 = batch.norms2()?;
        let after = |row: &Vector| {
            let mut there = point.clone();
            there.axpy(-self.gamma, row);
            judge.loss(&there)
        };
        let rows = batch.to_rows();
        let losses: Vec<Result<f64, String>> = match point.is_on_host() {
            true => rows.par_iter().map(after).collect(),
            false => rows.iter().map(after).collect(), // one batch fills a device
        };
        let losses = losses.into_iter().collect::<Result<Vec<f64>, String>>();
        let losses = losses.map_err(|message| RuleError::Failed { rule: Self::NAME.to_owned(), message })?;
        let costs: Vec<f64> =
            losses.iter().zip(norms2).map(|(loss, norm2)| loss + self.rho * norm2).collect();
        let kept = smallest(&costs, batch.m() - self.trimmed(context.f));
        Ok(Aggregate::span(mean_of(&kept, batch.m())))
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn needs_judge(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }
}
