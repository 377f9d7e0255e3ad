//! The catalogue.

use crate::harness::Program;

/// The cards of one kind.
fn cards(kind: &str) -> Vec<serde_json::Value> {
    let done = Program::run(&["list", kind, "--json"]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let all: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    all[kind].as_array().unwrap().clone()
}

#[test]
fn every_name_says_what_it_is_and_where_it_comes_from() {
    for kind in ["attacks", "rules", "estimators", "steps", "objectives", "datasets", "partitions"] {
        let cards = cards(kind);
        assert!(!cards.is_empty(), "{kind}");
        for card in &cards {
            for field in ["name", "summary", "source"] {
                assert!(
                    card[field].as_str().is_some_and(|text| !text.is_empty()),
                    "{kind}: no {field} in {card}"
                );
            }
            for parameter in card["parameters"].as_array().unwrap() {
                for field in ["name", "accepts", "help"] {
                    let text = parameter[field].as_str();
                    assert!(
                        text.is_some_and(|t| !t.is_empty()),
                        "{}: no {field} in {parameter}",
                        card["name"]
                    );
                }
            }
        }
    }
}

#[test]
fn rules_show_their_theory_and_attacks_what_they_know() {
    let rules = cards("rules");
    let rule = |name: &str| rules.iter().find(|card| card["name"] == name).unwrap();
    for card in &rules {
        assert!(["base", "pre", "meta"].contains(&card["layer"].as_str().unwrap()), "{card}");
        assert!(card["condition"].as_str().unwrap().contains('m'), "{card}");
        let bound = &card["bound"];
        assert!(bound.is_null() || bound.as_str().unwrap().contains(", 20"), "no year in {bound}");
    }
    assert_eq!(rule("ctma")["layer"], "meta");
    assert_eq!(rule("ctma")["bound"], "c' = 16 delta (1 + c) with exact ties, Dahan & Levy, 2024");
    assert_eq!(rule("bulyan")["condition"], "m >= 4f + 3");
    assert_eq!(rule("mean")["bound"], serde_json::Value::Null);
    assert_eq!(rule("centered-clipping")["presets"], serde_json::json!({ "byzfl": { "tau": 100.0 } }));
    let text = Program::run(&["list", "rules"]).stdout;
    assert!(text.contains("needs: m >= 4f + 3\n") && text.contains("bound: none known\n"), "{text}");

    let attacks = cards("attacks");
    let knows = |name: &str| &attacks.iter().find(|card| card["name"] == name).unwrap()["knowledge"];
    let expected = [("gaussian", "blind"), ("sign-flip", "own"), ("alie", "honest"), ("opt-alie", "defence")];
    expected.iter().for_each(|(name, level)| assert_eq!(knows(name), level));
    assert!(Program::run(&["list", "attacks"]).stdout.contains("knows: defence: "));
    assert!(Program::run(&["list", "switching"]).stdout.contains("knows: as the attacks it schedules\n"));
}

#[test]
fn defaults_are_shown_as_they_are_written() {
    let attacks = Program::run(&["list", "attacks"]).stdout;
    assert!(attacks.contains("schedule = [{ from = 1, attack = \"none\" }]"), "{attacks}");
    let partitions = Program::run(&["list", "partitions"]).stdout;
    assert!(partitions.contains("sizes = { dirichlet = { alpha = 0.5 } }"), "{partitions}");
    let steps = Program::run(&["list", "adam"]).stdout;
    assert!(words(&steps).contains("number from 1e-30 "), "{steps}");
}

#[test]
fn every_default_is_accepted_as_it_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = crate::harness::experiment(folder.path(), "good.toml", crate::harness::CONVEX);
    for card in cards("estimators") {
        let name = card["name"].as_str().unwrap();
        let done = Program::run(&["check", &file, "--set", &format!("workers.0.estimator={name}")]);
        assert_eq!(done.status, 0, "{name}: {}", done.stderr);
    }
}

