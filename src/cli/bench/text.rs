//! The figures on a page for people.

use super::{
    super::table,
    figures::{Figures, Speed, Spread},
};

/// All of it.
pub fn page(figures: &Figures) -> String {
    let about = &figures.about;
    let (rounds, threads) = (figures.rounds, about.threads);
    let heading =
        format!("{}: {}\n{rounds} rounds measured, {threads} threads\n\n", about.name, about.summary);
    heading + &table::columns(&times(figures)) + "\n" + &table::columns(&rates(figures))
}

fn times(figures: &Figures) -> Vec<Vec<String>> {
    let mut rows = vec![cells(["", "median", "10 % .. 90 % of rounds", "share"])];
    rows.push(time("round", &figures.round, String::new()));
    rows.extend(figures.phases.iter().map(|phase| time(phase.name, &phase.spread, percent(phase.share))));
    rows
}

fn time(name: &str, spread: &Spread, share: String) -> Vec<String> {
    let range = format!("{} .. {}", milliseconds(spread.p10_seconds), milliseconds(spread.p90_seconds));
    vec![name.to_owned(), milliseconds(spread.median_seconds), range, share]
}

fn rates(figures: &Figures) -> Vec<Vec<String>> {
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    let evaluation = format!(
        "{} each on one core, {} of the time of one",
        milliseconds(figures.evaluation_seconds),
        percent(figures.evaluation_share)
    );
    let mut rows = vec![
        row("rounds/s", format!("{:.1}", figures.rounds_per_second)),
        row("gradients/s", format!("{:.0}", figures.gradients_per_second)),
        row("evaluate", evaluation),
    ];
    let beside = |speed: &Speed, unit, what| beside(speed, unit, what);
    rows.extend(
        figures.arithmetic.iter().map(|s| row("arithmetic", beside(s, "GFLOP", "of a large matrix product"))),
    );
    rows.push(row("aggregation", beside(&figures.aggregation, "GB", "of a plain read of memory")));
    let bytes = figures.peak_memory_bytes;
    rows.extend(bytes.map(|bytes| row("peak memory", format!("{:.0} MB", bytes as f64 / 1e6))));
    let pages = figures.pages_per_round;
    rows.extend(pages.map(|pages| row("new memory", format!("{pages:.0} pages a round"))));
    let seconds = figures.first_round_seconds;
    rows.extend(seconds.map(|s| row("first round", format!("{s:.2} s after the start of the process"))));
    rows
}

/// `0.402 GFLOP a round, 31.0 GFLOP/s, 22 % of a large matrix product (141.2 GFLOP/s)`.
fn beside(speed: &Speed, unit: &str, what: &str) -> String {
    let giga = |value: f64| value / 1e9;
    let mut text = format!("{:.4} {unit} a round, {:.1} {unit}/s", giga(speed.work), giga(speed.per_second));
    if let (Some(share), Some(peak)) = (speed.share, speed.peak_per_second) {
        text += &format!(", {} {what} ({:.1} {unit}/s)", percent(share), giga(peak));
    }
    text
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", 1000.0 * seconds)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
