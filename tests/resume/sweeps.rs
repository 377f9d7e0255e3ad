//! Cells of a sweep that were interrupted go on.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::stage::{
    CASTS, Place, checkpoint, checkpoints, ended, experiment, kill, phalanx, resume, rewrite, same, stopped,
    wait_for,
};

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
    let run: Value = serde_json::from_slice(&fs::read(cell.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["resumed"][0]["after_round"], at);
    assert_eq!(cells("disturbed").len(), 2);
    for (whole, disturbed) in cells("whole").iter().zip(cells("disturbed")) {
        assert_eq!(ended(&disturbed), ("completed".to_owned(), 151, 151));
        same(whole, &disturbed);
    }
}

/// The rounds of a cell are those of one build; what another has done is not thrown away.
#[test]
fn a_cell_of_another_build_begins_anew_and_what_it_had_is_kept() {
    let place = Place::new(&(experiment(CASTS[0], 150, 5000) + "[sweep]\nseed = [1]\n"));
    let sweep = || {
        let mut command = phalanx();
        command.arg("sweep").arg(&place.file).arg("--out").arg(place.folder.path());
        command
    };
    let folders = |at: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(at).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let victim = place.folder.path().join("victim");
    let mut child = sweep().spawn().unwrap();
    let cell = wait_for(|| folders(&victim).into_iter().find(|cell| checkpoints(cell).last() >= Some(&5)));
    kill(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let (at, rounds) = (*checkpoints(&cell).last().unwrap(), fs::read(cell.join("rounds.csv")).unwrap());
    let of_another_build = |told: &mut Value| told["origin"]["build"]["commit"] = "0123456".into();
    checkpoints(&cell).into_iter().for_each(|round| rewrite(&checkpoint(&cell, round), of_another_build));

    let done = sweep().output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    let told = "warning: the checkpoint of 1 cell was written by another build of the program; what was done is kept";
    assert!(said.contains(told), "{said}");
    assert_eq!(ended(&cell), ("completed".to_owned(), 151, 151));
    let kept =
        folders(&cell).into_iter().find(|path| path.display().to_string().contains("/earlier-")).unwrap();
    assert!(fs::read(kept.join("rounds.csv")).unwrap() == rounds && checkpoints(&kept).last() == Some(&at));
    let log = fs::read_to_string(cell.join("stderr.log")).unwrap();
    let reason =
        format!("{}: its checkpoint of round {at} was written by another build (phalanx ", kept.display());
    assert!(log.contains(&reason) && log.contains("commit 0123456, "), "{log}");

    let gone_on = resume(&kept, &["--quiet"]);
    assert_eq!(gone_on.status, 0, "{}", gone_on.stderr);
    same(&kept, &cell);
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
