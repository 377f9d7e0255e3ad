//! Whether an attack can do in a run what it is told.

/// What a run has for an attack, at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The number of honest workers; their ids are the lowest.
    pub honest: usize,
    /// Number of coordinates of a vector.
    pub d: usize,
    /// Number of classes of the task; 0 without labels.
    pub classes: i64,
}

/// An attack that can do nothing in a run, or not what it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Misfit {
    /// Name of the attack, followed by the parameter that is beyond what there is, as in TOML.
    pub path: String,
    /// Why.
    pub message: String,
}
