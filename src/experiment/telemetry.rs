//! What the metrics of a run are labelled with, and what they say before its first round.

use super::{Plan, PlanError};
use crate::{
    config::Named,
    results::RunFolder,
    telemetry::{Door, RunFacts, RunMetrics, RunState, Telemetry, names::RUN_LABELS},
};

/// How many of the labels name the run at a Pushgateway: experiment and run.
const GROUPED: usize = 2;

impl Plan {
    /// Shows metrics, labelled as those of this run, of which the process goes on after round `completed`.
    pub(super) fn telemetry(
        &self,
        door: Door,
        folder: &RunFolder,
        completed: u64,
    ) -> Result<(Telemetry, (RunMetrics, RunState)), PlanError> {
        let run = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let c = &self.config;
        let rule = list(c.aggregator.rule.iter());
        let attack = list(c.adversaries());
        let values = [c.name.clone(), run, c.seed.to_string(), rule, attack];
        let labels: Vec<_> = RUN_LABELS.into_iter().zip(values).collect();
        let facts = self.facts(completed);
        let series = |meter: &_| (RunMetrics::new(meter, &facts), RunState::begin(meter));
        let (telemetry, series) = door.open(&labels, GROUPED, series)?;
        if let Some(url) = telemetry.url() {
            say!("metrics at {url}");
        }
        Ok((telemetry, series))
    }

    /// What the metrics say before the first round of this process, which goes on after round `completed`.
    fn facts(&self, completed: u64) -> RunFacts {
        let workers = self.groups.iter().map(|group| group.ids.len()).sum();
        let honest: usize = self.groups.iter().filter(|g| g.is_honest()).map(|group| group.ids.len()).sum();
        RunFacts {
            rounds: self.config.rounds,
            completed,
            workers,
            attackers: workers - honest,
            classes: usize::try_from(self.workload.classes).unwrap_or(0),
            threads: self.threads(),
            torch: crate::learner::torch_version().map(Into::into),
            worker_series: self.config.telemetry.worker_series,
        }
    }
}

/// The names in a line; `none` if there are none.
fn list<'a>(components: impl Iterator<Item = &'a Named>) -> String {
    let names: Vec<&str> = components.map(|named| named.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}
