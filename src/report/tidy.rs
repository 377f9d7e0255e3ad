//! The tidy table: one row for every run and evaluation, with the settings
//! that differ as columns. Written as CSV and, with the feature `parquet`, as
//! Parquet.

use std::{fs, path::Path};

use super::{
    classes::Recalls,
    curves::{Against, measures},
    factors::{finite, is_given},
    study::{Run, Study, counted_runs},
};
use crate::{results::ResultsError, whole};

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Words.
    Text(Vec<String>),
    /// Whole numbers.
    Whole(Vec<u64>),
    /// Numbers; NaN where there is none.
    Real(Vec<f64>),
}

/// Columns by name.
#[derive(Clone, Debug, Default)]
pub struct Tidy {
    /// The columns, all of one length.
    pub columns: Vec<(String, Values)>,
}

impl Tidy {
    /// The tidy table of `study`; a factor whose given values are all numbers is a column of numbers.
    pub fn of(study: &Study) -> Self {
        let mut tidy = Self::default();
        tidy.text(study, "run", |run| run.record.folder.display().to_string());
        tidy.text(study, "hash", |run| run.hash.clone());
        tidy.whole(study, "seed", Run::seed);
        tidy.text(study, "status", |run| run.status().to_owned());
        let counted = counted_runs(&study.series);
        let counts = |at: usize| if counted.contains(&at) { "yes" } else { "no" };
        let counted = (0..study.runs.len()).map(|at| counts(at).to_owned());
        tidy.push("counted", Values::Text(spread(study, counted)));
        for (at, factor) in study.factors.iter().enumerate() {
            let values = || study.levels.iter().map(|levels| factor.values[levels[at]].as_str());
            let number = |value| if is_given(value) { finite(value) } else { Some(f64::NAN) };
            match values().map(number).collect::<Option<Vec<f64>>>() {
                Some(numbers) => tidy.push(&factor.key, Values::Real(spread(study, numbers))),
                None => tidy.text_of(study, &factor.key, values()),
            }
        }
        let rounds = study.runs.iter().flat_map(|run| run.record.evaluations.round()).copied();
        tidy.push("round", Values::Whole(rounds.collect()));
        for (name, against) in
            [("gradients", Against::Gradients), ("bytes", Against::Bytes), ("elapsed_seconds", Against::Time)]
        {
            tidy.push(
                name,
                Values::Real(study.runs.iter().flat_map(|run| against.values(&run.record)).collect()),
            );
        }
        for measure in measures(study) {
            let of = |run: &Run| match measure.of(&run.record) {
                Some(values) => values.to_vec(),
                None => vec![f64::NAN; run.record.evaluations.len()],
            };
            tidy.push(measure.column, Values::Real(study.runs.iter().flat_map(of).collect()));
        }
        tidy.recalls(study);
        tidy.real(study, "final", |run| run.digest.settled);
        tidy.real(study, "rough", |run| run.digest.rough);
        tidy
    }

    fn push(&mut self, name: &str, values: Values) {
        self.columns.push((name.to_owned(), values));
    }

    /// A column of words; none where nothing is given.
    fn text_of<'a>(&mut self, study: &Study, name: &str, values: impl Iterator<Item = &'a str>) {
        let word = |value: &str| if is_given(value) { value.to_owned() } else { String::new() };
        self.push(name, Values::Text(spread(study, values.map(word))));
    }

    fn text(&mut self, study: &Study, name: &str, value: impl Fn(&Run) -> String) {
        self.push(name, Values::Text(spread(study, study.runs.iter().map(value))));
    }

    fn whole(&mut self, study: &Study, name: &str, value: impl Fn(&Run) -> u64) {
        self.push(name, Values::Whole(spread(study, study.runs.iter().map(value))));
    }

    /// For each class its recall, if classes were counted in some run.
    fn recalls(&mut self, study: &Study) {
        let of: Vec<Option<Recalls>> = study.runs.iter().map(|run| Recalls::of(&run.record)).collect();
        let classes = of.iter().flatten().map(Recalls::classes).max().unwrap_or(0);
        for class in 0..classes {
            let runs = study.runs.iter().zip(&of);
            let values = runs.flat_map(|(run, recalls)| {
                let curve = recalls.as_ref().map_or(&[][..], |recalls| recalls.curve(class));
                let known = curve.iter().copied().chain(std::iter::repeat(f64::NAN));
                known.take(run.record.evaluations.len()).collect::<Vec<f64>>()
            });
            self.push(&format!("recall_{class}"), Values::Real(values.collect()));
        }
    }

    fn real(&mut self, study: &Study, name: &str, value: impl Fn(&Run) -> Option<f64>) {
        self.push(
            name,
            Values::Real(spread(study, study.runs.iter().map(|run| value(run).unwrap_or(f64::NAN)))),
        );
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self.columns.first() {
            Some((_, Values::Text(values))) => values.len(),
            Some((_, Values::Whole(values))) => values.len(),
            Some((_, Values::Real(values))) => values.len(),
            None => 0,
        }
    }

    /// Writes it as CSV; what is not there is an empty cell.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn write_csv(&self, path: &Path) -> Result<(), ResultsError> {
        make_room(path)?;
        whole::write(path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(self.columns.iter().map(|(name, _)| name))?;
            for row in 0..self.rows() {
                writer.write_record(self.columns.iter().map(|(_, values)| cell(values, row)))?;
            }
            writer.flush()
        })
        .map_err(ResultsError::at(path))
    }
}

/// Makes the folder of the file at `path`.
pub(super) fn make_room(path: &Path) -> Result<(), ResultsError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(ResultsError::at(folder))
}

/// The values of the runs, each once for each evaluation of its run.
fn spread<T: Clone>(study: &Study, values: impl IntoIterator<Item = T>) -> Vec<T> {
    let runs = study.runs.iter().zip(values);
    runs.flat_map(|(run, value)| vec![value; run.record.evaluations.len()]).collect()
}

fn cell(values: &Values, row: usize) -> String {
    match values {
        Values::Text(values) => values[row].clone(),
        Values::Whole(values) => values[row].to_string(),
        Values::Real(values) if values[row].is_nan() => String::new(),
        Values::Real(values) => values[row].to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Tidy, Values};
    use crate::report::study::tests::{altered, run, study};

    /// Of three attacks one has no such parameter: its cell is empty, and the column is one of numbers.
    #[test]
    fn a_parameter_that_a_run_does_not_have_is_no_word() {
        let ipm = |epsilon: &str| {
            let table = format!("{{ ipm = {{ epsilon = {epsilon} }} }}");
            altered(run(1, "'mean'", "ipm", ""), "\"ipm\"", &table)
        };
        let tidy = Tidy::of(&study(vec![ipm("0.5"), ipm("2.0"), run(1, "'mean'", "alie", "")]));
        let column = tidy.columns.iter().find(|(name, _)| name == "attack.ipm.epsilon");
        let Some((_, Values::Real(numbers))) = column else { panic!("{column:?}") };
        assert!(numbers[..2] == [0.5, 2.0] && numbers[2].is_nan(), "{numbers:?}");
        let file = tempfile::NamedTempFile::new().unwrap();
        tidy.write_csv(file.path()).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.lines().nth(3).unwrap().contains(",alie,,"), "{text}");
    }
}
