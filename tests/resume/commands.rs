//! What `phalanx resume` says and refuses.

use std::{fs, io::Read, path::Path};

use rustix::process::Signal;

use crate::stage::{
    CASTS, Place, checkpoints, ended, experiment, kill, phalanx, resume, same, stopped, wait_for, with_hangup,
};

fn place() -> Place {
    Place::new(&experiment(CASTS[0], 60, 2000))
}

#[test]
fn a_run_that_is_stopped_goes_on_with_any_number_of_threads() {
    let place = place();
    let undisturbed = place.undisturbed();
    for (signal, threads) in [(Signal::INT, "1"), (Signal::TERM, "3")] {
        // Without checkpoints on the way: the signal alone leaves one.
        let off = ["--set", "checkpoint.every_rounds=0", "--set", "checkpoint.every_minutes=0"];
        let (mut child, run) = place.start(&format!("threads-{threads}"), &off);
        wait_for(|| (rows(&run) > 5).then_some(()));
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let at = rows(&run) as u64 - 1;
        assert_eq!(checkpoints(&run), [at]);
        assert_eq!(ended(&run).0, "interrupted");
        let resumed = resume(&run, &["--threads", threads]);
        assert_eq!(resumed.status, 0, "{}", resumed.stderr);
        assert!(resumed.stderr.contains(&format!("going on after round {at} of 60")), "{}", resumed.stderr);
        assert_eq!(ended(&run), ("completed".to_owned(), 61, 61));
        same(&undisturbed, &run);
        let told: serde_json::Value =
            serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
        assert_eq!(told["resumed"][0]["after_round"], at);
        assert_eq!(told["resumed"][0]["threads"], threads.parse::<u64>().unwrap());
    }
}

