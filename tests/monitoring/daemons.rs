//! Processes that end with the test, and what is asked of them over HTTP.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Whether all of the `programs` are there. Says what is skipped if not.
pub fn installed(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !found(program)).collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("REQUIRE_MONITORING").is_ok_and(|value| value == "required");
    assert!(!required, "{} not installed", missing.join(", "));
    println!("skipped: {} not installed", missing.join(", "));
    false
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that is killed when it is dropped; what it says goes to `<name>.log` in `folder`.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(command: &mut Command, folder: &Path, name: &str) -> Self {
        let log = std::fs::File::create(folder.join(name).with_extension("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    /// Ends it without a chance to say anything.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Prometheus.
pub struct Prometheus {
    base: String,
    _daemon: Daemon,
}

impl Prometheus {
    /// Starts one with the configuration in `folder` and waits until it answers.
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        let daemon = Daemon::start(
            Command::new("prometheus")
                .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}")),
            folder,
            "prometheus",
        );
        let started = Self { base: format!("http://127.0.0.1:{port}"), _daemon: daemon };
        await_answer(&format!("{}/-/ready", started.base));
        started
    }

    /// The series that a query finds now, without those that are not numbers.
    pub fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("query", &[("query", query)])?;
        let series = answer["result"].as_array().cloned().unwrap_or_default();
        Ok(series.into_iter().filter(|series| series["value"][1] != "NaN").collect())
    }

    /// The number that a query finds now, of one series.
    pub fn number(&self, query: &str) -> f64 {
        let series = self.query(query).unwrap();
        assert_eq!(series.len(), 1, "{query}: {series:?}");
        series[0]["value"][1].as_str().unwrap().parse().unwrap()
    }

    /// The values of a label over the series that match.
    pub fn values(&self, label: &str, metric: &str) -> Vec<String> {
        let answer = self.get(&format!("label/{label}/values"), &[("match[]", metric)]).unwrap();
        answer.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// Names of the alerts that fire now.
    pub fn firing(&self) -> Vec<String> {
        let answer = self.get("alerts", &[]).unwrap();
        let alerts = answer["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/api/v1/{path}", self.base);
        let text = agent()
            .get(&url)
            .query_pairs(parameters.iter().copied())
            .call()
            .and_then(|answer| answer.into_body().read_to_string())
            .map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer["error"].to_string())
        }
    }
}

/// Starts a Pushgateway; its address.
pub fn pushgateway(folder: &Path) -> (Daemon, u16) {
    let port = free_port();
    let mut command = Command::new("prometheus-pushgateway");
    let daemon =
        Daemon::start(command.arg(format!("--web.listen-address=127.0.0.1:{port}")), folder, "pushgateway");
    await_answer(&format!("http://127.0.0.1:{port}/-/ready"));
    (daemon, port)
}

fn agent() -> ureq::Agent {
    let settings = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10)));
    settings.http_status_as_error(false).build().into()
}

fn await_answer(url: &str) {
    let began = Instant::now();
    while !agent().get(url).call().is_ok_and(|answer| answer.status() == 200) {
        assert!(began.elapsed() < Duration::from_secs(30), "{url} does not answer");
        std::thread::sleep(Duration::from_millis(100));
    }
}
