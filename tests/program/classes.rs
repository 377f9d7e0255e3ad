//! Classes that are counted: what stands in the tables, in the report and in a comparison.

use std::{collections::BTreeMap, fs, path::Path};

use crate::harness::{self, Program, experiment};

/// Two classes, of which each is labelled as the other by four of thirteen workers; evaluations after 0, 10, … 40 rounds.
const FLIPPED: &str = r#"
name = "flipped"
seed = 3
rounds = 40

[task]
objective = { logistic-regression = { dim = 10, samples = 500, label_noise = 0.2 } }
partition = { dirichlet = { alpha = 0.5 } }

[aggregator]
rule = ["cwtm"]
step = { sgd = { lr = 0.5 } }

[[workers]]
count = 9
batch_size = 8

[[attackers]]
count = 4
attack = "label-flip"

[evaluation]
every = 10
per_class = true
"#;

/// The rows of a table as numbers by column, NaN for an empty cell.
fn rows(run: &Path, name: &str) -> Vec<BTreeMap<String, f64>> {
    let mut reader = csv::Reader::from_path(run.join(name)).unwrap();
    let names = reader.headers().unwrap().clone();
    let number = |cell: &str| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() };
    let row = |record: csv::StringRecord| {
        names.iter().map(str::to_owned).zip(record.iter().map(number)).collect::<BTreeMap<_, _>>()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn heading(run: &Path, name: &str) -> String {
    fs::read_to_string(run.join(name)).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn the_tables_of_classes_say_the_same_as_the_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "flipped.toml", FLIPPED);
    let run = Program::folder(&[&file], folder.path());
    let [evaluations, classes, pairs] =
        ["evaluations.csv", "classes.csv", "confusion.csv"].map(|name| rows(&run, name));
    assert_eq!((evaluations.len(), classes.len()), (5, 10));
    for taken in &evaluations {
        let round = taken["round"];
        let those: Vec<_> = classes.iter().filter(|row| row["round"] == round).collect();
        let samples = |class: f64, predicted: f64| {
            let pair = |row: &&BTreeMap<String, f64>| {
                (row["round"], row["class"], row["predicted"]) == (round, class, predicted)
            };
            pairs.iter().find(pair).map_or(0.0, |row| row["samples"])
        };
        for (class, row) in [0.0, 1.0].into_iter().zip(&those) {
            let other = 1.0 - class;
            let (right, all) = (samples(class, class), samples(class, class) + samples(class, other));
            let predicted = right + samples(other, class);
            assert_eq!(
                [row["class"], row["samples"], row["predicted"], row["right"]],
                [class, all, predicted, right]
            );
            assert_eq!((row["recall"], row["f1"]), (right / all, 2.0 * right / (all + predicted)));
        }
        let weighted: f64 = those.iter().map(|row| row["samples"] * row["recall"]).sum();
        assert!((weighted / 500.0 - taken["test_accuracy"]).abs() < 1e-12);
        let mean = |column: &str| those.iter().map(|row| row[column]).sum::<f64>() / 2.0;
        assert!((mean("recall") - taken["balanced_accuracy"]).abs() < 1e-12);
        assert!((mean("f1") - taken["macro_f1"]).abs() < 1e-12);
        // Of two classes, every mistake is what the attack wants.
        assert!((1.0 - taken["test_accuracy"] - taken["attack_success"]).abs() < 1e-12);
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["attack_success"].as_f64(), Some(evaluations[4]["attack_success"]));
    let shown = Program::run(&["run", &file, "--out", &folder.path().display().to_string()]);
    assert!(shown.stderr.contains("attack success") || shown.stdout.contains("attack success"));
}

/// Without the key nothing is written that was not before, and with it nothing else is another.
#[test]
fn a_run_that_does_not_count_classes_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "flipped.toml", FLIPPED);
    let counted = Program::folder(&[&file], folder.path());
    let plain = Program::folder(&[&file, "--set", "evaluation.per_class=false"], folder.path());
    for name in ["classes.csv", "confusion.csv"] {
        assert!(counted.join(name).is_file() && !plain.join(name).exists(), "{name}");
    }
    let six = "round,test_loss,test_accuracy,gap,validation_loss,validation_accuracy";
    assert_eq!(heading(&plain, "evaluations.csv"), six);
    let more = "balanced_accuracy,macro_f1,attack_success";
    assert_eq!(heading(&counted, "evaluations.csv"), format!("{six},{more}"));
    for (with, without) in rows(&counted, "evaluations.csv").iter().zip(rows(&plain, "evaluations.csv")) {
        let same = |name: &String, value: f64| with[name] == value || (with[name].is_nan() && value.is_nan());
        assert!(without.iter().all(|(name, value)| same(name, *value)), "{with:?} {without:?}");
    }
    for name in ["rounds.csv", "parameters.safetensors"] {
        assert_eq!(fs::read(counted.join(name)).unwrap(), fs::read(plain.join(name)).unwrap(), "{name}");
    }
    assert!(!fs::read_to_string(plain.join("summary.json")).unwrap().contains("attack_success"));
    assert_ne!(harness::hash(&counted), harness::hash(&plain), "a sweep must not take one for the other");
    let beside = Program::run(&["report", folder.path().to_str().unwrap()]);
    let page = fs::read_to_string(beside.stdout.trim()).unwrap();
    assert!(
        page.contains("1 run repeats another's settings") || page.contains("1 run repeats another&#"),
        "{page}"
    );
}

