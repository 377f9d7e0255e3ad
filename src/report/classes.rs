//! What became of the classes of a run, from `classes.csv` and `confusion.csv`:
//! by evaluation and class, and in the end by pair.

use phalanx_actors::Confusion;

use super::{
    measure::{ATTACK_SUCCESS, BALANCED, MACRO_F1, settled},
    study::Run,
};
use crate::results::{Columns, read::RunRecord};

/// Most classes that have a line of their own beside one another.
pub const MOST: usize = 16;

/// The recall of every class of a run; more classes than a run counts are those of a damaged table.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalls {
    /// By class and evaluation, in the order of `evaluations.csv`; NaN where it is not known.
    by_class: Vec<Vec<f64>>,
}

impl Recalls {
    /// Those of `run`; none if its classes were not counted.
    pub fn of(run: &RunRecord) -> Option<Self> {
        let (rounds, table) = (run.evaluations.round(), &run.classes);
        let (classes, recalls) = table.get("class").zip(table.get("recall"))?;
        let last = classes.iter().copied().fold(0.0, f64::max);
        let count = Some(last as usize + 1).filter(|count| *count <= Confusion::MOST)?;
        let mut by_class = vec![vec![f64::NAN; rounds.len()]; count];
        for ((round, class), recall) in table.round().iter().zip(classes).zip(recalls) {
            if let Ok(at) = rounds.binary_search(round) {
                by_class[*class as usize][at] = *recall;
            }
        }
        Some(Self { by_class })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.by_class.len()
    }

    /// That of `class` at every evaluation.
    pub fn curve(&self, class: usize) -> &[f64] {
        self.by_class.get(class).map_or(&[], Vec::as_slice)
    }

    /// The final value of `class`, as of every measure; none without samples of it.
    pub fn settled(&self, class: usize) -> Option<f64> {
        settled(self.curve(class))
    }

    /// The lowest of these.
    pub fn lowest(&self) -> Option<f64> {
        (0..self.classes()).filter_map(|class| self.settled(class)).min_by(f64::total_cmp)
    }
}

/// What part of every class was predicted as every class at the last evaluation, by class and prediction: a row for each
/// class with samples; none if it was not counted.
pub fn taken(run: &RunRecord) -> Option<Vec<Option<Vec<f64>>>> {
    let table: &Columns = &run.confusion;
    let pairs = table.get("class")?.iter().zip(table.get("predicted")?).zip(table.get("samples")?);
    let classes = Recalls::of(run)?.classes();
    let mut counts = vec![vec![0.0; classes]; classes];
    for ((class, predicted), samples) in pairs {
        *counts.get_mut(*class as usize)?.get_mut(*predicted as usize)? = *samples;
    }
    let share = |row: Vec<f64>| {
        let all: f64 = row.iter().sum();
        (all > 0.0).then(|| row.into_iter().map(|count| count / all).collect())
    };
    Some(counts.into_iter().map(share).collect())
}

/// A number of a run, a fraction; none if it has none.
type Fraction = Box<dyn Fn(&Run) -> Option<f64>>;

/// What complete runs come to where classes were counted, each with its name in per cent: what some of `runs` have.
pub fn quantities<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Vec<(String, Fraction)> {
    let counted = runs.clone().filter_map(|run| Recalls::of(&run.record));
    let classes = counted.map(|recalls| recalls.classes()).max().unwrap_or(0);
    let means = [BALANCED, MACRO_F1, ATTACK_SUCCESS].into_iter().map(|measure| {
        let of = move |run: &Run| settled(measure.of(&run.record)?);
        (format!("final {}", measure.label()), Box::new(of) as Fraction)
    });
    let lowest = |run: &Run| Recalls::of(&run.record)?.lowest();
    let lowest = ("final lowest recall of a class (%)".to_owned(), Box::new(lowest) as Fraction);
    let shown = if classes > MOST { 0..0 } else { 0..classes };
    let each = shown.map(|class| {
        let of = move |run: &Run| Recalls::of(&run.record)?.settled(class);
        (format!("final recall of class {class} (%)"), Box::new(of) as Fraction)
    });
    let complete = means.chain([lowest]).chain(each).map(|(name, of)| {
        let of = move |run: &Run| if run.is_complete() { of(run) } else { None };
        (name, Box::new(of) as Fraction)
    });
    complete.filter(|(_, of)| runs.clone().any(|run| of(run).is_some())).collect()
}
