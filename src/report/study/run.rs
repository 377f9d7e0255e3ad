//! One run of a study: what its folder holds, how it ended, the numbers that sum it up.

use super::super::{
    factors::{ABSENT, UNSET},
    facts::Facts,
    measure::{Digest, Measure},
};
use crate::{
    config::Config,
    results::{Status, Summary, read::RunRecord},
};

/// One run of the study.
#[derive(Debug)]
pub struct Run {
    /// What its folder holds.
    pub record: RunRecord,
    /// Its configuration, flat.
    pub facts: Facts,
    /// The numbers that sum it up; none if it is not complete.
    pub digest: Digest,
    /// Hash of its configuration.
    pub hash: String,
}

impl Run {
    /// The run of `record`, by `measure`.
    pub fn new(record: RunRecord, measure: Measure) -> Self {
        let facts = Facts::of(&record.config);
        let run = Self { digest: Digest::default(), hash: record.config.hash(), facts, record };
        // What it had come to before it failed is not where it ended, and is in no mean.
        let digest = if run.is_complete() { Digest::of(&run.record, measure) } else { run.digest };
        Self { digest, ..run }
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.record.config.seed
    }

    /// How it ended; `unfinished` if it has not.
    pub fn status(&self) -> &'static str {
        match &self.record.summary {
            None => "unfinished",
            Some(summary) if summary.status == Status::Completed && !self.is_complete() => {
                "without evaluations"
            }
            Some(summary) => summary.status.name(),
        }
    }

    /// Whether it is completed, and its evaluations are there.
    pub fn is_complete(&self) -> bool {
        let completed = |summary: &Summary| summary.status == Status::Completed;
        self.record.summary.as_ref().is_some_and(completed) && !self.record.evaluations.is_empty()
    }

    /// Whether it is complete, and yet its final value is not a number.
    pub fn is_nan(&self) -> bool {
        self.is_complete() && self.digest.settled.is_none()
    }

    /// What went wrong, if something did.
    pub fn error(&self) -> Option<&str> {
        self.record.summary.as_ref()?.error.as_deref()
    }

    /// Whether it ended by an error.
    pub(super) fn has_failed(&self) -> bool {
        self.record.summary.as_ref().is_some_and(|summary| summary.status == Status::Failed)
    }

    /// The value of `key`; that of absent ones if there is none.
    pub fn value_of(&self, key: &str) -> &str {
        self.facts.value(key).unwrap_or(ABSENT)
    }

    /// The value of `key`, a parameter of `component`.
    pub fn parameter(&self, key: &str, component: &str) -> &str {
        let without = if self.facts.has(component) { UNSET } else { ABSENT };
        self.facts.value(key).unwrap_or(without)
    }

    /// All that a result depends on; what it is called is not, nor whether classes were counted.
    pub(super) fn essence(&self) -> serde_json::Value {
        let mut config = Config { name: String::new(), ..self.record.config.clone() };
        config.evaluation.per_class = false;
        config.essence()
    }
}
