//! Rounds of a cohort: `[participation]`.

use crate::harness::{self, Program, experiment};

const FEW: &str = "\n[participation]\ncohort = 7\n";

fn check(text: &str, sets: &[&str]) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", text);
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    Program::run(&["check", &file].into_iter().chain(sets).collect::<Vec<_>>())
}

#[test]
fn every_round_calls_its_cohort_and_misses_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", &format!("{}{FEW}", harness::CONVEX));
    let sets = ["--set", "aggregator.f=4", "--set", "attackers.0.count=4"];
    let tables = |threads: &str| {
        let run =
            Program::folder(&[&[file.as_str(), "--threads", threads], &sets[..]].concat(), folder.path());
        std::fs::read_to_string(run.join("rounds.csv")).unwrap()
    };
    let (one, two) = (tables("1"), tables("2"));
    assert_eq!(one, two, "threads change a cohort");
    let mut reader = csv::Reader::from_reader(one.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| -> Vec<u64> {
        let at = headers.iter().position(|header| header == name).unwrap();
        rows.iter().map(|row| row[at].parse().unwrap()).collect()
    };
    assert_eq!(rows.len(), 40);
    assert!(column("workers").iter().all(|&workers| workers == 7));
    assert!(column("absent").iter().all(|&absent| absent == 0));
    let attackers = column("attackers");
    assert!(attackers.iter().all(|&attackers| attackers <= 4));
    assert!(attackers.iter().any(|&a| a != attackers[0]), "how many are drawn varies");
}

#[test]
fn the_rule_is_told_a_share_of_f_rounded_up() {
    let text = format!("{}{FEW}", harness::CONVEX);
    let said = check(&text, &["attackers.0.count=4", "aggregator.rule=['cwmed']"]).stdout;
    // C(4,3)·C(9,4)/C(13,7) + C(4,4)·C(9,3)/C(13,7) = (504 + 84)/1716
    assert!(said.contains("cohorts of 7 with f = 3 (exceeded in 4.9 % of rounds)"), "{said}");
    let said =
        check(&text, &["attackers.0.count=4", "participation.f=2", "aggregator.rule=['cwmed']"]).stdout;
    assert!(said.contains("cohorts of 7 with f = 2 (exceeded in 34.3 % of rounds)"), "{said}");
}

#[test]
fn what_no_cohort_can_stand_is_refused_with_the_numbers() {
    let text = format!("{}{FEW}", harness::CONVEX);
    let refused = |sets: &[&str], words: &str| {
        let done = check(&text, sets);
        assert_eq!(done.status, 2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    };
    let told = "aggregator.rule: ctma needs m > 2f, which m = 7, f = 4 does not meet in a cohort";
    refused(&[], told);
    refused(&["participation.f=4"], told);
    refused(&["participation.f=7"], "participation.f: f = 7 of cohorts of 7 workers; f < cohort is needed");
    refused(&["participation.cohort=18"], "participation.cohort: a cohort of 18 from 17 workers");
    refused(
        &["participation.cohort=0", "participation.f=1"],
        "participation.f: it is given without a cohort",
    );
    let krum = ["participation.f=3", "aggregator.rule=['krum']"];
    refused(&krum, "aggregator.rule: krum needs m > 2f + 2, which m = 7, f = 3 does not meet");
}

#[test]
fn parameters_are_checked_against_the_cohorts_that_can_come() {
    let text = format!("{}{FEW}f = 3\n", harness::CONVEX);
    let fits = "attackers.0.attack={mimic={victim=8}}";
    let done = check(&text, &[fits]);
    assert_eq!(done.status, 0, "{fits}: {}", done.stderr);
    for (beyond, message) in [
        ("attackers.0.attack={mimic={victim=9}}", "victim = 9: there are 9 honest workers"),
        ("aggregator.rule=[{monna={reference=17}}]", "reference = 17: a worker whose vector is there"),
        ("aggregator.rule=['monna']", "it trusts worker 0, and a round calls 7 of 17 workers"),
    ] {
        let done = check(&text, &[beyond]);
        assert!(done.status == 2 && done.stderr.contains(message), "{beyond}: {}", done.stderr);
    }
}
