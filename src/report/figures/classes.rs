//! What became of single classes: of one setting the recall of each against rounds and what was taken for what in the
//! end, of several settings where each class ended.

use super::{
    super::{
        classes::{MOST, Recalls, taken},
        curves::{common, point},
        plot::{Axis, Cell, DrawError, Entry, Grid, Heat, Line, Point},
        statistics::Estimate,
        study::{Series, Study},
    },
    Gallery,
};
use crate::results::read::RunRecord;

/// The runs of one setting, whose classes were counted in all of them. Of more than [`MOST`] classes those with the lowest
/// recall are shown.
struct Counted<'a> {
    runs: Vec<&'a RunRecord>,
    recalls: Vec<Recalls>,
    /// The classes that are shown, ascending.
    shown: Vec<usize>,
    /// How many have a recall.
    known: usize,
    classes: usize,
}

impl<'a> Counted<'a> {
    fn of(study: &'a Study, series: &Series) -> Option<Self> {
        let runs: Vec<&RunRecord> = series.runs.iter().map(|&run| &study.runs[run].record).collect();
        let recalls: Vec<Recalls> = runs.iter().map(|run| Recalls::of(run)).collect::<Option<_>>()?;
        let classes = recalls.iter().map(Recalls::classes).max()?;
        let mut counted = Self { runs, recalls, shown: Vec::new(), known: 0, classes };
        let mut all: Vec<usize> = (0..classes).filter(|class| counted.settled(*class).is_some()).collect();
        all.sort_by(|a, b| counted.settled(*a).partial_cmp(&counted.settled(*b)).unwrap_or(a.cmp(b)));
        counted.known = all.len();
        all.truncate(MOST);
        all.sort_unstable();
        counted.shown = all;
        Some(counted)
    }

    /// The final recall of `class`, the mean over seeds.
    fn settled(&self, class: usize) -> Option<f64> {
        mean(self.recalls.iter().map(|recalls| recalls.settled(class)))
    }

    /// The recall of `class` in per cent, at every round that all runs evaluated.
    fn line(&self, class: usize) -> Vec<Point> {
        let at = |(round, rows): (u64, Vec<usize>)| {
            let values =
                self.recalls.iter().zip(rows).map(|(recalls, row)| recalls.curve(class).get(row).copied());
            let values: Vec<f64> =
                values.map(|value| value.filter(|v| !v.is_nan())).collect::<Option<_>>()?;
            Some(point(round as f64, Estimate::of(&values)?.scaled(100.0), false))
        };
        common(&self.runs).filter_map(at).collect()
    }

    /// What of all is shown, to be said behind what it is of.
    fn part(&self) -> String {
        match self.known - self.shown.len() {
            0 => String::new(),
            _ => format!(", the {} lowest of {} classes", self.shown.len(), self.known),
        }
    }
}

impl Gallery<'_> {
    /// Of one setting a line for each class and a map of the pairs, of several a map of where each class ended.
    pub(super) fn classes(&mut self) -> Result<(), DrawError> {
        match &self.study.series[..] {
            [series] => match Counted::of(self.study, series) {
                Some(counted) => self.class_by_class(series, &counted),
                None => Ok(()),
            },
            _ => self.classes_by_setting(),
        }
    }

    fn class_by_class(&mut self, series: &Series, counted: &Counted<'_>) -> Result<(), DrawError> {
        let alone = || vec![String::new()];
        let lines = counted.shown.iter().enumerate();
        let legend: Vec<Entry> = lines.clone().map(|(at, class)| (format!("class {class}"), at)).collect();
        let lines = lines.map(|(colour, &class)| Line { colour, points: counted.line(class) });
        let title = format!("Recall by class{}", counted.part());
        let grid = Grid {
            title: series.losses.failures().beside(title),
            x: Axis { label: "round".to_owned(), ..Axis::default() },
            y: Axis { label: "recall (%)".to_owned(), limits: Some((0.0, 100.0)), ..Axis::default() },
            columns: alone(),
            rows: alone(),
            panels: vec![vec![lines.collect()]],
            legend,
            marks: false,
        };
        self.add("class-recall-rounds".to_owned(), grid.title.clone(), "rounds", grid.draw()?);
        let Some(mut heat) = pairs(counted) else { return Ok(()) };
        heat.title = series.losses.failures().beside(heat.title);
        self.add("confusion".to_owned(), heat.title.clone(), "", heat.draw()?);
        Ok(())
    }

    /// The final recall of every class under every setting, if some were counted.
    fn classes_by_setting(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let all: Vec<usize> = (0..study.factors.len()).collect();
        let counted = study.series.iter().map(|series| (series, Counted::of(study, series)));
        let counted: Vec<(&Series, Counted<'_>)> =
            counted.filter_map(|(series, counted)| Some((series, counted?))).collect();
        let classes = counted.iter().map(|(_, counted)| counted.classes).max().unwrap_or(0);
        if classes == 0 || classes > MOST {
            return Ok(());
        }
        let label = |series: &Series| series.losses.failures().beside(study.label(&all, &series.levels));
        let cell = |counted: &Counted<'_>, class| counted.settled(class).map_or(Cell::Empty, percent);
        let heat = Heat {
            title: "Recall by class and setting".to_owned(),
            what: "final recall (%), mean over seeds".to_owned(),
            across: "class".to_owned(),
            columns: (0..classes).map(|class| class.to_string()).collect(),
            rows: counted.iter().map(|(series, _)| label(series)).collect(),
            cells: counted
                .iter()
                .map(|(_, of)| (0..classes).map(|class| cell(of, class)).collect())
                .collect(),
            apart: false,
            higher_is_better: true,
            log: false,
        };
        self.add("class-recall".to_owned(), heat.title.clone(), "", heat.draw()?);
        Ok(())
    }
}

