//! From series of runs to curves: means with 95 % bands over seeds, against
//! rounds, gradients, time and bytes.

use super::{
    layout::Layout,
    losses::Losses,
    measure::{ATTACK_SUCCESS, BALANCED, GAP, MACRO_F1, Measure, OBJECTIVE, VALIDATION},
    plot::{Axis, Entry, Grid, Line, Point},
    statistics::Estimate,
    study::{Run, Series, Study, combinations, having, pick},
};
use crate::results::{Columns, read::RunRecord};

/// What a curve is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Rounds.
    Rounds,
    /// Gradients of mini-batches computed by all workers, attackers included.
    Gradients,
    /// Seconds since the run began.
    Time,
    /// Bytes of vectors sent.
    Bytes,
}

impl Against {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rounds, Self::Gradients, Self::Time, Self::Bytes];

    /// Part of the file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Gradients => "gradients",
            Self::Time => "time",
            Self::Bytes => "bytes",
        }
    }

    /// The values at the evaluations of `run`.
    pub fn values(self, run: &RunRecord) -> Vec<f64> {
        let rounds = run.evaluations.round();
        match self {
            Self::Rounds => rounds.iter().map(|&round| round as f64).collect(),
            Self::Gradients => at_rounds(&run.rounds, "gradients", rounds),
            Self::Time => at_rounds(&run.timings, "elapsed_seconds", rounds),
            Self::Bytes => at_rounds(&run.rounds, "bytes", rounds),
        }
    }

    /// The axis' label and the factor to its unit, for values up to `most`.
    fn axis(self, most: f64) -> (String, f64) {
        let prefix = |units: &[(f64, &'static str)]| {
            units.iter().copied().rev().find(|(size, _)| most >= 2.0 * size).unwrap_or(units[0])
        };
        let (size, label) = match self {
            Self::Rounds => (1.0, "round".to_owned()),
            Self::Gradients => {
                let (size, unit) = prefix(&[(1.0, ""), (1e3, " (thousands)"), (1e6, " (millions)")]);
                (size, format!("gradients computed{unit}"))
            }
            Self::Time => {
                let (size, unit) = prefix(&[(1.0, "s"), (60.0, "min"), (3600.0, "h")]);
                (size, format!("time ({unit})"))
            }
            Self::Bytes => {
                let (size, unit) = prefix(&[(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")]);
                (size, format!("vectors sent ({unit})"))
            }
        };
        (label, 1.0 / size)
    }
}

/// A column at some rounds; 0 before the first round, NaN where there is no such row.
fn at_rounds(table: &Columns, column: &str, rounds: &[u64]) -> Vec<f64> {
    let values = table.get(column).unwrap_or_default();
    let at = |round: &u64| match round {
        0 => 0.0,
        round => table
            .round()
            .binary_search(round)
            .ok()
            .and_then(|row| values.get(row).copied())
            .unwrap_or(f64::NAN),
    };
    rounds.iter().map(at).collect()
}

/// The mean curve of `series`: at every round that all its runs evaluated.
fn line(study: &Study, series: &Series, measure: Measure, against: Against, unit: f64) -> Vec<Point> {
    let runs: Vec<&RunRecord> = series.runs.iter().map(|&run| &study.runs[run].record).collect();
    let xs: Vec<Vec<f64>> = runs.iter().map(|run| against.values(run)).collect();
    let point = |(_, rows): (u64, Vec<usize>)| {
        let ys: Option<Vec<f64>> =
            runs.iter().zip(&rows).map(|(run, &row)| Some(measure.of(run)?[row] * measure.scale())).collect();
        let x = xs.iter().zip(&rows).map(|(values, &row)| values[row]).sum::<f64>() / runs.len() as f64;
        Some(point(x * unit, Estimate::of(&ys?)?, false))
    };
    common(&runs).filter_map(point).collect()
}

/// A point at `x` with its interval.
pub fn point(x: f64, estimate: Estimate, hollow: bool) -> Point {
    let (low, high) = estimate.range();
    Point { x, y: estimate.mean, low, high, hollow }
}

/// The rounds that all `runs` evaluated, with the row of each run.
pub fn common<'a>(runs: &'a [&RunRecord]) -> impl Iterator<Item = (u64, Vec<usize>)> + 'a {
    let rounds = runs.first().map_or(&[][..], |run| run.evaluations.round());
    rounds.iter().filter_map(|round| {
        let rows = runs.iter().map(|run| run.evaluations.round().binary_search(round).ok());
        Some((*round, rows.collect::<Option<_>>()?))
    })
}

/// The measures that some run has.
pub fn measures(study: &Study) -> Vec<Measure> {
    let records = || study.runs.iter().map(|run| &run.record);
    let has = |measure: &Measure| records().any(|record| measure.of(record).is_some());
    let (accuracy, loss) = (Measure::accuracy(records()), Measure::loss(records()));
    [accuracy, VALIDATION, BALANCED, MACRO_F1, ATTACK_SUCCESS, loss, GAP].into_iter().filter(has).collect()
}

/// The measures that curves are drawn of: without the objective where its least value is 0, so that it is the gap.
pub fn drawn(study: &Study) -> Vec<Measure> {
    let is_gap = |run: &Run| {
        let (Some(values), Some(gaps)) = (OBJECTIVE.of(&run.record), GAP.of(&run.record)) else {
            return false;
        };
        values.iter().zip(gaps).all(|(value, gap)| value == gap || (value - gap).abs() <= 1e-9 * gap.abs())
    };
    let same = study.runs.iter().filter(|run| !run.record.evaluations.is_empty()).all(is_gap);
    measures(study).into_iter().filter(|measure| !(same && *measure == OBJECTIVE)).collect()
}

/// The axis of a measure; losses and gaps that span decades are logarithmic.
pub fn axis_of(measure: Measure, values: impl Iterator<Item = f64> + Clone) -> Axis {
    let positive = values.clone().filter(|value| value.is_finite() && *value > 0.0);
    let (low, high) =
        positive.fold((f64::MAX, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let percent = measure.unit == "%";
    Axis {
        label: measure.label(),
        log: !percent && high > 30.0 * low,
        limits: percent.then_some((0.0, 100.0)),
        marks: Vec::new(),
    }
}

/// The curves of the runs with the values `split` of the factors that divide figures.
pub fn curves(study: &Study, split: &[usize], measure: Measure, against: Against) -> Grid {
    let layout = &study.layout;
    let here = having(&study.series, &layout.split, split);
    let runs = || here.iter().flat_map(|series| &series.runs).map(|&run| &study.runs[run].record);
    let most = runs().flat_map(|run| against.values(run)).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let (label, unit) = against.axis(most);
    let values = runs().filter_map(|run| measure.of(run)).flatten().copied();
    let y = axis_of(measure, values);
    let panels = panels(study, layout, &here, |series| line(study, series, measure, against, unit));
    Grid {
        title: Losses::over(here).beside(titled(study, measure.title, (&layout.split, split))),
        x: Axis { label, ..Axis::default() },
        y,
        marks: false,
        ..panels
    }
}

/// `title`, and which figure of several this is: that with the values `levels` of the factors `which`.
pub fn titled(study: &Study, title: &str, (which, levels): (&[usize], &[usize])) -> String {
    // a word begins with a capital, a formula stays as it is
    let word = title.chars().nth(1).is_some_and(char::is_alphabetic);
    let title = if word { title[..1].to_uppercase() + &title[1..] } else { title.to_owned() };
    match study.label(which, levels) {
        label if label.is_empty() => title,
        label => format!("{title}, {label}"),
    }
}

/// A grid by `layout`, in which each of `series` is the line that `points` makes of it.
pub fn panels(
    study: &Study,
    layout: &Layout,
    series: &[&Series],
    points: impl Fn(&Series) -> Vec<Point>,
) -> Grid {
    let occurring = |which: &[usize]| combinations(series.iter().copied(), which);
    let (rows, columns) = (occurring(&layout.rows), occurring(&layout.columns));
    let colours = study.combinations(&layout.colour);
    let number = |series: &Series| {
        colours.iter().position(|levels| *levels == pick(series, &layout.colour)).unwrap_or(0)
    };
    let panel = |row: &Vec<usize>, column: &Vec<usize>| {
        let lines = series
            .iter()
            .filter(|series| pick(series, &layout.rows) == *row && pick(series, &layout.columns) == *column);
        lines.map(|series| Line { colour: number(series), points: points(series) }).collect()
    };
    let present = occurring(&layout.colour);
    let legend: Vec<Entry> = colours
        .iter()
        .enumerate()
        .filter(|(_, levels)| !layout.colour.is_empty() && present.contains(levels))
        .map(|(at, levels)| (study.label(&layout.colour, levels), at))
        .collect();
    Grid {
        title: String::new(),
        x: Axis::default(),
        y: Axis::default(),
        panels: rows.iter().map(|row| columns.iter().map(|column| panel(row, column)).collect()).collect(),
        rows: rows.iter().map(|levels| study.label(&layout.rows, levels)).collect(),
        columns: columns.iter().map(|levels| study.label(&layout.columns, levels)).collect(),
        legend,
        marks: false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::study::tests::{altered, run, study},
        drawn, measures,
    };
    use crate::results::Columns;

    /// An objective whose least value is 0 is its own gap: one curve of it is enough.
    #[test]
    fn the_objective_is_drawn_where_it_is_not_the_gap() {
        let told = |rows: &str, which: fn(&_) -> Vec<super::Measure>| {
            let objective = "objective = \"least-squares\"";
            let mut run =
                altered(run(1, "'mean'", "ipm", ""), "dataset = \"digits\"\nmodel = \"mlp\"", objective);
            let table = format!("round,test_loss,gap\n{rows}");
            run.record.evaluations = Columns::parse(Path::new("evaluations.csv"), table.as_bytes()).unwrap();
            which(&study(vec![run])).iter().map(|measure| measure.title).collect::<Vec<_>>()
        };
        let both = vec!["objective f(x)", "f(x) − f(x*)"];
        assert_eq!(told("0,1.5,1.5\n1,inf,inf\n", drawn), both[1..]);
        assert_eq!(told("0,1.5,1.5\n1,1.5,1.4\n", drawn), both);
        assert_eq!(told("0,1.5,\n", drawn), both[..1]);
        assert_eq!(told("0,1.5,1.5\n", measures), both, "the tidy table has all columns");
    }
}
