//! Sweep files, and folders of sweeps given to `sweep` and `select`.

use crate::room::Room;

#[test]
fn tables_that_make_no_cells() {
    let room = Room::new();
    let thousand = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let huge: String = (0..5).map(|n| format!("\"k{n}\" = [{thousand}]\n")).collect();
    let endless: String = (0..40).map(|n| format!("\"k{n}\" = [{thousand}]\n")).collect();
    let cases: &[(&str, &[&str])] = &[
        ("", &["names no key"]),
        ("seed = 3", &["seed", "a list"]),
        ("seed = []", &["seed", "empty"]),
        ("seed = [-1]", &["seed", "-1"]),
        ("seed = [1, 'x']", &["seed", "x"]),
        ("sede = [1]", &["sede", "unknown key"]),
        ("rounds = [0, 1]", &["rounds", "at least one"]),
        ("rounds = [0, 1]\nseed = [1, 2, 3]", &["cell 0 (", "seed=1) and 2 more: ", "at least one"]),
        ("'a..b' = [1]", &["a..b", "empty part"]),
        ("'' = [1]", &["empty part"]),
        ("'workers.7.count' = [1]", &["workers.7.count"]),
        ("seed = [1]\nzip = 3", &["zip"]),
        ("seed = [1]\nexclude = 3", &["exclude"]),
        ("seed = [1]\n[[sweep.exclude]]\nseed = 1", &["all of them are excluded"]),
        ("seed = [1]\n[[sweep.exclude]]\nrounds = 1", &["rounds is not swept"]),
        ("[[sweep.zip]]\nseed = [1]\nrounds = [1, 2]", &["rounds has 2 values"]),
        ("'task' = [1]\n'task.clip' = [1]", &["beside"]),
        ("'machine.out' = ['a', 3]", &["machine.out"]),
        (&huge, &["1000000000000000 combinations", "100000"]),
        (&endless, &["combinations", "100000"]),
    ];
    for (table, parts) in cases {
        room.put("bad.toml", format!("base = \"good.toml\"\nname = \"bad\"\n[sweep]\n{table}\n"));
        let parts: Vec<&str> = ["bad.toml"].iter().chain(*parts).copied().collect();
        room.refuses(&["check", "bad.toml"], &parts);
        room.refuses(&["sweep", "bad.toml"], &parts);
        room.refuses(&["sweep", "bad.toml", "--only", "0"], &parts);
    }
}

#[test]
fn lists_over_a_sweep_are_checked_too() {
    let room = Room::new();
    for (set, parts) in [
        ("sweep.seed", &["--set sweep.seed", "expected"][..]),
        ("sweep.seed=3", &["seed", "a list"]),
        ("sweep.seed=[", &["--set sweep.seed=["]),
        ("sweep.seed=[]", &["seed", "empty"]),
        ("sweep.=[1]", &["sweep.toml"]),
        ("sweep=3", &["sweep"]),
    ] {
        room.refuses(&["check", "sweep.toml", "--set", set], parts);
    }
}

#[test]
fn a_key_that_every_cell_sets_cannot_be_set_beside_it() {
    let room = Room::new();
    let attackers = "[{ count = 8, attack = \"ipm\" }]";
    room.put(
        "cast.toml",
        format!("base = \"good.toml\"\n[sweep]\nattackers = [{attackers}]\n[[sweep.zip]]\nrounds = [3]\n"),
    );
    for (file, set, swept) in [
        ("sweep.toml", "seed=5", "seed"),
        ("sweep.toml", " seed = 5", "seed"),
        ("cast.toml", "attackers.0.attack=alie", "attackers"),
        ("cast.toml", "attackers=[]", "attackers"),
        ("cast.toml", "rounds=4", "rounds"),
    ] {
        let parts = [&format!("--set {set}: each cell sets {swept}"), &format!("--set sweep.{swept}=[")];
        let parts = parts.map(String::as_str);
        room.refuses(&["check", file, "--set", set], &parts);
        room.refuses(&["sweep", file, "--set", set], &parts);
        room.refuses(&["sweep", file, "--only", "0", "--set", set], &parts);
    }
    // What a swept key stands within is another matter: the cells set no more than a part of it.
    room.put("part.toml", "base = \"good.toml\"\n[sweep]\n\"attackers.0.count\" = [8]\n");
    let done = room.call(&["check", "part.toml", "--set", "attackers=[{ count = 1, attack = \"alie\" }]"]);
    assert!(done.status.success(), "{}", done.stderr);
}

#[test]
fn folders_of_sweeps_that_are_broken() {
    let room = Room::new();
    let cell = |folder: &str| {
        format!(
            r#"{{"name": "x", "file": "x", "phalanx": "0", "commit": "", "digest": "", "keys": ["task.clip"], "cells": [
            {{"index": 0, "hash": "h", "assignments": {{"task.clip": 1.0}}, "folder": "{folder}", "status": "completed"}}]}}"#
        )
    };
    room.put("evaluations.csv", "round,validation_accuracy,test_accuracy\n0,0.5,0.5\n");
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "EOF"),
        ("{".into(), "EOF"),
        ("[]".into(), "sweep.json"),
        ("{}".into(), "missing field"),
        ("null".into(), "sweep.json"),
        ("[".repeat(100_000), "sweep.json"),
        (cell(".."), "is no folder inside"),
        (cell("../../etc"), "is no folder inside"),
        (cell("/etc"), "is no folder inside"),
        (cell(""), "is no folder inside"),
        (cell("a/../.."), "is no folder inside"),
        (cell("none"), "no validation accuracy"),
        (cell("none").replace("completed", "done"), "done"),
        (cell("none").replace("\"index\": 0", "\"index\": -1"), "-1"),
    ];
    for (text, part) in cases {
        room.put("s/sweep.json", text);
        room.refuses(&["select", "s", "--over", "task.clip"], &[part]);
    }
    room.refuses(&["select", "s", "--over", ""], &["s/sweep.json"]);
    room.refuses(&["select", "none", "--over", "task.clip"], &["none", "sweep.json"]);
    room.refuses(&["select", "good.toml", "--over", "task.clip"], &["good.toml"]);
    room.put("s/sweep.json", cell("none"));
    room.refuses(&["select", "s", "--over", "lr"], &["lr is not swept", "task.clip"]);
    room.refuses(&["select", "s", "--over", "task.clip", "--worst", "task.clip"], &["task.clip", "at once"]);
    room.put("o/swept/sweep.json", "{");
    room.refuses(&["sweep", "sweep.toml", "--out", "o", "--dry-run"], &["o/swept/sweep.json", "EOF"]);
}
