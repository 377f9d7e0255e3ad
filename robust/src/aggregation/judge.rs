//! Who tells a rule how good other points are.

use std::fmt::Debug;

use crate::Vector;

/// Tells how good points are, by data of the server's own. Asked in the rule, on any thread of its pool, and by attackers who
/// probe it, at the same time; it answers the same of the same point throughout a round.
pub trait Judge: Debug + Send + Sync {
    /// The mean loss at `point` of the server's batch of the round.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn loss(&self, point: &Vector) -> Result<f64, String>;

    /// The gradient of [`loss`](Self::loss) at `point`, in the form of the point.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn gradient(&self, point: &Vector) -> Result<Vector, String>;
}
