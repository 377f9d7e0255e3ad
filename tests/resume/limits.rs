//! Limits of the system. That on the size of a file stands for a disk that is full when a checkpoint is due: writes
//! beyond it fail, as they do there.

use std::process::Command;

use crate::stage::{CASTS, Place, checkpoints, ended, experiment, phalanx, resume, same, stopped};

#[test]
fn a_checkpoint_that_does_not_fit_is_a_warning_and_the_older_ones_stay() {
    let place = Place::new(&experiment(CASTS[1], 40, 20_000));
    let (undisturbed, run) = (place.undisturbed(), stopped(&place));
    let before = checkpoints(&run);
    // Tables fit into 64 KiB, vectors do not.
    let limited = "ulimit -f 64; exec \"$@\"";
    let program = phalanx().get_program().to_owned();
    let done = Command::new("bash")
        .args(["-c", limited, "bash"])
        .arg(program)
        .arg("resume")
        .arg(&run)
        .args(["--quiet", "--set", "checkpoint.every_rounds=4"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(stderr.contains("File too large") && stderr.contains("and the run goes on"), "{stderr}");
    assert_eq!(done.status.code(), Some(1), "its parameters do not fit either: {stderr}");
    assert!(stderr.contains("parameters.safetensors"), "{stderr}");
    assert_eq!(checkpoints(&run), before, "the older ones stay, and no half one is beside them");
    assert!(!run.join("parameters.safetensors").exists());
    assert_eq!(ended(&run).0, "failed");

    let resumed = resume(&run, &[]);
    assert_eq!(resumed.status, 0, "{}", resumed.stderr);
    assert_eq!(ended(&run), ("completed".to_owned(), 41, 41));
    same(&undisturbed, &run);
}

/// Each thread of actors needs some files; there are no more of these than workers.
#[test]
fn more_threads_than_files_may_be_open_are_no_trouble() {
    let place = Place::new(&experiment(CASTS[1], 3, 20));
    let limited = "ulimit -n 128; exec \"$@\"";
    let done = Command::new("bash")
        .args(["-c", limited, "bash"])
        .arg(phalanx().get_program())
        .arg("run")
        .arg(&place.file)
        .args(["--quiet", "--threads", "256", "--out"])
        .arg(place.folder.path().join("out"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
