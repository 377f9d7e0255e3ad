//! Disks that are full, and folders that cannot be written.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use crate::room::{GOOD, Room, skipped};

/// A file system of a few kilobytes, or one that is read-only, as long as this lives; none where that is not allowed.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(at: &'a Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(at);
        let done = mount.output().is_ok_and(|done| done.status.success());
        done.then_some(Self(at))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_ends_a_run_with_the_file_that_could_not_be_written() {
    let room = Room::new();
    let at = room.path("disk");
    let Some(_disk) = Mount::new(&at, "size=64k") else {
        return skipped("no file system may be mounted here");
    };
    room.put("long.toml", GOOD.replace("rounds = 6", "rounds = 2000"));
    let done = room.call(&["run", "long.toml", "-q", "--out", "disk"]);
    assert_eq!(done.status.code(), Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("disk/good/") && done.stderr.contains("No space left"), "{}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    let run = room.path(done.stdout.trim());
    assert!(
        fs::read_to_string(run.join("rounds.csv")).unwrap().lines().count() > 10,
        "what was written stays"
    );
    let partial = |name: &str| name.ends_with(".partial");
    let left = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().display().to_string());
    assert!(!left.into_iter().any(|name| partial(&name)), "half a file was left");
}

#[test]
fn a_disk_that_is_full_from_the_start_takes_no_run() {
    let room = Room::new();
    let at = room.path("disk");
    let Some(_disk) = Mount::new(&at, "size=4k") else {
        return skipped("no file system may be mounted here");
    };
    fs::write(at.join("x"), [0; 4096]).unwrap();
    room.refuses(&["run", "good.toml", "-q", "--out", "disk"], &["disk/good/", "No space left"]);
    let aggregate = ["aggregate", "--rule", "cwmed", "--f", "1", "good.npy", "-o", "disk/o.npy"];
    room.fails(1, &mut room.command(&aggregate), &["disk/o.npy", "No space left"]);
}

#[test]
fn a_disk_that_is_read_only_takes_no_run() {
    let room = Room::with_runs();
    let at = room.path("disk");
    let Some(_disk) = Mount::new(&at, "ro") else { return skipped("no file system may be mounted here") };
    room.refuses(&["run", "good.toml", "-q", "--out", "disk"], &["disk/good", "Read-only"]);
    room.refuses(&["sweep", "sweep.toml", "--out", "disk"], &["disk/swept", "Read-only"]);
    room.refuses(&["sweep", "sweep.toml", "--out", "disk", "--only", "0"], &["disk/swept", "Read-only"]);
    room.refuses(&["report", "a", "--out", "disk"], &["disk", "Read-only"]);
    room.refuses(&["report", "a", "--csv", "disk/t.csv", "--out", "r"], &["disk/t.csv", "Read-only"]);
    room.refuses(&["data", "get", "mnist", "--data", "disk"], &["disk", "Read-only"]);
}

#[test]
fn a_result_that_stdout_does_not_take_is_an_error() {
    let room = Room::with_runs();
    for arguments in [
        &["list"][..],
        &["check", "good.toml"],
        &["compare", "a", "b"],
        &["data", "path"],
        &["watch", "--plain", "a"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let done = room.command(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("error: stdout: failed to write: No space left"), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

/// A full device, and a pipe that nobody reads.
fn deaf() -> [Stdio; 2] {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (_, unread) = io::pipe().unwrap();
    [full.into(), unread.into()]
}

#[test]
fn a_stderr_that_takes_nothing_changes_neither_status_nor_result() {
    let room = Room::with_runs();
    for (arguments, status) in [
        (&["run", "good.toml", "--out", "deaf"][..], 0),
        (&["run", "good.toml", "sweep.toml"], 2),
        (&["run", "good.toml", "good.toml", "--out", "deaf"], 0),
        (&["sweep", "sweep.toml", "--out", "deaf"], 0),
        (&["sweep", "sweep.toml", "--out", "deaf", "--dry-run"], 0),
        (&["resume", "a"], 0),
        (&["watch", "--plain", "a"], 0),
        (&["aggregate", "good.npy", "--rule", "cwmed", "-o", "deaf.npy"], 0),
        (&["aggregate", "none.npy", "--rule", "cwmed", "-o", "deaf.npy"], 2),
        (&["check", "none.toml"], 2),
        (&["select", "a", "--over", "seed"], 2),
    ] {
        for stderr in deaf() {
            let done = room.command(arguments).stderr(stderr).output().unwrap();
            assert_eq!(done.status.code(), Some(status), "{arguments:?}");
            let silent = status != 0 || arguments[0] == "aggregate";
            assert_eq!(done.stdout.is_empty(), silent, "{arguments:?}: {:?}", done.stdout);
        }
    }
    let runs = fs::read_dir(room.path("deaf/good")).unwrap().count();
    assert_eq!(runs, 6, "a run of one file and two of two, for each kind of stderr");
}
