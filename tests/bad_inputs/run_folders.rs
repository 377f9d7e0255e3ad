//! Run folders that are not what a run leaves, given to `report`, `compare` and `watch`.

use std::fs;

use crate::room::Room;

#[test]
fn folders_that_are_no_run() {
    let room = Room::new();
    room.put("empty/x", "");
    room.put("file", "");
    room.put("half/config.toml", "name = \"x\"\n");
    for (path, part) in [
        ("none", "none: No such file"),
        ("empty", "no run here"),
        ("half", "no run here"),
        ("file", "a run folder is expected, this is a file"),
        ("", "a value is required"),
        ("good.toml", "a run folder is expected, this is a file"),
    ] {
        room.refuses(&["report", path], &[part]);
        room.refuses(&["report", path, "--out", "r", "--csv", "t.csv"], &[part]);
        room.refuses(&["compare", path, path], &[part]);
        room.refuses(&["watch", "--plain", path], &[part]);
        room.refuses(&["watch", "--plain", "--out", path], &[part]);
    }
}

/// (the file, what is in it instead, what must be said)
const BROKEN: &[(&str, &[u8], &str)] = &[
    ("config.toml", b"", "workers"),
    ("config.toml", b"\xff", "UTF-8"),
    ("config.toml", b"name = 3\n[task]\n", "name"),
    ("config.toml", b"rounds = ", "config.toml"),
    ("run.json", b"", "EOF"),
    ("run.json", b"[", "EOF"),
    ("run.json", b"\xff", "run.json"),
    ("run.json", b"{\"threads\": -1}", "-1"),
    ("run.json", b"{\"arguments\": 3}", "expected a sequence"),
    ("summary.json", b"", "EOF"),
    ("summary.json", b"{}", "missing field"),
    ("summary.json", b"{\"status\": \"fine\"}", "fine"),
    ("rounds.csv", b"a,b\n1,2\n", "rounds.csv:1: the first column must be `round`"),
    ("rounds.csv", b"round,honest_loss\n1,many\n", "rounds.csv:2: column honest_loss"),
    ("rounds.csv", b"round,honest_loss\n-1,2\n", "rounds.csv:2: column round"),
    ("rounds.csv", b"round,honest_loss\n1\n", "rounds.csv:2: 1 cells"),
    ("rounds.csv", b"round,\xff\n1,2\n", "rounds.csv:1"),
    ("rounds.csv", b"\x00\x00\n\x00\n", "rounds.csv:1"),
    ("evaluations.csv", b"round,gap\n99999999999999999999,1\n", "evaluations.csv:2: column round"),
    ("timings.csv", b"round,round_seconds\n1,\"\n", "timings.csv:2: column round_seconds"),
];

#[test]
fn files_of_a_run_that_are_broken_are_named() {
    let room = Room::with_runs();
    for (name, content, part) in BROKEN {
        let path = room.path("a").join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        room.refuses(&["report", "a", "--out", "r", "--csv", "t.csv"], &[name, part]);
        room.refuses(&["compare", "a", "b"], &[name, part]);
        room.refuses(&["watch", "--plain", "a"], &[name, part]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        room.refuses(&["compare", "a", "b"], &["a"]);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn a_report_that_cannot_be_written_leaves_nothing_behind() {
    let room = Room::with_runs();
    for (arguments, parts) in [
        (&["report", "a", "--out", "good.toml"][..], &["good.toml", "exists"][..]),
        (&["report", "a", "--out", "good.toml/r"], &["good.toml/r", "ot a directory"]),
        (&["report", "a", "--out", "/proc/r"], &["/proc/r"]),
        (&["report", "a", "--out", "r", "--csv", "good.toml/t.csv"], &["good.toml", "exists"]),
        (&["report", "a", "--out", "r", "--csv", "a"], &["a", "irectory"]),
        (&["report", "a", "--out", "r", "--csv", "/dev/full"], &["/dev/full", "No space left"]),
        (&["report", "a", "b", "--out", "r", "--baseline", "best", "--csv", "t.csv"], &["best"]),
        (&["report", "a", "none", "--out", "r", "--csv", "t.csv"], &["none"]),
    ] {
        room.refuses(arguments, parts);
    }
}

/// What a run folder says of itself goes into a page that is opened in a browser.
#[test]
fn a_page_shows_names_as_text() {
    let room = Room::with_runs();
    let config = room.path("a/config.toml");
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("name = \"good\"", "name = \"<script>alert(1)</script>\"");
    fs::write(&config, text).unwrap();
    let done = room.call(&["report", "a", "b", "--out", "r"]);
    if done.status.success() {
        let page = fs::read_to_string(room.path("r/index.html")).unwrap();
        assert!(!page.contains("<script>alert"), "a name is markup");
    } else {
        assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
    }
}
