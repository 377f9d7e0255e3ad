//! A wall around code that may panic: rules, attacks and estimators come from outside too.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs `work`; a panic becomes its message. What `work` has touched may be left in any state, so
/// the caller must not use it again.
///
/// # Errors
/// What the panic said, in one line.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(panic.as_ref()))
}

/// What a panic said, in one line.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "a panic without words",
    };
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::contained;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contained(|| 3), Ok(3));
        assert_eq!(contained(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(contained(|| panic!("number {}", 4)), Err::<(), _>("number 4".to_owned()));
        assert_eq!(contained(|| panic!("two\n  lines")), Err::<(), _>("two, lines".to_owned()));
        assert!(contained(|| std::panic::panic_any(5)).is_err());
    }
}
