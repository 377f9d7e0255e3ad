//! Worker momentum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Estimator, EstimatorRule, Gradients, Points};
use crate::{
    Vector,
    describe::{Described, ParameterError, Preset},
    state::{State, StateError, Stateful},
};

/// What m_1 is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The first gradient as it is: m_1 = g_1.
    #[default]
    Gradient,
    /// The recursion from m_0 = 0: m_1 = (1 - beta) g_1.
    Damped,
}

/// Worker momentum: m_1 = g_1, then m_t = beta m_{t-1} + (1 - beta) g_t; no bias correction. ByzFL begins at m_0 = 0
/// (preset `byzfl`). El-Mhamdi et al. do not damp, m_t = beta m_{t-1} + g_t: their learning rate is 1 - beta times that
/// of the same run here.
///
/// Under partial participation t counts the rounds that the worker took part in: in the others m stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Momentum {
    /// Weight of the past, beta.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta: f64,
    /// How it begins.
    pub first: First,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { beta: 0.9, first: First::Gradient }
    }
}

impl Described for Momentum {
    const NAME: &'static str = "momentum";
    const SOURCE: &'static str = "Karimireddy et al., 2021; El-Mhamdi et al., 2021";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper | Preset::Dahan => Self::default(),
            Preset::Byzfl => Self { first: First::Damped, ..Self::default() },
        }
    }
}

impl EstimatorRule for Momentum {
    fn build(&self) -> Result<Box<dyn Estimator>, ParameterError> {
        ParameterError::below_one("beta", self.beta)?;
        Ok(Box::new(Moving { rule: self.clone(), mean: None }))
    }
}

#[derive(Clone)]
struct Moving {
    rule: Momentum,
    mean: Option<Vector>,
}

impl Stateful for Moving {
    fn state(&self) -> State {
        let mut state = State::default();
        state.vectors.extend(self.mean.clone().map(|m| ("mean".to_owned(), m)));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.mean = state.vectors.get("mean").cloned();
        Ok(())
    }

    fn holds(&self, workers: usize, _: u64) -> u64 {
        workers as u64
    }
}

impl Estimator for Moving {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
        let Momentum { beta, first } = self.rule;
        let mean = match (self.mean.take(), first) {
            (None, First::Gradient) => gradients.current,
            (None, First::Damped) => gradients.current.scaled(1.0 - beta),
            (Some(mut mean), _) => {
                mean.lerp(1.0 - beta, &gradients.current);
                mean
            }
        };
        self.mean.insert(mean).clone()
    }
}
