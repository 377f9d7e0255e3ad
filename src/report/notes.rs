//! What a reader of a report has to know of its runs: a line for each thing, and
//! behind it the single cases.

use super::{factors::Factor, study::Run};

/// A line, and what stands behind it for those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A sentence.
    pub text: String,
    /// The cases that it sums up, in order; empty if there is no more to say.
    pub details: Vec<String>,
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self { text, details: Vec::new() }
    }
}

/// A run that is not complete.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// Which run.
    pub run: usize,
    /// Whether its curve is drawn, since no other seed of its settings is complete.
    pub is_drawn: bool,
}

/// The notes on runs that are not complete: one for all that ended in one way and are treated alike.
pub fn told(runs: &[Run], (factors, levels): (&[Factor], &[Vec<usize>]), left_out: &[LeftOut]) -> Vec<Note> {
    let kind = |one: &LeftOut| (runs[one.run].status(), one.is_drawn);
    let mut kinds: Vec<(&str, bool)> = left_out.iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let settings = |run: usize| {
        let values = factors.iter().zip(&levels[run]);
        values
            .map(|(factor, &level)| format!(", {} = {}", factor.key, factor.values[level]))
            .collect::<String>()
    };
    let detail = |run: usize| {
        let why = runs[run].error().map_or_else(String::new, |error| format!(": {error}"));
        format!("{}, seed {}{}{why}", runs[run].hash, runs[run].seed(), settings(run))
    };
    let note = |of: (&str, bool)| {
        let all: Vec<usize> = left_out.iter().filter(|one| kind(one) == of).map(|one| one.run).collect();
        Note { text: sentence(runs, &all, of), details: all.into_iter().map(detail).collect() }
    };
    kinds.into_iter().map(note).collect()
}

/// What became of the runs `all`, which ended with one `status`.
fn sentence(runs: &[Run], all: &[usize], (status, is_drawn): (&str, bool)) -> String {
    let (who, is, was, it) = match all {
        [one] => (format!("Run {} (seed {})", runs[*one].hash, runs[*one].seed()), "is", "was", "it"),
        _ => (format!("{} runs", all.len()), "are", "were", "they"),
    };
    let ended = match status {
        "failed" => format!("failed and {is}"),
        "interrupted" => format!("{was} interrupted and"),
        other => format!("{is} {other} and"),
    };
    let treated =
        if is_drawn { format!("drawn as far as {it} got, without a number") } else { "left out".to_owned() };
    format!("{who} {ended} {treated}.")
}

#[cfg(test)]
mod tests {
    use super::super::study::{
        Run,
        tests::{failed, run, study},
    };

    /// Two seeds of one rule and one of another failed: one line, with the cases behind it in the order of the settings.
    #[test]
    fn runs_of_one_fate_are_one_line() {
        let of = |rule: &'static str| move |seed| run(seed, rule, "ipm", "");
        let (mean, cwmed) = (of("'mean'"), of("'cwmed'"));
        let runs: Vec<Run> = vec![
            failed(cwmed(2)),
            cwmed(1),
            failed(mean(3)),
            failed(mean(2)),
            mean(1),
            failed(run(1, "'krum'", "ipm", "")),
        ];
        let notes = study(runs).notes;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[0].text, "3 runs failed and are left out.");
        let told: Vec<&str> =
            notes[0].details.iter().filter_map(|detail| Some(detail.split_once(", ")?.1)).collect();
        let expected =
            ["seed 2, rule = mean: it grew", "seed 3, rule = mean: it grew", "seed 2, rule = cwmed: it grew"];
        assert_eq!(told, expected);
        assert!(notes[1].text.ends_with("(seed 1) failed and is drawn as far as it got, without a number."));
    }
}
