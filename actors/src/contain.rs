//! Walls around code that may panic or never end: rules, attacks, learners
//! and observers come from outside too.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rayon::ThreadPool;
use tokio::{sync::oneshot, time::timeout};

use crate::error::{Part, RunError};

/// Runs `work`; a panic becomes its message. What `work` has touched may be left in any state, so
/// the caller must not use it again.
///
/// # Errors
/// What the panic said, in one line.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(panic.as_ref()))
}

/// Runs `work`, which is code of `part` of a run, in `round`.
///
/// # Errors
/// [`RunError::Died`] if it panics.
pub(crate) fn of_part<T>(round: u64, part: Part, work: impl FnOnce() -> T) -> Result<T, RunError> {
    contained(work).map_err(|message| RunError::Died { round, part, message })
}

/// What a panic said, in one line.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic without words",
    };
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contained(|| 3), Ok(3));
        assert_eq!(contained(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(contained(|| panic!("number {}", 4)), Err::<(), _>("number 4".to_owned()));
        assert_eq!(contained(|| panic!("two\n  lines")), Err::<(), _>("two, lines".to_owned()));
        assert!(contained(|| std::panic::panic_any(5)).is_err());
    }
}
