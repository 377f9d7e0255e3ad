//! Checkpoints that are not what they were.

use std::{fs, path::Path};

use phalanx::checkpoint::{self, Checkpoint};
use phalanx_robust::{random::Seed, state::State};
use rand::RngExt;
use rustix::process::Signal;

use crate::stage::{
    CASTS, FILES, Place, checkpoint, checkpoints, ended, experiment, kill, resume, rewrite, same, stopped,
    wait_for,
};

fn place() -> Place {
    Place::new(&experiment(CASTS[1], 40, 2000))
}

/// Copies a run folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let place = place();
    let (undisturbed, run) = (place.undisturbed(), stopped(&place));
    // One more than two, if it was killed before the oldest was removed.
    let [.., older, newer] = checkpoints(&run)[..] else { panic!("two are kept: {:?}", checkpoints(&run)) };
    type Harm = fn(&Path);
    let cut: Harm = |path| {
        let file = fs::OpenOptions::new().write(true).open(path.join(FILES[1])).unwrap();
        file.set_len(1000).unwrap();
    };
    let flip: Harm = |path| {
        let mut bytes = fs::read(path.join(FILES[1])).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 16;
        fs::write(path.join(FILES[1]), bytes).unwrap();
    };
    let lose: Harm = |path| fs::remove_file(path.join(FILES[0])).unwrap();
    let empty: Harm = |path| fs::write(path.join(FILES[2]), "").unwrap();
    for (name, harm) in [("cut", cut), ("flip", flip), ("lose", lose), ("empty", empty)] {
        let harmed = place.folder.path().join(name);
        copy(&run, &harmed);
        harm(&checkpoint(&harmed, newer));
        let resumed = resume(&harmed, &[]);
        assert_eq!(resumed.status, 0, "{}", resumed.stderr);
        assert!(resumed.stderr.contains(&format!("passed over {}", checkpoint(&harmed, newer).display())));
        assert!(
            resumed.stderr.contains(&format!("going on after round {older} of 40")),
            "{}",
            resumed.stderr
        );
        assert_eq!(ended(&harmed).0, "completed");
        same(&undisturbed, &harmed);
    }
}

#[test]
fn a_table_that_has_lost_rows_is_noticed() {
    let place = place();
    let run = stopped(&place);
    let table = fs::OpenOptions::new().write(true).open(run.join("rounds.csv")).unwrap();
    table.set_len(300).unwrap();
    let resumed = resume(&run, &[]);
    assert_eq!(resumed.status, 2);
    assert!(resumed.stderr.contains("no checkpoint of this run can be used"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("rounds.csv has 300 bytes, it had"), "{}", resumed.stderr);
    assert_eq!(fs::read(run.join("rounds.csv")).unwrap().len(), 300, "nothing was changed");
}

/// A digit for another, which no reader of the table could tell.
#[test]
fn a_table_in_which_a_digit_has_changed_is_noticed() {
    let place = place();
    let run = stopped(&place);
    for name in ["rounds.csv", "evaluations.csv", "timings.csv", "workers.csv"] {
        let whole = fs::read(run.join(name)).unwrap();
        let mut harmed = whole.clone();
        // In the first row, for the last may be behind the checkpoint.
        let first = whole.iter().position(|&byte| byte == b'.').unwrap() + 1;
        harmed[first] = if harmed[first] == b'5' { b'6' } else { b'5' };
        fs::write(run.join(name), &harmed).unwrap();
        let resumed = resume(&run, &[]);
        assert_eq!(resumed.status, 2, "{}", resumed.stderr);
        assert!(resumed.stderr.contains(&format!("{name} is damaged: its first ")), "{}", resumed.stderr);
        assert_eq!(fs::read(run.join(name)).unwrap(), harmed, "nothing was changed");
        fs::write(run.join(name), whole).unwrap();
    }
    assert_eq!(resume(&run, &[]).status, 0);
}

/// As builds wrote it that knew of no evaluation under way and of no digests of tables.
#[test]
fn a_checkpoint_of_the_first_format_is_read() {
    let place = place();
    let (undisturbed, run) = (place.undisturbed(), stopped(&place));
    let newest = checkpoint(&run, *checkpoints(&run).last().unwrap());
    rewrite(&newest, |told| {
        told["values"]["server"].as_object_mut().unwrap().remove("under_way").unwrap();
        told["values"]["tables"].as_object_mut().unwrap().retain(|entry, _| !entry.ends_with("_sha256"));
        told["format"] = 1.into();
    });
    let resumed = resume(&run, &[]);
    assert_eq!(resumed.status, 0, "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("passed over"), "{}", resumed.stderr);
    // Those builds waited for evaluations: here one that was under way is lost.
    for name in ["rounds.csv", "parameters.safetensors"] {
        assert_eq!(fs::read(undisturbed.join(name)).unwrap(), fs::read(run.join(name)).unwrap(), "{name}");
    }
}

/// A run whose folder is removed under it has no results, and does not say that it is completed.
#[test]
fn a_run_folder_that_vanishes_is_no_completed_run() {
    for all in [true, false] {
        let place = Place::new(&experiment(CASTS[1], 1_000_000, 2000));
        let (child, run) = place.start("vanishing", &["--set", "checkpoint.every_rounds=50"]);
        wait_for(|| (!checkpoints(&run).is_empty()).then_some(()));
        let from = if all { run.clone() } else { run.join("rounds.csv") };
        fs::rename(from, place.folder.path().join("away")).unwrap();
        kill(&child, Signal::INT);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(if all { "victim" } else { "rounds.csv: it is not there any more" }), "{said}");
        assert_eq!(run.exists(), !all, "{said}");
    }
}

/// It says what made the run: what is lost there is lost for good.
#[test]
fn a_run_whose_own_notes_cannot_be_read_does_not_go_on() {
    let place = Place::new(&experiment(CASTS[2], 40, 20));
    let run = stopped(&place);
    let (notes, whole) = (run.join("run.json"), fs::read(run.join("run.json")).unwrap());
    let before = checkpoints(&run);
    for broken in [&b""[..], b"[]", b"\xff", &whole[..whole.len() / 2]] {
        fs::write(&notes, broken).unwrap();
        let resumed = resume(&run, &[]);
        assert_eq!(resumed.status, 2, "{}", resumed.stderr);
        assert!(resumed.stderr.contains("run.json: "), "{}", resumed.stderr);
        assert_eq!(fs::read(&notes).unwrap(), broken);
        assert_eq!(checkpoints(&run), before);
    }
    fs::write(&notes, &whole).unwrap();
    assert_eq!(resume(&run, &[]).status, 0);
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&notes).unwrap()).unwrap();
    let first: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!((&told["commit"], &told["started"]), (&first["commit"], &first["started"]));
    assert_eq!(told["resumed"].as_array().unwrap().len(), 1);
}

