//! Variables `PHALANX_*`, and words that are not UTF-8.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

use crate::room::{Room, end};

/// The largest integer of TOML: a run with a larger one would leave a configuration that cannot be read back.
const LARGEST: &str = "at most 9223372036854775807";

#[test]
fn variables_are_named_as_what_is_wrong() {
    let room = Room::new();
    for (variable, value, parts) in [
        ("PHALANX_ROUNDS", "many", &["environment", "rounds", "many"][..]),
        ("PHALANX_ROUNDS", "", &["environment", "rounds"]),
        ("PHALANX_ROUNDS", "-3", &["environment", "rounds", "-3"]),
        ("PHALANX_SEED", "18446744073709551615", &["environment", "seed", "18446744073709551615", LARGEST]),
        (
            "PHALANX_TASK__OBJECTIVE",
            "{least-squares={dim=9223372036854775808}}",
            &["objective.least-squares.dim", LARGEST],
        ),
        (
            "PHALANX_AGGREGATOR__RULE",
            "[ctma,{krum={power=9223372036854775808}}]",
            &["rule.1.krum.power", LARGEST],
        ),
        ("PHALANX_ROUND", "3", &["environment", "unknown key `round`"]),
        ("PHALANX_TASK", "3", &["environment", "task"]),
        ("PHALANX_TASK__", "3", &["environment", "PHALANX_TASK__", "empty part"]),
        ("PHALANX___CLIP", "3", &["environment", "PHALANX___CLIP", "empty part"]),
        ("PHALANX_TASK____CLIP", "3", &["environment", "PHALANX_TASK____CLIP", "empty part"]),
        ("PHALANX_", "3", &["environment", "PHALANX_", "empty part"]),
        ("PHALANX_TASK__CLIP", "nan", &["environment", "task.clip"]),
        ("PHALANX_NAME", "../../x", &["environment", "name", "../../x"]),
        ("PHALANX_WORKERS", "[]", &["workers", "no honest workers"]),
        ("PHALANX_MACHINE__THREADS", "99999999", &["environment", "machine.threads", "1024"]),
        ("PHALANX_MACHINE__DEVICE", "gpu", &["environment", "machine.device", "gpu"]),
        ("PHALANX_TELEMETRY__LISTEN", "here", &["environment", "telemetry.listen"]),
        ("PHALANX_AGGREGATOR__RULE", "cwmed,", &["environment", "aggregator.rule", "a name"]),
    ] {
        room.fails(2, room.command(&["check", "good.toml"]).env(variable, value), parts);
    }
}

/// And a list needs no quotes around names.
#[test]
fn variables_are_read_as_what_is_set() {
    let room = Room::new();
    let printed = |command: &mut Command| {
        let done = end(command);
        assert!(done.status.success(), "{}", done.stderr);
        done.stdout
    };
    for (variable, key, value) in [
        ("PHALANX_TASK__CLIP", "task.clip", "1e-6"),
        ("PHALANX_TASK__CLIP", "task.clip", "1_000.5"),
        ("PHALANX_SEED", "seed", "1_000"),
        ("PHALANX_SEED", "seed", "0x10"),
        ("PHALANX_AGGREGATOR__RULE", "aggregator.rule", "[{ clipping = { radius = 1e-6 } }, \"mean\"]"),
        ("PHALANX_WORKERS__0__BATCH_SIZE", "workers.0.batch_size", "2"),
        ("Phalanx_Seed", "seed", "7"),
    ] {
        let set = printed(&mut room.command(&[
            "check",
            "--print",
            "good.toml",
            "--set",
            &format!("{key}={value}"),
        ]));
        assert_eq!(
            printed(room.command(&["check", "--print", "good.toml"]).env(variable, value)),
            set,
            "{variable}"
        );
    }
    let set = printed(&mut room.command(&["check", "--print", "good.toml", "--set", "task.clip=2.0"]));
    let mut table = room.command(&["check", "--print", "good.toml"]);
    assert_eq!(printed(table.env("PHALANX_TASK", "{ clip = 2.0 }")), set, "the rest of the table stays");
    let mut listed = room.command(&["check", "--print", "good.toml"]);
    assert!(printed(listed.env("PHALANX_AGGREGATOR__RULE", "[clipping, mean]")).contains("clipping"));
}

#[test]
fn what_is_not_utf8_is_said_or_taken_as_it_is() {
    let room = Room::new();
    let strange = OsStr::from_bytes(b"b\xff");
    for variable in ["PHALANX_NAME", "PHALANX_TASK__PRECISION"] {
        room.fails(2, room.command(&["check", "good.toml"]).env(variable, strange), &[variable, "UTF-8"]);
    }
    let variable = OsStr::from_bytes(b"PHALANX_\xff");
    room.fails(2, room.command(&["check", "good.toml"]).env(variable, "1"), &["PHALANX_", "UTF-8"]);
    let file = OsStr::from_bytes(b"b\xff.toml");
    room.fails(2, &mut room.command(&[OsStr::new("check"), file]), &[".toml", "No such file"]);
    let set = OsStr::from_bytes(b"name=\xff");
    let words = ["check", "good.toml", "--set"].map(OsStr::new);
    room.fails(2, room.command(&words).arg(set), &["UTF-8"]);
    let words = ["run", "good.toml", "--out"].map(OsStr::new);
    room.fails(2, room.command(&words).arg(strange), &["UTF-8"]);
    std::fs::copy(room.path("good.toml"), room.path("").join(file)).unwrap();
    let done = room.command(&[OsStr::new("run"), file, OsStr::new("-q")]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
