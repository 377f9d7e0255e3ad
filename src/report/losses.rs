//! How many seeds failed. A mean over those that are left says too much, so
//! that every number of a report that is one says so beside it, in these words.

use super::study::Series;

/// How many of the seeds that came to an end failed. Interrupted runs and repeated ones have no part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Those that failed.
    pub failed: usize,
    /// Those that failed or were completed.
    pub of: usize,
}

impl Losses {
    /// Of all `series` together.
    pub fn over<'a>(series: impl IntoIterator<Item = &'a Series>) -> Self {
        series.into_iter().fold(Self::default(), |sum, Series { losses, .. }| Self {
            failed: sum.failed + losses.failed,
            of: sum.of + losses.of,
        })
    }

    /// Whether a seed failed.
    pub fn any(self) -> bool {
        self.failed > 0
    }

    /// `2 of 3 failed`; nothing if none did.
    pub fn note(self) -> String {
        if self.any() { format!("{} of {} failed", self.failed, self.of) } else { String::new() }
    }

    /// `text`, and behind it in brackets how many failed, if any did.
    pub fn beside(self, text: String) -> String {
        if self.any() { format!("{text} ({})", self.note()) } else { text }
    }
}
