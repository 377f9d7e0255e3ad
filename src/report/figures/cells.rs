//! Cells of heat maps: final values of series, and the worst of several.

use super::{
    super::{
        curves::axis_of,
        losses::Losses,
        plot::Cell,
        statistics::Estimate,
        study::{Series, Study},
    },
    shown,
};

/// The final value of `series`, or how it ended without one.
pub fn cell(study: &Study, series: Option<&Series>) -> Cell {
    let Some(series) = series else { return Cell::Empty };
    match study.settled([series]) {
        Some(Estimate { mean, .. }) => {
            let (value, text) = (study.measure.scale() * mean, study.measure.show(mean));
            Cell::Number { value, text, note: series.losses.note() }
        }
        None => study.ending(series).map_or(Cell::Empty, Cell::Word),
    }
}

/// The worst of `cases`; a word if one of them has no number, for the worst may be there. So it may be where seeds
/// failed: those of all cases are told.
pub fn worst(study: &Study, cases: &[Option<&Series>]) -> Cell {
    let sign = study.measure.sign();
    let rank = |cell: &Cell| match cell {
        Cell::Empty => (0, 0.0),
        Cell::Word(_) => (1, 0.0),
        Cell::Number { value, .. } => (2, sign * value),
    };
    let worse = |a: &Cell, b: &Cell| {
        let ((a, x), (b, y)) = (rank(a), rank(b));
        a.cmp(&b).then(x.total_cmp(&y))
    };
    let losses = Losses::over(cases.iter().copied().flatten());
    match cases.iter().map(|case| cell(study, *case)).min_by(worse) {
        Some(Cell::Number { value, text, .. }) => Cell::Number { value, text, note: losses.note() },
        other => other.unwrap_or(Cell::Empty),
    }
}

/// Whether the final values are seen better on a logarithmic scale.
pub fn spans_decades(study: &Study) -> bool {
    let values = study.series.iter().filter_map(|series| shown(study, [series]));
    axis_of(study.measure, values.map(|estimate| estimate.mean)).log
}

/// Whether nobody attacks with the values `levels` of the factors `which`.
pub fn is_free(study: &Study, which: &[usize], levels: &[usize]) -> bool {
    let attack = which.iter().position(|&at| study.factors[at].key == "attack");
    attack.is_some_and(|at| study.factors[which[at]].values[levels[at]] == "none")
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::study::{
            Run, Study,
            tests::{ended_at, failed, run, study},
        },
        figures,
        tests::count,
    };

    /// Two rules under three seeds of two attacks: of the first rule two seeds failed under `ipm`.
    fn survivors() -> Study {
        let mut runs = Vec::new();
        for rule in ["'mean'", "'cwmed'"] {
            for seed in [1, 2, 3] {
                let ipm = ended_at(run(seed, rule, "ipm", ""), 0.9);
                let lost = (rule, seed > 1) == ("'mean'", true);
                runs.extend([if lost { failed(ipm) } else { ipm }, run(seed, rule, "alie", "")]);
            }
        }
        study(runs)
    }

    /// Nobody sees a mean of those that are left without seeing how many are not.
    #[test]
    fn a_number_of_survivors_says_how_many_failed() {
        let figures = figures(&survivors()).unwrap();
        let cells = ["90.00", "2 of 3 failed", "50.00", "2 of 6 failed"];
        assert_eq!(cells.map(|text| count(&figures, "rule-attack", text)), [2, 1, 4, 1]);
        assert_eq!(count(&figures, "test-accuracy-rounds", "Test accuracy (2 of 12 failed)"), 1);
    }

    /// The mean of these two times 100 and then divided by it has another last digit.
    #[test]
    fn a_cell_says_what_the_table_says() {
        let runs: Vec<Run> = ["'mean'", "'cwmed'"]
            .into_iter()
            .flat_map(|rule| ["ipm", "alie"].map(|attack| (rule, attack)))
            .flat_map(|(rule, attack)| {
                [(1, 0.8993), (2, 0.1464)]
                    .map(|(seed, accuracy)| ended_at(run(seed, rule, attack, ""), accuracy))
            })
            .collect();
        let study = study(runs);
        let told = study.measure.show(study.settled(&study.series[..1]).unwrap().mean);
        assert_eq!((told.as_str(), count(&figures(&study).unwrap(), "rule-attack", &told)), ("52.29", 6));
    }
}
