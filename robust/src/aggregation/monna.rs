//! The mean of the neighbours of one trusted vector.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{mean_of, smallest},
};
use crate::{
    Batch, Size,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// MoNNA: the mean of the m - f vectors nearest to the one of a trusted worker, that one among them; equal
/// distances go by index.
///
/// The trusted vector must be there and finite in every round: the rule cannot stand under bucketing or where rounds call
/// a part of the workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Monna {
    /// Id of the worker that is trusted.
    pub reference: usize,
}

impl Described for Monna {
    const NAME: &'static str = "monna";
    const SOURCE: &'static str = "Farhadkhani et al., 2023";
}

impl Rule for Monna {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f, and the trusted worker's vector in every round; not under `bucketing`"
    }
}

impl Monna {
    /// There is no vector of the trusted worker.
    fn absent(&self) -> RuleError {
        let error =
            ParameterError::new("reference", self.reference, "a worker whose vector is there and finite");
        RuleError::Parameter { rule: Self::NAME, error }
    }
}

impl Stateful for Monna {}

impl Aggregator for Monna {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        if self.reference >= workers {
            return Err(self.absent());
        }
        if size.m < workers {
            let message = format!(
                "it trusts worker {}, and a round calls {} of {workers} workers",
                self.reference, size.m
            );
            return Err(RuleError::Failed { rule: Self::NAME.into(), message });
        }
        Ok(())
    }

    fn knows_workers(&self) -> bool {
        true
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let gram = batch.gram()?;
        let m = batch.m();
        let trusted = (0..m).find(|&i| context.worker(i) == self.reference).ok_or_else(|| self.absent())?;
        let distance2 = |i: usize| if i == trusted { -1.0 } else { gram.distance2(i, trusted) };
        let distances2: Vec<f64> = (0..m).map(distance2).collect();
        Ok(Aggregate::span(mean_of(&smallest(&distances2, m - context.f), m)))
    }
}