/// The success is of what the attack of that round wants; where it wants nothing of classes there is none.
#[test]
fn an_attack_without_a_target_has_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let attack = r#"attack = { switching = { schedule = [{ from = 1, attack = "ipm" }, { from = 15, attack = "label-flip" }] } }"#;
    let text = FLIPPED.replace("attack = \"label-flip\"", attack);
    let run = Program::folder(&[&experiment(folder.path(), "switched.toml", &text)], folder.path());
    let known: Vec<bool> =
        rows(&run, "evaluations.csv").iter().map(|row| !row["attack_success"].is_nan()).collect();
    assert_eq!(known, [false, false, true, true, true]);
    let target = "{ label-flip = { map = 'all-to-one', target = 1 } }";
    let text = FLIPPED.replace("\"label-flip\"", target);
    let run = Program::folder(&[&experiment(folder.path(), "one.toml", &text)], folder.path());
    let recalls: Vec<f64> = rows(&run, "classes.csv").chunks(2).map(|rows| rows[0]["recall"]).collect();
    for (row, recall) in rows(&run, "evaluations.csv").iter().zip(recalls) {
        assert!((row["attack_success"] + recall - 1.0).abs() < 1e-12, "class 1 has no part in it");
    }
}

#[test]
fn a_task_without_classes_cannot_count_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "convex.toml", harness::CONVEX);
    let said = Program::fails(&["check", &file, "--set", "evaluation.per_class=true"]);
    assert!(said.contains("evaluation.per_class: the task has no classes; false is accepted"), "{said}");
}

#[test]
fn reports_tables_and_comparisons_tell_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "flipped.toml", FLIPPED);
    let runs = |out: &str, set: &str| {
        let out = folder.path().join(out);
        for seed in ["seed=1", "seed=2"] {
            Program::folder(&[&file, "--set", seed, "--set", set], &out);
        }
        out.display().to_string()
    };
    let (a, b) = (runs("a", "aggregator.rule=mean"), runs("b", "aggregator.rule=cwtm"));
    let (page, csv) = (folder.path().join("page"), folder.path().join("tidy.csv"));
    let [page_at, csv_at] = [&page, &csv].map(|path| path.display().to_string());
    let made = Program::run(&["report", &a, "--out", &page_at, "--csv", &csv_at]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    let picture = |name: &str| fs::read_to_string(page.join(name).with_extension("svg")).unwrap();
    let lines = picture("class-recall-rounds");
    assert!(["Recall by class", "class 0", "class 1"].iter().all(|text| lines.contains(text)), "{lines}");
    assert!(picture("confusion").contains("Confusion matrix"));
    assert!(picture("attack-success-rounds").contains("Attack success"));
    let tidy = rows_of_text(&csv);
    assert_eq!(tidy.len(), 2 * 5);
    let one = Path::new(&tidy[0]["run"]);
    let recalls = rows(one, "classes.csv");
    for (row, recalls) in tidy.iter().zip(recalls.chunks(2)) {
        let told = ["recall_0", "recall_1"].map(|name| row[name].parse::<f64>().unwrap());
        assert_eq!(told, [recalls[0]["recall"], recalls[1]["recall"]]);
        assert!(!row["attack_success"].is_empty() && !row["balanced_accuracy"].is_empty());
    }
    let both = Program::run(&["report", &a, &b, "--out", &page_at]);
    assert_eq!(both.status, 0, "{}", both.stderr);
    assert!(picture("class-recall").contains("Recall by class and setting"));
    let compared = Program::run(&["compare", &a, &b]);
    for name in
        ["final attack success (%)", "final lowest recall of a class (%)", "final recall of class 1 (%)"]
    {
        let line =
            compared.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        assert!(line.contains("points") && !line.contains('–'), "{line}");
    }
}

/// The rows of a table by column.
fn rows_of_text(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}
