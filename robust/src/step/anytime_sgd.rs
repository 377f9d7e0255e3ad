//! Anytime averaging, the server's half of mu2-SGD.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Domain, Schedule, Step, StepRule, check_rates};
use crate::{
    Vector, decimals,
    describe::{Described, ParameterError, Preset, sole},
    state::{State, StateError, Stateful},
};

/// Anytime averaging: w_{t+1} = Proj( w_t - lr alpha_t aggregate ), and the query point is the
/// average x_{t+1} = (1 - gamma) x_t + gamma w_{t+1}. With alpha_t = t, gamma = alpha_{t+1} /
/// (alpha_1 + … + alpha_{t+1}) = 2/(t+2). Preset `dahan`: a constant step, and gamma = 2/(t+1) rounded
/// to 3 decimals and kept at 0.01 or above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnytimeSgd {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Whether the step is multiplied by alpha_t = t; without, the step is constant.
    pub weighted: bool,
    /// A fixed weight of the new iterate in the average, used as it is; without it, from alpha_t = t.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: Option<f64>,
    /// Whether the average lags by one round, gamma = 2/(t+1), so that x_2 = w_2.
    pub lagged: bool,
    /// The smallest gamma.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub floor: f64,
    /// Decimals to which gamma is rounded before the floor is taken; without it, no rounding.
    #[schemars(range(max = 15))]
    pub decimals: Option<u32>,
    /// Weight decay: so much of the query point x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What the learning rate is multiplied by over the rounds, beside alpha_t.
    #[serde(deserialize_with = "sole")]
    pub schedule: Schedule,
}

impl Default for AnytimeSgd {
    fn default() -> Self {
        Self {
            lr: 0.1,
            weighted: true,
            gamma: None,
            lagged: false,
            floor: 0.0,
            decimals: None,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
        }
    }
}

impl Described for AnytimeSgd {
    const NAME: &'static str = "anytime-sgd";
    const SOURCE: &'static str = "Cutkosky, 2019; Levy, 2023; Dahan & Levy, 2024";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => {
                Self { weighted: false, lagged: true, floor: 0.01, decimals: Some(3), ..Self::default() }
            }
            Preset::Paper | Preset::Byzfl => Self::default(),
        }
    }
}

impl StepRule for AnytimeSgd {
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        check_rates(self.lr, self.weight_decay, &self.schedule)?;
        ParameterError::fraction("gamma", self.gamma.unwrap_or(1.0))?;
        ParameterError::fraction("floor", self.floor)?;
        decimals::check(self.decimals)?;
        Ok(Box::new(Anytime { rule: self.clone(), domain, w: start.clone() }))
    }
}

impl AnytimeSgd {
    /// The weight of w_{t+1} in x_{t+1}, for `round` t.
    pub fn average_weight(&self, round: u64) -> f64 {
        let t = round as f64;
        let ours = if self.lagged { 2.0 / (t + 1.0) } else { 2.0 / (t + 2.0) };
        self.gamma.unwrap_or_else(|| decimals::rounded(ours, self.decimals).max(self.floor))
    }
}

#[derive(Clone)]
struct Anytime {
    rule: AnytimeSgd,
    domain: Domain,
    w: Vector,
}

impl Stateful for Anytime {
    fn state(&self) -> State {
        State { vectors: [("w".to_owned(), self.w.clone())].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.w = state.vector_like(AnytimeSgd::NAME, "w", &self.w)?.clone();
        Ok(())
    }

    /// The iterate.
    fn holds(&self, _: usize, _: u64) -> u64 {
        1
    }
}

impl Step for Anytime {
    fn step(&mut self, round: u64, x: &mut Vector, aggregate: &Vector) {
        let alpha = if self.rule.weighted { round as f64 } else { 1.0 };
        let rate = self.rule.lr * alpha * self.rule.schedule.factor(round);
        self.w.axpy(-rate, aggregate);
        if self.rule.weight_decay != 0.0 {
            self.w.axpy(-rate * self.rule.weight_decay, x);
        }
        self.domain.project(&mut self.w);
        x.lerp(self.rule.average_weight(round), &self.w);
    }
}
