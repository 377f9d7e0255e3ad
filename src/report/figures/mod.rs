//! Which pictures a study has, in the order of the page.

use std::{collections::BTreeSet, iter::once};

use phalanx_actors::report::Phases;

use super::{
    ReportError,
    curves::{Against, axis_of, curves, drawn, panels, titled},
    factors::is_of_problem,
    layout::Layout,
    losses::Losses,
    plot::{Axis, Bar, Bars, Cell, DrawError, Heat, Point},
    statistics::{Estimate, median},
    study::{Run, Series, Study, combinations, pick},
};
use crate::results::tables::timing;

/// As many bars as a picture can hold.
const MOST_BARS: usize = 24;

/// A picture.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its file's name without the ending.
    pub stem: String,
    /// Pictures of one group are views of the same numbers; the page shows one at a time.
    pub group: String,
    /// What this view is called.
    pub view: String,
    /// The picture.
    pub svg: String,
}

/// All pictures of `study`.
///
/// # Errors
/// [`ReportError::Draw`].
pub fn figures(study: &Study) -> Result<Vec<Figure>, ReportError> {
    let mut gallery = Gallery { study, figures: Vec::new() };
    gallery.all().map_err(ReportError::draw)?;
    Ok(gallery.figures)
}

struct Gallery<'a> {
    study: &'a Study,
    figures: Vec<Figure>,
}