/// What of each class was predicted as which at the last evaluation, the mean over seeds. Colours follow the logarithms:
/// a hundredth that is mistaken is as far from nothing as it is from all.
fn pairs(counted: &Counted<'_>) -> Option<Heat> {
    let taken: Vec<Vec<Option<Vec<f64>>>> =
        counted.runs.iter().map(|run| taken(run)).collect::<Option<_>>()?;
    let shown = &counted.shown;
    let share = |class: usize, of: &dyn Fn(&[f64]) -> f64| {
        mean(taken.iter().map(|run| run.get(class)?.as_deref().map(of))).map_or(Cell::Empty, percent)
    };
    let others = counted.classes > shown.len();
    let elsewhere = |row: &[f64]| 1.0 - shown.iter().map(|class| row[*class]).sum::<f64>();
    let row = |&class: &usize| {
        let cells = shown.iter().map(|&predicted| share(class, &|row| row[predicted]));
        cells.chain(others.then(|| share(class, &elsewhere))).collect()
    };
    Some(Heat {
        title: format!("Confusion matrix{}", counted.part()),
        what: "of each class (rows), as what it is predicted at the last evaluation (%), mean over seeds"
            .to_owned(),
        across: "predicted class".to_owned(),
        columns: shown.iter().map(usize::to_string).chain(others.then(|| "others".to_owned())).collect(),
        rows: shown.iter().map(|class| format!("class {class}")).collect(),
        cells: shown.iter().map(row).collect(),
        apart: others,
        higher_is_better: true,
        log: true,
    })
}

/// A fraction in per cent.
fn percent(value: f64) -> Cell {
    let value = 100.0 * value;
    let text = if value == 0.0 { "0".to_owned() } else { format!("{value:.1}") };
    Cell::Number { value, text, note: String::new() }
}

