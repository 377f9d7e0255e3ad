//! Reports and comparisons of runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{self, Program, experiment};

/// Runs of two rules, two attacks and two seeds, below `out`.
fn study(out: &Path) {
    let file = experiment(out, "experiment.toml", harness::CONVEX);
    for rule in ["'cwmed'", "'ctma','cwmed'"] {
        for attack in ["ipm", "sign-flip"] {
            for seed in ["1", "2"] {
                let sets = [
                    format!("aggregator.rule=[{rule}]"),
                    format!("attackers.0.attack={attack}"),
                    format!("seed={seed}"),
                ];
                let mut arguments = vec![file.as_str()];
                sets.iter().for_each(|set| arguments.extend(["--set", set]));
                Program::folder(&arguments, out);
            }
        }
    }
}

/// Makes a report of the runs below `out` into `out/NAME` and returns its page.
fn report(out: &Path, name: &str, more: &[&str]) -> String {
    let (runs, to) = (out.join("convex").display().to_string(), out.join(name).display().to_string());
    let arguments: Vec<&str> = ["report", &runs, "-o", &to].iter().chain(more).copied().collect();
    let done = Program::run(&arguments);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.stdout.trim(), Path::new(&to).join("index.html").display().to_string());
    fs::read_to_string(Path::new(&to).join("index.html")).unwrap()
}

/// Every address in `page`.
fn addresses(page: &str) -> Vec<&str> {
    let parts = ["href=\"", "src=\"", "url("].into_iter().flat_map(|start| page.split(start).skip(1));
    parts.map(|rest| rest.split(['"', ')']).next().unwrap()).collect()
}

