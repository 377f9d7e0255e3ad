//! Runs that a real Prometheus watches: every query of every panel has data,
//! every alert that the runs deserve fires, pushes arrive.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use phalanx::{config, telemetry};

use crate::{
    boards,
    daemons::{Daemon, Prometheus, free_port, installed, pushgateway},
};

/// Digits under attack: the mean learns for as long as a scraper needs on a fast machine, then three of
/// twelve workers turn on it, with false labels at first. Messages take their time, some come too late, get lost or are repeated. An alert
/// waits for a quarter of the rounds; all of them take longer than what the test waits for.
const BROKEN: &str = r#"
name = "broken-mean"
rounds = 20000
[task]
dataset = "digits"
model = "simple-cnn"
clip = 1.0
validation = 200
[aggregator]
rule = ["mean"]
step = { sgd = { lr = 0.2 } }
[[workers]]
count = 9
batch_size = 16
[[attackers]]
count = 3
attack = { switching = { schedule = [{ from = 1, attack = "none" }, { from = 1200, attack = "label-flip" }, { from = 1300, attack = { ipm = { epsilon = 6.0 } } }] } }
[barrier]
absence = "drop"
virtual_deadline_seconds = 0.5
[[faults]]
fault = { exponential-delay = { min = 0.05, mean = 0.02 } }
[[faults]]
workers = [0]
from = 1300
fault = { constant-delay = { seconds = 1.0 } }
[[faults]]
workers = [1]
probability = 0.05
fault = "silence"
[[faults]]
workers = [3]
from = 1300
fault = "wrong-length"
[[faults]]
workers = [2]
probability = 0.05
fault = "duplicate"
[evaluation]
every = 5
per_class = true
[telemetry]
worker_series = 12
"#;

/// A convex task with a known optimum and an attacker that sends no numbers.
const CONVEX: &str = r#"
name = "convex"
rounds = 100000000
[task]
objective = { least-squares = { dim = 30 } }
[aggregator]
rule = ["ctma", "cwmed"]
step = { anytime-sgd = { lr = 0.01 } }
[[workers]]
count = 5
[[attackers]]
count = 1
attack = "nan"
"#;

/// A run whose workers are not heard of after a while, so that it makes no step, and the server none of what it needs.
const MUTE: &str = r#"
[barrier]
absence = "drop"
virtual_deadline_seconds = 1.0
[[faults]]
group = "honest"
from = 50
fault = "silence"
"#;

/// A run of some seconds, by rounds that take their time.
const UNHURRIED: &str = r#"
[barrier]
time = "real"
[[faults]]
group = "all"
fault = { constant-delay = { seconds = 0.2 } }
"#;

/// Long enough to be done on a slow machine.
const DEADLINE: Duration = Duration::from_secs(150);

/// The alerts that these runs deserve.
const DESERVED: [&str; 10] = [
    "PhalanxAccuracyAtChance",
    "PhalanxAccuracyCollapse",
    "PhalanxActorsLost",
    "PhalanxByzantineWeight",
    "PhalanxCellsFailed",
    "PhalanxNonFinite",
    "PhalanxRoundsSkipped",
    "PhalanxRoundsStalled",
    "PhalanxRunFailed",
    "PhalanxRunLost",
];

