//! What a set of runs is a study of: the runs that count, those that differ in
//! nothing but the seed (series), and what is said of their settings.

mod run;
mod series;

pub use self::{
    run::Run,
    series::{Series, combinations, counted, counted_runs, having, pick},
};
use super::{
    ReportError,
    factors::{ABSENT, Factor, factors, is_below, is_of_problem, without_role},
    facts::Fact,
    layout::{Layout, layout},
    measure::Measure,
    notes::Note,
    statistics::Estimate,
};
use crate::results::{Status, read::RunRecord};

/// Settings whose values are told without their key.
const PLAIN: [&str; 7] =
    ["attack", "rule", "base", "estimator", "step", "estimator / step", "task.partition"];

/// What a set of runs is a study of.
#[derive(Debug)]
pub struct Study {
    /// The runs, in the order of their paths.
    pub runs: Vec<Run>,
    /// What they are judged by.
    pub measure: Measure,
    /// What differs.
    pub factors: Vec<Factor>,
    /// For every run and factor, which of its values.
    pub levels: Vec<Vec<usize>>,
    /// Runs that differ in nothing but the seed, in the order of the factors.
    pub series: Vec<Series>,
    /// Which factor goes where.
    pub layout: Layout,
    /// What a reader has to know: runs left out, settings that vary together.
    pub notes: Vec<Note>,
}

impl Study {
    /// The study that `records` are.
    ///
    /// # Errors
    /// [`ReportError::Mixed`] if they cannot be judged by one measure, [`ReportError::Empty`] if none was evaluated.
    pub fn new(records: Vec<RunRecord>) -> Result<Self, ReportError> {
        let measure = Measure::common(records.iter())?;
        if records.iter().all(|record| measure.of(record).is_none()) {
            return Err(ReportError::Empty { folders: records.len() });
        }
        Ok(Self::of(series::runs(records, measure), measure))
    }

    fn of(runs: Vec<Run>, measure: Measure) -> Self {
        let mut notes = Vec::new();
        let (factors, levels) = factors(&runs, &mut notes);
        let series = series::series(&runs, (&factors, &levels), &mut notes);
        let layout = layout(&factors, &series);
        Self { runs, measure, factors, levels, series, layout, notes }
    }

    /// The combinations of values of the factors `which` that occur, in order.
    pub fn combinations(&self, which: &[usize]) -> Vec<Vec<usize>> {
        combinations(&self.series, which)
    }

    /// A combination of values of the factors `which` in words.
    /// Parameters of components that are not there are left out, unless that leaves nothing.
    pub fn label(&self, which: &[usize], levels: &[usize]) -> String {
        let is_there = |(factor, level): &(&usize, &usize)| {
            let Factor { values, parameter, .. } = &self.factors[**factor];
            !parameter || values[**level] != ABSENT
        };
        let part = |(&factor, &level): (&usize, &usize)| {
            let Factor { key, values, .. } = &self.factors[factor];
            let value = &values[level];
            match key.as_str() {
                "meta-aggregator" if value == "none" => "no meta-aggregator".to_owned(),
                "attack" if value == "none" => "no attack".to_owned(),
                "meta-aggregator" => value.clone(),
                key if PLAIN.contains(&key) => value.clone(),
                key => format!("{} = {value}", self.bare(key, which, levels).unwrap_or(without_role(key))),
            }
        };
        let parts: Vec<String> = which.iter().zip(levels).filter(is_there).map(part).collect();
        if parts.is_empty() && !which.is_empty() { ABSENT.to_owned() } else { parts.join(" · ") }
    }

