//! Files that are no experiment.

use crate::room::{GOOD, Room, skipped};

#[test]
fn files_that_are_no_experiment() {
    let room = Room::new();
    let deep = |open: &str, close: &str| format!("a = {}1{}", open.repeat(50_000), close.repeat(50_000));
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty", vec![], &["workers"]),
        ("blank", b" \n\n\t# nothing\n".to_vec(), &["workers"]),
        ("zeros", vec![0; 4096], &["line 1"]),
        ("not UTF-8", b"name = \"\xff\"".to_vec(), &["UTF-8"]),
        ("UTF-16", b"\xff\xfen\0a\0m\0e\0".to_vec(), &["UTF-8"]),
        ("a program", b"\x7fELF\x02\x01\x01\0".to_vec(), &["line 1"]),
        ("JSON", b"{\"name\": \"x\"}".to_vec(), &["line 1"]),
        ("half a string", b"name = \"x".to_vec(), &["line 1"]),
        ("half a file", GOOD.as_bytes()[..GOOD.len() / 2].to_vec(), &["bad.toml"]),
        ("a key twice", b"seed = 1\nseed = 2\n".to_vec(), &["line 2", "duplicate key"]),
        ("a table twice", b"[task]\n[task]\n".to_vec(), &["line 2"]),
        ("a number too large", b"seed = 99999999999999999999".to_vec(), &["line 1"]),
        ("deep lists", deep("[", "]").into_bytes(), &["recursion"]),
        ("deep tables", deep("{ a = ", " }").into_bytes(), &["recursion"]),
        ("a deep key", format!("{}a = 1", "a.".repeat(50_000)).into_bytes(), &["recursion"]),
        ("a deep heading", format!("[{}a]\n", "a.".repeat(50_000)).into_bytes(), &["recursion"]),
        ("huge", vec![b'#'; 5 << 20], &["longer than"]),
        ("one long line", [b"name = \"", &vec![b'x'; 1 << 20][..], b"\""].concat(), &["name", "at most"]),
        ("a base that is not there", b"base = \"none.toml\"".to_vec(), &["none.toml", "No such file"]),
        ("a base that is a folder", b"base = \".\"".to_vec(), &["irectory"]),
        ("a base that is a number", b"base = 3".to_vec(), &["base", "integer"]),
        ("a base that is itself", b"base = \"bad.toml\"".to_vec(), &["more than 8 files"]),
        ("a base that is a sweep", b"base = \"sweep.toml\"".to_vec(), &["is itself a sweep"]),
        ("a base with a NUL", b"base = \"a\\u0000b\"".to_vec(), &["bad.toml"]),
        ("a sweep that is a list", b"sweep = [1]".to_vec(), &["sweep", "a table is expected"]),
    ];
    for (what, content, parts) in cases {
        room.put("bad.toml", content);
        let all: Vec<&str> =
            ["bad.toml"].iter().filter(|_| !what.contains("base")).chain(parts).copied().collect();
        for command in ["check", "run"] {
            room.refuses(&[command, "bad.toml"], &all);
        }
    }
}

#[test]
fn paths_that_are_no_file() {
    let room = Room::new();
    room.put("folder/x", "");
    for (path, part) in [
        ("none.toml", "none.toml: No such file"),
        ("folder", "irectory"),
        ("good.toml/in", "ot a directory"),
        ("", "a value is required"),
        ("/dev/null", "workers"),
        ("/dev/zero", "longer than"),
        ("/proc/self/mem", "/proc/self/mem"),
    ] {
        for command in ["check", "run", "sweep", "bench"] {
            let part = if path == "/dev/null" && command == "sweep" { "[sweep]" } else { part };
            room.refuses(&[command, path], &[part]);
        }
    }
    let (long, looped) = ("x".repeat(4500), room.path("loop.toml"));
    room.refuses(&["check", &long], &["too long"]);
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    room.refuses(&["check", "loop.toml"], &["loop.toml", "symbolic link"]);
    if rustix::process::geteuid().is_root() {
        return skipped("root can read every file; a file without permissions is not tried");
    }
    room.put("closed.toml", GOOD);
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o0);
    std::fs::set_permissions(room.path("closed.toml"), closed).unwrap();
    room.refuses(&["check", "closed.toml"], &["closed.toml", "ermission denied"]);
}

#[test]
fn several_files_are_each_named_and_nothing_runs() {
    let room = Room::new();
    room.put("bad.toml", "rounds = 0\n");
    let done = room.call(&["run", "good.toml", "bad.toml", "none.toml", "--out", "o"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(done.stderr.contains("bad.toml: ") && done.stderr.contains("none.toml: "), "{}", done.stderr);
    assert!(!room.path("o").exists(), "something ran");
}

#[test]
fn a_file_with_a_byte_order_mark_or_other_ends_of_lines_is_read() {
    let room = Room::new();
    room.put("bom.toml", format!("\u{feff}{GOOD}"));
    room.put("crlf.toml", GOOD.replace('\n', "\r\n"));
    for file in ["bom.toml", "crlf.toml"] {
        let done = room.call(&["check", file]);
        assert!(done.status.success(), "{file}: {}", done.stderr);
    }
}
