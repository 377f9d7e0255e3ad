//! What is to be seen of a run at one moment, from its run folder: numbers and
//! curves, without a word about how they are drawn.

use phalanx_actors::report::Phases;

use crate::results::{Columns, Summary, read::RunRecord, rows::timing};

/// How many of the last rounds a pace or a mean is taken over.
const RECENT: usize = 50;
/// Points of a curve that are kept: more than a terminal has columns.
const POINTS: usize = 400;

/// A curve over rounds.
pub type Curve = Vec<(f64, f64)>;

/// A run at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Its name.
    pub name: String,
    /// Rule against attack.
    pub versus: String,
    /// Rounds done, and to do in all.
    pub rounds: (u64, u64),
    /// Rounds a second, lately.
    pub pace: Option<f64>,
    /// Accuracy of the evaluations, and that on the honest workers' batches.
    pub accuracy: [Curve; 2],
    /// Test loss, and loss on the honest workers' batches.
    pub loss: [Curve; 2],
    /// Distance to the optimum, in value.
    pub gap: Option<f64>,
    /// Mean seconds of each part of a round, lately.
    pub phases: Vec<(&'static str, f64)>,
    /// What the attack does, in words.
    pub measures: Vec<(&'static str, String)>,
    /// Weights of single workers, if the run shows them: id, whether honest, weight.
    pub workers: Vec<(usize, bool, f64)>,
    /// How it ended.
    pub end: Option<Summary>,
}

impl Picture {
    /// The picture of what the folder holds now.
    pub fn of(record: &RunRecord) -> Self {
        let c = &record.config;
        let names = |list: Vec<&str>| if list.is_empty() { "none".to_owned() } else { list.join(" + ") };
        let attacks = names(c.adversaries().map(|named| named.name.as_str()).collect());
        let rule: Vec<&str> = c.aggregator.rule.iter().map(|rule| rule.name.as_str()).collect();
        let (rounds, evaluations) = (&record.rounds, &record.evaluations);
        Self {
            name: c.name.clone(),
            versus: format!("{} against {attacks}", rule.join(" > ")),
            rounds: (rounds.round().last().copied().unwrap_or(0), c.rounds),
            pace: pace(&record.timings),
            accuracy: [curve(evaluations, "test_accuracy"), curve(rounds, "honest_accuracy")],
            loss: [curve(evaluations, "test_loss"), curve(rounds, "honest_loss")],
            gap: last(evaluations, "gap"),
            phases: Phases::ALL
                .iter()
                .filter_map(|part| Some((part.name, recent(&record.timings, &timing(part))?)))
                .collect(),
            measures: measures(record),
            workers: Vec::new(),
            end: record.summary.clone(),
        }
    }

    /// Seconds that are left at the pace of late.
    pub fn left(&self) -> Option<f64> {
        let (done, all) = self.rounds;
        self.pace.map(|pace| all.saturating_sub(done) as f64 / pace)
    }

    /// The picture in a line.
    pub fn line(&self) -> String {
        let (done, all) = self.rounds;
        let mut line = format!("round {done}/{all}");
        let now = |curve: &Curve| curve.last().map(|(_, value)| *value);
        line.extend(now(&self.loss[1]).map(|loss| format!("  loss {loss:.4}")));
        line.extend(now(&self.accuracy[0]).map(|accuracy| format!("  accuracy {:.2} %", 100.0 * accuracy)));
        line.extend(self.gap.map(|gap| format!("  gap {gap:.3e}")));
        line.extend(self.pace.map(|pace| format!("  {pace:.1} rounds/s")));
        let left = self.left().filter(|_| self.end.is_none());
        line.extend(left.map(|left| format!("  {} left", duration(left))));
        line
    }
}

/// Seconds as people write them.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

fn measures(record: &RunRecord) -> Vec<(&'static str, String)> {
    let c = &record.config;
    let attackers: usize = c.attackers.iter().map(|group| group.count).sum();
    let all = attackers + c.workers.iter().map(|group| group.count).sum::<usize>();
    let now = |column| last(&record.rounds, column);
    let percent = |value: f64| format!("{:.1} %", 100.0 * value);
    let share = percent(attackers as f64 / all as f64);
    let rows = [
        ("robustness coefficient", now("robustness_coefficient").map(|v| format!("{v:.4}"))),
        ("distance to honest mean", now("honest_distance").map(|v| format!("{v:.4}"))),
        ("honest spread", now("honest_variance").map(|v| format!("{:.4}", v.sqrt()))),
        ("Byzantine weight", now("byzantine_weight").map(|v| format!("{} of {share}", percent(v)))),
        ("set aside", now("set_aside").map(|v| format!("{v} of {all}"))),
        ("absent", now("absent").map(|v| format!("{v} of {all}"))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Rounds a second over the last rounds, with all that they wait for.
fn pace(timings: &Columns) -> Option<f64> {
    let (elapsed, rounds) = (timings.get("elapsed_seconds")?, timings.round());
    let at = |row: usize| (rounds[row] as f64, elapsed[row]);
    let (last, end) = at(rounds.len().checked_sub(1)?);
    let (first, begin) = rounds.len().checked_sub(1 + RECENT).map_or((0.0, 0.0), at);
    Some((last - first) / (end - begin)).filter(|pace| pace.is_finite() && *pace > 0.0)
}

/// The mean of a column over the last rounds.
fn recent(table: &Columns, name: &str) -> Option<f64> {
    let values = table.get(name)?;
    let tail = &values[values.len().saturating_sub(RECENT)..];
    Some(tail.iter().sum::<f64>() / tail.len() as f64).filter(|mean| mean.is_finite())
}

/// The last cell of a column, if there is a number in it.
fn last(table: &Columns, name: &str) -> Option<f64> {
    table.get(name)?.last().copied().filter(|value| !value.is_nan())
}

/// A column over rounds, thinned; what is not finite is a gap.
fn curve(table: &Columns, name: &str) -> Curve {
    let Some(values) = table.get(name) else { return Curve::new() };
    let every = values.len().div_ceil(POINTS);
    let points = table.round().iter().zip(values).map(|(round, value)| (*round as f64, *value));
    let last = values.len() - 1;
    points
        .enumerate()
        .filter(|(at, (_, value))| (at % every == 0 || *at == last) && value.is_finite())
        .map(|(_, point)| point)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Picture, duration, pace};
    use crate::results::{Columns, read::RunRecord};

    const CONFIG: &str = r#"
name = "a"
rounds = 40
[task]
objective = "least-squares"
[aggregator]
rule = ["ctma", "cwmed"]
[[workers]]
count = 3
[[attackers]]
count = 1
attack = "ipm"
"#;

    #[test]
    fn a_run_that_is_being_written_is_seen_as_far_as_it_got() {
        let out = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(out.path().join(name), text).unwrap();
        write("config.toml", CONFIG);
        write("run.json", "{}");
        let picture = || Picture::of(&RunRecord::read(out.path()).unwrap());
        assert_eq!(picture().line(), "round 0/40");
        write("rounds.csv", "round,honest_loss,byzantine_weight,set_aside\n1,2.5,0.1,0\n2,2.25,0.05,1\n3,1");
        write("timings.csv", "round,gradient_seconds,elapsed_seconds\n1,0.3,0.4\n2,0.1,1.0\n");
        write("evaluations.csv", "round,test_loss,test_accuracy,gap\n0,3.0,0.125,\n");
        let seen = picture();
        assert_eq!(seen.line(), "round 2/40  loss 2.2500  accuracy 12.50 %  2.0 rounds/s  19 s left");
        assert_eq!(seen.versus, "ctma > cwmed against ipm");
        assert_eq!(seen.loss, [vec![(0.0, 3.0)], vec![(1.0, 2.5), (2.0, 2.25)]]);
        assert_eq!(seen.phases, [("gradient", 0.2)]);
        let measures = [("Byzantine weight", "5.0 % of 25.0 %"), ("set aside", "1 of 4")];
        assert_eq!(seen.measures, measures.map(|(name, value)| (name, value.to_owned())));
    }

    /// 20 rounds of half a second, and the last 50 of two seconds.
    #[test]
    fn the_pace_is_that_of_the_last_rounds() {
        let elapsed =
            |round: u64| if round <= 20 { round as f64 / 2.0 } else { 10.0 + 2.0 * (round - 20) as f64 };
        let rows: String = (1..=70).map(|round| format!("{round},{}\n", elapsed(round))).collect();
        let text = format!("round,elapsed_seconds\n{rows}");
        let timings = Columns::parse(Path::new("timings.csv"), text.as_bytes()).unwrap();
        assert_eq!(pace(&timings), Some(0.5));
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!([0.4, 61.0, 7300.0].map(duration), ["0 s", "1 min 1 s", "2 h 1 min"]);
    }
}
