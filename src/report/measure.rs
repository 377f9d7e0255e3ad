//! What a run is judged by, and the numbers that sum it up: `final` is the
//! mean of the last fifth of the evaluations, `rough` the mean step between
//! neighbours over their last half.

use super::ReportError;
use crate::results::read::RunRecord;

/// A column of the evaluations that runs are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Name of the column.
    pub column: &'static str,
    /// What it is called on an axis.
    pub title: &'static str,
    /// Unit; a percentage is a fraction in the column.
    pub unit: &'static str,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// Test accuracy, a fraction shown in per cent.
pub const ACCURACY: Measure =
    Measure { column: "test_accuracy", title: "test accuracy", unit: "%", higher_is_better: true };
/// The accuracy of convex tasks, in the column of the test accuracy: on the samples that their workers train on.
pub const TRAINING: Measure = Measure { title: "training accuracy", ..ACCURACY };
/// The same column of tasks of both kinds.
const EITHER: Measure = Measure { title: "accuracy", ..ACCURACY };
/// Mean loss on the test set.
pub const LOSS: Measure =
    Measure { column: "test_loss", title: "test loss", unit: "", higher_is_better: false };
/// The value of the objective of a convex task, in the column of the test loss.
pub const OBJECTIVE: Measure = Measure { title: "objective f(x)", ..LOSS };
/// Distance to the optimum of a convex task.
pub const GAP: Measure =
    Measure { column: "gap", title: "f(x) − f(x*)", unit: "", higher_is_better: false };
/// Accuracy on samples held out of the training set.
pub const VALIDATION: Measure = Measure {
    column: "validation_accuracy",
    title: "validation accuracy",
    unit: "%",
    higher_is_better: true,
};

/// Mean recall of the classes, where they are counted.
pub const BALANCED: Measure =
    Measure { column: "balanced_accuracy", title: "balanced accuracy", unit: "%", higher_is_better: true };
/// Mean F1 of the classes, where they are counted.
pub const MACRO_F1: Measure =
    Measure { column: "macro_f1", title: "macro F1", unit: "%", higher_is_better: true };
/// How often attacks on labels come to what they want, where classes are counted.
pub const ATTACK_SUCCESS: Measure =
    Measure { column: "attack_success", title: "attack success", unit: "%", higher_is_better: false };

impl Measure {
    /// From the column's number to the one that is shown.
    pub fn scale(&self) -> f64 {
        if self.unit == "%" { 100.0 } else { 1.0 }
    }

    /// 1 if more is better, -1 otherwise.
    pub fn sign(&self) -> f64 {
        if self.higher_is_better { 1.0 } else { -1.0 }
    }

    /// Title and unit.
    pub fn label(&self) -> String {
        labelled(self.title, self.unit)
    }

    /// A value of the measure, called `what`, and its unit.
    pub fn of_value(&self, what: &str) -> String {
        labelled(what, self.unit)
    }

    /// A difference of two values, called `what`, and its unit.
    pub fn of_difference(&self, what: &str) -> String {
        labelled(what, self.difference_unit())
    }

    /// Unit of a difference of two values: that of percentages are percentage points.
    pub fn difference_unit(&self) -> &'static str {
        if self.unit == "%" { "points" } else { self.unit }
    }

    /// Decimals that are worth showing of the scaled number, which must then be read with [`number`].
    pub fn show(&self, value: f64) -> String {
        if self.unit == "%" { format!("{:.2}", 100.0 * value) } else { number(value) }
    }

    /// The measure's column in `run`; none if it has none.
    pub fn of<'a>(&self, run: &'a RunRecord) -> Option<&'a [f64]> {
        run.evaluations.get(self.column)
    }

    /// The last of its values in `run`.
    pub fn last(&self, run: &RunRecord) -> Option<f64> {
        self.of(run)?.last().copied().filter(|value| !value.is_nan())
    }

    /// The column of the test loss of `runs`: the objective's value, if all of them have one.
    pub fn loss<'a>(mut runs: impl Iterator<Item = &'a RunRecord>) -> Self {
        if runs.all(is_convex) { OBJECTIVE } else { LOSS }
    }

    /// The column of the test accuracy of `runs`, called after the samples that it is on.
    pub fn accuracy<'a>(mut runs: impl Iterator<Item = &'a RunRecord> + Clone) -> Self {
        match (runs.clone().any(is_convex), runs.all(is_convex)) {
            (false, _) => ACCURACY,
            (true, false) => EITHER,
            (true, true) => TRAINING,
        }
    }

    /// What all of `runs` can be judged by: the gap, which tells how far they have come, else accuracy, else the loss or
    /// the objective.
    ///
    /// # Errors
    /// [`ReportError::Mixed`] if some runs have an accuracy and others none.
    pub fn common<'a>(runs: impl Iterator<Item = &'a RunRecord> + Clone) -> Result<Self, ReportError> {
        let evaluated = || runs.clone().filter(|run| !run.evaluations.is_empty());
        let lacks = |measure: Self| evaluated().find(|run| measure.of(run).is_none());
        let has = |measure: Self| evaluated().find(|run| measure.of(run).is_some());
        if has(GAP).is_some() && lacks(GAP).is_none() {
            return Ok(GAP);
        }
        match (has(ACCURACY), lacks(ACCURACY)) {
            (Some(with), Some(without)) => {
                Err(ReportError::Mixed { with: with.folder.clone(), without: without.folder.clone() })
            }
            (Some(_), None) => Ok(Self::accuracy(runs.clone())),
            (None, _) => Ok(Self::loss(runs.clone())),
        }
    }
}

