//! `[[faults]]` and the policies of `[barrier]`, as a user meets them.

use std::{fs, path::Path};

use crate::harness::{self, Program, experiment};

/// Three workers of nine in trouble, on the quadratic.
const TROUBLE: &str = r#"
[barrier]
absence = "drop"
virtual_deadline_seconds = 1.5

[[faults]]
fault = { exponential-delay = { min = 0.1, mean = 0.2 } }

[[faults]]
workers = [2]
from = 5
until = 9
fault = "crash"

[[faults]]
group = "honest"
probability = 0.1
fault = "silence"

[[faults]]
group = "attackers.0"
fraction = 0.25
every = 10
fault = { flood = { messages = 500 } }
"#;

fn trouble() -> String {
    harness::CONVEX
        .replace("rule = [\"ctma\", \"cwmed\"]", "rule = [\"ctma\", \"cwmed\"]\nf = 4")
        .replace("count = 8", "count = 4")
        + TROUBLE
}

/// The numbers of a column, 0 where a cell is empty.
fn column(run: &Path, table: &str, name: &str) -> Vec<f64> {
    text_column(run, table, name).iter().map(|cell| cell.parse().unwrap_or(0.0)).collect()
}

fn text_column(run: &Path, table: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(run.join(table)).unwrap();
    let at = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

fn run(text: &str, sets: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "faults.toml", text);
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = [file.as_str()].into_iter().chain(sets).collect();
    let run = Program::folder(&arguments, folder.path());
    (folder, run)
}

#[test]
fn what_happened_to_whom_in_which_round_can_be_read() {
    let (_folder, run) = run(&trouble(), &[]);
    let rows: Vec<(String, String, String)> = ["round", "worker", "reason"]
        .map(|name| text_column(&run, "faults.csv", name))
        .into_iter()
        .reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| format!("{a};{b}")).collect())
        .unwrap()
        .into_iter()
        .map(|row| row.splitn(3, ';').map(str::to_owned).collect::<Vec<_>>())
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone()))
        .collect();
    let crashed: Vec<&str> = rows
        .iter()
        .filter(|(_, worker, why)| worker == "2" && why == "is down")
        .map(|(round, ..)| round.as_str())
        .collect();
    assert_eq!(crashed, ["5", "6", "7", "8", "9"]);
    let floods = column(&run, "faults.csv", "rejected");
    assert_eq!(floods.iter().filter(|rejected| **rejected == 499.0).count(), 4, "rounds 1, 11, 21, 31");
    let resolved = fs::read_to_string(run.join("config.toml")).unwrap();
    assert_eq!(resolved.matches("[[faults]]").count(), 4);
}

#[test]
fn the_numbers_of_a_run_with_faults_add_up_and_are_summed_up() {
    for absence in ["drop", "recompute", "reuse"] {
        let (_folder, run) = run(&trouble(), &[&format!("barrier.absence={absence}")]);
        let rounds = |name| column(&run, "rounds.csv", name);
        let parts = ["accepted", "rejected", "late", "lost"].map(rounds);
        for (at, sent) in rounds("sent").into_iter().enumerate() {
            assert_eq!(sent, parts.iter().map(|part| part[at]).sum::<f64>(), "round {}", at + 1);
            assert_eq!(parts[0][at] + rounds("absent")[at], rounds("workers")[at], "round {}", at + 1);
        }
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
        let total: f64 = rounds("virtual_seconds").iter().sum();
        assert!((summary["virtual_seconds"].as_f64().unwrap() - total).abs() < 1e-9 && total > 4.0);
        assert_eq!(summary["barrier"]["absent"], rounds("absent").iter().sum::<f64>() as u64);
        assert_eq!(rounds("stood_in").iter().sum::<f64>() > 0.0, absence == "reuse");
        for (f, accepted) in rounds("f").into_iter().zip(rounds("accepted")) {
            let share = if absence == "recompute" { (4.0 * accepted / 13.0).ceil() } else { 4.0 };
            assert_eq!(f, share, "{accepted} of 13 under {absence}");
        }
    }
}

