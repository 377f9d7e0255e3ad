//! Somebody to ask for losses, where there is no model.

use crate::{Vector, aggregation::Judge};

/// Half the squared distance to a point: a loss for tests and measurements of rules that ask for one.
#[derive(Clone, Debug)]
pub struct Bowl(
    /// Where the loss is least.
    pub Vector,
);

impl Judge for Bowl {
    fn loss(&self, point: &Vector) -> Result<f64, String> {
        let from = point.minus(&self.0);
        Ok(from.dot(&from) / 2.0)
    }

    fn gradient(&self, point: &Vector) -> Result<Vector, String> {
        Ok(point.minus(&self.0))
    }
}