/// The mean over seeds, of which each must have a value.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    Estimate::of(&values.collect::<Option<Vec<f64>>>()?).map(|estimate| estimate.mean)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{
            super::study::{
                Run,
                tests::{failed, run, study},
            },
            Figure, figures,
            tests::count,
        },
        Counted, pairs,
    };
    use crate::{report::plot::Cell, results::Columns};

    /// A run of three classes, evaluated after rounds 0 and 4, of which class 1 has no samples: in the end `right` of four
    /// samples of class 0 are right, and the others are taken for class 2.
    fn counted(seed: u64, rule: &str, right: u64) -> Run {
        let table = |text: String| Columns::parse(Path::new("table.csv"), text.as_bytes()).unwrap();
        let mut run = run(seed, rule, "label-flip", "");
        run.record.evaluations = table("round,test_accuracy\n0,0.1\n4,0.5\n".to_owned());
        let recall = right as f64 / 4.0;
        run.record.classes =
            table(format!("round,class,recall\n0,0,0.5\n0,1,\n0,2,0\n4,0,{recall}\n4,1,\n4,2,1\n"));
        let wrong = 4 - right;
        run.record.confusion =
            table(format!("round,class,predicted,samples\n4,0,0,{right}\n4,0,2,{wrong}\n4,2,2,6\n"));
        run
    }

    fn drawn(runs: Vec<Run>) -> Vec<Figure> {
        let mut figures = figures(&study(runs)).unwrap();
        figures.retain(|figure| figure.stem.starts_with("class-recall") || figure.stem == "confusion");
        figures
    }

    fn stems(figures: &[Figure]) -> Vec<&str> {
        figures.iter().map(|figure| figure.stem.as_str()).collect()
    }

    #[test]
    fn one_setting_has_a_line_for_each_class_and_a_map_of_pairs() {
        let figures = drawn(vec![counted(1, "'mean'", 1), counted(2, "'mean'", 2)]);
        assert_eq!(stems(&figures), ["class-recall-rounds", "confusion"]);
        let named = |text| count(&figures, "class-recall-rounds", text);
        assert_eq!(["class 0", "class 1", "class 2"].map(named), [1, 0, 1], "class 1 has no samples");
        // Three and five eighths of class 0, all of class 2.
        assert_eq!(["37.5", "62.5", "100.0"].map(|text| count(&figures, "confusion", text)), [1, 1, 1]);
        let titles: Vec<&str> = figures.iter().map(|figure| figure.group.as_str()).collect();
        assert_eq!(titles, ["Recall by class", "Confusion matrix"], "all that have samples are shown");
        assert!(drawn(vec![counted(1, "'mean'", 1), run(2, "'mean'", "label-flip", "")]).is_empty());
    }

    #[test]
    fn seeds_that_failed_are_told_beside_what_the_others_came_to() {
        let seeds = |rule| [counted(1, rule, 1), failed(counted(2, rule, 1))];
        let one = drawn(seeds("'mean'").into());
        assert!(one.iter().all(|figure| figure.group.ends_with("(1 of 2 failed)")), "{:?}", stems(&one));
        let two = drawn(seeds("'mean'").into_iter().chain([counted(1, "'cwmed'", 3)]).collect());
        assert_eq!(count(&two, "class-recall", "mean (1 of 2 failed)"), 1);
        // What came to NaN in what runs are judged by has its recalls all the same.
        let mut lost = counted(2, "'mean'", 1);
        lost.digest.settled = None;
        let nan = drawn(vec![counted(1, "'mean'", 1), lost]);
        assert_eq!(nan[0].group, "Recall by class");
    }

    #[test]
    fn several_settings_are_a_map_of_where_each_class_ended() {
        let figures = drawn(vec![counted(1, "'mean'", 1), counted(1, "'cwmed'", 3)]);
        assert_eq!(stems(&figures), ["class-recall"]);
        assert_eq!(["25.0", "75.0", "100.0"].map(|text| count(&figures, "class-recall", text)), [1, 1, 2]);
    }

    /// Twenty classes, of which class c has a recall of c in a hundred and the rest is taken for class 0.
    #[test]
    fn of_many_classes_the_lowest_are_shown_and_the_others_are_one_column() {
        let table = |text: String| Columns::parse(Path::new("table.csv"), text.as_bytes()).unwrap();
        let mut run = run(1, "'mean'", "ipm", "");
        let all = || 0..20u64;
        run.record.classes = table(
            "round,class,recall\n".to_owned()
                + &all().map(|c| format!("1,{c},{}\n", c as f64 / 100.0)).collect::<String>(),
        );
        let pair = |c: u64| format!("1,{c},{c},{c}\n1,{c},19,{}\n", 100 - c);
        run.record.confusion = table(
            "round,class,predicted,samples\n".to_owned() + &all().take(19).map(pair).collect::<String>(),
        );
        let study = study(vec![run]);
        let counted = Counted::of(&study, &study.series[0]).unwrap();
        assert_eq!(counted.shown, (0..16).collect::<Vec<_>>());
        let heat = pairs(&counted).unwrap();
        assert!(
            heat.apart && heat.columns.len() == 17 && heat.title.ends_with("the 16 lowest of 20 classes")
        );
        let Cell::Number { value, .. } = heat.cells[5][16] else { panic!("{:?}", heat.cells[5]) };
        assert!((value - 95.0).abs() < 1e-9, "{value} of class 5 is taken for others");
    }
}
