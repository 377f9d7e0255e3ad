//! What a rule finds.

use super::RuleError;
use crate::{Batch, Columns, Vector};

/// What a base or meta rule found: the output, or how to make it.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// The result.
    pub output: Output,
    /// ‖x_i - output‖² of every *raw* row of the batch, if the rule has it at hand.
    pub distances: Option<Vec<f64>>,
}

/// The result of a rule.
#[derive(Clone, Debug)]
pub enum Output {
    /// Coefficients over the rows of the batch that the rule was given; the vector is not made yet.
    Span(Vec<f64>),
    /// The vector.
    Vector(Vector),
}

impl Aggregate {
    /// The combination Σ c_i x_i of the batch's rows.
    pub fn span(coefficients: Vec<f64>) -> Self {
        Self { output: Output::Span(coefficients), distances: None }
    }

    /// A vector that is no combination known to the rule.
    pub fn vector(output: Vector) -> Self {
        Self { output: Output::Vector(output), distances: None }
    }

    /// This, if it fits the batch that the rule was given: rules from outside may count wrongly.
    pub(super) fn checked(self, batch: &Batch<'_>) -> Result<Self, RuleError> {
        let row = &batch.raw()[0];
        match &self.output {
            Output::Span(coefficients) => check_number("coefficient", coefficients, batch.m())?,
            Output::Vector(output) if !output.is_like(row) => {
                return Err(RuleError::Unlike { found: output.kind(), expected: row.kind() });
            }
            Output::Vector(_) => {}
        }
        if let Some(distances) = &self.distances {
            check_number("distance", distances, batch.raw().len())?;
        }
        Ok(self)
    }
}

fn check_number(what: &'static str, numbers: &[f64], expected: usize) -> Result<(), RuleError> {
    let found = numbers.len();
    if found == expected { Ok(()) } else { Err(RuleError::Miscounted { what, found, expected }) }
}

impl From<Columns> for Aggregate {
    fn from(columns: Columns) -> Self {
        Self { output: Output::Vector(columns.output), distances: columns.distances }
    }
}