/// Attackers that probe the rule are asked with those who stand in, and attack as any other does.
#[test]
fn an_attack_that_probes_the_rule_takes_part_when_many_are_absent() {
    let silent = "\n[barrier]\nabsence = \"reuse\"\n[[faults]]\nworkers = [0, 1, 2, 3, 4]\nfrom = 5\nuntil = 6\n\
                  fault = \"silence\"\n";
    let text = trouble().replace(TROUBLE, silent);
    for attack in ["ipm", "opt-ipm"] {
        let sets = [format!("attackers.0.attack={attack}"), "aggregator.rule=cwtm".to_owned()];
        let (_folder, run) = run(&text, &sets.each_ref().map(String::as_str));
        assert_eq!(column(&run, "rounds.csv", "stood_in")[4..6], [5.0, 5.0], "{attack}");
        assert_eq!(column(&run, "rounds.csv", "accepted")[4..6], [8.0, 8.0], "{attack}");
    }
}

#[test]
fn a_run_with_faults_gives_the_same_bits_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "faults.toml", &trouble());
    for absence in ["drop", "reuse"] {
        let set = format!("barrier.absence={absence}");
        let tables = |threads: &str| {
            let arguments =
                [file.as_str(), "--threads", threads, "--set", &set, "--set", "barrier.quorum=11"];
            let run = Program::folder(&arguments, folder.path());
            ["rounds.csv", "faults.csv", "evaluations.csv", "parameters.safetensors"]
                .map(|name| fs::read(run.join(name)).unwrap())
        };
        assert!(tables("1") == tables("2"), "threads change a run under {absence}");
    }
}

#[test]
fn faults_of_a_cohort_are_those_of_the_workers_that_it_calls() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(
        folder.path(),
        "faults.toml",
        &format!("{}[participation]\ncohort = 7\nf = 2\n", trouble()),
    );
    for absence in ["drop", "reuse"] {
        let set = format!("barrier.absence={absence}");
        let play = |threads: &str| {
            let arguments = [file.as_str(), "--threads", threads, "--set", &set, "--set", "barrier.quorum=6"];
            Program::folder(&arguments, folder.path())
        };
        let (one, two) = (play("1"), play("2"));
        for name in ["rounds.csv", "faults.csv", "evaluations.csv", "parameters.safetensors"] {
            assert!(fs::read(one.join(name)).unwrap() == fs::read(two.join(name)).unwrap(), "{name}");
        }
        let rounds = |name| column(&one, "rounds.csv", name);
        let (sent, accepted, absent) = (rounds("sent"), rounds("accepted"), rounds("absent"));
        let (rejected, late, lost) = (rounds("rejected"), rounds("late"), rounds("lost"));
        let faults = |name| column(&one, "faults.csv", name);
        let table: Vec<_> = faults("round").into_iter().zip(faults("worker")).zip(faults("sent")).collect();
        for at in 0..sent.len() {
            let round = at as f64 + 1.0;
            assert_eq!(sent[at], accepted[at] + rejected[at] + late[at] + lost[at], "round {round}");
            assert_eq!(accepted[at] + absent[at], 7.0, "round {round}");
            // Every worker of the cohort has a row, for everyone's messages take time, and no other one has.
            let rows: Vec<_> = table.iter().filter(|((of, _), _)| *of == round).collect();
            assert_eq!(rows.len(), 7, "round {round}");
            assert_eq!(rows.iter().map(|(_, sent)| sent).sum::<f64>(), sent[at], "round {round}");
        }
        let crashed =
            text_column(&one, "faults.csv", "faults").iter().filter(|cell| *cell == "crash").count();
        assert!(
            (1..5).contains(&crashed),
            "worker 2 is down in five rounds, and called in some of them: {crashed}"
        );
    }
}

