//! Adaptive steps, FedOpt: moments of the aggregates give every coordinate a rate of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Domain, Schedule, Step, StepRule, check_rates};
use crate::{
    Vector,
    describe::{Described, ParameterError, sole},
    state::{State, StateError, Stateful},
};

const SOURCE: &str = "Reddi et al., 2021";

/// FedAdam: x_{t+1} = Proj( x_t - lr m_t / (√v_t + tau) ), m_t = beta1 m_{t-1} + (1 - beta1) g_t and
/// v_t = beta2 v_{t-1} + (1 - beta2) g_t², coordinate by coordinate, with g_t = aggregate + weight_decay x_t. It starts
/// from m_0 = 0 and v_0 = tau².
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// What the first moment keeps of the earlier ones.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// What the second moment keeps of the earlier ones.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Adaptivity: the smaller, the more the rates differ.
    #[schemars(range(min = 1e-30))]
    pub tau: f64,
    /// Whether the moments are divided by 1 - beta^t and start from v_0 = 0, as in Adam (Kingma & Ba, 2015).
    pub bias_correction: bool,
    /// Weight decay: so much of x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What the learning rate is multiplied by over the rounds.
    #[serde(deserialize_with = "sole")]
    pub schedule: Schedule,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            lr: 0.01,
            beta1: 0.9,
            beta2: 0.99,
            tau: 1e-3,
            bias_correction: false,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
        }
    }
}

impl Described for Adam {
    const NAME: &'static str = "adam";
    const SOURCE: &'static str = SOURCE;
}

/// FedYogi: `adam` with v_t = v_{t-1} - (1 - beta2) g_t² sign(v_{t-1} - g_t²), which lets v shrink slowly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Yogi {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// What the first moment keeps of the earlier ones.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// What the second moment keeps at most when it shrinks.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Adaptivity: the smaller, the more the rates differ.
    #[schemars(range(min = 1e-30))]
    pub tau: f64,
    /// Weight decay: so much of x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What the learning rate is multiplied by over the rounds.
    #[serde(deserialize_with = "sole")]
    pub schedule: Schedule,
}

impl Default for Yogi {
    fn default() -> Self {
        let Adam { lr, beta1, beta2, tau, weight_decay, schedule, .. } = Adam::default();
        Self { lr, beta1, beta2, tau, weight_decay, schedule }
    }
}

impl Described for Yogi {
    const NAME: &'static str = "yogi";
    const SOURCE: &'static str = SOURCE;
}

/// FedAdagrad: `adam` with v_t = v_{t-1} + g_t², which never shrinks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// Learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// What the first moment keeps of the earlier ones; 0 in the paper's experiments.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Adaptivity: the smaller, the more the rates differ.
    #[schemars(range(min = 1e-30))]
    pub tau: f64,
    /// Weight decay: so much of x_t is added to the aggregate.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// What the learning rate is multiplied by over the rounds.
    #[serde(deserialize_with = "sole")]
    pub schedule: Schedule,
}

impl Default for Adagrad {
    fn default() -> Self {
        let Adam { lr, tau, weight_decay, schedule, .. } = Adam::default();
        Self { lr, beta1: 0.0, tau, weight_decay, schedule }
    }
}

impl Described for Adagrad {
    const NAME: &'static str = "adagrad";
    const SOURCE: &'static str = SOURCE;
}

impl StepRule for Adam {
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        ParameterError::below_one("beta2", self.beta2)?;
        Moments { name: Self::NAME, second: Second::Average, adam: self.clone() }.build(start, domain)
    }
}

impl StepRule for Yogi {
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        ParameterError::below_one("beta2", self.beta2)?;
        let Self { lr, beta1, beta2, tau, weight_decay, schedule } = self.clone();
        let adam = Adam { lr, beta1, beta2, tau, weight_decay, schedule, bias_correction: false };
        Moments { name: Self::NAME, second: Second::Sign, adam }.build(start, domain)
    }
}