/// Seats for so many workers take a while, in which the run's folder is there already.
#[test]
fn a_signal_before_anybody_is_seated_leaves_a_run_that_goes_on() {
    let crowd = experiment(CASTS[0], 3, 10)
        .replace("count = 11", "count = 60000")
        .replace("cohort = 11", "cohort = 20");
    let place = Place::new(&crowd);
    let (mut child, run) = place.start("crowd", &[]);
    kill(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(ended(&run).0, "interrupted");
    let resumed = resume(&run, &[]);
    assert_eq!((resumed.status, ended(&run).0.as_str()), (0, "completed"), "{}", resumed.stderr);
}

#[test]
fn a_hangup_ends_a_run_unless_it_was_started_to_ignore_it() {
    let place = Place::new(&experiment(CASTS[0], 1_000_000, 20));
    let (mut child, run) = place.start_by(with_hangup("default"), "heeding", &[]);
    wait_for(|| (rows(&run) > 5).then_some(()));
    kill(&child, Signal::HUP);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(ended(&run).0, "interrupted");

    let (mut child, run) = place.start_by(with_hangup("ignore"), "ignoring", &[]);
    wait_for(|| (rows(&run) > 5).then_some(()));
    kill(&child, Signal::HUP);
    let before = rows(&run);
    wait_for(|| (rows(&run) > before + 20 || child.try_wait().unwrap().is_some()).then_some(()));
    assert_eq!(child.try_wait().unwrap(), None, "it ended");
    kill(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(feature = "torch")]
#[test]
fn a_model_that_computes_in_bf16_goes_on() {
    let convex = "task.objective = { least-squares = { dim = 2000 } }";
    let model = "task.dataset = 'digits'\ntask.model = 'simple-cnn'\ntask.precision = 'bf16'";
    let text = experiment(CASTS[0], 40, 2000);
    assert!(text.contains(convex));
    let place = Place::new(&text.replace(convex, model));
    let undisturbed = place.undisturbed();
    let run = stopped(&place);
    let resumed = resume(&run, &["--threads", "1"]);
    assert_eq!(resumed.status, 0, "{}", resumed.stderr);
    same(&undisturbed, &run);
}

/// Threads compute in libtorch when the process ends: it must not take anything from under them.
#[cfg(feature = "torch")]
#[test]
fn a_second_signal_ends_a_run_at_once_whatever_libtorch_is_at() {
    let convex = "task.objective = { least-squares = { dim = 2000 } }";
    let model = "task.dataset = 'digits'\ntask.model = 'simple-cnn'\ntask.way = 'torch'";
    let text = experiment(CASTS[0], 1_000_000, 2000).replace(convex, model);
    let place = Place::new(&text.replace("every_rounds = 1", "every_rounds = 0"));
    for attempt in 0..8 {
        let sets = ["--set", "evaluation.every=1", "--threads", "2"];
        let (mut child, run) = place.start(&format!("twice-{attempt}"), &sets);
        wait_for(|| (rows(&run) > 3).then_some(()));
        // One of each kind, for two of one kind may be one.
        kill(&child, Signal::INT);
        kill(&child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(130), "attempt {attempt}");
        let status = phalanx::results::Summary::of(&run).map(|summary| summary.status.name());
        assert!(status.is_none() || status == Some("interrupted"), "attempt {attempt}: {status:?}");
    }
}

fn rows(run: &Path) -> usize {
    fs::read_to_string(run.join("rounds.csv")).map_or(0, |text| text.lines().count())
}

#[test]
fn a_changed_configuration_is_refused_with_the_difference() {
    let place = place();
    let run = stopped(&place);
    let before = fs::read(run.join("rounds.csv")).unwrap();
    let refused = resume(&run, &["--set", "task.clip=2.0", "--set", "workers.0.estimator.storm.floor=0.5"]);
    assert_eq!(refused.status, 2);
    for difference in
        ["task.clip: it was 0.0, it is 2.0", "workers.0.estimator.storm.floor: it was 0.0, it is 0.5"]
    {
        assert!(refused.stderr.contains(difference), "{}", refused.stderr);
    }
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("seed = 5", "seed = 6")).unwrap();
    let refused = resume(&run, &[]);
    assert!(refused.status == 2 && refused.stderr.contains("seed: it was 5, it is 6"), "{}", refused.stderr);
    assert_eq!(fs::read(run.join("rounds.csv")).unwrap(), before, "a refusal changes nothing");
    fs::write(run.join("config.toml"), config).unwrap();
    let taken = resume(&run, &["--set", "machine.memory_gb=1", "--set", "checkpoint.keep=5", "--quiet"]);
    assert_eq!((taken.status, taken.stderr.as_str()), (0, ""));
    same(&place.undisturbed(), &run);
}

#[test]
fn a_complete_run_is_left_alone() {
    let place = Place::new(&experiment(CASTS[1], 5, 20));
    let run = place.undisturbed();
    let before = fs::read(run.join("summary.json")).unwrap();
    let resumed = resume(&run, &[]);
    assert_eq!(resumed.status, 0);
    assert!(resumed.stderr.contains("this run is complete"), "{}", resumed.stderr);
    let refused = resume(&run, &["--set", "rounds=900"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--set rounds=900: this run is complete"), "{}", refused.stderr);
    assert_eq!(fs::read(run.join("summary.json")).unwrap(), before);
}

#[test]
fn what_is_no_run_or_has_no_checkpoint_is_said() {
    let place = place();
    let says = |run: &Path, words: &str| {
        let refused = resume(run, &[]);
        assert!(refused.status == 2 && refused.stderr.contains(words), "{}", refused.stderr);
    };
    says(&place.folder.path().join("nowhere"), "nowhere: No such file or directory");
    says(&place.file, "a run folder is expected, this is a file");
    says(place.folder.path(), "no run here");
    let run = stopped(&place);
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    says(&run, "there is no checkpoint of this run in checkpoints/");
    fs::write(place.folder.path().join("sweep.json"), "{}").unwrap();
    says(place.folder.path(), "this is a sweep; `phalanx sweep FILE` goes on with its cells");
}

#[test]
fn a_folder_in_which_a_process_works_is_refused() {
    let place = Place::new(&experiment(CASTS[0], 1_000_000, 2000));
    let (mut child, run) = place.start("busy", &[]);
    wait_for(|| (checkpoints(&run).len() == 2).then_some(()));
    let refused = resume(&run, &[]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("another process works in this run folder"), "{}", refused.stderr);
    kill(&child, Signal::KILL);
    child.wait().unwrap();

    // Two that go on at once: one of them works, the other one is refused.
    let mut first = phalanx().arg("resume").arg(&run).spawn().unwrap();
    let mut second = phalanx().arg("resume").arg(&run).spawn().unwrap();
    let loser = wait_for(|| {
        first.try_wait().unwrap().or_else(|| second.try_wait().unwrap()).map(|status| status.code())
    });
    assert_eq!(loser, Some(2));
    for child in [&mut first, &mut second] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// No result depends on what is written of workers: whoever goes on may want it otherwise.
#[test]
fn what_is_written_of_workers_may_change_as_a_run_goes_on() {
    let place = place();
    let undisturbed = place.undisturbed();
    let rounds = |run: &Path| -> Vec<u64> {
        let text = fs::read_to_string(run.join("workers.csv")).unwrap();
        let mut rounds: Vec<u64> =
            text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        rounds.dedup();
        rounds
    };
    for (before, after) in [("0", "5"), ("3", "5"), ("3", "0")] {
        let every = |rounds: &str| format!("record.workers_every={rounds}");
        let (mut child, run) = place.start(&format!("{before}-{after}"), &["--set", &every(before)]);
        wait_for(|| (checkpoints(&run).last() >= Some(&9)).then_some(()));
        kill(&child, Signal::KILL);
        child.wait().unwrap();
        let at = *checkpoints(&run).last().unwrap();
        let resumed = resume(&run, &["--set", &every(after)]);
        assert_eq!((resumed.status, ended(&run).0.as_str()), (0, "completed"), "{}", resumed.stderr);
        assert_eq!(
            fs::read(run.join("rounds.csv")).unwrap(),
            fs::read(undisturbed.join("rounds.csv")).unwrap()
        );
        let later = (1..=60).filter(|round| round % 5 == 0 && *round > at);
        match (before, after) {
            ("0", _) => assert_eq!(rounds(&run), later.collect::<Vec<_>>()),
            (_, "0") => assert!(!run.join("workers.csv").exists()),
            _ => assert_eq!(
                rounds(&run),
                (1..=at).filter(|round| round % 3 == 0).chain(later).collect::<Vec<_>>()
            ),
        }
    }
}

#[test]
fn a_run_whose_process_was_killed_is_not_watched_for_ever() {
    let place = Place::new(&experiment(CASTS[0], 1_000_000, 20));
    let (mut child, run) = place.start("watched", &[]);
    wait_for(|| (rows(&run) > 5).then_some(()));
    let out = place.folder.path().join("watched");
    let watch = || {
        let mut watch = phalanx();
        watch.args(["watch", "--plain"]);
        watch
    };
    let mut watching = watch().arg("--out").arg(&out).spawn().unwrap();
    // It has found the run once it says something.
    let mut said = watching.stdout.take().unwrap();
    said.read_exact(&mut [0]).unwrap();
    kill(&child, Signal::KILL);
    child.wait().unwrap();
    let refused = |done: std::process::Output, words: &str| {
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.code() == Some(2) && stderr.contains(words), "{stderr}");
    };
    refused(watching.wait_with_output().unwrap(), "the run ended without a summary");
    refused(watch().arg(&run).output().unwrap(), "the run ended without a summary");
    refused(watch().arg("--out").arg(&out).output().unwrap(), "no run is under way");
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let place = place();
    for (set, words) in [
        ("checkpoint.keep=0", "checkpoint.keep: at least one checkpoint is kept"),
        ("checkpoint.every_minutes=-1", "checkpoint.every_minutes: -1 is given"),
        ("checkpoint.every_minutes=1e300", "checkpoint.every_minutes"),
        ("checkpoint.every_round=1", "unknown key `every_round`; did you mean `every_rounds`?"),
    ] {
        let done = phalanx().arg("check").arg(&place.file).args(["--set", set]).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(2) && stderr.contains(words), "{stderr}");
    }
}