#[test]
fn a_page_stands_alone_and_leads_to_every_run() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let page =
        report(folder.path(), "report", &["--csv", &folder.path().join("tidy.csv").display().to_string()]);
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("<link"));
    for address in addresses(&page) {
        let inside = address.starts_with('#') || address.starts_with("data:");
        assert!(inside || folder.path().join("report").join(address).exists(), "{address} leads nowhere");
    }
    let runs: Vec<_> =
        fs::read_dir(folder.path().join("convex")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(runs.len(), 8);
    for run in runs {
        let name = run.file_name().into_string().unwrap();
        assert!(page.contains(&format!("../convex/{name}/")), "{name} is not in the page");
        assert!(page.contains(name.split('-').nth(1).unwrap()), "its hash is not in the page");
    }
    assert!(page.contains("ctma &gt; cwmed") && page.contains("least-squares"));
    for picture in ["gap-rounds", "gap-time", "gap-gradients", "gap-bytes", "rule-attack", "cost-aggregation"]
    {
        let svg = fs::read_to_string(folder.path().join(format!("report/{picture}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{picture}");
        let png = fs::read(folder.path().join(format!("report/{picture}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5000, "{picture}");
    }
    let mut tidy = csv::Reader::from_path(folder.path().join("tidy.csv")).unwrap();
    let headings: Vec<String> = tidy.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(headings[..7], ["run", "hash", "seed", "status", "counted", "attack", "rule"]);
    assert_eq!(tidy.records().count(), 8 * 5, "one row for every run and evaluation");
    assert_eq!(page, report(folder.path(), "report", &[]), "the same runs give another page");
}

#[cfg(feature = "parquet")]
#[test]
fn the_tidy_table_is_the_same_in_parquet() {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::Field,
    };

    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    // A table without the rounds of two evaluations: its numbers there are not known.
    let run = fs::read_dir(folder.path().join("convex")).unwrap().next().unwrap().unwrap().path();
    let rounds = fs::read_to_string(run.join("rounds.csv")).unwrap();
    let kept = rounds.lines().filter(|line| !line.starts_with("20,") && !line.starts_with("30,"));
    fs::write(run.join("rounds.csv"), kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (csv, columns) = (folder.path().join("new/tidy.csv"), folder.path().join("other/tidy.parquet"));
    let (a, b) = (csv.display().to_string(), columns.display().to_string());
    report(folder.path(), "report", &["--csv", &a, "--parquet", &b]);

    let reader = SerializedFileReader::new(fs::File::open(columns).unwrap()).unwrap();
    let text = |field: &Field| match field {
        Field::Str(text) => text.clone(),
        Field::Long(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Null => String::new(),
        other => panic!("a column of {other:?}"),
    };
    let rows: Vec<Vec<(String, String)>> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), text(field))).collect())
        .collect();
    let mut tidy = csv::Reader::from_path(csv).unwrap();
    let headings = tidy.headers().unwrap().clone();
    let expected: Vec<Vec<(String, String)>> = tidy
        .records()
        .map(|row| headings.iter().map(str::to_owned).zip(row.unwrap().iter().map(str::to_owned)).collect())
        .collect();
    assert_eq!(rows, expected);
    assert_eq!(
        rows.iter().flatten().filter(|(_, value)| value.is_empty()).count(),
        4,
        "gradients and bytes of two evaluations"
    );
}

#[test]
fn the_table_says_what_its_definitions_say() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("a/run");
    fs::create_dir_all(&run).unwrap();
    let config = "name = \"a\"\n[task]\nobjective = \"least-squares\"\n[[workers]]\ncount = 3\n";
    fs::write(run.join("config.toml"), config).unwrap();
    fs::write(run.join("run.json"), "{}").unwrap();
    let rows = "0,2.3,0.10\n1,2.0,0.50\n2,1.0,0.60\n3,1.0,0.80\n4,1.0,0.70\n5,1.0,0.90\n";
    fs::write(run.join("evaluations.csv"), format!("round,test_loss,test_accuracy\n{rows}6,1.0,0.")).unwrap();
    let page = || {
        let done = Program::run(&["report", &folder.path().display().to_string()]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        fs::read_to_string(done.stdout.trim()).unwrap()
    };
    let unfinished = page();
    assert!(unfinished.contains("is unfinished and drawn as far as it got, without a number."));
    // A line that is being written does not count.
    assert!(unfinished.contains("final – %, last 90.00 %"), "it has not come to an end: {unfinished}");
    let summary = r#"{"status": "completed", "rounds": 5, "elapsed_seconds": 1, "rounds_per_second": 5}"#;
    fs::write(run.join("summary.json"), summary).unwrap();
    fs::write(run.join("evaluations.csv"), format!("round,test_loss,test_accuracy\n{rows}")).unwrap();
    let page = page();
    // the last two of six; steps of 20, 10 and 20 points
    assert!(page.contains("final 80.00 %, last 90.00 %, rough 16.67 points"), "{page}");
    assert!(page.contains(">best (%)</th>") && page.contains(">90.00 (round 5)</td>"), "{page}");
    assert!(page.contains(">last (%)</th><th class=\"n\">rough (points)</th>"), "{page}");
    for word in ["last", "best", "rough", "rounds/s", "aggregation"] {
        assert!(page.contains(&format!("<b>{word}</b>")), "{word} has no definition");
    }
}

/// Two of three seeds of a rule failed: its table does not show the third alone as what the rule comes to.
#[test]
fn a_table_says_how_many_seeds_failed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |rule: &str, seed: u64, status: &str, accuracies: [f64; 2]| {
        let run = folder.path().join(format!("{rule}-{seed}"));
        fs::create_dir_all(&run).unwrap();
        let config = format!(
            "name = \"a\"\nseed = {seed}\n[task]\ndataset = \"digits\"\nmodel = \"mlp\"\n[aggregator]\nrule = [\"{rule}\"]\n\
             [[workers]]\ncount = 3\n"
        );
        fs::write(run.join("config.toml"), config).unwrap();
        fs::write(run.join("run.json"), "{}").unwrap();
        let [first, last] = accuracies;
        let rows = format!("round,test_accuracy\n0,{first}\n1,{last}\n");
        fs::write(run.join("evaluations.csv"), rows).unwrap();
        fs::write(run.join("timings.csv"), "round,aggregate_seconds\n1,0.002\n").unwrap();
        let summary =
            format!(r#"{{"status": "{status}", "rounds": 1, "elapsed_seconds": 1, "rounds_per_second": 1}}"#);
        fs::write(run.join("summary.json"), summary).unwrap();
    };
    run("mean", 1, "completed", [0.1, 0.9]);
    run("mean", 2, "failed", [0.1, 0.1]);
    run("mean", 3, "failed", [0.1, 0.1]);
    (1..=3).for_each(|seed| run("cwmed", seed, "completed", [0.1, 0.8]));
    let page = || {
        let done = Program::run(&["report", &folder.path().display().to_string(), "--target", "85"]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        fs::read_to_string(done.stdout.trim()).unwrap()
    };
    let told = page();
    let one = ["90.00", "90.00 (round 1)", "90.00", "80.00", "1.000", "2.000", "1.000", "–", "–"];
    let mut cells = one.map(|number| format!("{number} (2 of 3 failed)")).to_vec();
    cells.insert(1, "baseline".to_owned());
    let row: String = cells.iter().map(|cell| format!("<td class=\"n\">{cell}</td>")).collect();
    assert!(
        told.contains(&row) && told.contains("<td class=\"n\">−10.00 (2 of 6 failed)</td>"),
        "{row} in {told}"
    );
    assert!(told.contains("<td class=\"n\">80.00 ± 0.00</td>"), "{told}");
    assert!(told.contains("Test accuracy (2 of 6 failed)") && told.contains("which flatters them"), "{told}");
    assert!(told.contains("<summary>2 runs failed and are left out.</summary>"), "{told}");
    // One that came to NaN has rounds and times all the same.
    run("mean", 2, "completed", [0.1, f64::NAN]);
    let told = page();
    let cells = [
        "90.00 (1 of 3 failed, 1 NaN)",
        "baseline",
        "10.00 (round 0) (1 of 3 failed)",
        "90.00 (1 of 3 failed, 1 NaN)",
        "80.00 (1 of 3 failed, 1 NaN)",
        "1.000 (1 of 3 failed)",
    ];
    let row: String = cells.iter().map(|cell| format!("<td class=\"n\">{cell}</td>")).collect();
    assert!(told.contains(&row) && told.contains("−10.00 (1 of 6 failed, 1 NaN)"), "{told}");
    assert!(told.contains("A seed that came to NaN is in no mean"), "{told}");
    // What was stopped may still come to anything.
    [2, 3].iter().for_each(|seed| run("mean", *seed, "interrupted", [0.1, 0.1]));
    let told = page();
    assert!(told.contains("<td class=\"n\">90.00</td>") && !told.contains("which flatters them"), "{told}");
}

/// What a convex task classifies rightly are samples that its workers train on: it is called that, and judges nobody.
#[test]
fn convex_tasks_are_judged_by_their_gap() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let out = folder.path().display().to_string();
    let run = |task: &str| {
        let objective = format!("task.objective={task}");
        Program::run(&["run", &file, "--out", &out, "--set", &objective, "--set", "rounds=10"])
    };
    let told = run("{ logistic-regression = { dim = 30 } }").stderr;
    assert!(told.contains("training accuracy  ") && !told.contains("test accuracy"), "{told}");
    let page = report(folder.path(), "alone", &[]);
    assert!(page.contains("final f(x) − f(x*)</th>") && page.contains(">Training accuracy"), "{page}");
    assert!(!page.contains("est accuracy"), "{page}");
    run("{ least-squares = { dim = 30 } }");
    let page = report(folder.path(), "both", &[]);
    assert!(page.contains("final f(x) − f(x*)</th>"), "{page}");
}

#[test]
fn a_target_is_told_with_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    assert!(!report(folder.path(), "plain", &[]).contains("rounds to"));
    let page = report(folder.path(), "report", &["--target", "0.05"]);
    for heading in ["rounds to 0.05", "gradients to 0.05", "bytes to 0.05"] {
        assert!(page.contains(&format!(">{heading}</th>")), "{page}");
    }
    assert!(page.contains("<b>to 0.05</b>"), "{page}");
    let never = report(folder.path(), "never", &["--target=-1"]);
    assert_eq!(never.matches("– (2 of 2 never)").count(), 3 * 4, "{never}");
    let runs = folder.path().join("convex").display().to_string();
    assert!(Program::fails(&["report", &runs, "--target", "nan"]).contains("it is no number"));
}

#[test]
fn the_verdicts_on_the_paper_are_by_the_same_definitions() {
    let code =
        "import verdicts as v; a = [10, 50, 60, 80, 70, 90]; print(f'{v.final(a):.2f} {v.rough(a):.2f}')";
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/paper");
    let python = Command::new("python3").args(["-B", "-c", code]).current_dir(folder).output();
    let Ok(done) = python else { return println!("skipped: there is no python3") };
    let said = String::from_utf8(done.stderr).unwrap();
    if said.contains("No module named 'tomllib'") {
        return println!("skipped: this Python is older than 3.11");
    }
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "80.00 16.67\n", "{said}");
}