/// What a test needs, in one folder that goes with it.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the experiment `text`, with more arguments.
    fn run(&self, name: &str, text: &str, arguments: &[String]) -> Daemon {
        let file = self.path().join(name).with_extension("toml");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
        command
            .arg("run")
            .arg(&file)
            .arg("--quiet")
            .arg("--out")
            .arg(self.path().join("runs"))
            .args(arguments);
        Daemon::start(&mut command, self.path(), name)
    }

    /// The committed configuration and rules, with the test's ports and shorter times.
    fn configure(&self, targets: &[u16], gateway: u16) {
        let read = |name: &str| fs::read_to_string(boards::folder().join(name)).unwrap();
        let changed = |text: String, changes: &[(&str, String)]| {
            changes.iter().fold(text, |text, (from, to)| {
                assert!(text.contains(from), "{from} is not there to be changed");
                text.replace(from, to)
            })
        };
        // The last of the committed ports gives its place to all that are left.
        let targets: Vec<String> = targets.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let (own, more) = targets.split_at(3);
        let own =
            own.iter().enumerate().map(|(i, target)| (format!("127.0.0.1:{}", 9464 + i), target.clone()));
        let more = ("127.0.0.1:9467".to_owned(), more.join("\n          - "));
        let mut changes: Vec<(String, String)> = own.chain([more]).collect();
        changes.push(("127.0.0.1:9091".into(), format!("127.0.0.1:{gateway}")));
        changes.push(("scrape_interval: 2s".into(), "scrape_interval: 500ms".into()));
        changes.push(("evaluation_interval: 5s".into(), "evaluation_interval: 1s".into()));
        let changes: Vec<(&str, String)> =
            changes.iter().map(|(from, to)| (from.as_str(), to.clone())).collect();
        fs::write(self.path().join("prometheus.yml"), changed(read("prometheus.yml"), &changes)).unwrap();
        let shorter = [("for: 1m", "for: 3s"), ("[5m]", "[12s]"), ("> 300", "> 12")];
        let shorter = shorter.map(|(from, to)| (from, to.to_owned()));
        fs::write(self.path().join("alerts.yml"), changed(read("alerts.yml"), &shorter)).unwrap();
    }

    /// What everybody said, for the message of a failure.
    fn logs(&self) -> String {
        [
            "broken",
            "convex",
            "short",
            "killed",
            "lost",
            "failing",
            "mute",
            "ending",
            "prometheus",
            "pushgateway",
        ]
        .iter()
        .map(|name| {
            let text = fs::read_to_string(self.path().join(name).with_extension("log")).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(5).collect();
            format!("{name}:\n{}\n", tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
        })
        .collect()
    }
}