fn is_convex(run: &RunRecord) -> bool {
    run.config.task.objective.is_some()
}

fn labelled(what: &str, unit: &str) -> String {
    if unit.is_empty() { what.to_owned() } else { format!("{what} ({unit})") }
}

/// The numbers that sum up one complete run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Digest {
    /// Mean of the last 20 % of the evaluations.
    pub settled: Option<f64>,
    /// The last evaluation.
    pub last: Option<f64>,
    /// Mean of |a_k − a_{k−1}| over the last 50 % of the evaluations.
    pub rough: Option<f64>,
    /// Rounds over the seconds of the whole run, evaluations included.
    pub rounds_per_second: Option<f64>,
    /// Median of the seconds that the rule took in a round.
    pub aggregate_seconds: Option<f64>,
}

impl Digest {
    /// Of `run`, by `measure`.
    pub fn of(run: &RunRecord, measure: Measure) -> Self {
        let values = measure.of(run).unwrap_or_default();
        Self {
            settled: settled(values),
            last: measure.last(run),
            rough: rough(values),
            rounds_per_second: run.summary.as_ref().map(|summary| summary.rounds_per_second),
            aggregate_seconds: run.timings.get("aggregate_seconds").and_then(super::statistics::median),
        }
    }
}

/// The `final` value of a series: the mean of the last 20 % of `values`, rounded up to whole ones; none where it is not a
/// number.
pub fn settled(values: &[f64]) -> Option<f64> {
    let tail = &values[values.len() - values.len().div_ceil(5)..];
    let mean = tail.iter().sum::<f64>() / tail.len() as f64;
    Some(mean).filter(|mean| !mean.is_nan())
}

/// Mean of |a_k − a_{k−1}| for k in the last 50 % of `values`, rounded up to whole ones.
fn rough(values: &[f64]) -> Option<f64> {
    let first = (values.len() / 2).max(1);
    let steps: Vec<f64> = (first..values.len()).map(|k| (values[k] - values[k - 1]).abs()).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    Some(mean).filter(|mean| !mean.is_nan())
}

/// `1 run`, `2 runs`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A number in as many digits as a reader needs: 3 to 4 significant ones.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Measure, number, rough, settled};
    use crate::{
        report::study::tests::{altered, run},
        results::{Columns, read::RunRecord},
    };

    /// A run of `task` with a table of evaluations; without a task, of a model.
    fn evaluated(task: Option<&str>, table: &str) -> RunRecord {
        let run = run(1, "'mean'", "ipm", "");
        let model = "dataset = \"digits\"\nmodel = \"mlp\"";
        let run =
            task.into_iter().fold(run, |run, task| altered(run, model, &format!("objective = \"{task}\"")));
        let evaluations = Columns::parse(Path::new("evaluations.csv"), table.as_bytes()).unwrap();
        RunRecord { evaluations, ..run.record }
    }

    /// At 49 % of the samples that are learned from a run may be at any distance from the optimum, and it is the one
    /// number that objectives with classes have in common with those without.
    #[test]
    fn the_gap_is_what_convex_tasks_are_judged_by() {
        let classes =
            evaluated(Some("logistic-regression"), "round,test_accuracy,gap\n0,0.5,1\n9,0.49,inf\n");
        let none = evaluated(Some("least-squares"), "round,test_accuracy,gap\n0,,1\n9,,2\n");
        let model = evaluated(None, "round,test_accuracy,gap\n0,0.5,\n9,0.9,\n");
        let title =
            |runs: &[&RunRecord]| Measure::common(runs.iter().copied()).map(|measure| measure.title).ok();
        assert_eq!(title(&[&classes]), Some("f(x) − f(x*)"));
        assert_eq!(title(&[&classes, &none]), Some("f(x) − f(x*)"));
        assert_eq!(title(&[&model]), Some("test accuracy"));
        assert_eq!(title(&[&classes, &model]), Some("accuracy"));
        assert_eq!(title(&[&none, &model]), None);
    }

    #[test]
    fn final_and_rough_by_hand() {
        let values = [0.1, 0.5, 0.6, 0.8, 0.7, 0.9];
        // the last two of six; the steps 0.6 → 0.8 → 0.7 → 0.9
        assert!((settled(&values).unwrap() - 0.8).abs() < 1e-12);
        assert!((rough(&values).unwrap() - 0.5 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn short_series_have_what_there_is() {
        assert_eq!((settled(&[]), rough(&[])), (None, None));
        assert_eq!((settled(&[0.5]), rough(&[0.5])), (Some(0.5), None));
        assert_eq!(settled(&[f64::NAN]), None);
        assert_eq!(settled(&[1.0, f64::INFINITY]), Some(f64::INFINITY));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 1234.5, 12.345, 0.5, -3e-9].map(number),
            ["0", "1234", "12.35", "0.500", "-3.00e-9"]
        );
    }
}
