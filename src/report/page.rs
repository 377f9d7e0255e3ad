//! The page: self-contained HTML in which every number leads to its run
//! folder and configuration. It asks nothing of the network and runs no script.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Component, Path, PathBuf},
};

use super::{
    figures::Figure,
    losses::Losses,
    measure::{count, number},
    milestones::Best,
    notes::Note,
    plot::FONT,
    statistics::{Estimate, interval},
    study::{Run, Study},
    table::{Row, Table},
};
use crate::config;

const STYLE: &str = include_str!("page.css");

/// The page of `study`, to be written into the folder `out`.
pub fn page(study: &Study, table: &Table, figures: &[Figure], out: &Path) -> String {
    let title = title(study);
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    html += &format!(
        "<title>{}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n",
        escape(&title),
        font_face()
    );
    html += &head(study, &title);
    html += &legend(study, table);
    html += "<h2>Figures</h2>\n";
    html += &gallery(figures);
    html += &results(study, table);
    html += &shared(study);
    html += "<h2 id=\"runs\">Runs</h2>\n";
    for (at, run) in study.runs.iter().enumerate() {
        html += &details(study, at, run, out);
    }
    html += "</body>\n</html>\n";
    html
}

/// The names of the experiments.
fn title(study: &Study) -> String {
    let mut names: Vec<&str> = study.runs.iter().map(|run| run.record.config.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn font_face() -> String {
    format!(
        "@font-face {{ font-family: \"DejaVu Sans\"; src: url(data:font/ttf;base64,{}) format(\"truetype\"); }}\n",
        base64(FONT)
    )
}

/// RFC 4648, for the embedded font.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn head(study: &Study, title: &str) -> String {
    let mut seeds: Vec<u64> = study.runs.iter().map(Run::seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let factors: Vec<String> = study
        .factors
        .iter()
        .map(|factor| format!("{} ({})", escape(&factor.key), escape(&factor.values.join(", "))))
        .collect();
    let differs = match study.runs.len() {
        1 => String::new(),
        _ if factors.is_empty() => " What differs: nothing but the seed.".to_owned(),
        _ => format!(" What differs: {}.", factors.join("; ")),
    };
    let mut html = format!(
        "<h1>{}</h1>\n<p class=\"lead\">{}, {}, {}.{differs}</p>\n",
        escape(title),
        count(study.runs.len(), "run"),
        count(study.series.len(), "setting"),
        count(seeds.len(), "seed"),
    );
    let notes: String = study.notes.iter().cloned().chain(remarks(study)).map(|note| item(&note)).collect();
    if !notes.is_empty() {
        html += &format!("<ul class=\"notes\">\n{notes}</ul>\n");
    }
    html
}

/// A note, with its cases folded away.
fn item(note: &Note) -> String {
    let text = escape(&note.text);
    if note.details.is_empty() {
        return format!("<li>{text}</li>\n");
    }
    let cases: String = note.details.iter().map(|case| format!("<li>{}</li>\n", escape(case))).collect();
    format!("<li><details><summary>{text}</summary>\n<ul>\n{cases}</ul>\n</details></li>\n")
}

/// What lines, bands and numbers mean.
fn legend(study: &Study, table: &Table) -> String {
    let points = if study.measure.unit == "%" { " Points are percentage points." } else { "" };
    let losses = Losses::over(&study.series);
    let failed = if losses.failed > 0 {
        " Where seeds failed, numbers and lines are of the others alone, which flatters them; how many failed is said \
         beside, and such points of a breakdown are hollow."
    } else {
        ""
    };
    let nan = if losses.nan > 0 {
        " A seed that came to NaN is in no mean of final values; how many did is said beside, and lines end there."
    } else {
        ""
    };
    let free = |at: usize| study.factors[at].values.iter().any(|value| value == "none");
    let is_infinite = |run: &Run| run.digest.settled.is_some_and(f64::is_infinite);
    let diverged = if study.runs.iter().any(is_infinite) {
        " What is inf is beyond the range of numbers: it has no interval, and there is no difference to it."
    } else {
        ""
    };
    let attacks = if study.factor("attack").is_some_and(free) {
        " A worst case is over the attacks that are there, and not over “no attack”."
    } else {
        ""
    };
    let target = table.target.map_or_else(String::new, |target| {
        format!(
            " What leads <b>to {}</b> is counted up to a seed’s first evaluation there or beyond; the means are over \
             the seeds that come there, and how many never do is said beside.",
            aim(study, target)
        )
    });
    let most = if study.measure.higher_is_better { "largest" } else { "smallest" };
    format!(
        "<p>Lines are means over seeds; bands and ± are 95 % confidence intervals of the mean by Student’s t. \
         <b>final</b> is the mean of the last 20 % of the evaluations, <b>last</b> the last of them, <b>best</b> the \
         {most} mean over seeds at an evaluation that all of them have, with its round, <b>rough</b> the mean \
         |a<sub>k</sub> − a<sub>k−1</sub>| over their last 50 %.{points}{failed}{nan}{diverged}{attacks}</p>\n<p>The table \
         is of complete runs alone. <b>rounds/s</b> is the rounds over the elapsed time of the whole run, evaluations \
         included (<code>phalanx bench</code> goes by the median round); <b>aggregation</b> is the median over rounds \
         of the time that the rule took. Against time, a point stands at the mean over seeds of the time at its round. \
         Gradients computed are those of mini-batches of whatever size, the attackers’ own included.{target}</p>\n"
    )
}

/// A target with its unit.
fn aim(study: &Study, target: f64) -> String {
    format!("{} {}", config::number(target), study.measure.unit).trim_end().to_owned()
}

/// What those who started the runs were told of their configurations, each once with the number of runs.
fn remarks(study: &Study) -> Vec<Note> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let all = study.runs.iter().flat_map(|run| &run.record.info.remarks);
    all.for_each(|remark| *counts.entry(remark).or_default() += 1);
    let runs = study.runs.len();
    let note = |(remark, number)| format!("Of {number} of {runs} runs: {remark}.").into();
    counts.into_iter().map(note).collect()
}

/// The figures; views of one group share a place, with a tab for each.
fn gallery(figures: &[Figure]) -> String {
    let groups = figures.chunk_by(|a, b| a.group == b.group);
    groups
        .enumerate()
        .map(|(number, views)| format!("<h3>{}</h3>\n{}", escape(&views[0].group), group(number, views)))
        .collect()
}

fn group(number: usize, views: &[Figure]) -> String {
    if let [only] = views {
        return figure(only, "only");
    }
    let mut html = String::from("<div class=\"tabs\">\n");
    for (at, view) in views.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        let _ = writeln!(
            html,
            "<input type=\"radio\" name=\"g{number}\" id=\"g{number}-{at}\"{checked}><label for=\"g{number}-{at}\">{}</label>",
            escape(&view.view)
        );
    }
    html += &views.iter().map(|view| figure(view, "view")).collect::<String>();
    html + "</div>\n"
}