#[test]
fn the_manual_has_every_rule_and_attack_with_what_the_program_says() {
    let manual = include_str!("../../docs/rules.md");
    let text = |card: &serde_json::Value, field: &str| card[field].as_str().map(str::to_owned);
    for (kind, fields) in
        [("rules", &["summary", "condition", "bound"][..]), ("attacks", &["summary", "knowledge"])]
    {
        for card in cards(kind) {
            let name = text(&card, "name").unwrap();
            let row = manual.lines().find(|line| line.starts_with(&format!("| `{name}` (")));
            let row = row.unwrap_or_else(|| panic!("no row of {name}"));
            for field in fields {
                let nothing = if *field == "bound" { "none known" } else { "as the attacks it schedules" };
                let said = text(&card, field).unwrap_or_else(|| nothing.into());
                assert!(row.contains(&format!("| {said} |")), "{name}: {field} is not {said}");
            }
            let mark = format!("- `{name}`: ");
            let line = manual.lines().find(|line| line.starts_with(&mark)).unwrap_or_default();
            for parameter in card["parameters"].as_array().unwrap() {
                let [key, accepts, help] =
                    ["name", "accepts", "help"].map(|field| text(parameter, field).unwrap());
                let said = format!("({accepts}): {}", help.trim_end_matches('.'));
                assert!(
                    line.contains(&format!("`{key}` = ")) && line.contains(&said),
                    "{name}.{key}: {said}"
                );
            }
        }
    }
}

/// Also of what is no rule: what is listed as excluded is refused.
#[test]
fn an_end_that_is_excluded_is_listed_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = crate::harness::experiment(folder.path(), "good.toml", crate::harness::CONVEX);
    for (kind, name, parameter) in [
        ("partitions", "dirichlet", "alpha"),
        ("objectives", "least-squares", "smoothness"),
        ("objectives", "least-squares", "radius"),
        ("objectives", "logistic-regression", "smoothness"),
        ("objectives", "logistic-regression", "l2"),
        ("objectives", "logistic-regression", "radius"),
        ("faults", "exponential-delay", "mean"),
        ("faults", "lognormal-delay", "median"),
        ("faults", "pareto-delay", "min"),
        ("faults", "pareto-delay", "shape"),
    ] {
        let cards = cards(kind);
        let card = cards.iter().find(|card| card["name"] == name).unwrap();
        let all = card["parameters"].as_array().unwrap();
        let listed = all.iter().find(|one| one["name"] == parameter).unwrap();
        assert_eq!(listed["accepts"], "number above 0", "{name}.{parameter}");
        let zero = format!("{{{name}={{{parameter}=0}}}}");
        let objective = if kind == "objectives" { &zero } else { "logistic-regression" };
        let partition = if kind == "partitions" { &zero } else { "iid" };
        let fault = if kind == "faults" { &zero } else { "'silence'" };
        let sets = [
            format!("--set=task.objective={objective}"),
            format!("--set=task.partition={partition}"),
            format!("--set=faults=[{{workers=[0], fault={fault}}}]"),
        ];
        let said = Program::fails(&["check", &file, &sets[0], &sets[1], &sets[2]]);
        assert!(said.contains(&format!("{name}.{parameter}: 0 is given")), "{said}");
    }
}

#[test]
fn one_name_shows_its_cards_alone() {
    let alie = Program::run(&["list", "alie"]).stdout;
    assert!(alie.starts_with("ATTACKS\n\n  alie\n") && alie.contains("z = "), "{alie}");
    assert!(!alie.contains("  ipm\n") && !alie.contains("RULES"), "{alie}");
    let sgd = Program::run(&["list", "sgd", "--json"]).stdout;
    let sgd: serde_json::Value = serde_json::from_str(&sgd).unwrap();
    assert_eq!(sgd.as_object().unwrap().keys().collect::<Vec<_>>(), ["estimators", "steps"]);
    let said = Program::fails(&["list", "median"]);
    assert!(said.contains("`median` is no kind and no name") && said.contains("`cwmed`"), "{said}");
    assert!(Program::fails(&["list", "colours"]).contains("kinds: attacks, rules"));
}

#[test]
fn text_and_json_name_the_same() {
    let text = Program::run(&["list", "rules"]).stdout;
    for card in cards("rules") {
        assert!(text.contains(&format!("  {}\n", card["name"].as_str().unwrap())), "{card}");
    }
}

