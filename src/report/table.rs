//! The table of a study: for every series the mean of its final value with a
//! 95 % interval, and its difference to the baseline of its cell, paired by seed.

use super::{
    ReportError,
    losses::Losses,
    milestones::{Best, Reached},
    statistics::Estimate,
    study::{Run, Series, Study, pick},
};

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Values of the factors.
    pub values: Vec<String>,
    /// How its runs ended, if none came to a number; then there is no final value.
    pub ending: Option<&'static str>,
    /// Mean of the last 20 % of the evaluations.
    pub settled: Option<Estimate>,
    /// How many of its seeds failed or came to NaN, and are not in the means.
    pub losses: Losses,
    /// Difference of that to the baseline, over the seeds that both have; none if it is not finite.
    pub difference: Option<Estimate>,
    /// The same of the two together, which are not in the difference.
    pub of_both: Losses,
    /// Whether its interval leaves zero out, and no seed of either failed or came to NaN.
    pub is_sure: bool,
    /// Whether the row is a baseline.
    pub is_baseline: bool,
    /// The best mean over seeds, and its round.
    pub best: Option<Best>,
    /// What it takes to reach the target, if there is one.
    pub reached: Option<Reached>,
    /// The last evaluation.
    pub last: Option<Estimate>,
    /// Mean step between neighbouring evaluations of the last 50 %.
    pub rough: Option<Estimate>,
    /// Rounds in a second.
    pub rounds_per_second: Option<Estimate>,
    /// Median seconds of aggregation in a round.
    pub aggregate_seconds: Option<Estimate>,
    /// The runs that it sums up.
    pub runs: Vec<usize>,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The rows, in the order of the factors.
    pub rows: Vec<Row>,
    /// What differences are taken to; none if there is only one label.
    pub baseline: Option<String>,
    /// What is to be reached, as it is shown; none if nobody asks.
    pub target: Option<f64>,
}

/// The table of `study` with differences to the label `baseline`; without one, to the first label. With a `target`, what
/// it takes to reach that.
///
/// # Errors
/// [`ReportError::Baseline`] if there is no such label.
pub fn table(study: &Study, baseline: Option<&str>, target: Option<f64>) -> Result<Table, ReportError> {
    let compared = study.compared();
    let labels = study.combinations(&compared);
    let name = |levels: &Vec<usize>| study.label(&compared, levels);
    let levels = match baseline {
        None => labels.first(),
        Some(text) => Some(labels.iter().find(|levels| name(levels) == text).ok_or_else(|| {
            ReportError::Baseline { name: text.to_owned(), known: labels.iter().map(name).collect() }
        })?),
    };
    let levels = levels.filter(|_| labels.len() > 1);
    let base = |series: &Series, levels: &Vec<usize>| base_of(study, series, &compared, levels);
    let row = |series: &Series| Row {
        reached: target.map(|target| Reached::of(study, series, target)),
        ..row(study, series, levels.map(|levels| base(series, levels)))
    };
    Ok(Table { rows: study.series.iter().map(row).collect(), baseline: levels.map(name), target })
}

/// The series that differs from `series` in nothing but the factors `which`, which have the values `levels`.
fn base_of<'a>(study: &'a Study, series: &Series, which: &[usize], levels: &[usize]) -> Option<&'a Series> {
    let mut wanted = series.levels.clone();
    for (&factor, &level) in which.iter().zip(levels) {
        wanted[factor] = level;
    }
    study.series.iter().find(|other| other.levels == wanted)
}

fn row(study: &Study, series: &Series, base: Option<Option<&Series>>) -> Row {
    let estimate = |value: fn(&Run) -> Option<f64>| {
        let values: Vec<f64> = series.runs.iter().filter_map(|&run| value(&study.runs[run])).collect();
        Estimate::of(&values)
    };
    let base = base.flatten();
    let is_baseline = base.is_some_and(|base| base.levels == series.levels);
    let every: Vec<usize> = (0..study.factors.len()).collect();
    let value = |(&factor, level): (&usize, usize)| study.factors[factor].values[level].clone();
    let difference = base.filter(|_| !is_baseline).and_then(|base| paired(study, series, base));
    let of_both = Losses::over(base.into_iter().chain([series]));
    Row {
        values: every.iter().zip(pick(series, &every)).map(value).collect(),
        ending: study.ending(series),
        settled: study.settled([series]),
        losses: series.losses,
        is_sure: !of_both.any() && difference.is_some_and(|difference| difference.excludes_zero()),
        of_both,
        difference,
        is_baseline,
        best: Best::of(study, series),
        reached: None,
        last: estimate(|run| run.digest.last),
        rough: estimate(|run| run.digest.rough),
        rounds_per_second: estimate(|run| run.digest.rounds_per_second),
        aggregate_seconds: estimate(|run| run.digest.aggregate_seconds),
        runs: series.runs.clone(),
    }
}

/// The mean difference of final values between runs with the same seed.
fn paired(study: &Study, series: &Series, base: &Series) -> Option<Estimate> {
    let difference = |&run: &usize| {
        let run = &study.runs[run];
        let other =
            base.runs.iter().map(|&other| &study.runs[other]).find(|other| other.seed() == run.seed())?;
        Some(run.digest.settled? - other.digest.settled?)
    };
    Estimate::of(&series.runs.iter().filter_map(difference).collect::<Vec<_>>())?.finite()
}

#[cfg(test)]
mod tests {
    use super::{
        super::study::tests::{ended_at, run, study},
        table,
    };

    /// Nothing can be said of how far it is from what diverged.
    #[test]
    fn there_is_no_difference_to_what_diverged() {
        let ended = |rule, accuracy| [1, 2].map(|seed| ended_at(run(seed, rule, "ipm", ""), accuracy));
        let rows = |other| {
            let runs = ended("'mean'", 0.5).into_iter().chain(ended("'cwmed'", other));
            table(&study(runs.collect()), None, None).unwrap().rows
        };
        let diverged = &rows(f64::INFINITY)[1];
        let settled = diverged.settled.unwrap();
        assert_eq!((settled.mean, settled.half, diverged.difference), (f64::INFINITY, None, None));
        assert_eq!(rows(0.75)[1].difference.unwrap().mean, 0.25);
    }
}
