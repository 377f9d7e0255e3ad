//! Of a single setting, what part of the weight in the aggregate is that of Byzantine workers.

use super::{
    super::{
        curves::{common, point},
        plot::{Axis, DrawError, Entry, Grid, Line, Point},
        statistics::Estimate,
    },
    Gallery,
};
use crate::results::read::RunRecord;

/// A part of something in every round of a run, by the rows of its `rounds.csv`; none if that is not told.
type Share = fn(&RunRecord) -> Option<Vec<f64>>;

/// What the lines are parts of.
const SHARES: [(&str, Share); 2] = [("of the weight", of_weight), ("of the workers", of_workers)];

impl Gallery<'_> {
    /// The Byzantine share of the weight, beside that of the workers, against rounds: if runs differ in nothing but the
    /// seed, which leaves the colours to the two, somebody attacks and the rule combines vectors.
    pub(super) fn weights(&mut self) -> Result<(), DrawError> {
        let [series] = &self.study.series[..] else { return Ok(()) };
        let runs: Vec<&RunRecord> = series.runs.iter().map(|&run| &self.study.runs[run].record).collect();
        let Some([weight, workers]) = lines(&runs) else { return Ok(()) };
        if workers.points.iter().all(|point| point.y == 0.0) {
            return Ok(());
        }
        let legend: Vec<Entry> =
            SHARES.iter().zip(0..).map(|((of, _), at)| (format!("Byzantine share {of}"), at)).collect();
        let alone = || vec![String::new()];
        let grid = Grid {
            title: series.losses.failures().beside("Weight of the Byzantine workers".to_owned()),
            x: Axis { label: "round".to_owned(), ..Axis::default() },
            y: Axis {
                label: "mean since the last evaluation (%)".to_owned(),
                limits: Some((0.0, 100.0)),
                ..Axis::default()
            },
            columns: alone(),
            rows: alone(),
            panels: vec![vec![vec![weight, workers]]],
            legend,
            marks: false,
        };
        self.add("byzantine-weight-rounds".to_owned(), grid.title.clone(), "rounds", grid.draw()?);
        Ok(())
    }
}

/// The lines of the shares; none if a run lacks one in all rounds.
fn lines(runs: &[&RunRecord]) -> Option<[Line; 2]> {
    let line = |colour: usize| -> Option<Line> {
        let shares: Vec<Vec<f64>> = runs.iter().map(|run| SHARES[colour].1(run)).collect::<Option<_>>()?;
        Some(Line { colour, points: points(runs, &shares) })
    };
    Some([line(0)?, line(1)?])
}

/// At every round that all `runs` evaluated the mean of their `shares` over the rounds since the one before, where all have
/// one.
fn points(runs: &[&RunRecord], shares: &[Vec<f64>]) -> Vec<Point> {
    let mut evaluated: Vec<u64> = common(runs).map(|(round, _)| round).filter(|round| *round > 0).collect();
    evaluated.insert(0, 0);
    let between = |ends: &[u64]| {
        let means = runs.iter().zip(shares).map(|(run, shares)| {
            let [first, end] =
                [ends[0], ends[1]].map(|end| run.rounds.round().partition_point(|r| *r <= end));
            let known: Vec<f64> =
                shares[first..end].iter().copied().filter(|share| !share.is_nan()).collect();
            Estimate::of(&known).map(|all| all.mean)
        });
        let estimate = Estimate::of(&means.collect::<Option<Vec<f64>>>()?)?;
        Some(point(ends[1] as f64, estimate.scaled(100.0), false))
    };
    evaluated.windows(2).filter_map(between).collect()
}

fn of_weight(run: &RunRecord) -> Option<Vec<f64>> {
    run.rounds.get("byzantine_weight").map(<[f64]>::to_vec)
}

fn of_workers(run: &RunRecord) -> Option<Vec<f64>> {
    let (attackers, workers) = run.rounds.get("attackers").zip(run.rounds.get("workers"))?;
    Some(attackers.iter().zip(workers).map(|(attackers, all)| attackers / all).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{
            super::study::{
                Run,
                tests::{run, study},
            },
            Figure, figures,
            tests::count,
        },
        lines,
    };
    use crate::results::Columns;

    /// A run evaluated at rounds 0, 2 and 4, with these shares of the weight and so many attackers among 4 workers.
    fn with(seed: u64, weights: [&str; 4], attackers: u64) -> Run {
        let table = |text: String| Columns::parse(Path::new("table.csv"), text.as_bytes()).unwrap();
        let rows = weights.iter().zip(1..).map(|(weight, round)| format!("{round},{weight},4,{attackers}\n"));
        let mut run = run(seed, "'mean'", "ipm", "");
        run.record.rounds =
            table(format!("round,byzantine_weight,workers,attackers\n{}", rows.collect::<String>()));
        run.record.evaluations = table("round,test_accuracy\n0,0.1\n2,0.5\n4,0.5\n".to_owned());
        run
    }

    fn drawn(runs: Vec<Run>) -> Vec<Figure> {
        let mut figures = figures(&study(runs)).unwrap();
        figures.retain(|figure| figure.stem.starts_with("byzantine-weight"));
        figures
    }

    /// Of one seed 0.1 and 0.3, and then 0.5 and nothing; of the other 0.4 in all rounds.
    #[test]
    fn a_point_is_the_mean_since_the_last_evaluation() {
        let runs = [with(1, ["0.1", "0.3", "0.5", ""], 1), with(2, ["0.4"; 4], 1)];
        let [weight, workers] = lines(&[&runs[0].record, &runs[1].record]).unwrap();
        let rounded = |line: super::Line| -> Vec<(f64, f64)> {
            line.points.iter().map(|point| (point.x, (point.y * 1e9).round() / 1e9)).collect()
        };
        assert!(weight.points[0].low < 30.0 && weight.points[0].high > 30.0);
        assert_eq!(rounded(weight), [(2.0, 30.0), (4.0, 45.0)]);
        assert_eq!(rounded(workers), [(2.0, 25.0), (4.0, 25.0)]);
    }

    #[test]
    fn the_weight_of_attackers_is_drawn_of_one_setting() {
        let figures = drawn(vec![with(1, ["0.1"; 4], 1), with(2, ["0.2"; 4], 1)]);
        let texts = ["Byzantine share of the weight", "Byzantine share of the workers"];
        assert_eq!(texts.map(|text| count(&figures, "byzantine-weight-rounds", text)), [1, 1]);
        let other = Run { facts: run(1, "'cwmed'", "ipm", "").facts, ..with(1, ["0.1"; 4], 1) };
        assert!(drawn(vec![with(1, ["0.1"; 4], 1), other]).is_empty(), "two rules");
        assert!(drawn(vec![with(1, ["0"; 4], 0)]).is_empty(), "nobody attacks");
        assert!(drawn(vec![with(1, [""; 4], 1)]).is_empty(), "the rule does not combine vectors");
        assert!(drawn(vec![run(1, "'mean'", "ipm", "")]).is_empty(), "no rounds are there");
    }
}