#[test]
fn only_the_policy_fail_ends_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "faults.toml", &trouble());
    let out = folder.path().display().to_string();
    let done = Program::run(&["run", &file, "--quiet", "--out", &out, "--set", "barrier.absence=fail"]);
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(done.stderr.contains("round ") && done.stderr.contains("worker "), "{}", done.stderr);
    // Everyone silent in half of the rounds: what is left makes no step, and the run ends well.
    let hard = trouble() + "\n[[faults]]\nevery = 2\nfault = \"silence\"\n";
    let (_folder, run) = run(&hard, &[]);
    assert!(column(&run, "rounds.csv", "skipped").iter().step_by(2).all(|skipped| *skipped == 1.0));
}

#[test]
fn a_fault_that_ends_a_run_is_to_blame_and_no_estimator() {
    let folder = tempfile::tempdir().unwrap();
    for fault in ["wrong-length", "wrong-round"] {
        let text = harness::CONVEX.to_owned() + &format!("[[faults]]\nworkers = [3]\nfault = \"{fault}\"\n");
        let file = experiment(folder.path(), "fault.toml", &text);
        let done = Program::run(&["run", &file, "-q", "--out", &folder.path().display().to_string()]);
        assert!(done.stderr.contains(&format!("; faults.0.fault is {fault}")), "{}", done.stderr);
    }
}

/// No memory of any machine here is large enough for the vector that it says it sends.
#[test]
fn a_length_beyond_all_memory_is_refused_and_costs_nothing() {
    let fault = "[[faults]]\nworkers = [0]\nfrom = 3\nfault = { wrong-length = { length = 4294967296 } }\n";
    let (_folder, run) =
        run(&(trouble().replace(TROUBLE, "") + fault), &["barrier.absence=drop", "task.precision=f64"]);
    let reasons = text_column(&run, "faults.csv", "reason");
    let words =
        "was rejected: it submits 4294967296 coordinates of f64, but 30 coordinates of f64 are wanted";
    assert_eq!(reasons, vec![words; 38]);
}

#[test]
fn an_impostor_is_everyone_of_its_table_but_the_one_it_names() {
    let fault = "[[faults]]\ngroup = \"attackers\"\nfault = { impostor = { of = 10 } }\n";
    let (_folder, run) =
        run(&(trouble().replace(TROUBLE, "") + fault), &["barrier.absence=drop", "rounds=1"]);
    assert_eq!(column(&run, "faults.csv", "worker"), [9.0, 11.0, 12.0]);
    assert_eq!(column(&run, "rounds.csv", "accepted"), [10.0]);
}

/// Safeguard puts workers out for good, and in some rounds nobody else is heard of.
const TRUSTS_FEW: &str = r#"
name = "trusts-few"
seed = 1
rounds = 400

[task]
objective = { least-squares = { dim = 4 } }

[aggregator]
rule = ["safeguard"]

[[workers]]
count = 9

[[attackers]]
count = 2
attack = "sign-flip"

[barrier]
absence = "drop"

[[faults]]
probability = 0.7
fault = "silence"
"#;

#[test]
fn a_rule_that_trusts_nobody_who_is_there_skips_the_round() {
    let (_folder, run) = run(TRUSTS_FEW, &[]);
    let rounds = |name| column(&run, "rounds.csv", name);
    let (skipped, accepted) = (rounds("skipped"), rounds("accepted"));
    assert!(skipped.len() == 400 && skipped.contains(&0.0));
    // With m > 2f the rule is defined: all who were there had been put out.
    let untrusted = skipped.iter().zip(&accepted).filter(|(skipped, m)| **skipped == 1.0 && **m > 4.0);
    assert!(untrusted.count() > 0);
}