#[test]
fn no_bit_can_be_flipped_and_nothing_cut_off_without_notice() {
    let place = Place::new(&experiment(CASTS[2], 40, 20));
    let run = stopped(&place);
    let newest = *checkpoints(&run).last().unwrap();
    let path = checkpoint(&run, newest);
    checkpoint::newest(&run).unwrap();
    let mut rng = Seed(11).stream("test", 0, "chance", 0);
    let noticed = |what: &str| {
        let other = checkpoint::newest(&run).map(|found| found.checkpoint.snapshot.round);
        assert!(other.is_err() || other.unwrap() < newest, "{what} is taken for whole");
    };
    for name in FILES {
        let file = path.join(name);
        let whole = fs::read(&file).unwrap();
        let places: Vec<usize> = (0..300).map(|_| rng.random_range(0..whole.len())).collect();
        for at in places.into_iter().chain([0, whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << rng.random_range(0..8);
            fs::write(&file, &bytes).unwrap();
            noticed(&format!("{name} with a flip at {at}"));
            fs::write(&file, &whole[..at]).unwrap();
            noticed(&format!("{name} cut at {at}"));
        }
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(checkpoint::newest(&run).unwrap().checkpoint.snapshot.round, newest);
}

/// What a plug-in remembers may be numbers of any kind, in JSON.
#[test]
fn floats_of_a_state_come_back_to_the_bit() {
    let place = place();
    let run = stopped(&place);
    let Checkpoint { origin, mut snapshot, .. } = checkpoint::newest(&run).unwrap().checkpoint;
    let mut rng = Seed(13).stream("test", 0, "chance", 0);
    let any = (0..20_000).map(|_| f64::from_bits(rng.random())).filter(|float| float.is_finite());
    let floats: Vec<f64> = any.chain([-0.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, 0.1 + 0.2]).collect();

    let mut state = State::default();
    state.values.insert("floats".to_owned(), floats.clone().into());
    snapshot.parts.insert("group.7".to_owned(), state);
    snapshot.round += 1;
    checkpoint::write(&run, &origin, &snapshot, 2).unwrap();
    let back = checkpoint::newest(&run).unwrap().checkpoint.snapshot;
    assert_eq!(back.round, snapshot.round);
    let back: Vec<f64> = back.parts["group.7"].value("plug-in", "floats").unwrap();
    let odd = floats.iter().zip(&back).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    assert!(back.len() == floats.len() && odd == 0, "{odd} of {} differ", floats.len());
}
