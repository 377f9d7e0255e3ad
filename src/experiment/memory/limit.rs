//! How much memory there is, and what is said of a run that needs more.

use super::need::Need;
use crate::machine;

/// How much memory a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// So much.
    pub bytes: u64,
    /// The rest of the sentence "so much ...".
    pub what: &'static str,
}

impl Limit {
    /// `asked` gigabytes, or if these are 0 what there is: all memory of GPU number `gpu`, or without a GPU what the
    /// machine has available. None if that is not known.
    pub fn find(asked: f64, gpu: Option<usize>) -> Option<Self> {
        if asked > 0.0 {
            return Some(Self { bytes: (asked * 1e9) as u64, what: "are allowed by machine.memory_gb" });
        }
        match gpu {
            Some(number) => Some(Self { bytes: machine::gpu_memory(number)?, what: "are on the GPU" }),
            None => Some(Self { bytes: machine::available_memory()?, what: "are available" }),
        }
    }
}

/// A run for which the memory does not suffice.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the run needs about {}, {} {}: {need}", size(.need.bytes()), size(.limit.bytes), .limit.what)]
pub struct MemoryError {
    need: Need,
    limit: Limit,
}

impl Need {
    /// `Ok` if it fits, or if there is no limit.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn check(self, limit: Option<Limit>) -> Result<(), MemoryError> {
        match limit {
            Some(limit) if self.bytes() > limit.bytes => Err(MemoryError { need: self, limit }),
            _ => Ok(()),
        }
    }
}

/// In gigabytes, and what is small in what shows it.
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        ..100_000 => (1e3, "kB"),
        100_000..100_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    format!("{:.1} {name}", bytes as f64 / unit)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::need::tests::need, Limit};

    pub fn bytes(bytes: u64) -> Option<Limit> {
        Some(Limit { bytes, what: "are enough" })
    }

    #[test]
    fn ten_thousand_workers_of_ten_million_parameters_are_refused() {
        let error = need(10_000, 10_000_000).check(Limit::find(0.0, None)).unwrap_err().to_string();
        assert!(error.contains("1202.7 GB") && error.contains("GB are available"), "{error}");
        assert!(error.contains("10000 workers hold 30008 vectors of 10000000 numbers of 4 bytes"), "{error}");
    }

    #[test]
    fn a_limit_of_ones_own_holds_in_place_of_the_machines() {
        let small = need(17, 1000);
        assert_eq!(small.bytes(), 59 * 4000 + 3 * 17 * 17 * 8);
        assert!(small.check(None).is_ok() && small.check(Limit::find(0.0, None)).is_ok());
        assert!(small.check(bytes(small.bytes())).is_ok() && small.check(bytes(small.bytes() - 1)).is_err());
        for gpu in [None, Some(0)] {
            let error = small.check(Limit::find(1e-6, gpu)).unwrap_err().to_string();
            assert!(error.contains("about 0.2 MB"), "{error}");
            assert!(error.contains("1.0 kB are allowed by machine.memory_gb"), "{error}");
        }
    }
}