/// Two runs of one cell and seed that are of different experiments: one would stand for the other.
#[test]
fn the_verdicts_refuse_a_mixture_of_studies() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/paper/verdicts.py");
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, epsilon: f64| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        let config = format!(
            "seed = 1\nrounds = 9\npreset = 'dahan'\n[aggregator]\nrule = ['cwmed']\nstep = {{ sgd = {{ lr = 0.1 }} }}\n\
             [[workers]]\ncount = 9\nestimator = 'momentum'\n[[attackers]]\ncount = 8\nattack = {{ ipm = {{ epsilon = {epsilon} }} }}\n"
        );
        fs::write(path.join("config.toml"), config).unwrap();
        fs::write(path.join("summary.json"), r#"{"status": "completed"}"#).unwrap();
        fs::write(path.join("evaluations.csv"), "round,test_accuracy\n0,0.1\n9,0.5\n").unwrap();
        path
    };
    let verdicts = |runs: &[PathBuf]| Command::new("python3").arg("-B").arg(script).args(runs).output();
    let (half, again, tenth) = (run("a", 0.5), run("b", 0.5), run("c", 0.1));
    let Ok(alone) = verdicts(&[half.clone(), again]) else { return println!("skipped: there is no python3") };
    if String::from_utf8_lossy(&alone.stderr).contains("No module named 'tomllib'") {
        return println!("skipped: this Python is older than 3.11");
    }
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    let mixed = verdicts(&[half, tenth]).unwrap();
    let said = String::from_utf8(mixed.stderr).unwrap();
    assert!(
        !mixed.status.success() && said.contains("are runs of one cell and differ in attackers"),
        "{said}"
    );
}