    /// What is left of the key of a parameter whose component is told beside it.
    fn bare<'k>(&self, key: &'k str, which: &[usize], levels: &[usize]) -> Option<&'k str> {
        let told = which.iter().zip(levels).map(|(&at, &level)| (&self.factors[at], level));
        let prefixes = told.map(|(factor, level)| format!("{}.{}.", factor.key, factor.values[level]));
        let rest = prefixes.filter_map(|prefix| key.strip_prefix(&prefix)).min_by_key(|rest| rest.len())?;
        // Of several components of one name, a number says which.
        Some(rest).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// The factors whose values are held against those of a baseline: those of the colours but what the problem is, whose
    /// values have no difference that means anything, and how the data is dealt, which nobody chooses, unless there is
    /// nothing else.
    pub fn compared(&self) -> Vec<usize> {
        let key = |at: &usize| self.factors[*at].key.as_str();
        let mut alike: Vec<usize> = self.layout.colour.clone();
        alike.retain(|at| !is_of_problem(key(at)));
        let chosen: Vec<usize> =
            alike.iter().copied().filter(|at| !is_below(key(at), "task.partition")).collect();
        if chosen.is_empty() { alike } else { chosen }
    }

    /// The mean of the final values of all runs of `series`.
    pub fn settled<'a>(&self, series: impl IntoIterator<Item = &'a Series>) -> Option<Estimate> {
        let runs = series.into_iter().flat_map(|series| &series.runs);
        let values: Vec<f64> = runs.filter_map(|&run| self.runs[run].digest.settled).collect();
        Estimate::of(&values)
    }

    /// The factor with that name or key.
    pub fn factor(&self, key: &str) -> Option<usize> {
        self.factors.iter().position(|factor| factor.key == key)
    }

    /// The value that the runs of `series` have of a factor.
    pub fn value(&self, series: &Series, factor: usize) -> &str {
        &self.factors[factor].values[series.levels[factor]]
    }

    /// The factor `name` and those that are parameters of what it names.
    pub fn factors_below(&self, name: &str) -> Vec<usize> {
        (0..self.factors.len()).filter(|&at| is_below(&self.factors[at].key, name)).collect()
    }

    /// How the runs of `series` ended, if none came to a number: a failure says most.
    pub fn ending(&self, series: &Series) -> Option<&'static str> {
        let mut runs = series.runs.iter().map(|&run| &self.runs[run]);
        let first = runs.clone().next()?;
        let told = || match series.losses.failed {
            0 if first.is_nan() => "NaN",
            0 => first.status(),
            _ => Status::Failed.name(),
        };
        runs.all(|run| run.digest.settled.is_none()).then(told)
    }

    /// What all runs have in common, by key; a parameter is common to those that have its component.
    pub fn shared(&self) -> Vec<&Fact> {
        let agrees = |run: &Run, fact: &Fact| match &fact.component {
            Some(component) => [fact.value.as_str(), ABSENT].contains(&run.parameter(&fact.key, component)),
            None => run.value_of(&fact.key) == fact.value,
        };
        let mut shared: Vec<&Fact> = Vec::new();
        for fact in self.runs.iter().flat_map(|run| run.facts.iter()) {
            let is_new = shared.iter().all(|other| other.key != fact.key);
            if is_new && self.runs.iter().all(|run| agrees(run, fact)) {
                shared.push(fact);
            }
        }
        shared
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::{Run, Study};
    use crate::{
        config::read_back,
        report::{
            losses::Losses,
            measure::{ACCURACY, Digest},
        },
        results::{
            Columns, Status,
            read::{RunInfo, RunRecord},
        },
    };

    /// A complete run of a small experiment with an accuracy of 0.5; `rest` are keys before its tables.
    pub fn run(seed: u64, rule: &str, attack: &str, rest: &str) -> Run {
        let text = format!(
            "seed = {seed}\n{rest}\n[task]\ndataset = \"digits\"\nmodel = \"mlp\"\n[aggregator]\nrule = [{rule}]\n[[workers]]\n\
             count = 9\n[[attackers]]\ncount = 4\nattack = \"{attack}\"\n"
        );
        let summary = r#"{"status": "completed", "rounds": 1, "elapsed_seconds": 1, "rounds_per_second": 1}"#;
        let record = RunRecord {
            folder: format!("{seed}").into(),
            config: read_back(Path::new("config.toml"), &text).unwrap(),
            config_text: text,
            info: RunInfo::default(),
            summary: Some(serde_json::from_str(summary).unwrap()),
            rounds: Columns::default(),
            evaluations: Columns::parse(Path::new("evaluations.csv"), b"round,test_accuracy\n1,0.5\n")
                .unwrap(),
            timings: Columns::default(),
            classes: Columns::default(),
            confusion: Columns::default(),
        };
        Run::new(record, ACCURACY)
    }

    /// The run with another text in its configuration, and so another configuration.
    pub fn altered(run: Run, from: &str, to: &str) -> Run {
        let mut record = run.record;
        assert!(record.config_text.contains(from));
        record.config_text = record.config_text.replace(from, to);
        record.config = read_back(Path::new("config.toml"), &record.config_text).unwrap();
        Run::new(record, ACCURACY)
    }

    /// The run as it is if it failed.
    pub fn failed(run: Run) -> Run {
        let mut record = run.record;
        let summary = r#"{"status": "failed", "rounds": 1, "elapsed_seconds": 1, "rounds_per_second": 1, "error": "it grew"}"#;
        record.summary = Some(serde_json::from_str(summary).unwrap());
        Run::new(record, ACCURACY)
    }

    /// The run as it is if it ended with this accuracy.
    pub fn ended_at(run: Run, accuracy: f64) -> Run {
        let table = format!("round,test_accuracy\n1,{accuracy}\n");
        let evaluations = Columns::parse(Path::new("evaluations.csv"), table.as_bytes()).unwrap();
        Run::new(RunRecord { evaluations, ..run.record }, ACCURACY)
    }

    pub fn study(runs: Vec<Run>) -> Study {
        Study::of(runs, ACCURACY)
    }

    fn keys(study: &Study, list: &[usize]) -> Vec<String> {
        list.iter().map(|&at| study.factors[at].key.clone()).collect()
    }

    #[test]
    fn attack_base_and_meta_aggregator_become_rows_columns_and_colour() {
        let mut runs = Vec::new();
        for seed in [1, 2, 3] {
            for attack in ["sign-flip", "alie"] {
                for rule in ["'cwmed'", "'ctma','cwmed'", "'krum'", "'ctma','krum'"] {
                    runs.push(run(seed, rule, attack, ""));
                }
            }
        }
        let study = Study::of(runs, ACCURACY);
        assert_eq!(keys(&study, &study.layout.rows), ["attack"]);
        assert_eq!(keys(&study, &study.layout.columns), ["base"]);
        assert_eq!(keys(&study, &study.layout.colour), ["meta-aggregator"]);
        assert_eq!(study.series.len(), 8);
        assert!(study.series.iter().all(|series| series.runs.len() == 3), "seeds make a band, no series");
        assert!(study.notes.is_empty(), "{:?}", study.notes);
        let meta = study.factor("meta-aggregator").unwrap();
        assert_eq!(study.factors[meta].values, ["none", "ctma"]);
    }

    #[test]
    fn the_f_that_is_told_is_a_number_also_where_it_is_right() {
        let told = |f: usize| altered(run(1, "'cwtm'", "alie", ""), "rule = ", &format!("f = {f}\nrule = "));
        let told = study([3, 4, 5].map(told).into());
        let at = told.factor("aggregator.f").unwrap();
        assert_eq!(told.factors[at].values, ["3", "4", "5"]);
        let right = |count: usize| {
            let count = format!("count = {count}\nattack");
            altered(run(1, "'cwtm'", "alie", ""), "count = 4\nattack", &count)
        };
        let right = study([2, 3].map(right).into());
        assert_eq!(right.factors.iter().map(|f| f.key.as_str()).collect::<Vec<_>>(), ["f"]);
    }

    #[test]
    fn rules_that_are_not_crossed_are_compared_as_a_whole() {
        let rules = ["'mean'", "'krum'", "'ctma','cwmed'"];
        let study = Study::of(rules.map(|rule| run(1, rule, "ipm", "")).into(), ACCURACY);
        assert_eq!(keys(&study, &study.layout.colour), ["rule"]);
        assert!(
            study.layout.rows.is_empty() && study.layout.columns.is_empty() && study.layout.split.is_empty()
        );
        assert_eq!(study.factors[0].values, ["mean", "krum", "ctma > cwmed"]);
    }

    #[test]
    fn what_else_differs_joins_the_label() {
        let runs = [10, 20].map(|rounds| run(1, "'mean'", "ipm", &format!("rounds = {rounds}")));
        let study = Study::of(runs.into(), ACCURACY);
        assert_eq!(keys(&study, &study.layout.colour), ["rounds"]);
        assert_eq!(study.label(&study.layout.colour, &[1]), "rounds = 20");
    }

    #[test]
    fn a_repeated_run_counts_once_and_a_broken_one_not_at_all() {
        let mut runs: Vec<Run> = [1, 1, 2].map(|seed| run(seed, "'mean'", "ipm", "")).into();
        runs[2].record.summary = None;
        let study = Study::of(runs, ACCURACY);
        assert_eq!(study.series.len(), 1);
        assert_eq!(study.series[0].runs.len(), 1);
        assert_eq!(study.notes.len(), 2);
        assert!(study.notes[1].text.ends_with("(seed 2) is unfinished and left out."), "{:?}", study.notes);
    }

    #[test]
    fn a_run_that_lost_its_evaluations_does_not_stand_in_for_one_that_has_them() {
        let mut runs: Vec<Run> = [1, 1, 2].map(|seed| run(seed, "'mean'", "ipm", "")).into();
        runs[1].record.info.started = "2030-01-01T00:00:00Z".to_owned();
        runs[1].record.evaluations = Columns::default();
        runs[2].record.evaluations = Columns::default();
        let study = Study::of(runs, ACCURACY);
        assert_eq!(study.series[0].runs, [0]);
        let told = "(seed 2) is without evaluations and left out.";
        assert!(study.notes[1].text.ends_with(told), "{:?}", study.notes);
    }

    /// An optional parameter that some runs leave out is a setting like any other.
    #[test]
    fn a_parameter_left_out_is_a_value_of_its_own() {
        let attacks = ["alie", "ipm", "alie"];
        let mut runs: Vec<Run> = attacks.map(|attack| run(1, "'mean'", attack, "")).into();
        let last = runs.remove(2);
        runs.push(altered(last, "\"alie\"", "{ alie = { z = 1.5 } }"));
        let study = study(runs);
        assert_eq!(study.series.len(), 3, "{:?}", study.notes);
        let z = study.factor("attack.alie.z").unwrap();
        assert_eq!(study.factors[z].values, ["1.5", "default", "–"]);
        let attack = study.factor("attack").unwrap();
        assert_eq!(study.layout.colour, [attack, z]);
        let labels =
            study.combinations(&[attack, z]).into_iter().map(|levels| study.label(&[attack, z], &levels));
        assert_eq!(labels.collect::<Vec<_>>(), ["alie · z = 1.5", "alie · z = default", "ipm"]);
    }

    /// So that lines of one rule under another partition have one colour, and a baseline under each.
    #[test]
    fn parameters_stay_with_the_name_whose_they_are() {
        let partitions = ["'iid'", "{ dirichlet = { alpha = 0.1 } }", "{ dirichlet = { alpha = 1.0 } }"];
        let with = |(rule, partition)| {
            altered(run(1, rule, "ipm", ""), "[task]", &format!("[task]\npartition = {partition}"))
        };
        let all = ["'mean'", "'cwmed'"].into_iter().flat_map(|rule| partitions.map(|p| (rule, p)));
        let study = study(all.map(with).collect());
        assert_eq!(keys(&study, &study.layout.colour), ["rule"]);
        let rows = &study.layout.rows;
        assert_eq!(keys(&study, rows), ["task.partition", "task.partition.dirichlet.alpha"]);
        let labels = study.combinations(rows).into_iter().map(|levels| study.label(rows, &levels));
        assert_eq!(labels.collect::<Vec<_>>(), ["dirichlet · alpha = 0.1", "dirichlet · alpha = 1", "iid"]);
    }

    /// A rule is held against another under the same attack, step and partition.
    #[test]
    fn steps_keep_their_parameters_and_partitions_are_not_compared() {
        let mut runs = Vec::new();
        for partition in ["'iid'", "'extreme'"] {
            for (rule, attack) in
                [("'mean'", "ipm"), ("'mean'", "alie"), ("'cwmed'", "ipm"), ("'cwmed'", "alie")]
            {
                for step in ["{ sgd = { lr = 0.1 } }", "{ sgd = { lr = 1.0 } }", "{ adam = { lr = 0.1 } }"] {
                    let run = altered(
                        run(1, rule, attack, ""),
                        "[task]",
                        &format!("[task]\npartition = {partition}"),
                    );
                    runs.push(altered(run, "[aggregator]", &format!("[aggregator]\nstep = {step}")));
                }
            }
        }
        let study = study(runs);
        assert_eq!(keys(&study, &study.layout.rows), ["attack"]);
        assert_eq!(keys(&study, &study.layout.columns), ["step", "step.sgd.lr"]);
        assert_eq!(keys(&study, &study.layout.colour), ["rule", "task.partition"]);
        assert_eq!(keys(&study, &study.compared()), ["rule"]);
        let shared: Vec<&str> = study.shared().iter().map(|fact| fact.key.as_str()).collect();
        assert!(shared.contains(&"step.adam.lr") && !shared.contains(&"step.sgd.lr"), "{shared:?}");
    }

    /// The gaps of two objectives have no difference that means anything.
    #[test]
    fn objectives_are_figures_of_their_own_and_not_compared() {
        let with = |rule, sigma: f64| {
            let objective = format!("objective = {{ least-squares = {{ sigma = {sigma:?} }} }}");
            altered(run(1, rule, "ipm", ""), "dataset = \"digits\"\nmodel = \"mlp\"", &objective)
        };
        let all = ["'mean'", "'cwmed'"].into_iter().flat_map(|rule| [0.0, 2.0].map(|s| with(rule, s)));
        let both = study(all.collect());
        assert_eq!(keys(&both, &both.layout.split), ["task.objective.least-squares.sigma"]);
        assert_eq!(keys(&both, &both.layout.colour), ["rule"]);
        assert_eq!(keys(&both, &both.compared()), ["rule"]);
        let alone = study([0.0, 2.0].map(|sigma| with("'mean'", sigma)).into());
        assert_eq!(keys(&alone, &alone.layout.colour), ["task.objective.least-squares.sigma"]);
        assert!(alone.compared().is_empty());
    }

    #[test]
    fn runs_that_only_look_alike_are_said_to() {
        let mut runs: Vec<Run> = [1, 1].map(|seed| run(seed, "'mean'", "ipm", "")).into();
        runs[1].record.config.rounds += 1;
        let study = Study::of(runs, ACCURACY);
        assert!(study.notes[0].text.contains("configurations are not the same"), "{:?}", study.notes);
    }

    #[test]
    fn what_a_run_had_come_to_before_it_failed_is_not_its_end() {
        let study = study(vec![run(1, "'mean'", "ipm", ""), failed(run(2, "'cwmed'", "ipm", ""))]);
        let [cwmed, mean] = [1, 0].map(|at| &study.runs[at].digest);
        assert_eq!((mean.settled, mean.last, mean.rounds_per_second), (Some(0.5), Some(0.5), Some(1.0)));
        assert_eq!(*cwmed, Digest::default());
        let endings: Vec<_> = study.series.iter().map(|series| study.ending(series)).collect();
        assert_eq!(endings, [None, Some("failed")]);
    }

    /// NaN is no value that a mean could be of: as much is said of it as of a failure.
    #[test]
    fn seeds_that_came_to_nan_are_counted() {
        let seed = |seed, accuracy| ended_at(run(seed, "'mean'", "ipm", ""), accuracy);
        let lost = || failed(run(4, "'mean'", "ipm", ""));
        let told = |runs| {
            let study = study(runs);
            let series = &study.series[0];
            (
                study.settled([series]).map(|estimate| estimate.mean),
                series.losses.note(),
                study.ending(series),
            )
        };
        let nan = f64::NAN;
        assert_eq!(told(vec![seed(1, 0.5), seed(2, nan)]), (Some(0.5), "1 of 2 NaN".to_owned(), None));
        let three = vec![seed(1, 0.5), seed(2, nan), seed(3, nan), lost()];
        assert_eq!(told(three), (Some(0.5), "1 of 4 failed, 2 NaN".to_owned(), None));
        assert_eq!(told(vec![seed(1, nan)]), (None, "1 of 1 NaN".to_owned(), Some("NaN")));
        assert_eq!(
            told(vec![seed(1, nan), lost()]),
            (None, "1 of 2 failed, 1 NaN".to_owned(), Some("failed"))
        );
    }

    /// Of a seed that was run again, and of one that was interrupted, nothing is known to have failed.
    #[test]
    fn seeds_that_failed_are_counted_among_those_that_ended() {
        let seed = |seed| run(seed, "'mean'", "ipm", "");
        let mut interrupted = failed(seed(4));
        if let Some(summary) = &mut interrupted.record.summary {
            (summary.status, summary.error) = (Status::Interrupted, None);
        }
        let runs = vec![failed(seed(1)), seed(1), failed(seed(2)), failed(seed(3)), interrupted, seed(5)];
        let mixed = study(runs);
        let losses = Losses { failed: 2, nan: 0, of: 4 };
        assert_eq!((mixed.series[0].losses, mixed.series[0].runs.len()), (losses, 2), "{:?}", mixed.notes);
        assert_eq!(mixed.ending(&mixed.series[0]), None);
        assert_eq!(mixed.series[0].losses.beside("90.00".to_owned()), "90.00 (2 of 4 failed)");
        assert_eq!(study(vec![seed(1)]).series[0].losses.beside("90.00".to_owned()), "90.00");
    }
}