/// (what is changed in the file with faults, what the message must contain)
const WRONG: &[(&str, &[&str])] = &[
    ("faults.0.fault=delay", &["faults.0.fault", "unknown fault `delay`"]),
    ("faults.1.fault=crsh", &["faults.1.fault", "did you mean `crash`"]),
    ("faults.0.fault.exponential-delay.mean=-1", &["faults.0.fault.exponential-delay.mean", "-1"]),
    ("faults.0.fault.exponential-delay.men=1", &["faults.0.fault.exponential-delay", "did you mean `mean`"]),
    ("faults.1.workers=[13]", &["faults.1.workers", "no worker 13; ids are 0 to 12"]),
    ("faults.1.workers=[3,3]", &["faults.1.workers", "worker 3 is given twice"]),
    ("faults.1.workers=[]", &["faults.1.workers", "nobody"]),
    ("faults.1.group=honest", &["faults.1", "`workers` and `group`"]),
    ("faults.2.group=attackers.1", &["faults.2.group", "`attackers.1` is nobody here"]),
    ("faults.2.group=hones", &["faults.2.group", "all, honest, attackers"]),
    ("faults.2.fraction=0", &["faults.2.fraction", "more than 0, up to 1"]),
    ("faults.2.fraction=0.01", &["faults.2.fraction", "0.01 of 9 workers is nobody"]),
    ("faults.1.from=0", &["faults.1.from", "rounds are 1 to 40"]),
    ("faults.1.from=41", &["faults.1.from", "rounds are 1 to 40"]),
    ("faults.1.until=4", &["faults.1.until", "`from` = 5"]),
    ("faults.1.every=0", &["faults.1.every", "at least 1"]),
    ("faults.2.probability=1.5", &["faults.2.probability", "0 to 1"]),
    ("faults.2.probabilty=0.5", &["faults.2", "did you mean `probability`"]),
    ("faults.1.fault={impostor={of=99}}", &["faults.1.fault.impostor.of", "no worker 99"]),
    (
        "faults.1.fault={impostor={of=2}}",
        &["faults.1.fault.impostor.of", "worker 2 would submit in its own name, which is no fault"],
    ),
    (
        "faults.1.fault={wrong-length={length=30}}",
        &[
            "faults.1.fault.wrong-length.length",
            "30 is given, and the vectors of this task have 30 coordinates",
        ],
    ),
    ("faults.1.fault={flood={messages=0}}", &["faults.1.fault.flood.messages", "1 to 100000000"]),
    ("barrier.quorum=14", &["barrier.quorum", "14 from 13"]),
    ("barrier.quorum=8", &["barrier.quorum", "a round with 8 vectors", "m = 8, f = 4"]),
    ("barrier.virtual_deadline_seconds=0", &["barrier.virtual_deadline_seconds", "positive"]),
    ("barrier.time=slow", &["barrier.time", "virtual", "real"]),
];

#[test]
fn a_table_of_faults_that_makes_no_sense_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "faults.toml", &trouble());
    assert_eq!(Program::run(&["check", &file]).status, 0);
    for (set, words) in harness::sampled(WRONG) {
        let message = Program::fails(&["check", &file, "--set", set]);
        assert!(words.iter().all(|word| message.contains(word)), "{set}: {message}");
    }
    let undelayed = experiment(folder.path(), "plain.toml", harness::CONVEX);
    let message =
        Program::fails(&["check", &undelayed, "--set", "barrier.quorum=17", "--set", "barrier.quorum=16"]);
    assert!(message.contains("no [[faults]] delays anyone"), "{message}");
}

#[test]
fn every_fault_is_listed_and_accepted_as_it_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "faults.toml", &trouble());
    let listed: serde_json::Value =
        serde_json::from_str(&Program::run(&["list", "faults", "--json"]).stdout).unwrap();
    let cards = listed["faults"].as_array().unwrap();
    assert_eq!(cards.len(), 16);
    for card in cards {
        let set = format!("faults.1.fault={}", card["name"].as_str().unwrap());
        let done = Program::run(&["check", &file, "--set", &set]);
        assert_eq!(done.status, 0, "{set}: {}", done.stderr);
    }
}
