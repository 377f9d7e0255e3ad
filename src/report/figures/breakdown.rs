//! The final value against the number of Byzantine workers.

use super::{
    super::{
        curves::{axis_of, panels, point, titled},
        layout::Layout,
        losses::Losses,
        plot::{Axis, DrawError, Grid, Line},
        study::{Series, Study, combinations, having},
    },
    Gallery, shown,
};

impl Gallery<'_> {
    /// The final value against f, if runs differ in it.
    pub(super) fn breakdown(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let Some(f) = study.factor("f") else { return Ok(()) };
        let (layout, all) = (study.layout.without(&[f]), beside_attacks(study));
        for split in combinations(&all, &layout.split) {
            let here = having(&all, &layout.split, &split);
            let title = format!("Breakdown: final {} against f", study.measure.title);
            let title = titled(study, &title, (&layout.split, &split));
            let grid = Grid { title: title.clone(), ..against(study, f, &layout, &here) };
            self.add(self.stem("breakdown", (&layout.split, &split)), title, "", grid.draw()?);
        }
        Ok(())
    }
}

/// The final values of `series` against the factor `f`, in panels by `layout`.
fn against(study: &Study, f: usize, layout: &Layout, series: &[&Series]) -> Grid {
    let x = |series: &Series| study.value(series, f).parse().unwrap_or(f64::NAN);
    let points = |series: &Series| {
        let estimate = shown(study, [series]);
        estimate.map(|estimate| point(x(series), estimate, series.losses.any())).into_iter().collect()
    };
    let mut grid = panels(study, layout, series, points);
    grid.panels.iter_mut().flatten().for_each(|lines| *lines = connected(std::mem::take(lines)));
    let means = series.iter().filter_map(|series| shown(study, [*series])).map(|estimate| estimate.mean);
    let y = axis_of(study.measure, means.collect::<Vec<f64>>().into_iter());
    let marks = study.factors[f].values.iter().filter_map(|value| value.parse().ok()).collect();
    let some_lack = Losses::over(series.iter().copied()).any();
    let hollow = if some_lack { " (hollow points: seeds failed or came to NaN)" } else { "" };
    Grid {
        x: Axis { label: format!("Byzantine workers f{hollow}"), marks, ..Axis::default() },
        y: Axis { label: format!("final {}", y.label), ..y },
        marks: true,
        ..grid
    }
}

/// The series for pictures against f: those without attackers are the first point under every attack, and have no place of
/// their own if there is one.
fn beside_attacks(study: &Study) -> Vec<Series> {
    let which = study.factors_below("attack");
    let of = |series: &Series, key| study.factor(key).map(|at| study.value(series, at));
    let is_free = |series: &Series| (of(series, "attack"), of(series, "f")) == (Some("none"), Some("0"));
    let (free, attacked): (Vec<Series>, Vec<Series>) = study.series.iter().cloned().partition(is_free);
    let attacks = combinations(&attacked, &which);
    if attacks.is_empty() {
        return free;
    }
    let under = |series: &Series, attack: &[usize]| {
        let mut series = series.clone();
        which.iter().zip(attack).for_each(|(&factor, &level)| series.levels[factor] = level);
        series
    };
    let beside = free.iter().flat_map(|series| attacks.iter().map(|attack| under(series, attack)));
    beside.chain(attacked.iter().cloned()).collect()
}

/// One line of all points of one colour.
fn connected(lines: Vec<Line>) -> Vec<Line> {
    let mut joined: Vec<Line> = Vec::new();
    for line in lines {
        match joined.iter_mut().find(|other| other.colour == line.colour) {
            Some(other) => other.points.extend(line.points),
            None => joined.push(line),
        }
    }
    joined.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    joined
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::study::tests::{altered, failed, run, study},
        figures,
        tests::count,
    };

    /// One `f` among the breakdown's, at which a seed failed, has a hollow mark.
    #[test]
    fn points_of_survivors_are_hollow() {
        let at = |seed, count| altered(run(seed, "'mean'", "ipm", ""), "count = 4", count);
        let all = || vec![at(1, "count = 1"), at(2, "count = 1"), at(1, "count = 4"), at(2, "count = 4")];
        let hollow = |runs| {
            let figures = figures(&study(runs)).unwrap();
            let svg = &figures.iter().find(|figure| figure.stem == "breakdown").unwrap().svg;
            (svg.matches("<circle").count(), svg.contains("hollow points: seeds failed"))
        };
        assert_eq!(hollow(all()), (2, false));
        let mut some = all();
        let last = some.pop().unwrap();
        some.push(failed(last));
        assert_eq!(hollow(some), (3, true), "a white one lies over one of the two");
    }

    /// f = 0 is where every attack's curve begins: no panel of its own, and a mark in each.
    #[test]
    fn a_breakdown_begins_without_attackers() {
        let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
        let mut runs = vec![altered(run(1, "'mean'", "ipm", ""), attackers, "")];
        for attack in ["ipm", "alie", "none"] {
            for count in ["count = 1", "count = 4"] {
                let run = altered(run(1, "'mean'", attack, ""), "count = 4", count);
                runs.push(altered(run, "attack = ", "batch_size = 3\nattack = "));
            }
        }
        let study = study(runs);
        let at = |key: &str| study.factor(key).unwrap();
        let mut told: Vec<(&str, &str)> = Vec::new();
        let all = super::beside_attacks(&study);
        all.iter()
            .for_each(|series| told.push((study.value(series, at("attack")), study.value(series, at("f")))));
        told.sort_unstable();
        let expected = ["alie", "ipm", "none"].map(|attack| ["0", "1", "4"].map(|f| (attack, f)));
        assert_eq!(told, expected.concat());
        let figures = figures(&study).unwrap();
        assert_eq!(["ipm", "alie", "no attack"].map(|panel| count(&figures, "breakdown", panel)), [1, 1, 1]);
    }
}
