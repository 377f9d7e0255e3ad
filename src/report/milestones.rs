//! When a series was at its best, and when its runs reached a target.

use super::{
    curves::{Against, common},
    losses::Losses,
    measure::Measure,
    statistics::Estimate,
    study::{Series, Study},
};
use crate::results::read::RunRecord;

/// The best mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The mean, as in the measure's column.
    pub mean: f64,
    /// The first round with it.
    pub round: u64,
}

impl Best {
    /// Of `series`, over the rounds that all its runs evaluated; none if its runs are not complete.
    pub fn of(study: &Study, series: &Series) -> Option<Self> {
        let runs = complete(study, series);
        let mean = |(round, rows): (u64, Vec<usize>)| {
            let values = runs.iter().zip(rows).map(|(run, row)| study.measure.of(run).map(|all| all[row]));
            let mean = Estimate::of(&values.collect::<Option<Vec<_>>>()?)?.mean;
            Some(Self { mean, round }).filter(|best| !best.mean.is_nan())
        };
        let better = |best: Self, other: Self| {
            let is_better = study.measure.sign() * other.mean > study.measure.sign() * best.mean;
            if is_better { other } else { best }
        };
        common(&runs).filter_map(mean).reduce(better)
    }
}

/// What it takes to reach a target: means over the runs that do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reached {
    /// Rounds up to the first evaluation there.
    pub rounds: Option<Estimate>,
    /// Gradients of all workers up to it.
    pub gradients: Option<Estimate>,
    /// Bytes of vectors sent up to it.
    pub bytes: Option<Estimate>,
    /// How many runs never do.
    pub never: usize,
    /// Of how many.
    pub of: usize,
    /// How many seeds failed beside them.
    pub losses: Losses,
}

impl Reached {
    /// Of `series`, for a `target` as it is shown; nothing of runs that are not complete.
    pub fn of(study: &Study, series: &Series, target: f64) -> Self {
        let runs = complete(study, series);
        let rows: Vec<(&RunRecord, usize)> =
            runs.iter().filter_map(|run| Some((*run, first(study.measure, run, target)?))).collect();
        let mean = |against: Against| {
            let values =
                rows.iter().map(|(run, row)| against.values(run)[*row]).filter(|value| !value.is_nan());
            Estimate::of(&values.collect::<Vec<_>>())
        };
        Self {
            rounds: mean(Against::Rounds),
            gradients: mean(Against::Gradients),
            bytes: mean(Against::Bytes),
            never: runs.len() - rows.len(),
            of: runs.len(),
            losses: series.losses.failures(),
        }
    }

    /// `text`, and behind it in brackets how many never do and how many failed, if any.
    pub fn beside(&self, text: String) -> String {
        let Self { never, of, losses, .. } = self;
        match never {
            0 => losses.beside(text),
            _ if losses.any() => format!("{text} ({never} of {of} never, {} failed)", losses.failed),
            _ => format!("{text} ({never} of {of} never)"),
        }
    }
}

/// The complete runs of `series`.
fn complete<'a>(study: &'a Study, series: &Series) -> Vec<&'a RunRecord> {
    let runs = series.runs.iter().map(|&run| &study.runs[run]);
    runs.filter(|run| run.is_complete()).map(|run| &run.record).collect()
}

/// The first evaluation of `run` at which the measure is `target` or better, which may be read to the last digit.
fn first(measure: Measure, run: &RunRecord, target: f64) -> Option<usize> {
    let beyond = |value: &f64| measure.sign() * (measure.scale() * value - target);
    measure.of(run)?.iter().position(|value| beyond(value) >= -1e-12 * target.abs())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::study::{
            Run,
            tests::{failed, run, study},
        },
        Best, Estimate, Reached,
    };
    use crate::results::Columns;

    /// A run with these accuracies at rounds 0, 10, 20 …, and 3 gradients and 40 bytes a round.
    fn with(seed: u64, accuracies: &[f64]) -> Run {
        let table = |head: &str, rows: String| {
            Columns::parse(Path::new("table.csv"), format!("{head}\n{rows}").as_bytes()).unwrap()
        };
        let evaluations =
            accuracies.iter().enumerate().map(|(at, accuracy)| format!("{},{accuracy}\n", 10 * at));
        let rounds =
            (1..=10 * accuracies.len()).map(|round| format!("{round},{},{}\n", 3 * round, 40 * round));
        let mut run = run(seed, "'mean'", "ipm", "");
        run.record.evaluations = table("round,test_accuracy", evaluations.collect());
        run.record.rounds = table("round,gradients,bytes", rounds.collect());
        run
    }

    #[test]
    fn the_best_mean_is_at_a_round_that_all_seeds_have() {
        let best = |runs| {
            let study = study(runs);
            Best::of(&study, &study.series[0])
        };
        // means 0.1, 0.6, 0.6; the seeds' own best are 0.75 at 10 and 0.7 at 20, and 0.9 at 30 is of one seed
        let runs = vec![with(1, &[0.1, 0.75, 0.5]), with(2, &[0.1, 0.45, 0.7, 0.9])];
        assert_eq!(best(runs), Some(Best { mean: 0.6, round: 10 }));
        assert_eq!(best(vec![failed(with(1, &[0.1, 0.75]))]), None);
    }

    #[test]
    fn a_target_is_reached_at_the_first_evaluation_there() {
        let runs = [&[0.1, 0.57, 0.4][..], &[0.1, 0.5, 0.9], &[0.1, 0.2, 0.3]];
        let runs = runs.into_iter().zip(1..).map(|(accuracies, seed)| with(seed, accuracies));
        let study = study(runs.collect());
        let reached = |target| Reached::of(&study, &study.series[0], target);
        // 100 times 0.57 is a little less than 57
        let some = reached(57.0);
        assert_eq!(some.rounds, Estimate::of(&[10.0, 20.0]));
        assert_eq!(some.gradients, Estimate::of(&[30.0, 60.0]));
        assert_eq!(some.bytes, Estimate::of(&[400.0, 800.0]));
        assert_eq!(some.beside("15".to_owned()), "15 (1 of 3 never)");
        assert_eq!(reached(10.0).beside("0".to_owned()), "0");
        assert_eq!((reached(95.0).rounds, reached(95.0).never), (None, 3));
        assert_eq!((reached(10.0).rounds.unwrap().mean, reached(10.0).never), (0.0, 0));
    }

    /// Of a seed that failed nobody knows whether it would have come there.
    #[test]
    fn who_failed_is_not_among_those_who_never_come_there() {
        let ended = |lost| {
            let runs = [with(1, &[0.1, 0.57]), with(2, &[0.1, 0.2]), failed(with(3, &[0.1, 0.2]))];
            let study = study(runs.into_iter().chain(lost).collect());
            move |target| Reached::of(&study, &study.series[0], target).beside("10".to_owned())
        };
        let (one, two) = (ended(None), ended(Some(failed(with(4, &[0.9])))));
        assert_eq!(
            (one(57.0), two(57.0)),
            ("10 (1 of 2 never, 1 failed)".into(), "10 (1 of 2 never, 2 failed)".into())
        );
        assert_eq!(two(20.0), "10 (2 of 4 failed)");
    }
}