#[test]
fn a_comparison_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let run = |name: &str, rule: &str| {
        let out = folder.path().join(name);
        for seed in ["seed=1", "seed=2"] {
            Program::folder(&[&file, "--set", seed, "--set", &format!("aggregator.rule=[{rule}]")], &out);
        }
        out.display().to_string()
    };
    let (a, b) = (run("a", "'cwmed'"), run("b", "'ctma','cwmed'"));
    let done = Program::run(&["compare", &a, &b]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stdout.contains("A: 2 runs, B: 2 runs, 2 pairs of the same seed and settings, 2 seeds"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("cwmed → ctma > cwmed") && done.stdout.contains(" ± "), "{}", done.stdout);
    assert!(!done.stdout.contains("seed:"), "{}", done.stdout);
    let same = Program::run(&["compare", &a, &a]).stdout;
    assert!(same.contains("the configurations are the same"), "{same}");
    assert!(same.contains("final is the mean of the last 20 % of the evaluations"), "{same}");
    let run = fs::read_dir(folder.path().join("a/convex")).unwrap().next().unwrap().unwrap().path();
    let one = Program::run(&["compare", &run.display().to_string(), &b]).stdout;
    assert!(one.contains("A: 1 run, B: 2 runs, 1 pair of"), "{one}");
}

