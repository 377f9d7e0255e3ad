//! Nothing but `data get` uses the network, and a wrong libtorch is said by the loader.

use std::process::Command;

use crate::room::{Room, skipped};

/// A process without any network but loopback, which is down.
fn offline(command: &Command) -> Option<Command> {
    let allowed =
        Command::new("unshare").args(["-n", "true"]).output().is_ok_and(|done| done.status.success());
    let mut alone = Command::new("unshare");
    alone.arg("-n").arg(command.get_program()).args(command.get_args());
    alone.current_dir(command.get_current_dir()?);
    allowed.then_some(alone)
}

#[test]
fn nothing_but_data_get_uses_the_network() {
    let room = Room::with_runs();
    for arguments in [
        &["run", "good.toml", "-q"][..],
        &["check", "good.toml"],
        &["sweep", "sweep.toml", "-q"],
        &["bench", "good.toml", "--rounds", "2"],
        &["report", "a", "--out", "r"],
        &["compare", "a", "b"],
        &["list"],
        &["data", "list"],
        &["aggregate", "--rule", "cwmed", "good.npy", "-o", "o.npy"],
    ] {
        let Some(mut command) = offline(&room.command(arguments)) else {
            return skipped("no namespace without a network may be made here");
        };
        let done = command.output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let Some(mut command) = offline(&room.command(&["data", "get", "mnist", "--data", "d"])) else { return };
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("mnist") && !said.contains("panicked"), "{said}");
}

/// The loader speaks before the program does; what counts is that nothing runs and the library is named.
#[cfg(feature = "torch")]
#[test]
fn a_wrong_libtorch_is_named() {
    let room = Room::new();
    let linked = Command::new("ldd").arg(env!("CARGO_BIN_EXE_phalanx")).output();
    let text = linked.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    let Some(library) = text.split_whitespace().find(|word| word.starts_with("libtorch")) else {
        return skipped("libtorch is linked in, or ldd is not there");
    };
    room.put(&format!("wrong/{library}"), "no library");
    let mut command = room.command(&["check", "good.toml"]);
    let done = command.env("LD_LIBRARY_PATH", room.path("wrong")).output().unwrap();
    if done.status.success() {
        return skipped("the program looks for libtorch at one place only");
    }
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("libtorch"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