impl Gallery<'_> {
    fn all(&mut self) -> Result<(), DrawError> {
        for measure in drawn(self.study) {
            for split in self.study.combinations(&self.study.layout.split) {
                for against in Against::ALL {
                    let group = titled(self.study, measure.title, &split);
                    let stem = format!("{}-{}", self.stem(measure.column, &split), against.name());
                    let svg = curves(self.study, &split, measure, against).draw()?;
                    self.add(stem, group, against.name(), svg);
                }
            }
        }
        self.breakdown()?;
        self.attacks()?;
        self.heterogeneity()?;
        self.cost()
    }

    /// A picture in a file `stem`, or one beside it if that is taken.
    fn add(&mut self, stem: String, group: impl Into<String>, view: &str, svg: String) {
        let others = (2..).map(|number| format!("{stem}-{number}"));
        let is_taken = |stem: &String| self.figures.iter().any(|figure| figure.stem == *stem);
        let Some(stem) = once(stem.clone()).chain(others).find(|stem| !is_taken(stem)) else { return };
        self.figures.push(Figure { stem, group: group.into(), view: view.to_owned(), svg });
    }

    /// A file's name for `what` in the figure with the values `split`.
    fn stem(&self, what: &str, split: &[usize]) -> String {
        slug(&format!("{what} {}", self.study.label(&self.study.layout.split, split)))
    }

    /// The final value against f, if runs differ in it.
    fn breakdown(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let Some(f) = study.factor("f") else { return Ok(()) };
        let (layout, all) = (without(&study.layout, f), beside_attacks(study));
        for split in combinations(&all, &layout.split) {
            let here: Vec<&Series> =
                all.iter().filter(|series| pick(series, &layout.split) == split).collect();
            let x = |series: &Series| study.factors[f].values[series.levels[f]].parse().unwrap_or(f64::NAN);
            let points = |series: &Series| {
                let (x, hollow) = (x(series), series.losses.any());
                let point = |estimate: Estimate| {
                    let (low, high) = estimate.range();
                    Point { x, y: estimate.mean, low, high, hollow }
                };
                shown(study, [series]).map(point).into_iter().collect()
            };
            let mut grid = panels(study, &layout, &here, points);
            grid.panels.iter_mut().flatten().for_each(|lines| *lines = connected(std::mem::take(lines)));
            let means =
                here.iter().filter_map(|series| shown(study, [*series])).map(|estimate| estimate.mean);
            let means: Vec<f64> = means.collect();
            let y = axis_of(study.measure, means.iter().copied());
            grid.y = Axis { label: format!("final {}", y.label), ..y };
            let marks = study.factors[f].values.iter().filter_map(|value| value.parse().ok()).collect();
            let some_failed = Losses::over(here).any();
            let hollow = if some_failed { " (hollow points: seeds failed)" } else { "" };
            grid.x = Axis { label: format!("Byzantine workers f{hollow}"), marks, ..Axis::default() };
            grid.marks = true;
            let label = study.label(&layout.split, &split);
            grid.title = format!("Breakdown: final {} against f", study.measure.title)
                + &if label.is_empty() { label } else { format!(", {label}") };
            let stem = slug(&format!("breakdown {}", study.label(&layout.split, &split)));
            self.add(stem, grid.title.clone(), "", grid.draw()?);
        }
        Ok(())
    }

    /// Rule × attack with the worst case, if runs differ in both. Maps of one problem share the limits of their colours.
    fn attacks(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let attack = study.factors_below("attack");
        let layout = attack.iter().fold(study.layout.clone(), |layout, &factor| without(&layout, factor));
        let across = [&layout.columns[..], &layout.rows, &layout.colour].concat();
        if attack.is_empty() || across.is_empty() {
            return Ok(());
        }
        let split = &layout.split;
        let maps: Vec<(Vec<usize>, Heat)> = study
            .combinations(split)
            .into_iter()
            .map(|values| (values.clone(), self.under_attacks((split, &values), &across, &attack)))
            .collect();
        let problem = |values: &[usize]| -> Vec<usize> {
            let those = split.iter().zip(values).filter(|(at, _)| is_of_problem(&study.factors[**at].key));
            those.map(|(_, &value)| value).collect()
        };
        for (values, heat) in &maps {
            let alike = maps.iter().filter(|(others, _)| problem(others) == problem(values));
            let svg = heat.draw_among(alike.map(|(_, heat)| heat))?;
            self.add(self.stem("rule-attack", values), heat.title.clone(), "", svg);
        }
        Ok(())
    }

    /// The map with the values `split.1` of the factors `split.0`; the worst case stands apart, where somebody attacks.
    fn under_attacks(&self, split: (&[usize], &[usize]), across: &[usize], attack: &[usize]) -> Heat {
        let study = self.study;
        let here = || study.series.iter().filter(|series| pick(series, split.0) == split.1);
        let rows = study.combinations(across);
        let rows: Vec<&Vec<usize>> =
            rows.iter().filter(|row| here().any(|series| pick(series, across) == **row)).collect();
        let attacks: BTreeSet<Vec<usize>> = here().map(|series| pick(series, attack)).collect();
        let attacked: Vec<&Vec<usize>> =
            attacks.iter().filter(|levels| !is_free(study, attack, levels)).collect();
        let any = !attacked.is_empty();
        let under = |row: &[usize], levels: &[usize]| {
            here().find(|s| pick(s, across) == row && pick(s, attack) == levels)
        };
        let cells = rows.iter().map(|row| {
            let worst: Vec<_> = attacked.iter().map(|levels| under(row, levels)).collect();
            let cells = attacks.iter().map(|levels| self.cell(under(row, levels)));
            cells.chain(any.then(|| self.worst(&worst))).collect()
        });
        let columns = attacks.iter().map(|levels| study.label(attack, levels));
        let beside = any && attacked.len() < attacks.len();
        let but = if beside { "; the worst case is over the attacks, without “no attack”" } else { "" };
        let title =
            if any { "worst case over attacks".to_owned() } else { format!("final {}", study.measure.title) };
        Heat {
            title: titled(study, &title, split.1),
            what: format!("final {}, mean over seeds{but}", study.measure.label()),
            across: "attack".to_owned(),
            cells: cells.collect(),
            columns: columns.chain(any.then(|| "worst case".to_owned())).collect(),
            rows: rows.iter().map(|row| study.label(across, row)).collect(),
            apart: any,
            higher_is_better: study.measure.higher_is_better,
            log: self.spans_decades(),
        }
    }

    /// f × heterogeneity for each problem and rule, worst case over all else, if runs differ in both.
    fn heterogeneity(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let partition = study.factors_below("task.partition");
        let Some(f) = study.factor("f").filter(|_| !partition.is_empty()) else { return Ok(()) };
        let rule: Vec<usize> =
            ["rule", "meta-aggregator", "base"].iter().filter_map(|key| study.factor(key)).collect();
        let problem: Vec<usize> =
            (0..study.factors.len()).filter(|&at| is_of_problem(&study.factors[at].key)).collect();
        let apart = [&problem[..], &rule].concat();
        let known = |at: &usize| *at == f || partition.contains(at) || apart.contains(at);
        let rest: Vec<usize> = (0..study.factors.len()).filter(|at| !known(at)).collect();
        let (rows, columns) = (study.combinations(&[f]), study.combinations(&partition));
        let mut maps: Vec<(Vec<usize>, String, Heat)> = Vec::new();
        for level in study.combinations(&apart) {
            let here: Vec<&Series> =
                study.series.iter().filter(|series| pick(series, &apart) == level).collect();
            let cells = |row: &Vec<usize>| {
                // An attack belongs to the f at which it is there.
                let at_f: Vec<&Series> =
                    here.iter().copied().filter(|series| series.levels[f] == row[0]).collect();
                columns.iter().map(|column| self.worst_dealt(&at_f, (&partition, column), &rest)).collect()
            };
            let label = study.label(&apart, &level);
            let title = "Byzantine workers × heterogeneity";
            let (across, heading) = partitions(study, &partition);
            let heat = Heat {
                title: if label.is_empty() { title.to_owned() } else { format!("{title}: {label}") },
                what: format!("final {}, worst case over all else that differs", study.measure.label()),
                across: across.to_owned(),
                columns: columns.iter().map(|levels| heading(levels)).collect(),
                rows: rows.iter().map(|level| study.label(&[f], level)).collect(),
                cells: rows.iter().map(cells).collect(),
                apart: false,
                higher_is_better: study.measure.higher_is_better,
                log: self.spans_decades(),
            };
            maps.push((level[..problem.len()].to_vec(), slug(&format!("f-heterogeneity {label}")), heat));
        }
        for (problem, stem, heat) in &maps {
            let alike = maps.iter().filter(|(other, ..)| other == problem);
            let svg = heat.draw_among(alike.map(|(.., heat)| heat))?;
            self.add(stem.clone(), heat.title.clone(), "", svg);
        }
        Ok(())
    }

    /// The worst of `series` with the values `column` of the factors `which`, over all that occurs of the factors `rest`.
    fn worst_dealt(&self, series: &[&Series], (which, column): (&[usize], &[usize]), rest: &[usize]) -> Cell {
        let conditions: BTreeSet<Vec<usize>> = series.iter().map(|series| pick(series, rest)).collect();
        let under = |condition: &Vec<usize>| {
            let is_it = |s: &&Series| pick(s, which) == column && pick(s, rest) == *condition;
            series.iter().copied().find(is_it)
        };
        self.worst(&attacked(self.study, rest, &conditions).into_iter().map(under).collect::<Vec<_>>())
    }

    /// The final value of `series`, or how it ended without one.
    fn cell(&self, series: Option<&Series>) -> Cell {
        let (measure, Some(series)) = (self.study.measure, series) else { return Cell::Empty };
        match self.study.settled([series]) {
            Some(Estimate { mean, .. }) => {
                let (value, text) = (measure.scale() * mean, measure.show(mean));
                Cell::Number { value, text, note: series.losses.note() }
            }
            None => self.study.ending(series).map_or(Cell::Empty, Cell::Word),
        }
    }

    /// The worst of `cases`; a word if one of them has no number, for the worst may be there. So it may be where seeds
    /// failed: those of all cases are told.
    fn worst(&self, cases: &[Option<&Series>]) -> Cell {
        let sign = self.study.measure.sign();
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
        match cases.iter().map(|case| self.cell(*case)).min_by(worse) {
            Some(Cell::Number { value, text, .. }) => Cell::Number { value, text, note: losses.note() },
            other => other.unwrap_or(Cell::Empty),
        }
    }

    /// Whether the final values are seen better on a logarithmic scale.
    fn spans_decades(&self) -> bool {
        let values = self.study.series.iter().filter_map(|series| shown(self.study, [series]));
        axis_of(self.study.measure, values.map(|estimate| estimate.mean)).log
    }

    /// What aggregation costs, and where the time of a round goes.
    fn cost(&mut self) -> Result<(), DrawError> {
        let (study, names) = (self.study, self.cost_names());
        let mut labels: Vec<&String> = names.iter().collect();
        labels.dedup();
        let mut bars: Vec<Bar> = Vec::new();
        for label in labels {
            if bars.iter().any(|bar| bar.label == *label) {
                continue;
            }
            let those = || study.series.iter().zip(&names).filter(|(_, name)| *name == label);
            let runs = those().flat_map(|(series, _)| &series.runs).map(|&run| &study.runs[run]);
            let runs: Vec<&Run> = runs.filter(|run| run.is_complete()).collect();
            if runs.is_empty() {
                continue;
            }
            let parts = Phases::ALL.iter().map(|part| milliseconds(&runs, &timing(part))).collect();
            let note = Losses::over(those().map(|(series, _)| series)).beside(String::new());
            bars.push(Bar { label: label.clone(), parts, note });
        }
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

    /// What each series is called in pictures of cost: all that differs but the attack; the rule alone if that is too much.
    fn cost_names(&self) -> Vec<String> {
        let study = self.study;
        let Layout { split, rows, columns, colour } = &study.layout;
        let mut but_attack = [&columns[..], rows, colour, split].concat();
        let attack = study.factors_below("attack");
        but_attack.retain(|at| !attack.contains(at));
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
}

/// The mean over `runs` of the median of a column of their times.
fn milliseconds(runs: &[&Run], column: &str) -> f64 {
    let medians: Vec<f64> =
        runs.iter().filter_map(|run| run.record.timings.get(column).and_then(median)).collect();
    Estimate::of(&medians).map_or(0.0, |estimate| 1000.0 * estimate.mean)
}

/// Whether nobody attacks with the values `levels` of the factors `which`.
fn is_free(study: &Study, which: &[usize], levels: &[usize]) -> bool {
    let attack = which.iter().position(|&at| study.factors[at].key == "attack");
    attack.is_some_and(|at| study.factors[which[at]].values[levels[at]] == "none")
}

/// The `conditions` under which somebody attacks, by the factors `which`; all of them if nobody does.
fn attacked<'a>(study: &Study, which: &[usize], conditions: &'a BTreeSet<Vec<usize>>) -> Vec<&'a Vec<usize>> {
    let attacked: Vec<&Vec<usize>> =
        conditions.iter().filter(|levels| !is_free(study, which, levels)).collect();
    if attacked.is_empty() { conditions.iter().collect() } else { attacked }
}

