//! Weights of workers, as a parameter.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use super::{Context, RuleError};
use crate::describe::ParameterError;

/// What stands for [`Weights::Samples`].
const SAMPLES: &str = "samples";

/// How much each worker counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// A number for each, by id; none at all stands for equal ones.
    Given(Vec<f64>),
    /// How many training samples it holds, which whoever plans a run tells.
    Samples,
}

impl Default for Weights {
    fn default() -> Self {
        Self::Given(Vec::new())
    }
}

impl From<Vec<f64>> for Weights {
    fn from(weights: Vec<f64>) -> Self {
        Self::Given(weights)
    }
}

impl Weights {
    /// That these can be used, in any number.
    pub(super) fn check_values(&self) -> Result<(), ParameterError> {
        let Self::Given(weights) = self else { return Ok(()) };
        weights.iter().try_for_each(|&w| ParameterError::positive("weights", w))?;
        let total: f64 = weights.iter().sum();
        ParameterError::unless(
            (2.0 * total).is_finite(),
            "weights",
            total,
            "weights of which twice the sum is finite",
        )
    }

    /// That there is one for each of the workers.
    pub(super) fn check_number(&self, workers: usize, rule: &'static str) -> Result<(), RuleError> {
        let Self::Given(weights) = self else { return Ok(()) };
        let enough = weights.is_empty() || weights.len() >= workers;
        ParameterError::unless(enough, "weights", weights.len(), "one weight for each worker")
            .map_err(|error| RuleError::Parameter { rule, error })
    }

    /// Whether they may differ between workers.
    pub(super) fn differ(&self) -> bool {
        *self != Self::default()
    }

    /// Puts the numbers of samples that workers hold, by id, in their place if they are these. None: nobody can say.
    pub(super) fn count(&mut self, held: Option<&[usize]>, rule: &'static str) -> Result<(), RuleError> {
        if *self == Self::Samples {
            let held = held.ok_or_else(|| uncounted(rule))?;
            *self = Self::Given(held.iter().map(|&samples| samples as f64).collect());
        }
        Ok(())
    }

    /// The weight of each of m rows by the worker that sent it.
    pub(super) fn of_rows(
        &self,
        m: usize,
        context: &Context,
        rule: &'static str,
    ) -> Result<Vec<f64>, RuleError> {
        let Self::Given(weights) = self else { return Err(uncounted(rule)) };
        if weights.is_empty() {
            return Ok(vec![1.0; m]);
        }
        let of = |i: usize| {
            weights.get(context.worker(i)).copied().ok_or_else(|| {
                let error = ParameterError::new("weights", weights.len(), "one weight for each worker");
                RuleError::Parameter { rule, error }
            })
        };
        (0..m).map(of).collect()
    }
}

fn uncounted(rule: &'static str) -> RuleError {
    let needs = "workers that hold shards of a data set are needed, or a list of numbers";
    RuleError::Parameter { rule, error: ParameterError::new("weights", SAMPLES, needs) }
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(weights) => weights.serialize(serializer),
            Self::Samples => serializer.serialize_str(SAMPLES),
        }
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// A list or the word.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Weights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of numbers, or `{SAMPLES}`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, all: A) -> Result<Weights, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(all)).map(Weights::Given)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Weights, E> {
        if word == SAMPLES { Ok(Weights::Samples) } else { Err(E::unknown_variant(word, &[SAMPLES])) }
    }
}

impl JsonSchema for Weights {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Weights".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "array", "items": { "type": "number" } }, { "const": SAMPLES }] })
    }
}
