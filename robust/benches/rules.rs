//! Every rule on the shapes of the table in `docs/rules.md`, beside one plain read of the same batch.
//!
//! `cargo bench -p phalanx-robust --bench rules` prints a line for each shape. `RAYON_NUM_THREADS=2` for two threads;
//! words of the command line choose rules by name. With `-- --in-turn` it prints what it could measure as one line of
//! JSON, and then, for every number that it reads from stdin, the times of that line as another: so
//! `benches/peers/table_rules.py` measures it and the peers in turn.

use std::{
    hint::black_box,
    io::{BufRead, Write, stdin, stdout},
    sync::Arc,
    time::{Duration, Instant},
};

use phalanx_robust::{
    Vector,
    aggregation::{Context, Defence, Judge, Layer, Mixer, Rule, RuleVisitor, built_in},
    random::Seed,
    testing::Bowl,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde_json::{Value, json};

/// Time for one line: at least three calls, then as many as fit.
const BUDGET: Duration = Duration::from_millis(700);
/// The same in turn with the peers, where a line is measured several times.
const BUDGET_IN_TURN: Duration = Duration::from_millis(200);

/// One line of the table.
struct Line {
    /// Which part of the table it belongs to.
    part: &'static str,
    /// The chain, outermost first, with parameters.
    rule: Vec<(&'static str, Value)>,
    m: usize,
    f: usize,
    d: usize,
    /// What it may cost, in reads of the batch or milliseconds.
    target: Option<Target>,
}

impl Line {
    /// The chain in comma form.
    fn name(&self) -> String {
        let names: Vec<&str> = self.rule.iter().map(|(name, _)| *name).collect();
        names.join(",")
    }
}

#[derive(Clone, Copy)]
enum Target {
    Reads(f64),
    Milliseconds(f64),
}

fn line(
    part: &'static str,
    rule: &[&'static str],
    (m, f, d): (usize, usize, usize),
    target: Option<Target>,
) -> Line {
    let rule = rule.iter().map(|name| (*name, parameters(name))).collect();
    Line { part, rule, m, f, d, target }
}

/// ByzFL's meaning of a name, where it matters for the time.
fn parameters(name: &str) -> Value {
    match name {
        "geometric-median" => json!({ "start": "zero", "nu": 0.1, "steps": 3, "tolerance": 0.0 }),
        "krum" => json!({ "neighbours": "m-f-1" }),
        "multi-krum" => json!({ "neighbours": "m-f-1", "select": "m-f" }),
        "centered-clipping" => json!({ "tau": 100.0 }),
        "clipping" => json!({ "radius": 2.0 }),
        "bucketing" => json!({ "size": 2 }),
        "weighted-cwmed" => json!({ "weights": (0..17).map(|i| 1 + i % 3).collect::<Vec<_>>() }),
        _ => json!({}),
    }
}

fn large() -> Vec<Line> {
    let size = (17, 4, 1_000_000);
    let of = |rules: &[&'static [&'static str]], target: Option<Target>| -> Vec<Line> {
        rules.iter().map(|rule| line("large", rule, size, target)).collect()
    };
    let span: &[&[&str]] = &[
        &["krum"],
        &["multi-krum"],
        &["geometric-median"],
        &["centered-clipping"],
        &["mda"],
        &["monna"],
        &["caf"],
        &["cge"],
        &["nnm", "krum"],
        &["nnm", "geometric-median"],
    ];
    [
        of(&[&["mean"], &["smea"], &["aksel"], &["phocas"], &["gas", "cwmed"]], None),
        of(&[&["cwmed"], &["cwtm"], &["sign-majority"]], Some(Target::Reads(5.0))),
        of(&[&["meamed"]], Some(Target::Reads(9.0))),
        of(span, Some(Target::Reads(6.0))),
        of(&[&["nnm", "cwmed"]], Some(Target::Reads(12.0))),
        of(&[&["ctma", "cwmed"]], Some(Target::Reads(7.5))),
        of(&[&["ctma", "krum"]], Some(Target::Reads(8.5))),
        of(&[&["ctma", "nnm", "cwmed"]], Some(Target::Reads(14.5))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn small() -> Vec<Line> {
    let rules: &[&[&str]] = &[
        &["mean"],
        &["cwmed"],
        &["cwtm"],
        &["meamed"],
        &["phocas"],
        &["sign-majority"],
        &["krum"],
        &["multi-krum"],
        &["geometric-median"],
        &["centered-clipping"],
        &["mda"],
        &["monna"],
        &["smea"],
        &["caf"],
        &["cge"],
        &["aksel"],
        &["nnm", "cwmed"],
        &["ctma", "cwmed"],
    ];
    let target = Some(Target::Milliseconds(0.4));
    rules.iter().map(|rule| line("small", rule, (17, 4, 29_034), target)).collect()
}

/// Rules that neither peer has, or that are seldom used; f = 3, for Bulyan needs m >= 4f + 3.
fn rare() -> Vec<Line> {
    let rules: &[&[&str]] = &[
        &["bulyan"],
        &["dnc"],
        &["signguard"],
        &["safeguard"],
        &["clipped-clustering"],
        &["flame"],
        &["fools-gold"],
        &["fedseca"],
        &["lasa"],
        &["fl-defender"],
        &["reconstruction"],
        &["foundation-fl", "cwtm"],
        &["fldetector", "mean"],
        &["norm-clipping"],
        &["robust-lr"],
        &["auto-gm"],
        &["sequential-centered-clipping"],
        &["weighted-cwmed"],
        &["weighted-geometric-median"],
        &["weighted-ctma", "weighted-cwmed"],
    ];
    let sizes = [(1_000_000, None), (29_034, Some(Target::Milliseconds(0.4)))];
    let of = |(d, target)| rules.iter().map(move |rule| line("rare", rule, (17, 3, d), target));
    sizes.into_iter().flat_map(of).chain(asking()).collect()
}

/// Rules that ask for losses, which are what they take in a run; so there is no target.
fn asking() -> impl Iterator<Item = Line> {
    let of = |d| [&["zeno"], &["skymask"]].map(|rule| line("rare", rule, (17, 3, d), None));
    [1_000_000, 29_034].into_iter().flat_map(of)
}

/// Searches among subsets, where they are largest: a second at most.
fn exact() -> Vec<Line> {
    let within = Some(Target::Milliseconds(1000.0));
    vec![line("exact", &["mda"], (60, 15, 1000), within), line("exact", &["smea"], (20, 5, 1000), within)]
}

fn many() -> Vec<Line> {
    let rules: &[&[&str]] =
        &[&["krum"], &["cwmed"], &["cwtm"], &["nnm", "cwmed"], &["clipping", "cwmed"], &["arc", "cwmed"]];
    let sizes = [(100, 25, 100_000), (256, 64, 65_536), (1000, 250, 10_000)];
    let of = |&(m, f, d): &(usize, usize, usize)| {
        let plain = rules.iter().map(move |rule| line("many", rule, (m, f, d), None));
        plain.chain([line("many", &["bucketing", "cwmed"], (m, m / 5, d), None)]) // in pairs, which needs f < m/4
    };
    sizes.iter().flat_map(of).collect()
}

/// The shapes and parameters of the benchmark that ByzPy publishes.
fn byzpy() -> Vec<Line> {
    let wide = (64, 8, 65_536);
    let mut all: Vec<Line> =
        [&["cwmed"][..], &["cwtm"], &["meamed"], &["geometric-median"], &["monna"], &["cge"], &["caf"]]
            .iter()
            .map(|rule| line("byzpy", rule, wide, None))
            .collect();
    let others: [(&'static str, Value, (usize, usize, usize)); 8] = [
        (
            "centered-clipping",
            json!({ "tau": 1.0, "iterations": 10, "stateful": false, "start": "mean" }),
            wide,
        ),
        ("multi-krum", json!({ "neighbours": "m-f-1", "select": { "exactly": 12 } }), (80, 20, 65_536)),
        ("mda", json!({}), (30, 10, 2048)),
        ("smea", json!({}), (16, 5, 4096)),
        ("nnm", json!({}), (196, 32, 4096)),
        ("bucketing", json!({ "size": 32 }), (512, 0, 16_384)),
        ("clipping", json!({ "radius": 2.0 }), (256, 0, 65_536)),
        ("arc", json!({}), (256, 8, 65_536)),
    ];
    all.extend(others.into_iter().map(|(name, parameters, (m, f, d))| Line {
        part: "byzpy",
        rule: vec![(name, parameters)],
        m,
        f,
        d,
        target: None,
    }));
    all
}

/// The rows of the line measured last: lines of one shape share them.
#[derive(Default)]
struct Batch {
    size: (usize, usize, usize),
    rows: Vec<Vector>,
}

impl Batch {
    fn of(&mut self, line: &Line) -> &[Vector] {
        let size = (line.m, line.f, line.d);
        if self.size != size {
            *self = Self { size, rows: rows(size) };
        }
        &self.rows
    }
}

/// m rows of d standard Gaussian coordinates in f32, the last f of them twice as long.
fn rows((m, f, d): (usize, usize, usize)) -> Vec<Vector> {
    let row = |i: usize| {
        let mut rng = Seed(1).stream("bench", i as u64, "row", 0);
        let scale = if i >= m - f { 2.0 } else { 1.0 };
        (0..d).map(|_| scale * rng.sample::<f32, _>(StandardNormal)).collect::<Vec<_>>().into()
    };
    (0..m).into_par_iter().map(row).collect()
}

/// The yardstick: every value is read once, and summed.
fn read(rows: &[Vector]) -> f32 {
    let sum = |part: &[f32]| {
        let mut lanes = [0f32; 32];
        part.as_chunks::<32>().0.iter().for_each(|x| lanes.iter_mut().zip(x).for_each(|(l, x)| *l += x));
        lanes.iter().sum::<f32>()
    };
    rows.par_iter().flat_map(|row| row.as_f32().unwrap_or_default().par_chunks(1 << 16)).map(sum).sum()
}

struct Find<'a> {
    name: &'a str,
    parameters: &'a Value,
    layer: Option<Layer>,
}

impl RuleVisitor for Find<'_> {
    fn visit<R: Rule>(&mut self) {
        if R::NAME == self.name {
            let rule: R = serde_json::from_value(self.parameters.clone()).expect("parameters of the rule");
            self.layer = rule.build().ok();
        }
    }
}

fn layers(rule: &[(&str, Value)]) -> Vec<Layer> {
    let layer = |(name, parameters): &(&str, Value)| {
        let mut find = Find { name, parameters, layer: None };
        built_in(&mut find);
        find.layer.expect("a built-in rule")
    };
    rule.iter().map(layer).collect()
}

/// Rounds after which the window of `fldetector` is full.
const FILLING: usize = 22;

/// Seconds of one call of the chain on the rows, without distances in the report. Pre-aggregators alone are given
/// copies of the rows, which they may change, and which are made before the clock starts.
fn work(line: &Line, rows: &[Vector]) -> Box<dyn FnMut() -> f64> {
    let layers = layers(&line.rule);
    let rng = Seed(1).stream("bench", 0, "rule", 1);
    let judge: Option<Arc<dyn Judge>> = Some(Arc::new(Bowl(rows[0].zeros_like())));
    let context = Context { wants_distances: false, judge, ..Context::new(line.f, rng) };
    let mut rows = rows.to_vec();
    if layers.iter().all(|layer| matches!(layer, Layer::Pre(_))) {
        let mut mixer = Mixer::new(layers).expect("a chain");
        return Box::new(move || {
            let copies: Vec<Vector> = rows.iter().map(|row| row.scaled(1.0)).collect();
            let start = Instant::now();
            let mixed = mixer.mix_owned(copies, context.clone()).expect("mixed rows");
            let seconds = start.elapsed().as_secs_f64();
            drop(black_box(mixed));
            seconds
        });
    }
    let mut defence = Defence::new(layers).expect("a chain");
    let mut point = defence.needs_point().then(|| rows[0].clone());
    let reference = defence.needs_reference().then(|| rows[0].clone());
    let rounds_before = if point.is_some() && !defence.needs_judge() { FILLING } else { 0 };
    let mut moved = (0..rows.len()).cycle();
    let mut round = move || {
        if let (Some(point), Some(at)) = (&mut point, moved.next()) {
            rows[at].scale(-0.9); // what stands still foretells nothing
            point.axpy(0.1, &rows[at]);
        }
        let context = Context { point: point.clone(), reference: reference.clone(), ..context.clone() };
        let start = Instant::now();
        drop(black_box(defence.aggregate_in(&rows, context).expect("an aggregate")));
        start.elapsed().as_secs_f64()
    };
    for _ in 0..rounds_before {
        round();
    }
    Box::new(round)
}

/// Median times in seconds.
struct Times {
    ours: f64,
    read: f64,
}

/// Times of the rule and of a plain read, taken in turn, in the pool: so the rounds of a run call rules.
fn measure(line: &Line, rows: &[Vector], budget: Duration) -> Times {
    rayon::scope(|_| measure_here(line, rows, budget))
}

fn measure_here(line: &Line, rows: &[Vector], budget: Duration) -> Times {
    let mut work = work(line, rows);
    let plain_read = || {
        let start = Instant::now();
        black_box(read(black_box(rows)));
        start.elapsed().as_secs_f64()
    };
    work();
    let (mut ours, mut reads, start) = (Vec::new(), Vec::new(), Instant::now());
    while ours.len() < 3 || start.elapsed() < budget {
        reads.push(plain_read());
        ours.push(work());
    }
    Times { ours: median(&mut ours), read: median(&mut reads) }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What a line measures; its target as a number of its unit.
fn description(line: &Line) -> Value {
    let (unit, most) = match line.target {
        None => (Value::Null, Value::Null),
        Some(Target::Reads(most)) => (json!("reads"), json!(most)),
        Some(Target::Milliseconds(most)) => (json!("ms"), json!(most)),
    };
    json!({
        "part": line.part, "rule": line.name(), "m": line.m, "f": line.f, "d": line.d, "unit": unit, "most": most,
    })
}

/// Answers on stdout every number of a line that comes from stdin.
fn in_turn(lines: &[Line]) {
    let say = |value: Value| {
        println!("{value}");
        stdout().flush().expect("a reader");
    };
    say(lines.iter().map(description).collect());
    let mut batch = Batch::default();
    for number in stdin().lock().lines() {
        let number: usize = number.expect("text").parse().expect("the number of a line");
        let line = &lines[number];
        let times = measure(line, batch.of(line), BUDGET_IN_TURN);
        say(json!({ "ms": 1e3 * times.ours, "read_ms": 1e3 * times.read }));
    }
}

/// A line of text: time, reads, and the target if it is missed.
fn tell(line: &Line, times: &Times) {
    let (ms, reads) = (1e3 * times.ours, times.ours / times.read);
    let missed = match line.target {
        Some(Target::Reads(most)) if reads > most => format!("  misses {most} reads"),
        Some(Target::Milliseconds(most)) if ms > most => format!("  misses {most} ms"),
        _ => String::new(),
    };
    let shape = format!("{}x{} f={}", line.m, line.d, line.f);
    println!("{:6} {:22} {shape:20} {ms:9.3} ms  {reads:7.1} reads{missed}", line.part, line.name());
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let is_chosen = |line: &Line| chosen.iter().any(|word| **word == line.name() || *word == line.part);
    let mut lines: Vec<Line> =
        [large(), small(), rare(), exact(), many(), byzpy()].into_iter().flatten().collect();
    lines.retain(|line| chosen.is_empty() || is_chosen(line));
    if words.iter().any(|word| word == "--in-turn") {
        return in_turn(&lines);
    }
    let mut batch = Batch::default();
    for line in &lines {
        tell(line, &measure(line, batch.of(line), BUDGET));
    }
}
