//! The endpoint of metrics among clients that are not Prometheus: wrong, endless, slow, many.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    harness::{self, experiment},
    metrics::Live,
};

/// A run of its own in `folder`, and its address.
fn live(folder: &Path) -> (Live, String) {
    let file = experiment(folder, "experiment.toml", harness::CONVEX);
    let mut run = Live::start(&file, &folder.display().to_string(), &["telemetry.listen=127.0.0.1:0"]);
    let address = run.address();
    (run, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// What is answered to `request`, as far as it comes.
fn ask(address: &str, request: &[u8]) -> String {
    let mut stream = connect(address);
    let mut answer = Vec::new();
    // A server that refuses may close before all is written.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Rows of the run's table of rounds.
fn rounds(folder: &Path) -> usize {
    let run = fs::read_dir(folder.join("convex")).unwrap().next().unwrap().unwrap().path();
    fs::read(run.join("rounds.csv")).unwrap().iter().filter(|&&byte| byte == b'\n').count()
}

/// Rounds are made while `during` lasts.
fn goes_on(folder: &Path, during: impl FnOnce()) {
    let before = rounds(folder);
    during();
    let began = Instant::now();
    while rounds(folder) <= before + 10 {
        assert!(began.elapsed() < Duration::from_secs(20), "no rounds are made");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const GOOD: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn it_is_read_only_and_has_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let (_run, address) = live(folder.path());
    assert!(address.starts_with("127.0.0.1:"));
    let good = ask(&address, GOOD.as_bytes());
    assert!(good.starts_with("HTTP/1.1 200") && good.contains("phalanx_rounds_total"), "{good}");
    let head = ask(&address, GOOD.replace("GET", "HEAD").as_bytes());
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("phalanx_"), "{head}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "STEAL"] {
        let answer = ask(&address, GOOD.replace("GET", method).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
        assert!(answer.to_lowercase().contains("allow: get, head"), "{method}: {answer}");
    }
    for path in ["/", "/health", "/metrics/", "/metrics/../etc/passwd", "/%2e%2e/metrics", "*", "/METRICS"] {
        let answer = ask(&address, GOOD.replace("/metrics", path).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn requests_that_are_none_or_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_run, address) = live(folder.path());
    let long = "x".repeat(1 << 20);
    let many: String = (0..1000).map(|n| format!("h{n}: x\r\n")).collect();
    goes_on(folder.path(), || {
        for (what, request) in [
            ("noise", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned()),
            ("a long path", GOOD.replace("/metrics", &format!("/{long}"))),
            ("a long header", GOOD.replace("Host: x", &format!("Host: {long}"))),
            ("many headers", GOOD.replace("Host: x\r\n", &many)),
            ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n".to_owned()),
        ] {
            let answer = ask(&address, request.as_bytes());
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        }
        let endless = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
        assert!(ask(&address, endless.as_bytes()).starts_with("HTTP/1.1 405"));
    });
}

#[test]
fn slow_clients_hold_up_neither_a_round_nor_each_other_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let (_run, address) = live(folder.path());
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..120).map(|_| connect(&address)).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        let said = match number % 3 {
            0 => "",
            1 => "GET /met",
            _ => GOOD,
        };
        let _ = stream.write_all(said.as_bytes());
    }
    goes_on(folder.path(), || {
        for _ in 0..20 {
            slow.iter_mut().for_each(|stream| drop(stream.write_all(b"r")));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // More than there are seats: who comes now waits until the patience with those before is at its end.
    slow.extend((0..80).map(|_| connect(&address)));
    let answer = ask(&address, GOOD.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
