//! The attack and the actor of this crate, used from TOML by its own program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

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

/// What the program says on stderr, called with these arguments and a sweep.
fn hint(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let sweep = folder.path().join("sweep.toml");
    std::fs::write(&sweep, "name = \"many\"\n[sweep]\nseed = [1, 2]\n").unwrap();
    let done =
        Command::new(env!("CARGO_BIN_EXE_custom-attack")).args(arguments).arg(&sweep).output().unwrap();
    assert!(!done.status.success());
    String::from_utf8(done.stderr).unwrap().replace(&sweep.display().to_string(), "FILE")
}

#[test]
fn hints_are_commands_of_this_program() {
    let error = hint(&["run"]);
    assert!(error.contains("this is a sweep; `custom-attack sweep FILE` runs its cells"), "{error}");
    let usage = hint(&["run", "--no-such-flag"]);
    assert!(usage.contains("Usage: custom-attack run [OPTIONS] <FILES>..."), "{usage}");
    let help = Command::new(env!("CARGO_BIN_EXE_custom-attack")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    assert!(help.contains("\n  custom-attack run experiments/quickstart.toml\n"), "{help}");
    assert!(!help.contains("phalanx"), "{help}");
}

#[test]
fn a_run_that_is_interrupted_says_how_this_program_goes_on_with_it() {
    let out = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("undertow.toml");
    let mut run = Command::new(env!("CARGO_BIN_EXE_custom-attack"))
        .arg("run")
        .arg(file)
        .args(["--set", "rounds=100000000", "--out"])
        .arg(out.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let has_begun = || {
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_dir(entry.unwrap().path()).unwrap().count()
        };
        out.path()
            .join("undertow")
            .read_dir()
            .is_ok_and(|mut runs| runs.next().map(of).is_some_and(|files| files > 3))
    };
    for _ in 0..600 {
        if has_begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(has_begun(), "no run within a minute");
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    let mut said = String::new();
    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("`custom-attack resume ") && said.contains("` goes on with it"), "{said}");
}