fn figure(figure: &Figure, class: &str) -> String {
    let Figure { stem, svg, .. } = figure;
    format!(
        "<figure class=\"{class}\">\n{svg}<figcaption class=\"files\"><a href=\"{stem}.svg\">{stem}.svg</a> · <a \
         href=\"{stem}.png\">png</a></figcaption>\n</figure>\n"
    )
}

fn results(study: &Study, table: &Table) -> String {
    let measure = study.measure;
    let mut html = String::from("<h2 id=\"results\">Results</h2>\n");
    if let Some(baseline) = &table.baseline {
        html += &format!(
            "<p>Differences are to <i>{}</i> with all else the same, paired by seed; bold where the 95 % interval leaves \
             zero out (each difference by itself, not corrected for their number) and no seed of either failed or came to NaN.</p>\n",
            escape(baseline)
        );
    }
    html += "<div class=\"wide\"><table>\n<tr>";
    html +=
        &study.factors.iter().map(|factor| format!("<th>{}</th>", escape(&factor.key))).collect::<String>();
    let heading = |text: &str| format!("<th class=\"n\">{}</th>", escape(text));
    html += &heading(&format!("final {}", measure.label()));
    if table.baseline.is_some() {
        html += &heading(&measure.of_difference("difference"));
    }
    let rest = [
        &measure.of_value("best"),
        &measure.of_value("last"),
        &measure.of_difference("rough"),
        "rounds/s",
        "aggregation (ms)",
    ];
    html += &rest.map(heading).concat();
    let to = |target: f64| {
        ["rounds", "gradients", "bytes"]
            .map(|what| heading(&format!("{what} to {}", aim(study, target))))
            .concat()
    };
    html += &table.target.map_or_else(String::new, to);
    html += "<th>runs (seed)</th></tr>\n";
    html += &table.rows.iter().map(|row| result(study, table, row)).collect::<String>();
    html + "</table></div>\n"
}

