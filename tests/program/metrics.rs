//! Metrics of a run: scraped, pushed, and without influence on a result.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::harness::{self, Program, experiment};

/// A run that lasts until it is dropped.
pub struct Live {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Live {
    pub fn start(file: &str, out: &str, sets: &[&str]) -> Self {
        let sets = ["rounds=100000000"].iter().chain(sets).flat_map(|set| ["--set", set]);
        Self::begin(&["run", file, "--quiet", "--out", out].into_iter().chain(sets).collect::<Vec<_>>())
    }

    fn begin(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_phalanx"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// The address that it says its metrics are at.
    pub fn address(&mut self) -> String {
        let line = self.says();
        let at = line.trim().strip_prefix("metrics at http://").and_then(|at| at.strip_suffix("/metrics"));
        at.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned()
    }

    /// The next line that it says; nothing if there is none before its end.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    /// Tells it to end.
    fn interrupt(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Its status, once it has ended.
    fn status(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The value of the first series whose line begins with `name` and holds `label`.
fn value(text: &str, name: &str, label: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(name) && line.contains(label))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Scrapes until `done` says so, for at most twenty seconds.
fn scrape_until(address: &str, done: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let text = scrape(address);
        if done(&text) {
            return text;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sweep_shows_how_its_cells_stand() {
    let folder = tempfile::tempdir().unwrap();
    let base = harness::CONVEX.replace("rounds = 40", "rounds = 100000000");
    experiment(folder.path(), "base.toml", &base);
    let file = experiment(folder.path(), "sweep.toml", "base = \"base.toml\"\n[sweep]\nseed = [1, 2, 3]\n");
    let out = folder.path().join("runs").display().to_string();
    let sweep = ["sweep", &file, "--out", &out, "--jobs", "2", "--quiet", "--metrics=127.0.0.1:0"];
    let mut live = Live::begin(&sweep);
    let cells = |text: &str, state| value(text, "phalanx_sweep_cells{", &format!("state=\"{state}\""));
    let text = scrape_until(&live.address(), |text| cells(text, "running") == Some(2.0));
    assert!(text.contains("sweep=\"convex\""), "{text}");
    assert_eq!((cells(&text, "pending"), cells(&text, "failed")), (Some(1.0), Some(0.0)), "{text}");
}

#[test]
fn a_run_shows_its_rounds_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let out = folder.path().display().to_string();
    let sets = ["telemetry.listen=127.0.0.1:0", "telemetry.worker_series=2", "attackers.0.count=7"];
    let mut run = Live::start(&file, &out, &sets);
    let address = run.address();
    let text = scrape_until(&address, |text| {
        value(text, "phalanx_rounds_total", "").is_some_and(|rounds| rounds > 20.0)
            && text.contains("\nphalanx_optimality_gap{")
            && text.contains("\nprocess_resident_memory_bytes{")
    });
    let labels = r#"experiment="convex",run=""#;
    for name in ["phalanx_rounds_total", "phalanx_gradients_total", "phalanx_round_duration_seconds_bucket"] {
        assert!(value(&text, name, labels).is_some_and(|value| value >= 0.0), "{name} in {text}");
    }
    for label in [r#"seed="3""#, r#"rule="ctma,cwmed""#, r#"attack="ipm""#] {
        assert!(value(&text, "phalanx_honest_loss", label).is_some(), "{label} in {text}");
    }
    for phase in ["gradient", "barrier_wait", "attack", "aggregation", "step", "evaluation"] {
        let count = value(&text, "phalanx_phase_duration_seconds_count", &format!(r#"phase="{phase}""#));
        assert!(count.is_some_and(|count| count > 0.0), "{phase} in {text}");
    }
    let honest_alive = text
        .lines()
        .find(|line| line.starts_with("phalanx_actors") && line.contains("honest") && line.contains("alive"));
    assert!(honest_alive.is_some_and(|line| line.ends_with(" 9")), "{honest_alive:?}");
    assert_eq!(value(&text, "phalanx_byzantine_share_ratio", ""), Some(7.0 / 16.0));
    assert_eq!(text.matches("\nphalanx_worker_weight_ratio{").count(), 2, "capped");
    assert!(!text.contains("phalanx_test_accuracy_ratio{"), "a convex task has no accuracy: {text}");
    assert!(!text.contains("NaN"), "{text}");
    assert!(text.contains(r#"le="3600""#), "rounds of up to an hour are told apart: {text}");
}

#[test]
fn a_run_that_goes_on_stands_where_it_was_and_counts_its_own_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let out = folder.path().display().to_string();
    let mut first = Live::start(&file, &out, &["telemetry.listen=127.0.0.1:0", "telemetry.linger_seconds=0"]);
    let round = |text: &str| value(text, "phalanx_round{", "");
    scrape_until(&first.address(), |text| round(text).is_some_and(|round| round > 1000.0));
    first.interrupt();
    assert_eq!(first.status(), 130);
    let run = fs::read_dir(folder.path().join("convex")).unwrap().next().unwrap().unwrap().path();
    let before = fs::read_to_string(run.join("rounds.csv")).unwrap().lines().count() as f64 - 1.0;
    let run = run.display().to_string();
    let mut second = Live::begin(&["resume", &run, "--quiet", "--metrics=127.0.0.1:0"]);
    let evaluated = |text: &str| value(text, "phalanx_evaluated_round", "");
    // What was under way at the interrupt is evaluated again, of a round before it.
    let text = scrape_until(&second.address(), |text| evaluated(text).is_some_and(|round| round >= before));
    let (round, evaluated) = (round(&text).unwrap(), evaluated(&text).unwrap());
    assert!(round >= before, "{before} rounds, then {round}, {evaluated} evaluated");
    // A few rounds may be made while the page is written.
    assert!((evaluated - round).abs() < before / 2.0, "{evaluated} evaluated of {round} rounds");
    let own = value(&text, "phalanx_rounds_total", "").unwrap();
    assert!((own - (round - before)).abs() < before / 2.0, "{own} rounds of {round}, {before} before them");
}

/// The experiment, with rounds that take their time, and with metrics.
const UNHURRIED: [&str; 4] = [
    "telemetry.listen=127.0.0.1:0",
    "barrier.time=real",
    "rounds=4",
    r#"faults=[{group="all",fault={constant-delay={seconds=0.5}}}]"#,
];

/// How a run has ended, by what it shows.
fn ended(text: &str) -> Vec<&str> {
    let ended =
        |status: &&str| value(text, "phalanx_run_ended{", &format!("status=\"{status}\"")) == Some(1.0);
    ["completed", "interrupted", "failed"].into_iter().filter(ended).collect()
}

#[test]
fn the_end_of_a_run_is_shown_to_who_has_scraped_it_and_then_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let mut run = Live::start(&file, &folder.path().display().to_string(), &UNHURRIED);
    let address = run.address();
    let during = scrape(&address);
    assert_eq!((value(&during, "phalanx_run_active", ""), ended(&during)), (Some(1.0), vec![]));
    // Once more only when it waits, for whoever reads the last page ends the waiting.
    assert!(run.says().contains("stay for a last scrape, 20 s at most"));
    let folder = fs::read_dir(folder.path().join("convex")).unwrap().next().unwrap().unwrap().path();
    assert!(folder.join("summary.json").is_file(), "all is written before");
    let after = scrape(&address);
    assert_eq!((value(&after, "phalanx_run_active", ""), ended(&after)), (Some(0.0), vec!["completed"]));
    assert_eq!(value(&after, "phalanx_round{", ""), Some(4.0));
    let read = Instant::now();
    assert_eq!(run.status(), 0);
    assert!(read.elapsed() < Duration::from_secs(5), "it stayed for {:?}", read.elapsed());
    let summary = fs::read_to_string(folder.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert!(summary["elapsed_seconds"].as_f64().unwrap() < 15.0, "{summary}");
}

#[test]
fn a_signal_ends_the_waiting_for_a_scrape() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let out = folder.path().display().to_string();
    let long = [&UNHURRIED[..], &["telemetry.linger_seconds=600"]].concat();
    for (interrupted, status, most) in [(false, 0, 600), (true, 130, 3)] {
        let mut run = Live::start(&file, &out, &long);
        let address = run.address();
        scrape(&address);
        if interrupted {
            run.interrupt();
            assert!(run.says().contains("ending after the round in hand"));
        }
        assert!(run.says().contains(&format!("stay for a last scrape, {most} s at most")));
        run.interrupt();
        let told = Instant::now();
        assert_eq!(run.status(), status);
        assert!(told.elapsed() < Duration::from_secs(5), "it stayed for {:?}", told.elapsed());
        assert_eq!(run.says(), "", "there is no round in hand");
    }
}

#[test]
fn nobody_is_waited_for_who_has_not_come_or_is_not_to_be_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let out = folder.path().display().to_string();
    for (scraped, set) in [(false, "telemetry.linger_seconds=600"), (true, "telemetry.linger_seconds=0")] {
        let mut run = Live::start(&file, &out, &[&UNHURRIED[..], &[set]].concat());
        let address = run.address();
        if scraped {
            scrape(&address);
        }
        assert_eq!((run.says().as_str(), run.status()), ("", 0), "{set}");
    }
}

#[test]
fn a_sweep_shows_its_last_cell_to_who_has_scraped_it() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), "base.toml", harness::CONVEX);
    let file = experiment(folder.path(), "sweep.toml", "base = \"base.toml\"\n[sweep]\nseed = [1, 2]\n");
    let out = folder.path().join("runs").display().to_string();
    let sets = UNHURRIED[1..].iter().flat_map(|set| ["--set", set]);
    let sweep = ["sweep", &file, "--out", &out, "--jobs", "1", "--quiet", "--metrics=127.0.0.1:0"];
    let mut live = Live::begin(&sweep.into_iter().chain(sets).collect::<Vec<_>>());
    let address = live.address();
    scrape(&address);
    assert!(live.says().contains("stay for a last scrape"));
    let completed = value(&scrape(&address), "phalanx_sweep_cells{", "state=\"completed\"");
    assert_eq!((completed, live.status()), (Some(2.0), 0));
}

#[test]
fn a_port_in_use_is_an_error_before_anything_runs_or_the_next_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (out, flag) =
        (folder.path().join("runs").display().to_string(), format!("--metrics=127.0.0.1:{port}"));
    let message = Program::fails(&["run", &file, "--out", &out, &flag]);
    assert!(message.contains(&format!("failed to listen on 127.0.0.1:{port}")), "{message}");
    assert!(message.contains("port_in_use"), "{message}");
    assert!(fs::read_dir(&out).is_err(), "a run folder was made");
    let next = ["run", &file, "--out", &out, &flag, "--set", "telemetry.port_in_use=next"];
    let done = Program::run(&next);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let told = done.stderr.lines().find_map(|line| line.strip_prefix("metrics at http://127.0.0.1:"));
    let told: u16 = told.and_then(|rest| rest.strip_suffix("/metrics")).unwrap().parse().unwrap();
    assert!(told > port && told <= port + 100, "{told} after {port}");
}

#[test]
fn a_short_run_is_pushed_and_says_that_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let push = format!("telemetry.push=http://{}", gateway.local_addr().unwrap());
    let received = std::thread::spawn(move || last_push(&gateway));
    Program::folder(&[&file, "--set", &push], folder.path());
    let (path, body) = received.join().unwrap();
    assert!(path.starts_with("PUT /metrics/job/phalanx/experiment/convex/run/"), "{path}");
    assert_eq!(value(&body, "phalanx_rounds_total", ""), Some(40.0));
    assert_eq!((value(&body, "phalanx_run_active", ""), ended(&body)), (Some(0.0), vec!["completed"]));
}

/// Answers pushes until one says that the run is over; its request line and body.
fn last_push(gateway: &TcpListener) -> (String, String) {
    loop {
        let mut stream = BufReader::new(gateway.accept().unwrap().0);
        let (mut request, mut length, mut chunked) = (String::new(), 0, false);
        stream.read_line(&mut request).unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("transfer-encoding", _)) => chunked = true,
                Some(_) => {}
                None => break,
            }
        }
        assert!(!chunked, "a length is known");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        let body = String::from_utf8(body).unwrap();
        if value(&body, "phalanx_run_active", "") == Some(0.0) {
            return (request, body);
        }
    }
}

