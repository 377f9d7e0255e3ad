//! A data set of a user's own, as a folder of IDX files beside the experiment.

#![cfg(feature = "torch")]

use std::{fs, path::Path};

use crate::harness::{self, Program, experiment};

fn idx(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let magic = 0x800 + sizes.len() as u32;
    let head = [magic].iter().chain(sizes).flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    [head, elements.to_vec()].concat()
}

/// Images of 4 x 4 pixels in three classes, 60 to learn from and 12 to evaluate on.
fn letters(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for (part, count) in [("train", 60u32), ("test", 12)] {
        let labels: Vec<u8> = (0..count).map(|n| (n % 3 + 1) as u8).collect();
        let pixels: Vec<u8> = (0..count * 16).map(|p| ((p / 16 % 3) * 90 + p % 7) as u8).collect();
        let put =
            |name: &str, content: &[u8]| fs::write(folder.join(format!("{part}-{name}")), content).unwrap();
        put("images-idx3-ubyte", &idx(&[count, 4, 4], &pixels));
        put("labels-idx1-ubyte", &idx(&[count], &labels));
    }
}

fn text(dataset: &str, model: &str) -> String {
    let task = format!("dataset = {dataset}\nmodel = \"{model}\"");
    harness::CONVEX.replace("objective = { least-squares = { dim = 30 } }", &task)
}

#[test]
fn a_folder_beside_the_file_is_learnt_and_recorded_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    letters(&folder.path().join("letters"));
    let file =
        experiment(folder.path(), "experiment.toml", &text("{ idx = { path = \"letters\" } }", "logistic"));
    let shown = Program::run(&["data", "show", &file]);
    assert!(shown.stdout.contains("letters dealt by iid"), "{}{}", shown.stdout, shown.stderr);
    let run = Program::folder(&[&file], folder.path());
    let record = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(record.contains("sha256 = "), "{record}");
    // The record alone is an experiment that gives the same bits, whatever its folder.
    let again = Program::folder(&[&run.join("config.toml").display().to_string()], folder.path());
    let rounds = |run: &Path| fs::read_to_string(run.join("rounds.csv")).unwrap();
    assert_eq!(rounds(&run), rounds(&again));
    assert_eq!(harness::hash(&run), harness::hash(&again));
}

#[test]
fn what_cannot_be_read_names_its_key_or_file() {
    let folder = tempfile::tempdir().unwrap();
    letters(&folder.path().join("letters"));
    for (dataset, model, told) in [
        ("{ idx = {} }", "logistic", "task.dataset.idx.path: nothing is given; the path of a folder"),
        ("{ idx = { path = \"nowhere\" } }", "logistic", "there is no folder nowhere; looked for"),
        (
            "{ idx = { path = \"letters\", prefix = \"x-\" } }",
            "logistic",
            "letters holds none of x-train-images",
        ),
        ("{ idx = { path = \"letters\", std = [0.0] } }", "logistic", "task.dataset.idx.std: 0 is given"),
        ("{ idx = { path = \"letters\" } }", "cnn-mnist", "`cnn-mnist` does not fit the data set `letters`"),
        ("{ mnist = { path = \"letters\" } }", "logistic", "`mnist` has no parameters; `path` is given"),
        ("\"mnits\"", "logistic", "task.dataset: unknown data set `mnits`; did you mean `mnist`?"),
    ] {
        let file = experiment(folder.path(), "experiment.toml", &text(dataset, model));
        let error = Program::fails(&["check", &file]);
        assert!(error.contains(told), "{dataset}: {error}");
    }
}