fn result(study: &Study, table: &Table, row: &Row) -> String {
    let measure = |value: f64| study.measure.show(value);
    let cell = |class: &str, text: String| format!("<td class=\"n{class}\">{text}</td>");
    let mut html = format!("<tr{}>", if row.is_baseline { " class=\"base\"" } else { "" });
    html += &row.values.iter().map(|value| format!("<td>{}</td>", escape(value))).collect::<String>();
    let settled = || row.losses.beside(interval(row.settled, measure));
    html += &cell("", row.ending.map_or_else(settled, str::to_owned));
    if table.baseline.is_some() {
        let signed = |value: f64| format!("{}{}", if value >= 0.0 { "+" } else { "−" }, measure(value.abs()));
        let text = match row.difference {
            _ if row.is_baseline => "baseline".to_owned(),
            Some(Estimate { mean, half, .. }) => {
                let half = half.map_or_else(String::new, |half| format!(" ± {}", measure(half)));
                row.of_both.beside(signed(mean) + &half)
            }
            None => "–".to_owned(),
        };
        html += &cell(if row.is_sure { " sure" } else { "" }, text);
    }
    let mean = |estimate: Option<Estimate>, show: &dyn Fn(f64) -> String| {
        let told = |estimate: Estimate| row.losses.among(estimate.n).beside(show(estimate.mean));
        estimate.map_or_else(|| "–".to_owned(), told)
    };
    let best =
        |best: Best| row.losses.failures().beside(format!("{} (round {})", measure(best.mean), best.round));
    html += &cell("", row.best.map_or_else(|| "–".to_owned(), best));
    html += &cell("", mean(row.last, &measure));
    html += &cell("", mean(row.rough, &measure));
    html += &cell("", mean(row.rounds_per_second, &number));
    html += &cell("", mean(row.aggregate_seconds, &|seconds| number(1000.0 * seconds)));
    if let Some(reached) = &row.reached {
        let costs = [reached.rounds, reached.gradients, reached.bytes];
        html += &costs.map(|cost| cell("", reached.beside(interval(cost, number)))).concat();
    }
    let link = |&run: &usize| format!("<a href=\"#run-{run}\">{}</a>", study.runs[run].seed());
    html += &format!("<td>{}</td></tr>\n", row.runs.iter().map(link).collect::<Vec<_>>().join(" "));
    html
}

/// What all runs have in common.
fn shared(study: &Study) -> String {
    let row = |fact: &super::Fact| {
        format!("<tr><td><code>{}</code></td><td>{}</td></tr>\n", escape(&fact.key), escape(&fact.value))
    };
    let rows: String = study.shared().into_iter().map(row).collect();
    format!(
        "<h2>The same in all runs that have it</h2>\n<details><summary>Settings</summary>\n<table>\n{rows}</table>\n</details>\n"
    )
}

/// A run: where it is, how it went, what made it, its whole configuration.
fn details(study: &Study, at: usize, run: &Run, out: &Path) -> String {
    let folder = relative(out, &run.record.folder);
    let show = |value: Option<f64>, unit: &str| {
        let text = value.map_or_else(|| "–".to_owned(), |value| study.measure.show(value));
        format!("{text} {unit}").trim_end().to_owned()
    };
    let (unit, difference_unit) = (study.measure.unit, study.measure.difference_unit());
    let values: Vec<String> = study
        .factors
        .iter()
        .zip(&study.levels[at])
        .map(|(factor, &level)| format!("{} = {}", escape(&factor.key), escape(&factor.values[level])))
        .collect();
    let info = &run.record.info;
    let unknown = || "unknown".to_owned();
    format!(
        "<details id=\"run-{at}\"><summary><code>{hash}</code> seed {seed}, {status}: final {settled}, last {last}, \
         rough {rough}{values}</summary>\n<p>Folder <a href=\"{link}/\"><code>{shown}</code></a>{error}</p>\n<p>Phalanx \
         {version} ({commit}), libtorch {torch}, {target}, {threads} threads{computation}, begun {started}:<br><code>{arguments}</code>\
         </p>\n<pre>{config}</pre>\n</details>\n",
        hash = run.hash,
        seed = run.seed(),
        status = run.status(),
        settled = show(run.digest.settled, unit),
        last = show(study.measure.last(&run.record), unit),
        rough = show(run.digest.rough, difference_unit),
        link = escape(&address(&folder)),
        shown = escape(&folder),
        values =
            if values.is_empty() { String::new() } else { format!(" <small>{}</small>", values.join(", ")) },
        error = run.error().map_or_else(String::new, |error| format!("<br>error: {}", escape(error))),
        version = escape(&info.phalanx),
        commit = escape(&info.commit.clone().unwrap_or_else(unknown)),
        torch = escape(&info.torch.clone().unwrap_or_else(|| "none".to_owned())),
        target = escape(&info.target.clone().unwrap_or_else(unknown)),
        threads = info.threads,
        computation =
            info.computation.as_ref().map_or_else(String::new, |c| format!(", {}", escape(&c.to_string()))),
        started = escape(&info.started),
        arguments = escape(&info.arguments.join(" ")),
        config = escape(&run.record.config_text),
    )
}

/// The path from the folder `from` to `to`, with `/` between its parts.
fn relative(from: &Path, to: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (from, to) = (real(from), real(to));
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(common)).collect();
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string().replace('\\', "/") }
}

/// A path as an address: what would mean something else there is encoded.
fn address(path: &str) -> String {
    let letter = |c: char| if "%?# ".contains(c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
    path.chars().map(letter).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{address, base64, escape, relative};

    #[test]
    fn base64_is_that_of_the_rfc() {
        let words = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
        assert_eq!(words, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }

    #[test]
    fn paths_lead_from_the_page_to_the_run() {
        assert_eq!(relative(Path::new("/nowhere/a/report"), Path::new("/nowhere/b/run")), "../../b/run");
        assert_eq!(relative(Path::new("/nowhere/a"), Path::new("/nowhere/a")), ".");
        assert_eq!(address("a b/100%#1"), "a%20b/100%25%231");
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