#[test]
#[ignore = "starts Prometheus and a Pushgateway: make test-monitoring"]
fn every_panel_has_data_and_alerts_fire() {
    if !installed(&["prometheus", "promtool", "prometheus-pushgateway"]) {
        return;
    }
    let site = Site { folder: tempfile::tempdir().unwrap() };
    let ports: [u16; 5] = std::array::from_fn(|_| free_port());
    let (_gateway, gateway) = pushgateway(site.path());
    site.configure(&ports, gateway);
    let prometheus = Prometheus::start(site.path());

    let push = |seconds: f64| {
        let push = format!("telemetry.push=http://127.0.0.1:{gateway}");
        ["--set".to_owned(), push, "--set".to_owned(), format!("telemetry.push_seconds={seconds}")]
    };
    let shown = |port: u16| [format!("--metrics=127.0.0.1:{port}")];
    let named = |name: &str| CONVEX.replace("\"convex\"", &format!("\"{name}\""));
    let short = |name: &str, rounds: &str| named(name).replace("100000000", rounds);
    let mut victims = vec![
        ("killed", site.run("killed", &named("killed"), &push(0.2))),
        ("lost", site.run("lost", &named("lost"), &shown(ports[3]))),
    ];
    let _short = site.run("short", &short("short", "40"), &push(60.0));
    let failing = named("failing") + &MUTE.replace("drop", "fail");
    let _failing = site.run("failing", &failing, &push(60.0));
    let _mute = site.run("mute", &(named("mute") + MUTE), &push(0.5));
    let _ending = site.run("ending", &(short("ending", "25") + UNHURRIED), &shown(ports[4]));
    let _convex = site.run("convex", CONVEX, &shown(ports[1]));
    let _broken = site.run("broken", BROKEN, &shown(ports[0]));
    let sweep = Sweep::show(ports[2]);

    let (mut waiting, mut quiet) = (boards::queries(), BTreeSet::from(DESERVED));
    let began = Instant::now();
    let mut ticks = 0;
    while !(waiting.is_empty() && quiet.is_empty()) {
        ticks += 1;
        sweep.advance(ticks);
        waiting
            .retain(|(at, query)| prometheus.query(query).unwrap_or_else(|e| panic!("{at}: {e}")).is_empty());
        for alert in prometheus.firing() {
            quiet.remove(alert.as_str());
        }
        let seen = |experiment: &str| {
            let rounds = format!(r#"phalanx_rounds_total{{experiment="{experiment}"}} > 0"#);
            !prometheus.query(&rounds).unwrap().is_empty()
        };
        for (_, victim) in victims.extract_if(.., |(name, _)| seen(name)) {
            victim.kill();
        }
        assert!(
            began.elapsed() < DEADLINE,
            "no data: {waiting:#?}\nalerts that are quiet: {quiet:?}\n{}",
            site.logs()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("every panel has data and every alert fired after {:.0} s", began.elapsed().as_secs_f64());

    for (at, metric, label) in boards::variables() {
        assert!(!prometheus.values(&label, &metric).is_empty(), "{at}: {label} of {metric}");
    }
    traffic(&prometheus);
    held_out(&prometheus);
    pushed(&prometheus);
    ended(&prometheus);
    clean(ports[1], site.path());
}

/// Messages met every fate that the faults have for them, and a round took their delays: 0.5 s at most, for that
/// is the deadline, and 0.05 s at least.
fn traffic(prometheus: &Prometheus) {
    for outcome in ["accepted", "rejected", "late", "lost"] {
        let query =
            format!(r#"phalanx_submissions_total{{experiment="broken-mean",outcome="{outcome}"}} > 0"#);
        assert_eq!(prometheus.query(&query).unwrap().len(), 1, "no message was {outcome}");
    }
    let part = |part: &str| format!(r#"phalanx_round_virtual_seconds_{part}{{experiment="broken-mean"}}"#);
    let seconds = prometheus.number(&format!("{} / {}", part("sum"), part("count")));
    assert!((0.05..=0.5).contains(&seconds), "a round of {seconds} s");
}

/// The validation set is measured beside the test set, and is another one.
fn held_out(prometheus: &Prometheus) {
    let value = |metric: &str| prometheus.number(&format!(r#"{metric}{{experiment="broken-mean"}}"#));
    // of 200 samples
    let right = 200.0 * value("phalanx_validation_accuracy_ratio");
    assert!((right - right.round()).abs() < 1e-6 && (0.0..=200.0).contains(&right), "{right} of 200 right");
    assert!(value("phalanx_validation_loss") != value("phalanx_test_loss"));
}

/// What was pushed is there under the run's own labels, and says that the run is over.
fn pushed(prometheus: &Prometheus) {
    assert_eq!(prometheus.number(r#"phalanx_rounds_total{experiment="short"}"#), 40.0);
    assert_eq!(prometheus.number(r#"phalanx_run_active{experiment="short"}"#), 0.0);
    assert_eq!(prometheus.number(r#"phalanx_run_active{experiment="killed"}"#), 1.0);
}

/// Of runs that are over, the last word is kept, and told from none: in the table of runs, and by the alerts.
fn ended(prometheus: &Prometheus) {
    let table = boards::query("sweep", "The cells").replace("phalanx_test_accuracy_ratio", "phalanx_round");
    let of = |query: &str, experiment: &str| {
        prometheus.number(&query.replace(r#"experiment=~".+""#, &format!(r#"experiment="{experiment}""#)))
    };
    assert_eq!(of(&table, "ending"), 25.0);
    // gone, interrupted, failed, completed, running
    let state = boards::query("live", "State");
    let states = ["lost", "failing", "ending", "short", "convex"].map(|experiment| of(&state, experiment));
    assert_eq!(states, [0.0, 2.0, 3.0, 3.0, 4.0]);
    let lost = prometheus.values("experiment", r#"ALERTS{alertname="PhalanxRunLost"}"#);
    assert_eq!(lost, ["lost"], "the others are under way, or have said that they ended");
    let failed = prometheus.values("experiment", r#"ALERTS{alertname="PhalanxRunFailed"}"#);
    assert_eq!(failed, ["failing"]);
}

/// `promtool check metrics` has nothing to say about what a run exports.
fn clean(port: u16, folder: &Path) {
    let text = ureq::get(format!("http://127.0.0.1:{port}/metrics")).call().unwrap();
    let text = text.into_body().read_to_string().unwrap();
    assert!(!text.contains("NaN"), "{text}");
    let file = folder.join("metrics.txt");
    fs::write(&file, text).unwrap();
    let input = fs::File::open(&file).unwrap();
    let done = Command::new("promtool").args(["check", "metrics"]).stdin(input).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
}

/// A sweep's metrics, whose cells finish one after another.
struct Sweep {
    _telemetry: telemetry::Telemetry,
    metrics: telemetry::SweepMetrics,
}

impl Sweep {
    const CELLS: usize = 400;

    fn show(port: u16) -> Self {
        let config = config::Telemetry { listen: format!("127.0.0.1:{port}"), ..config::Telemetry::off() };
        let door = telemetry::Door::take(&config).unwrap().unwrap();
        let (telemetry, metrics) =
            door.open(&[], 0, |meter| telemetry::SweepMetrics::new(meter, "study")).unwrap();
        Self { _telemetry: telemetry, metrics }
    }

    fn advance(&self, ticks: usize) {
        let done = ticks.min(Self::CELLS - 3);
        self.metrics.set([Self::CELLS - done - 3, 2, done, 0, 1]);
    }
}