#[cfg(feature = "torch")]
#[test]
fn the_models_are_listed() {
    let names: Vec<String> =
        cards("models").iter().map(|card| card["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "simple-cnn",
            "cnn-mnist",
            "cnn-cifar",
            "empire-cnn",
            "mlp",
            "logistic",
            "resnet18",
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152"
        ]
    );
}

/// (fault, parameter, what is listed, what is refused)
const ENDS: &[(&str, &str, &str, &[&str])] = &[
    ("crash", "rounds", "integer from 0 to 1000000", &["1000001"]),
    ("out-of-order", "rounds", "integer from 1", &["0"]),
    ("duplicate", "copies", "integer from 1 to 100000000", &["0", "100000001"]),
    ("replay", "age", "integer from 1", &["0"]),
    ("wrong-round", "by", "integer other than 0", &["0"]),
    ("flood", "messages", "integer from 1 to 100000000", &["0", "100000001"]),
];

#[test]
fn a_count_is_listed_with_its_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = crate::harness::experiment(folder.path(), "good.toml", crate::harness::CONVEX);
    let cards = cards("faults");
    for (fault, parameter, accepts, refused) in ENDS {
        let card = cards.iter().find(|card| card["name"] == *fault).unwrap();
        let listed =
            card["parameters"].as_array().unwrap().iter().find(|one| one["name"] == *parameter).unwrap();
        assert_eq!(listed["accepts"], *accepts, "{fault}.{parameter}");
        for value in *refused {
            let set = format!("--set=faults=[{{workers=[0], fault={{{fault}={{{parameter}={value}}}}}}}]");
            let said = Program::fails(&["check", &file, &set]);
            assert!(said.contains(&format!("{fault}.{parameter}: {value} is given")), "{said}");
        }
    }
}

/// Words as they stand in a text, whatever the lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_card_is_wrapped_and_a_kind_in_a_pipe_is_not() {
    for kind in ["attacks", "rules", "estimators", "steps", "objectives", "datasets", "partitions", "faults"]
    {
        let whole = Program::run(&["list", kind]).stdout;
        for card in cards(kind) {
            let [name, summary] = ["name", "summary"].map(|field| card[field].as_str().unwrap());
            assert!(whole.contains(&format!("      {summary}\n")), "{name}: {whole}");
            let text = Program::run(&["list", name]).stdout;
            let long = text.lines().find(|line| line.chars().count() > 100);
            assert_eq!(long, None, "{name}");
            let helps =
                card["parameters"].as_array().unwrap().iter().map(|one| one["help"].as_str().unwrap());
            let details = card["details"].as_array().into_iter().flatten().map(|text| text.as_str().unwrap());
            for said in helps.chain([summary]).chain(details) {
                assert!(words(&text).contains(said), "{name}: no {said} in {text}");
            }
        }
    }
}

/// A card of its own says all of the definition; a kind has one sentence for each.
#[test]
fn a_name_is_told_whole() {
    let told = words(&Program::run(&["list", "dnc"]).stdout);
    assert!(told.contains("those that pass most of them are averaged."), "{told}");
    let whole = words(&Program::run(&["list", "rules"]).stdout);
    assert!(
        whole.contains("pass every one of several spectral tests.") && !whole.contains("pass most of them")
    );
    let signguard = cards("rules").into_iter().find(|card| card["name"] == "signguard").unwrap();
    assert!(!signguard["details"].as_array().unwrap().is_empty());
}

#[test]
fn the_layers_over_a_rule_are_kinds_too() {
    for (kind, layer, name, other) in
        [("pre-aggregators", "pre", "nnm", "ctma"), ("meta-aggregators", "meta", "ctma", "nnm")]
    {
        let text = Program::run(&["list", kind]).stdout;
        assert!(
            text.contains(&format!("\n  {name}\n")) && !text.contains(&format!("\n  {other}\n")),
            "{text}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&Program::run(&["list", kind, "--json"]).stdout).unwrap();
        let cards = json["rules"].as_array().unwrap();
        assert!(!cards.is_empty() && cards.iter().all(|card| card["layer"] == layer), "{json}");
    }
    assert!(Program::fails(&["list", "pre-agregators"]).contains("did you mean `pre-aggregators`?"));
}