/// The final value of the runs of `series`, scaled for showing.
fn shown<'a>(study: &Study, series: impl IntoIterator<Item = &'a Series>) -> Option<Estimate> {
    study.settled(series).map(|estimate| estimate.scaled(study.measure.scale()))
}

/// What the factors of the partition are, and the heading of a column: the value alone of a single one.
fn partitions<'a>(study: &'a Study, partition: &'a [usize]) -> (&'a str, impl Fn(&[usize]) -> String + 'a) {
    let alone = <[usize; 1]>::try_from(partition).ok().map(|[at]| &study.factors[at]);
    let key = alone.map_or("partition", |factor| factor.key.trim_start_matches("task."));
    let heading = move |levels: &[usize]| match alone {
        Some(factor) => factor.values[levels[0]].clone(),
        None => study.label(partition, levels),
    };
    (key, heading)
}

/// `layout` with a factor taken out.
fn without(layout: &Layout, factor: usize) -> Layout {
    let rest = |list: &[usize]| list.iter().copied().filter(|&at| at != factor).collect();
    Layout {
        split: rest(&layout.split),
        rows: rest(&layout.rows),
        columns: rest(&layout.columns),
        colour: rest(&layout.colour),
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
fn connected(lines: Vec<super::plot::Line>) -> Vec<super::plot::Line> {
    let mut joined: Vec<super::plot::Line> = Vec::new();
    for line in lines {
        match joined.iter_mut().find(|other| other.colour == line.colour) {
            Some(other) => other.points.extend(line.points),
            None => joined.push(line),
        }
    }
    joined.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    joined
}

/// Letters and digits of `text` with single dashes between them; a minus is a word.
fn slug(text: &str) -> String {
    let text = text.replace("= -", "= minus ");
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(plain).collect();
    text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::study::{
            Run, Study,
            tests::{altered, ended_at, failed, run, study},
        },
        Figure, Gallery, figures, slug,
    };
    use crate::results::{Columns, read::RunRecord};

    /// The texts of the figure `stem` that are `text`.
    fn count(figures: &[Figure], stem: &str, text: &str) -> usize {
        let figure = figures.iter().find(|figure| figure.stem == stem);
        figure.unwrap_or_else(|| panic!("no {stem}")).svg.lines().filter(|line| line.trim() == text).count()
    }

    #[test]
    fn an_attack_that_destroys_a_run_is_the_worst_case() {
        let runs = ["'mean'", "'cwmed'"].map(|rule| ["ipm", "alie"].map(|attack| run(1, rule, attack, "")));
        let [[kept, lost], other] = runs;
        let runs: Vec<Run> = [kept, failed(lost)].into_iter().chain(other).collect();
        let figures = figures(&study(runs)).unwrap();
        assert_eq!(count(&figures, "rule-attack", "failed"), 2, "the cell of the attack and the worst case");
        assert_eq!(count(&figures, "rule-attack", "50.00"), 4);
    }

    /// f × partition under two attacks; `which` of the runs are there.
    fn crossed(which: impl Fn(&str, &str, &str) -> bool) -> Vec<Figure> {
        let mut runs = Vec::new();
        for partition in ["'iid'", "'extreme'", "{ dirichlet = { alpha = 0.1 } }"] {
            for count in ["count = 1", "count = 4"] {
                for attack in ["ipm", "sign-flip"] {
                    if which(partition, count, attack) {
                        let run = altered(run(1, "'mean'", attack, ""), "count = 4", count);
                        runs.push(altered(run, "[task]", &format!("[task]\npartition = {partition}")));
                    }
                }
            }
        }
        figures(&study(runs)).unwrap()
    }

    #[test]
    fn every_partition_is_a_column_of_its_own() {
        let figures = crossed(|_, _, _| true);
        for column in ["iid", "extreme", "dirichlet"] {
            assert_eq!(count(&figures, "f-heterogeneity", column), 1, "{column}");
        }
        assert_eq!(count(&figures, "f-heterogeneity", "50.00"), 6);
    }

    /// A worst case over two models would say nothing of either.
    #[test]
    fn maps_of_heterogeneity_are_of_one_problem() {
        let mut runs = Vec::new();
        for model in ["mlp", "logistic"] {
            for (partition, count) in [("iid", 1), ("iid", 4), ("extreme", 1), ("extreme", 4)] {
                let run = altered(run(1, "'mean'", "ipm", ""), "count = 4", &format!("count = {count}"));
                let run = altered(run, "model = \"mlp\"", &format!("model = \"{model}\""));
                runs.push(altered(run, "[task]", &format!("[task]\npartition = '{partition}'")));
            }
        }
        let figures = figures(&study(runs)).unwrap();
        let maps = figures.iter().filter(|figure| figure.stem.starts_with("f-heterogeneity"));
        let cells: Vec<usize> = maps.map(|map| count(&figures, &map.stem, "50.00")).collect();
        assert_eq!(cells, [4, 4]);
    }

    /// Without attackers there is no attack, and no case of it is missing.
    #[test]
    fn a_worst_case_is_over_the_attacks_of_its_f() {
        let mut runs = Vec::new();
        for partition in ["'iid'", "'extreme'"] {
            let dealt = |run| altered(run, "[task]", &format!("[task]\npartition = {partition}"));
            let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
            runs.push(dealt(altered(run(1, "'mean'", "ipm", ""), attackers, "")));
            for count in ["count = 1", "count = 4"] {
                runs.push(dealt(altered(run(1, "'mean'", "ipm", ""), "count = 4", count)));
            }
        }
        let figures = figures(&study(runs)).unwrap();
        assert_eq!(count(&figures, "f-heterogeneity", "50.00"), 6);
        assert_eq!(count(&figures, "f-heterogeneity", "–"), 0);
    }

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

    /// Without attackers the mean does worst here, and f is another number: it is no case of an attack.
    #[test]
    fn runs_without_attackers_are_no_case_of_an_attack() {
        let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
        let mut runs = Vec::new();
        for rule in ["'mean'", "'cwmed'"] {
            runs.push(ended_at(altered(run(1, rule, "ipm", ""), attackers, ""), 0.25));
            runs.push(ended_at(run(1, rule, "ipm", ""), 0.75));
        }
        let study = study(runs);
        let figures = figures(&study).unwrap();
        assert_eq!(["25.00", "75.00"].map(|text| count(&figures, "rule-attack", text)), [2, 4]);
        let told = "final test accuracy (%), mean over seeds; the worst case is over the attacks, without “no attack”";
        assert_eq!(count(&figures, "rule-attack", told), 1);
    }

    /// A worst case over no attack would be no worst case. The maps share their colours: without the others, that of f = 0,
    /// whose numbers are all one, had no bar of them.
    #[test]
    fn without_attackers_there_is_no_worst_case() {
        let attackers = "[[attackers]]\ncount = 4\nattack = \"ipm\"\n";
        let mut runs = Vec::new();
        for rule in ["'mean'", "'cwmed'"] {
            runs.push(altered(run(1, rule, "ipm", ""), attackers, ""));
            for attack in ["ipm", "alie"] {
                runs.push(altered(run(1, rule, attack, ""), "count = 4", "count = 1"));
                runs.push(ended_at(run(1, rule, attack, ""), 0.9));
            }
        }
        let figures = figures(&study(runs)).unwrap();
        let worst = |f: usize| count(&figures, &format!("rule-attack-f-{f}"), "worst case");
        assert_eq!([0, 1, 4].map(worst), [0, 1, 1]);
        let free = |text| count(&figures, "rule-attack-f-0", text);
        assert_eq!(["Final test accuracy, f = 0", "50.00", "60", "80"].map(free), [1, 2, 1, 1]);
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

    #[test]
    fn a_worst_case_needs_every_attack() {
        let figures =
            crossed(|partition, count, attack| (partition, count, attack) != ("'iid'", "count = 1", "ipm"));
        assert_eq!(count(&figures, "f-heterogeneity", "50.00"), 5);
        assert_eq!(count(&figures, "f-heterogeneity", "–"), 1);
    }

    #[test]
    fn figures_of_other_values_have_other_files() {
        let files = ["epsilon = -3", "epsilon = 3", "epsilon = 0.3"].map(slug);
        assert_eq!(files, ["epsilon-minus-3", "epsilon-3", "epsilon-0.3"]);
        let runs = [1, 2].map(|seed| run(seed, "'mean'", "ipm", ""));
        let figures = figures(&study(runs.into())).unwrap();
        let mut stems: Vec<&str> = figures.iter().map(|figure| figure.stem.as_str()).collect();
        stems.sort_unstable();
        stems.dedup();
        assert_eq!(stems.len(), figures.len());
        let study = study(vec![run(1, "'mean'", "ipm", "")]);
        let mut gallery = Gallery { study: &study, figures: Vec::new() };
        (0..3).for_each(|_| gallery.add("same".to_owned(), "", "", String::new()));
        let stems: Vec<String> = gallery.figures.into_iter().map(|figure| figure.stem).collect();
        assert_eq!(stems, ["same", "same-2", "same-3"]);
    }
}
