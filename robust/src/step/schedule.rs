//! How the learning rate changes over the rounds.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::describe::ParameterError;

/// What the learning rate is multiplied by in round t = 1, 2, ….
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 in every round.
    #[default]
    Constant,
    /// decay^k after k of the milestones, which are the last rounds before a decay.
    MultiStep {
        /// Rounds, ascending.
        milestones: Vec<u64>,
        /// The factor of each decay.
        #[serde(default = "tenth")]
        decay: f64,
    },
    /// decay^(t-1) in round t.
    Exponential {
        /// The factor from one round to the next.
        decay: f64,
    },
    /// end + (1 - end) (1 + cos(pi (t-1)/rounds))/2, and `end` after so many rounds (Loshchilov & Hutter, 2017).
    Cosine {
        /// Rounds until `end` is reached.
        rounds: u64,
        /// The factor at the end.
        #[serde(default)]
        end: f64,
    },
    /// 1/(1 + ⌊(t-1)/every⌋)^power, which is 1/t^power if `every` is 1: of theory, 0.5 for convex, 1 for strongly convex.
    Power {
        /// The exponent.
        #[serde(default = "half")]
        power: f64,
        /// Rounds in which it stays the same.
        #[serde(default = "one")]
        every: u64,
    },
}

fn tenth() -> f64 {
    0.1
}

fn half() -> f64 {
    0.5
}

fn ascending(milestones: &[u64]) -> bool {
    milestones.first().is_some_and(|&first| first > 0) && milestones.is_sorted_by(|a, b| a < b)
}

fn one() -> u64 {
    1
}

impl Schedule {
    /// The factor of `round` t, from 1.
    pub fn factor(&self, round: u64) -> f64 {
        let before = round.saturating_sub(1);
        match self {
            Self::Constant => 1.0,
            Self::MultiStep { milestones, decay } => {
                decay.powf(milestones.iter().filter(|&&last| last < round).count() as f64)
            }
            Self::Exponential { decay } => decay.powf(before as f64),
            Self::Cosine { rounds, end } => {
                let part = before as f64 / *rounds as f64;
                end + (1.0 - end) * (1.0 + (PI * part.min(1.0)).cos()) / 2.0
            }
            Self::Power { power, every } => (1.0 + (before / (*every).max(1)) as f64).powf(-power),
        }
    }

    /// Whether nothing changes.
    pub fn is_constant(&self) -> bool {
        *self == Self::Constant
    }

    /// Whether every number can be used.
    ///
    /// # Errors
    /// [`ParameterError`] with the path of the number from the schedule's name on.
    pub fn check(&self) -> Result<(), ParameterError> {
        match self {
            Self::Constant => Ok(()),
            Self::MultiStep { milestones, decay } => {
                let (ascending, given) = (ascending(milestones), format!("{milestones:?}"));
                let needs = "rounds from 1 on, ascending";
                ParameterError::unless(ascending, "multi-step.milestones", given, needs)?;
                ParameterError::fraction("multi-step.decay", *decay)
            }
            Self::Exponential { decay } => ParameterError::fraction("exponential.decay", *decay),
            Self::Cosine { rounds, end } => {
                ParameterError::at_least_one("cosine.rounds", *rounds)?;
                ParameterError::fraction("cosine.end", *end)
            }
            Self::Power { power, every } => {
                ParameterError::at_least_one("power.every", *every)?;
                ParameterError::not_negative("power.power", *power)
            }
        }
    }
}
