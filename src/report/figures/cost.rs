//! What aggregation costs, and where the time of a round goes.

use std::collections::HashSet;

use phalanx_actors::report::Phases;

use super::{
    super::{
        losses::Losses,
        plot::{Bar, Bars, DrawError},
        statistics::{Estimate, median},
        study::{Run, Series, Study, pick},
    },
    Gallery,
};
use crate::results::rows::timing;

/// As many bars as a picture can hold.
const MOST_BARS: usize = 24;

impl Gallery<'_> {
    /// The time that aggregation takes, and the parts of a round, if there are any times.
    pub(super) fn cost(&mut self) -> Result<(), DrawError> {
        let bars = bars(self.study);
        if bars.iter().all(|bar| bar.parts.iter().sum::<f64>() == 0.0) {
            return Ok(());
        }
        let phases = Bars {
            title: "Where the time of a round goes".to_owned(),
            axis: "median over rounds, mean over runs (ms)".to_owned(),
            parts: Phases::ALL.map(|part| part.name.to_owned()).into(),
            bars: bars.clone(),
        };
        let aggregate = |bar: Bar| {
            let parts = Phases::ALL.iter().zip(bar.parts).filter(|(phase, _)| phase.key == "aggregate");
            Bar { parts: parts.map(|(_, time)| time).collect(), ..bar }
        };
        let aggregation = Bars {
            title: "Aggregation cost".to_owned(),
            axis: "aggregation in a round: median over rounds, mean over runs (ms)".to_owned(),
            parts: vec!["aggregation".to_owned()],
            bars: bars.into_iter().map(aggregate).collect(),
        };
        self.add("cost-aggregation".to_owned(), "Cost", "aggregation", aggregation.draw()?);
        self.add("cost-phases".to_owned(), "Cost", "phases of a round", phases.draw()?);
        Ok(())
    }
}

/// A bar for each name that has complete runs, in the order of the series.
fn bars(study: &Study) -> Vec<Bar> {
    let names = names(study);
    let mut seen = HashSet::new();
    let labels = names.iter().filter(|name| seen.insert(name.as_str()));
    let bar = |label: &String| {
        let those: Vec<&Series> = study
            .series
            .iter()
            .zip(&names)
            .filter(|(_, name)| *name == label)
            .map(|(series, _)| series)
            .collect();
        let runs = those.iter().flat_map(|series| &series.runs).map(|&run| &study.runs[run]);
        let runs: Vec<&Run> = runs.filter(|run| run.is_complete()).collect();
        let parts = Phases::ALL.iter().map(|part| milliseconds(&runs, &timing(part))).collect();
        let note = Losses::over(those).failures().beside(String::new());
        (!runs.is_empty()).then(|| Bar { label: label.clone(), parts, note })
    };
    labels.filter_map(bar).collect()
}

/// What each series is called in pictures of cost: all that differs but the attack; the rule alone if that is too much.
fn names(study: &Study) -> Vec<String> {
    let layout = study.layout.without(&study.factors_below("attack"));
    let but_attack = [layout.columns, layout.rows, layout.colour, layout.split].concat();
    let long = |series: &Series| study.label(&but_attack, &pick(series, &but_attack));
    let rule = |series: &Series| {
        let first = series.runs.first().and_then(|&run| study.runs[run].facts.value("rule"));
        first.unwrap_or_default().to_owned()
    };
    if !but_attack.is_empty() && study.combinations(&but_attack).len() <= MOST_BARS {
        study.series.iter().map(long).collect()
    } else {
        study.series.iter().map(rule).collect()
    }
}

/// The mean over `runs` of the median of a column of their times.
fn milliseconds(runs: &[&Run], column: &str) -> f64 {
    let medians: Vec<f64> =
        runs.iter().filter_map(|run| run.record.timings.get(column).and_then(median)).collect();
    Estimate::of(&medians).map_or(0.0, |estimate| 1000.0 * estimate.mean)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{
        super::study::{
            Run,
            tests::{failed, run, study},
        },
        figures,
        tests::count,
    };
    use crate::results::{Columns, read::RunRecord};

    /// What a run took until it failed is no cost of its rule, and a rule of which there is nothing else has no bar.
    #[test]
    fn only_complete_runs_cost_anything() {
        let timed = |run: Run, seconds: f64| {
            let table = format!("round,aggregate_seconds\n1,{seconds}\n");
            let timings = Columns::parse(Path::new("timings.csv"), table.as_bytes()).unwrap();
            Run { record: RunRecord { timings, ..run.record }, ..run }
        };
        let failed = |rule| failed(timed(run(1, rule, "ipm", ""), 0.009));
        let figures =
            figures(&study(vec![timed(run(1, "'mean'", "ipm", ""), 0.002), failed("'krum'")])).unwrap();
        let texts = ["mean", "2.000", "krum", "9.000"].map(|text| count(&figures, "cost-aggregation", text));
        assert_eq!(texts, [1, 1, 0, 0]);
    }
}