#[test]
fn a_gateway_that_is_not_there_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (out, push) = (folder.path().display().to_string(), format!("telemetry.push=http://{free}"));
    let done = Program::run(&["run", &file, "--quiet", "--out", &out, "--set", &push]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stderr.contains("warning: metrics cannot be pushed"), "{}", done.stderr);
}

#[test]
fn metrics_change_neither_a_result_nor_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let plain = Program::folder(&[&file], folder.path());
    let shown = Program::folder(&[&file, "--metrics=127.0.0.1:0"], folder.path());
    for name in ["rounds.csv", "evaluations.csv", "parameters.safetensors"] {
        assert_eq!(fs::read(plain.join(name)).unwrap(), fs::read(shown.join(name)).unwrap(), "{name}");
    }
    assert_eq!(harness::hash(&plain), harness::hash(&shown), "{plain:?} {shown:?}");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    for (set, key) in [
        ("telemetry.listen=9464", "telemetry.listen"),
        ("telemetry.listen=localhost", "telemetry.listen"),
        ("telemetry.push=gateway:9091", "telemetry.push"),
        ("telemetry.push_seconds=0", "telemetry.push_seconds"),
        ("telemetry.linger_seconds=-1", "telemetry.linger_seconds"),
        ("telemetry.linger_seconds=3601", "telemetry.linger_seconds"),
        ("telemetry.worker_series=5000", "telemetry.worker_series"),
    ] {
        let message = Program::fails(&["check", &file, "--set", set]);
        assert!(message.contains(&format!("--set {set}: {key}: ")), "{message}");
    }
}
