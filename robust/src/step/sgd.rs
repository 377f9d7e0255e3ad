//! Gradient descent, with or without momentum at the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Domain, Schedule, Step, StepRule, check_rates};
use crate::{
    Vector,
    describe::{Described, ParameterError, sole},
    state::{State, StateError, Stateful},
};

/// Gradient descent: x_{t+1} = Proj( x_t - lr v_t ), where v_t = momentum v_{t-1} + (aggregate + weight_decay x_t) and
/// v_0 = 0. With momentum over local steps it is FedAvgM (Hsu, Qi & Brown, 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// What is kept of the earlier aggregates; 0 for none, and then nothing is remembered.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Whether the step looks ahead: aggregate + weight_decay x_t + momentum v_t in place of v_t; it needs momentum.
    pub nesterov: bool,
    /// Weight decay: so much of x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What the learning rate is multiplied by over the rounds.
    #[serde(deserialize_with = "sole")]
    pub schedule: Schedule,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0, schedule: Schedule::Constant }
    }
}

impl Described for Sgd {
    const NAME: &'static str = "sgd";
    const SOURCE: &'static str = "Robbins & Monro, 1951; momentum: Polyak, 1964";
}

impl StepRule for Sgd {
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        check_rates(self.lr, self.weight_decay, &self.schedule)?;
        ParameterError::below_one("momentum", self.momentum)?;
        let ahead = self.momentum > 0.0 || !self.nesterov;
        ParameterError::unless(ahead, "nesterov", true, "momentum above 0, beyond which it looks ahead")?;
        let velocity = (self.momentum > 0.0).then(|| start.zeros_like());
        Ok(Box::new(Descent { rule: self.clone(), domain, velocity }))
    }
}

#[derive(Clone)]
struct Descent {
    rule: Sgd,
    domain: Domain,
    /// v_{t-1}, if there is momentum.
    velocity: Option<Vector>,
}

impl Stateful for Descent {
    fn state(&self) -> State {
        let vectors = self.velocity.iter().map(|v| ("velocity".to_owned(), v.clone())).collect();
        State { vectors, ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        if let Some(velocity) = &mut self.velocity {
            *velocity = state.vector_like(Sgd::NAME, "velocity", velocity)?.clone();
        }
        Ok(())
    }

    /// The velocity.
    fn holds(&self, _: usize, _: u64) -> u64 {
        u64::from(self.velocity.is_some())
    }
}

impl Step for Descent {
    fn step(&mut self, round: u64, x: &mut Vector, aggregate: &Vector) {
        let Sgd { lr, momentum, nesterov, weight_decay, ref schedule } = self.rule;
        let rate = lr * schedule.factor(round);
        if let Some(velocity) = &mut self.velocity {
            velocity.scale(momentum);
            velocity.axpy(1.0, aggregate);
            if weight_decay != 0.0 {
                velocity.axpy(weight_decay, x);
            }
        }
        match &self.velocity {
            Some(velocity) if !nesterov => x.axpy(-rate, velocity),
            ahead => {
                if weight_decay != 0.0 {
                    x.scale(1.0 - rate * weight_decay);
                }
                x.axpy(-rate, aggregate);
                ahead.iter().for_each(|velocity| x.axpy(-rate * momentum, velocity));
            }
        }
        self.domain.project(x);
    }
}
