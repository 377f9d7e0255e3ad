//! Corrected momentum (STORM), the worker's half of mu2-SGD.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Estimator, EstimatorRule, Gradients, Points};
use crate::{
    Vector, decimals,
    describe::{Described, ParameterError, Preset},
    state::{State, StateError, Stateful},
};

/// Corrected momentum: d_1 = g_1, then d_t = ∇f(x_t; z_t) + (1 - beta_t) (d_{t-1} - ∇f(x_{t-1}; z_t)),
/// two gradients of one batch. Without a fixed `beta`, beta_t = 1/t with the round t, so d_2 has weight 1/2;
/// preset `dahan` rounds it to 3 decimals and keeps it at 0.01 or above.
///
/// d_{t-1} is an estimate at x_{t-1}. A worker that took no part in round t-1 has none, and begins anew: d_t = g_t,
/// and t counts from there. So d_t stays unbiased under partial participation, at the price of its memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storm {
    /// A fixed weight of the new gradient, used as it is; without it, beta_t = 1/t.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub beta: Option<f64>,
    /// The smallest beta_t.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub floor: f64,
    /// Decimals to which 1/t is rounded before the floor is taken; without it, no rounding.
    #[schemars(range(max = 15))]
    pub decimals: Option<u32>,
}

impl Described for Storm {
    const NAME: &'static str = "storm";
    const SOURCE: &'static str = "Cutkosky & Orabona, 2019; Levy, 2023; Dahan & Levy, 2024";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Dahan => Self { beta: None, floor: 0.01, decimals: Some(3) },
            Preset::Paper | Preset::Byzfl => Self::default(),
        }
    }
}

impl EstimatorRule for Storm {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        ParameterError::fraction("beta", self.beta.unwrap_or(1.0))?;
        ParameterError::fraction("floor", self.floor)?;
        decimals::check(self.decimals)?;
        Ok(Box::new(Corrected { rule: self.clone(), last: None, began: 0, round: 0 }))
    }
}

impl Storm {
    /// beta_t, the weight of the new gradient in `round` t of those that the worker has been taking part in.
    pub fn weight(&self, round: u64) -> f64 {
        self.beta.unwrap_or_else(|| decimals::rounded(1.0 / round as f64, self.decimals).max(self.floor))
    }
}

#[derive(Clone)]
struct Corrected {
    rule: Storm,
    /// d of `round`.
    last: Option<Vector>,
    /// The round of its d_1.
    began: u64,
    /// The last round it took part in; 0 before the first.
    round: u64,
}

impl Corrected {
    /// Whether d_{t-1} of this `round` t is there.
    fn goes_on(&self, round: u64) -> bool {
        self.round > 0 && self.round + 1 == round
    }
}

impl Stateful for Corrected {
    fn state(&self) -> State {
        let mut state = State::default();
        state.vectors.extend(self.last.clone().map(|d| ("estimate".to_owned(), d)));
        state.values.insert("began".to_owned(), self.began.into());
        state.values.insert("round".to_owned(), self.round.into());
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        (self.began, self.round) = (state.value(Storm::NAME, "began")?, state.value(Storm::NAME, "round")?);
        self.last = state.vectors.get("estimate").cloned();
        Ok(())
    }

    fn forget(&mut self) -> Result<(), StateError> {
        (self.last, self.began, self.round) = (None, 0, 0);
        Ok(())
    }

    fn holds(&self, workers: usize, _: u64) -> u64 {
        workers as u64
    }
}

impl Estimator for Corrected {
    fn points(&self, round: u64) -> Points {
        if self.goes_on(round) { Points::CurrentAndPrevious } else { Points::Current }
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        let mut estimate = gradients.current;
        let last = self.last.take().filter(|_| self.goes_on(round));
        match (last, gradients.previous) {
            (Some(mut error), Some(previous)) => {
                error.axpy(-1.0, &previous);
                estimate.axpy(1.0 - self.rule.weight(round - self.began + 1), &error);
            }
            _ => self.began = round,
        }
        self.round = round;
        self.last.insert(estimate).clone()
    }
}
