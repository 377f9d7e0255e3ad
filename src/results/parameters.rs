//! The final parameters as safetensors: `x` is the query point; the buffers of
//! the model (running statistics of batch normalisation) have their own names.

use std::io;

use phalanx_robust::{Vector, state::State};

use super::{ResultsError, RunFolder, tensors::Written};

/// The file's name.
pub(crate) const PARAMETERS: &str = "parameters.safetensors";

/// Writes `parameters.safetensors`.
///
/// # Errors
/// [`ResultsError`].
pub fn write_parameters(folder: &RunFolder, x: &Vector, model: &State) -> Result<(), ResultsError> {
    let buffers = model.vectors.iter().map(|(name, vector)| (name.as_str(), Written::new(vector)));
    let tensors: Vec<(&str, Written<'_>)> = std::iter::once(("x", Written::new(x))).chain(buffers).collect();
    let content = safetensors::serialize(tensors, None).map_err(|error| ResultsError {
        path: folder.path().join(PARAMETERS),
        error: io::Error::other(error),
    })?;
    folder.write(PARAMETERS, &content)
}
