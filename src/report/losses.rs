//! How many seeds failed or came to NaN. A mean over those that are left says
//! too much, so that every number of a report that is one says so beside it, in these words.

use super::study::Series;

/// How many of the seeds that came to an end have no number. Interrupted runs and repeated ones have no part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Those that failed.
    pub failed: usize,
    /// Those that were completed, with a value that is not a number.
    pub nan: usize,
    /// Those that failed or were completed.
    pub of: usize,
}

impl Losses {
    /// Of all `series` together.
    pub fn over<'a>(series: impl IntoIterator<Item = &'a Series>) -> Self {
        series.into_iter().fold(Self::default(), |sum, Series { losses, .. }| Self {
            failed: sum.failed + losses.failed,
            nan: sum.nan + losses.nan,
            of: sum.of + losses.of,
        })
    }

    /// The same of a mean over `n` values, which those that failed are not among: who was completed and is not either has
    /// none.
    pub fn among(self, n: usize) -> Self {
        Self { nan: (self.of - self.failed).saturating_sub(n), ..self }
    }

    /// The same of what all that were completed have.
    pub fn failures(self) -> Self {
        Self { nan: 0, ..self }
    }

    /// Whether a seed has no number.
    pub fn any(self) -> bool {
        self.failed + self.nan > 0
    }

    /// `2 of 3 failed`, `1 of 3 NaN` or both; nothing if none did.
    pub fn note(self) -> String {
        let Self { failed, nan, of } = self;
        match (failed, nan) {
            (0, 0) => String::new(),
            (failed, 0) => format!("{failed} of {of} failed"),
            (0, nan) => format!("{nan} of {of} NaN"),
            (failed, nan) => format!("{failed} of {of} failed, {nan} NaN"),
        }
    }

    /// `text`, and behind it in brackets how many have no number, if any.
    pub fn beside(self, text: String) -> String {
        if self.any() { format!("{text} ({})", self.note()) } else { text }
    }
}
