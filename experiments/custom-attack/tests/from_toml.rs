//! The attack and the actor of this crate, used from TOML by its own program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, process::Command};

fn run(file: &str, sets: &[&str]) -> (bool, String, Option<f64>) {
    let out = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-attack"));
    let done =
        command.arg("run").arg(file).arg("--quiet").arg("--out").arg(out.path()).args(sets).output().unwrap();
    let folder = String::from_utf8(done.stdout).unwrap();
    let summary = std::fs::read(Path::new(folder.trim()).join("summary.json")).ok();
    let summary = summary.map(|text| serde_json::from_slice::<serde_json::Value>(&text).unwrap());
    let gap = summary.and_then(|s| s["gap"].as_f64());
    (done.status.success(), String::from_utf8(done.stderr).unwrap(), gap)
}

#[test]
fn the_attack_hurts_a_mean_more_than_ctma() {
    let (ok, stderr, robust) = run("undertow.toml", &["attackers.0.attack.undertow.strength=4"]);
    assert!(ok, "{stderr}");
    let (ok, stderr, mean) =
        run("undertow.toml", &["attackers.0.attack.undertow.strength=4", "aggregator.rule=['mean']"]);
    assert!(ok, "{stderr}");
    assert!(mean.unwrap() > 2.0 * robust.unwrap(), "gap {mean:?} under mean, {robust:?} under ctma");
}

#[test]
fn the_actors_agree_and_take_part() {
    let (ok, stderr, gap) = run("conspiracy.toml", &[]);
    assert!(ok, "{stderr}");
    let (_, _, again) = run("conspiracy.toml", &[]);
    assert_eq!(gap, again, "the same seed gives another result");
    let (_, _, bolder) = run("conspiracy.toml", &["attackers.0.actor.conspiracy.nerve=0.1"]);
    assert_ne!(gap, bolder, "the parameter changes nothing");
}

#[test]
fn a_wrong_parameter_is_named() {
    let (ok, stderr, _) = run("undertow.toml", &["attackers.0.attack.undertow.strength=-1"]);
    assert!(!ok && stderr.contains("attackers.0.attack.undertow.strength"), "{stderr}");
    let (ok, stderr, _) = run("conspiracy.toml", &["attackers.0.actor.conspiracy.verve=1"]);
    assert!(!ok && stderr.contains("unknown key `verve`; did you mean `nerve`?"), "{stderr}");
    let (ok, stderr, _) = run("conspiracy.toml", &["attackers.0.actor.conspiracy.nerve=-1"]);
    assert!(!ok && stderr.contains("attackers.0.actor.conspiracy.nerve: -1 is given"), "{stderr}");
}