#[test]
fn a_comparison_counts_the_runs_that_a_report_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let run = |out: &str, seed: &str| {
        Program::folder(&[&file, "--set", &format!("seed={seed}")], &folder.path().join(out))
    };
    ["1", "1", "1", "2"].iter().for_each(|seed| drop(run("a", seed)));
    let alone = ["1", "2", "3"].map(|seed| run("b", seed));
    let summary = alone[2].join("summary.json");
    let completed = fs::read_to_string(&summary).unwrap();
    fs::write(&summary, completed.replace("\"completed\"", "\"interrupted\"")).unwrap();

    let [a, b] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
    let told = Program::run(&["compare", &a, &b]).stdout;
    assert!(told.contains("A: 2 runs, B: 2 runs, 2 pairs"), "{told}");
    let repeated = "2 runs repeat another's settings and seed; the latest complete one counts.";
    let interrupted = format!("Run {} (seed 3) was interrupted and left out.", harness::hash(&alone[2]));
    assert!(told.contains(&format!("\nA: {repeated}\nB: {interrupted}\n\n")), "{told}");
    let tidy = folder.path().join("tidy.csv");
    let told = Program::run(&["report", &a, "--csv", &tidy.display().to_string()]).stdout;
    let page = fs::read_to_string(told.trim()).unwrap();
    assert!(page.contains(repeated), "{page}");
    let tidy = fs::read_to_string(tidy).unwrap();
    // Four runs with five evaluations each, two of them repeats.
    assert_eq!([",no,", ",yes,"].map(|counted| tidy.matches(counted).count()), [10, 10], "{tidy}");

    fs::remove_file(alone[2].join("evaluations.csv")).unwrap();
    let only = alone[2].display().to_string();
    assert!(Program::fails(&["compare", &a, &only]).contains("none of the 1 runs has an evaluation"));
}

/// An attack that is none at this size: whoever starts it is told, and whoever reads of it later too.
#[test]
fn what_is_remarkable_of_a_configuration_is_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text = harness::CONVEX.replace("count = 8\nattack = \"ipm\"", "count = 2\nattack = \"alie\"");
    let file = experiment(folder.path(), "idle.toml", &text.replace("count = 9", "count = 10"));
    let other = experiment(folder.path(), "other.toml", harness::CONVEX);
    let remark = "attackers.0.attack.alie: z = 0.000 follows from m = 12 and f = 2";
    let out = folder.path().display().to_string();
    let alone = Program::run(&["run", &file, "--out", &out]);
    assert!(alone.stderr.contains(&format!("warning: {remark}")), "{}", alone.stderr);
    let both = Program::run(&["run", &file, &other, "--jobs", "2", "--out", &out]);
    assert!(both.stderr.contains(&format!("warning: {file}: {remark}")), "{}", both.stderr);
    let bench = Program::run(&["bench", &file, "--rounds", "1", "--warm-up", "0"]);
    assert!(bench.stderr.contains(&format!("warning: {remark}")), "{}", bench.stderr);
    let kept = fs::read_to_string(Path::new(alone.stdout.trim()).join("run.json")).unwrap();
    assert!(kept.contains(remark), "{kept}");
    let page = report(folder.path(), "report", &[]);
    assert!(page.contains(&format!("<li>Of 2 of 3 runs: {remark}")), "{page}");
}

#[test]
fn what_cannot_be_reported_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    assert!(Program::fails(&["report", &path]).contains("no run here"));
    assert!(Program::fails(&["report", &format!("{path}/nowhere")]).contains("nowhere"));
    study(folder.path());
    assert!(
        Program::fails(&["report", &path, "--baseline", "nnm"]).contains("there are: cwmed, ctma > cwmed")
    );
    if !cfg!(feature = "parquet") {
        let message = Program::fails(&["report", &path, "--parquet", &format!("{path}/t.parquet")]);
        assert!(message.contains("--features parquet"), "{message}");
    }
    let run = fs::read_dir(folder.path().join("convex")).unwrap().next().unwrap().unwrap().path();
    fs::write(run.join("evaluations.csv"), "round,gap\n0,1.0\n1,x\n").unwrap();
    let message = Program::fails(&["report", &path]);
    assert!(message.contains("evaluations.csv:3: column gap: `x` is no number"), "{message}");
    fs::write(run.join("evaluations.csv"), "round,test_loss,test_accuracy\n40,1.0,0.5\n").unwrap();
    assert!(Program::fails(&["report", &path]).contains("tasks of both kinds cannot share a report"));
}
