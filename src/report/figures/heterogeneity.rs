//! The number of Byzantine workers × how the data is dealt.

use super::{
    super::{
        factors::is_of_problem,
        plot::{Cell, DrawError, Heat},
        study::{Series, Study, combinations, having, pick},
    },
    Gallery, Map,
    cells::{is_free, spans_decades, worst},
};

impl Gallery<'_> {
    /// f × heterogeneity for each problem and rule, worst case over all else, if runs differ in both.
    pub(super) fn heterogeneity(&mut self) -> Result<(), DrawError> {
        let study = self.study;
        let partition = study.factors_below("task.partition");
        let Some(f) = study.factor("f").filter(|_| !partition.is_empty()) else { return Ok(()) };
        let rule: Vec<usize> =
            ["rule", "meta-aggregator", "base"].iter().filter_map(|key| study.factor(key)).collect();
        let problem: Vec<usize> =
            (0..study.factors.len()).filter(|&at| is_of_problem(&study.factors[at].key)).collect();
        let apart = [&problem[..], &rule].concat();
        let map = |levels: Vec<usize>| Map {
            problem: levels[..problem.len()].to_vec(),
            stem: self.stem("f-heterogeneity", (&apart, &levels)),
            heat: dealt(study, (f, &partition), (&apart, &levels)),
        };
        let maps: Vec<Map> = study.combinations(&apart).into_iter().map(map).collect();
        self.maps(&maps)
    }
}

/// The map of the factor `f` × those of the partition, with the values `levels` of the factors `apart`.
fn dealt(study: &Study, (f, partition): (usize, &[usize]), (apart, levels): (&[usize], &[usize])) -> Heat {
    let known = |at: &usize| *at == f || partition.contains(at) || apart.contains(at);
    let rest: Vec<usize> = (0..study.factors.len()).filter(|at| !known(at)).collect();
    let (rows, columns) = (study.combinations(&[f]), study.combinations(partition));
    let here = having(&study.series, apart, levels);
    let cells = |row: &Vec<usize>| {
        // An attack belongs to the f at which it is there.
        let at_f = having(here.iter().copied(), &[f], row);
        columns.iter().map(|column| worst_dealt(study, &at_f, (partition, column), &rest)).collect()
    };
    let label = study.label(apart, levels);
    let title = "Byzantine workers × heterogeneity";
    let (across, heading) = partitions(study, partition);
    Heat {
        title: if label.is_empty() { title.to_owned() } else { format!("{title}: {label}") },
        what: format!("final {}, worst case over all else that differs", study.measure.label()),
        across: across.to_owned(),
        columns: columns.iter().map(|levels| heading(levels)).collect(),
        rows: rows.iter().map(|level| study.label(&[f], level)).collect(),
        cells: rows.iter().map(cells).collect(),
        apart: false,
        higher_is_better: study.measure.higher_is_better,
        log: spans_decades(study),
    }
}

/// The worst of `series` with the values `column` of the factors `which`, over all that occurs of the factors `rest`.
fn worst_dealt(
    study: &Study,
    series: &[&Series],
    (which, column): (&[usize], &[usize]),
    rest: &[usize],
) -> Cell {
    let conditions = combinations(series.iter().copied(), rest);
    let under = |condition: &Vec<usize>| {
        let is_it = |s: &&Series| pick(s, which) == column && pick(s, rest) == *condition;
        series.iter().copied().find(is_it)
    };
    worst(study, &attacked(study, rest, &conditions).into_iter().map(under).collect::<Vec<_>>())
}

/// The `conditions` under which somebody attacks, by the factors `which`; all of them if nobody does.
fn attacked<'a>(study: &Study, which: &[usize], conditions: &'a [Vec<usize>]) -> Vec<&'a Vec<usize>> {
    let attacked: Vec<&Vec<usize>> =
        conditions.iter().filter(|levels| !is_free(study, which, levels)).collect();
    if attacked.is_empty() { conditions.iter().collect() } else { attacked }
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

#[cfg(test)]
mod tests {
    use super::super::{
        super::study::tests::{altered, run, study},
        Figure, figures,
        tests::count,
    };

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

    #[test]
    fn a_worst_case_needs_every_attack() {
        let figures =
            crossed(|partition, count, attack| (partition, count, attack) != ("'iid'", "count = 1", "ipm"));
        assert_eq!(count(&figures, "f-heterogeneity", "50.00"), 5);
        assert_eq!(count(&figures, "f-heterogeneity", "–"), 1);
    }
}
