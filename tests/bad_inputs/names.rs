//! Names: none of them leads out of the folder for results, or to a folder that no file system takes.

use crate::room::Room;

#[test]
fn names_of_experiments_stay_in_their_folder() {
    let room = Room::new();
    let long = "x".repeat(121);
    let names = [
        "../../x",
        "..",
        ".",
        "/etc/x",
        "a/b",
        "a\\\\b",
        "a\\u0000b",
        "a\\nb",
        ".hidden",
        " ",
        "~",
        "$HOME",
        "a:b",
        "a\\u202eb",
        "CON?",
        &long,
    ];
    for name in names {
        let text = crate::room::GOOD.replace("name = \"good\"", &format!("name = \"{name}\""));
        room.put("named.toml", &text);
        for command in ["check", "run", "bench"] {
            room.refuses(&[command, "named.toml"], &["named.toml: name: "]);
        }
        room.put("swept.toml", format!("{text}\n[sweep]\nseed = [1, 2]\n"));
        room.refuses(&["sweep", "swept.toml"], &["swept.toml: name: "]);
        room.refuses(&["sweep", "swept.toml", "--only", "0"], &["swept.toml: name: "]);
        room.refuses(&["sweep", "swept.toml", "--dry-run"], &["swept.toml: name: "]);
        room.put("swept.toml", format!("{text}\n[sweep]\nname = [\"a\", \"b\"]\n"));
        room.refuses(&["sweep", "swept.toml"], &["swept.toml: name: "]);
    }
}

#[test]
fn a_swept_name_stays_in_its_folder() {
    let room = Room::new();
    room.put("swept.toml", "base = \"good.toml\"\n[sweep]\nname = [\"a\", \"../../b\"]\n");
    room.refuses(&["sweep", "swept.toml"], &["name", "../../b", "is no name for a folder"]);
}

#[test]
fn components_are_found_by_their_names_alone() {
    let room = Room::new();
    for (key, name) in [
        ("task.objective", "../least-squares"),
        ("workers.0.estimator", "/etc/passwd"),
        ("aggregator.step", "sgd\u{0}"),
        ("attackers.0.attack", "IPM"),
        ("task.partition", "../iid"),
    ] {
        let text = format!("{key}={}", serde_json::Value::from(name));
        room.refuses(&["check", "good.toml", "--set", &text], &[key]);
    }
}

#[test]
fn a_folder_of_any_name_can_hold_results() {
    let room = Room::new();
    for out in ["o\u{1b}[1m", "a \"b\" 'c'", "3", "[x]", "{y}", "ü€", "-"] {
        let done = room.call(&["run", "good.toml", "-q", &format!("--out={out}")]);
        assert!(done.status.success(), "{out:?}: {}", done.stderr);
        assert!(done.stdout.starts_with(&format!("{out}/good/")), "{out:?}: {}", done.stdout);
        assert!(room.path(out).join("good").is_dir(), "{out:?}");
    }
}