impl StepRule for Adagrad {
    fn build(&self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        let Self { lr, beta1, tau, weight_decay, schedule } = self.clone();
        let adam = Adam { lr, beta1, beta2: 0.0, tau, weight_decay, schedule, bias_correction: false };
        Moments { name: Self::NAME, second: Second::Sum, adam }.build(start, domain)
    }
}

/// What becomes of the second moment.
#[derive(Clone, Copy)]
enum Second {
    Average,
    Sign,
    Sum,
}

/// All three as configured.
#[derive(Clone)]
struct Moments {
    name: &'static str,
    second: Second,
    adam: Adam,
}

impl Moments {
    fn build(self, start: &Vector, domain: Domain) -> Result<Box<dyn Step>, ParameterError> {
        let Adam { lr, beta1, tau, bias_correction, weight_decay, ref schedule, .. } = self.adam;
        check_rates(lr, weight_decay, schedule)?;
        ParameterError::below_one("beta1", beta1)?;
        // Far below it f32 has no number but 0.
        ParameterError::unless(tau.is_finite() && tau >= 1e-30, "tau", tau, "a number of at least 1e-30")?;
        let first = start.zeros_like();
        let initial = if bias_correction { 0.0 } else { tau * tau };
        let second = start.like(&vec![initial; start.len()]);
        Ok(Box::new(Adaptive { rule: self, domain, first, second, steps: 0 }))
    }
}

#[derive(Clone)]
struct Adaptive {
    rule: Moments,
    domain: Domain,
    first: Vector,
    second: Vector,
    /// How many were made: rounds may be skipped.
    steps: u32,
}

impl Stateful for Adaptive {
    fn state(&self) -> State {
        let vectors = [("first", &self.first), ("second", &self.second)];
        State {
            vectors: vectors.map(|(name, v)| (name.to_owned(), v.clone())).into(),
            values: [("steps".to_owned(), self.steps.into())].into(),
        }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let name = self.rule.name;
        let first = state.vector_like(name, "first", &self.first)?.clone();
        let second = state.vector_like(name, "second", &self.second)?.clone();
        self.steps = state.value(name, "steps")?;
        (self.first, self.second) = (first, second);
        Ok(())
    }

    /// The moments.
    fn holds(&self, _: usize, _: u64) -> u64 {
        2
    }
}

impl Adaptive {
    fn remember(&mut self, g: &Vector) {
        let Adam { beta1, beta2, .. } = self.rule.adam;
        self.first.lerp(1.0 - beta1, g);
        let squares = g.times_each(g);
        match self.rule.second {
            Second::Average => self.second.lerp(1.0 - beta2, &squares),
            Second::Sum => self.second.axpy(1.0, &squares),
            Second::Sign => {
                let signs = self.second.minus(&squares).signum();
                self.second.axpy(beta2 - 1.0, &signs.times_each(&squares));
            }
        }
        self.steps = self.steps.saturating_add(1);
    }

    /// The divisors 1 - beta^t of the first and the second moment.
    fn corrections(&self) -> [f64; 2] {
        let Adam { beta1, beta2, bias_correction, .. } = self.rule.adam;
        [beta1, beta2].map(|beta| if bias_correction { 1.0 - beta.powf(f64::from(self.steps)) } else { 1.0 })
    }
}

impl Step for Adaptive {
    fn step(&mut self, round: u64, x: &mut Vector, aggregate: &Vector) {
        let Adam { lr, tau, weight_decay, ref schedule, .. } = self.rule.adam;
        let rate = lr * schedule.factor(round);
        let mut g = aggregate.clone();
        if weight_decay != 0.0 {
            g.axpy(weight_decay, x);
        }
        self.remember(&g);
        let [first, second] = self.corrections();
        let direction = self.first.over_root(&self.second, tau * second.sqrt());
        x.axpy(-rate * second.sqrt() / first, &direction);
        self.domain.project(x);
    }
}
