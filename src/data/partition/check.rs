//! What the partitions ask of the number of samples.

use phalanx_robust::describe::ParameterError;

use super::PartitionError;

/// At least one worker, and one sample for each.
///
/// # Errors
/// [`PartitionError::Few`].
pub(super) fn enough(samples: usize, workers: usize) -> Result<(), PartitionError> {
    if workers == 0 || samples < workers {
        return Err(PartitionError::Few { samples, workers });
    }
    Ok(())
}

/// Enough samples for `min_size` of them at each worker.
///
/// # Errors
/// [`ParameterError`].
pub(super) fn min_size(min_size: usize, samples: usize, workers: usize) -> Result<(), ParameterError> {
    let holds = min_size <= samples / workers.max(1);
    ParameterError::unless(holds, "min_size", min_size, "no more than an even share of the training set")
}
