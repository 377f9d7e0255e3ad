//! Cells of a sweep that were interrupted go on.

use std::{fs, path::PathBuf, thread, time::Duration};

use rustix::process::Signal;

use crate::stage::{CASTS, Place, checkpoints, ended, experiment, kill, phalanx, same, stopped, wait_for};

#[test]
fn a_sweep_goes_on_with_its_cells() {
    let text = experiment(CASTS[1], 150, 5000) + "[sweep]\nseed = [1, 2]\n";
    let place = Place::new(&text);
    let sweep = |out: &str| {
        let mut command = phalanx();
        let out = place.folder.path().join(out);
        command.arg("sweep").arg(&place.file).args(["--jobs", "1", "--quiet", "--out"]).arg(out);
        command
    };
    let cells = |out: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(place.folder.path().join(out).join("victim")).into_iter().flatten();
        let mut cells: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        cells.sort_unstable();
        cells
    };
    assert!(sweep("whole").output().unwrap().status.success());

    // The first cell is at work when the sweep is killed; a cell ends with its sweep, after the round in hand.
    let mut child = sweep("disturbed").spawn().unwrap();
    let cell = wait_for(|| cells("disturbed").into_iter().find(|cell| checkpoints(cell).last() >= Some(&5)));
    kill(&child, Signal::KILL);
    child.wait().unwrap();
    wait_for(|| (fs::read_to_string(cell.join("summary.json")).ok()?.contains("interrupted")).then_some(()));
    let at = *checkpoints(&cell).last().unwrap();

    assert!(sweep("disturbed").output().unwrap().status.success());
    let run: serde_json::Value = serde_json::from_slice(&fs::read(cell.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["resumed"][0]["after_round"], at);
    assert_eq!(cells("disturbed").len(), 2);
    for (whole, disturbed) in cells("whole").iter().zip(cells("disturbed")) {
        assert_eq!(ended(&disturbed), ("completed".to_owned(), 151, 151));
        same(whole, &disturbed);
    }
}

/// The death of a sweep may signal its cells several times.
#[test]
fn a_cell_that_is_signalled_twice_ends_after_the_round_in_hand() {
    let place = Place::new(&experiment(CASTS[0], 1000, 100_000));
    let cell = place.folder.path().join("cell");
    fs::create_dir(&cell).unwrap();
    fs::copy(stopped(&place).join("config.toml"), cell.join("config.toml")).unwrap();

    let mut child = phalanx().arg("cell").arg(&cell).args(["--threads", "1"]).spawn().unwrap();
    wait_for(|| (checkpoints(&cell).last() >= Some(&3)).then_some(()));
    kill(&child, Signal::TERM);
    thread::sleep(Duration::from_micros(200));
    kill(&child, Signal::TERM);
    assert!(child.wait().unwrap().success());
    assert_eq!(ended(&cell).0, "interrupted");
}
