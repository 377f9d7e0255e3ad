//! Walls around code that may panic or never end: rules, attacks, learners
//! and observers come from outside too.

use std::time::Duration;

use phalanx_robust::contained;
use rayon::ThreadPool;
use tokio::{sync::oneshot, time::timeout};

use crate::error::{Part, RunError};

/// Runs `work`, which is code of `part` of a run, in `round`.
///
/// # Errors
/// [`RunError::Died`] if it panics.
pub(crate) fn of_part<T>(round: u64, part: Part, work: impl FnOnce() -> T) -> Result<T, RunError> {
    contained(work).map_err(|message| RunError::Died { round, part, message })
}

/// Work that gave no result.
pub(crate) enum Trouble {
    /// It did not end in time; its thread is lost.
    Stuck,
    /// It panicked, with this message.
    Panicked(String),
}

/// Runs `work` in the pool, so that the caller's thread stays free to notice that it does not end.
pub(crate) async fn computed<T: Send + 'static>(
    pool: &ThreadPool,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    let (sender, receiver) = oneshot::channel();
    pool.spawn(move || {
        // The receiver is gone if the limit has passed; then nobody wants the result.
        let _ = sender.send(contained(work));
    });
    match timeout(limit, receiver).await {
        Ok(Ok(result)) => result.map_err(Trouble::Panicked),
        Ok(Err(_)) => Err(Trouble::Panicked("its thread ended".to_owned())),
        Err(_) => Err(Trouble::Stuck),
    }
}
