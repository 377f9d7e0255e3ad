//! Series: the runs that differ in nothing but the seed, and which runs count.

use std::collections::{BTreeMap, HashSet};

use super::{
    super::{
        factors::{Factor, factors},
        losses::Losses,
        measure::Measure,
        notes::{LeftOut, Note, told},
    },
    run::Run,
};
use crate::results::read::RunRecord;

/// Runs that differ in nothing but the seed.
#[derive(Clone, Debug)]
pub struct Series {
    /// For every factor, which of its values.
    pub levels: Vec<usize>,
    /// The runs that count, by seed.
    pub runs: Vec<usize>,
    /// How many of its seeds failed, or have no final value.
    pub losses: Losses,
}

/// Of `records`, the runs that count in a study of them, and what a reader has to know of the others.
pub fn counted(records: Vec<RunRecord>, measure: Measure) -> (Vec<Run>, Vec<Note>) {
    let (all, mut notes) = (runs(records, measure), Vec::new());
    let (factors, levels) = factors(&all, &mut Vec::new());
    let series = series(&all, (&factors, &levels), &mut notes);
    let counted = counted_runs(&series);
    let kept = all.into_iter().enumerate().filter(|(at, _)| counted.contains(at));
    (kept.map(|(_, run)| run).collect(), notes)
}

/// The runs that count: those of a series.
pub fn counted_runs(series: &[Series]) -> HashSet<usize> {
    series.iter().flat_map(|series| series.runs.iter().copied()).collect()
}

/// The runs of `records`, judged by `measure`.
pub(super) fn runs(records: Vec<RunRecord>, measure: Measure) -> Vec<Run> {
    records.into_iter().map(|record| Run::new(record, measure)).collect()
}

/// The values of `series` at the factors `which`.
pub fn pick(series: &Series, which: &[usize]) -> Vec<usize> {
    which.iter().map(|&factor| series.levels[factor]).collect()
}

/// Those of `series` with the values `levels` of the factors `which`.
pub fn having<'a>(
    series: impl IntoIterator<Item = &'a Series>,
    which: &[usize],
    levels: &[usize],
) -> Vec<&'a Series> {
    series.into_iter().filter(|series| pick(series, which) == levels).collect()
}

/// The combinations of values of the factors `which` that occur among `series`, in order.
pub fn combinations<'a>(series: impl IntoIterator<Item = &'a Series>, which: &[usize]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = series.into_iter().map(|series| pick(series, which)).collect();
    all.sort();
    all.dedup();
    all
}

/// Groups the runs that differ in nothing but the seed; of repeated ones the latest complete one counts.
pub(super) fn series(
    runs: &[Run],
    (factors, table): (&[Factor], &[Vec<usize>]),
    notes: &mut Vec<Note>,
) -> Vec<Series> {
    let mut left_out = Vec::new();
    let groups = groups(runs, table, notes).into_iter();
    let series: Vec<Series> = groups
        .map(|(levels, seeds)| Series {
            levels: levels.to_vec(),
            losses: losses(runs, seeds.values()),
            runs: counting(runs, seeds.into_values(), &mut left_out),
        })
        .collect();
    notes.extend(told(runs, (factors, table), &left_out));
    series.into_iter().filter(|series| !series.runs.is_empty()).collect()
}

/// For every row of `table` that occurs, the run of each seed.
fn groups<'a>(
    runs: &[Run],
    table: &'a [Vec<usize>],
    notes: &mut Vec<Note>,
) -> BTreeMap<&'a [usize], BTreeMap<u64, usize>> {
    let mut groups: BTreeMap<&[usize], BTreeMap<u64, usize>> = BTreeMap::new();
    let (mut repeated, mut unlike) = (0, 0);
    let rank = |run: usize| (runs[run].is_complete(), &runs[run].record.info.started);
    for (at, levels) in table.iter().enumerate() {
        let run = groups.entry(levels).or_default().entry(runs[at].seed()).or_insert(at);
        if *run == at {
            continue;
        }
        let same = runs[at].essence() == runs[*run].essence();
        *if same { &mut repeated } else { &mut unlike } += 1;
        if rank(at) > rank(*run) {
            *run = at;
        }
    }
    notes.extend(doubled(repeated, unlike));
    groups
}

/// What is said of so many runs that repeat another, and of so many that only look like another.
fn doubled(repeated: usize, unlike: usize) -> impl Iterator<Item = Note> {
    let number = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let repeats = (repeated > 0).then(|| {
        let some = number(repeated, "run repeats", "runs repeat");
        format!("{some} another's settings and seed; the latest complete one counts.")
    });
    let looks_alike = (unlike > 0).then(|| {
        let some = number(unlike, "run is", "runs are");
        format!(
            "{some} like another, with the same seed, in all that is told here, yet their configurations are \
             not the same; the latest complete one counts."
        )
    });
    repeats.into_iter().chain(looks_alike).map(Note::from)
}

/// How many of `seeds` failed, or have no final value.
fn losses<'a>(runs: &[Run], seeds: impl Iterator<Item = &'a usize>) -> Losses {
    seeds.map(|&run| &runs[run]).fold(Losses::default(), |Losses { failed, nan, of }, run| Losses {
        failed: failed + usize::from(run.has_failed()),
        nan: nan + usize::from(run.is_nan()),
        of: of + usize::from(run.has_failed() || run.is_complete()),
    })
}

/// The complete runs, or all that were evaluated if none is complete; the others go to `left_out`.
fn counting(runs: &[Run], all: impl Iterator<Item = usize>, left_out: &mut Vec<LeftOut>) -> Vec<usize> {
    let (complete, other): (Vec<usize>, Vec<usize>) = all.partition(|&run| runs[run].is_complete());
    let evaluated = |run: &usize| !runs[*run].record.evaluations.is_empty();
    left_out
        .extend(other.iter().map(|&run| LeftOut { run, is_drawn: complete.is_empty() && evaluated(&run) }));
    if complete.is_empty() { other.into_iter().filter(evaluated).collect() } else { complete }
}
