//! Gradient descent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Domain, Step, StepRule, check_rates};
use crate::{
    Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Gradient descent: x_{t+1} = Proj( x_t - lr (aggregate + weight_decay x_t) ).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Weight decay: so much of x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.1, weight_decay: 0.0 }
    }
}

impl Described for Sgd {
    const NAME: &'static str = "sgd";
    const SOURCE: &'static str = "Robbins & Monro, 1951";
}

impl StepRule for Sgd {
    fn build(&self, _: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        check_rates(self.lr, self.weight_decay)?;
        Ok(Box::new(Descent { rule: self.clone(), domain }))
    }
}

#[derive(Clone)]
struct Descent {
    rule: Sgd,
    domain: Domain,
}

impl Stateful for Descent {}

impl Step for Descent {
    fn step(&mut self, _: u64, x: &mut Vector, aggregate: &Vector) {
        if self.rule.weight_decay != 0.0 {
            x.scale(1.0 - self.rule.lr * self.rule.weight_decay);
        }
        x.axpy(-self.rule.lr, aggregate);
        self.domain.project(x);
    }
}
