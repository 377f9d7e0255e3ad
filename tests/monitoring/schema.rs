//! The dashboards have the shape that Grafana's own types ask for. The schemas
//! are made from the package @grafana/schema by scripts/grafana-schema.sh.

use jsonschema::Validator;
use phalanx::telemetry::names;
use serde_json::Value;

use crate::boards;

fn validator(name: &str) -> Validator {
    let path = format!("{}/tests/monitoring/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft7::new(&schema).unwrap()
}

/// What is wrong with `value`, for a message that names the place.
fn complaints(validator: &Validator, at: &str, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{at}{}: {error}", error.instance_path())).collect()
}

fn check(board: &Value) -> Vec<String> {
    let mut found = complaints(&validator("dashboard"), "", board);
    for panel in boards::panels(board) {
        let kind = panel["type"].as_str().unwrap();
        let at = format!("{}: options", panel["title"]);
        found.extend(complaints(&validator(kind), &at, &panel["options"]));
        if kind != "stat" {
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            found.extend(complaints(&validator(&format!("{kind}-field")), &at, custom));
        }
    }
    found
}

#[test]
fn every_dashboard_follows_the_schema() {
    for (name, board) in boards::all() {
        assert_eq!(check(&board), Vec::<String>::new(), "{name}");
    }
}

/// Spoils a dashboard, of which the panel at a position shows time series.
type Break = fn(&mut Value, usize);

#[test]
fn the_schema_refuses_what_grafana_would() {
    let (_, board) = boards::all().remove(0);
    let at =
        board["panels"].as_array().unwrap().iter().position(|panel| panel["type"] == "timeseries").unwrap();
    let breaks: [(&str, Break); 4] = [
        ("a version in words", |board, _| board["schemaVersion"] = "39".into()),
        ("a height in words", |board, at| board["panels"][at]["gridPos"]["h"] = "8".into()),
        ("a place that is none", |board, at| {
            board["panels"][at]["options"]["legend"]["placement"] = "under".into()
        }),
        ("a line that is none", |board, at| {
            board["panels"][at]["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "curve".into();
        }),
    ];
    for (what, breaking) in breaks {
        let mut broken = board.clone();
        breaking(&mut broken, at);
        assert!(!check(&broken).is_empty(), "{what} is accepted");
    }
}

#[test]
fn every_metric_is_drawn() {
    let queries = boards::queries();
    for metric in names::ALL {
        let drawn = queries.iter().any(|(_, query)| query.contains(metric.name));
        assert!(drawn, "{} is on no dashboard", metric.name);
    }
}

#[test]
fn queries_keep_to_the_runs_that_are_chosen() {
    for (name, board) in boards::all() {
        let chosen = if name == "sweep" { &["$sweep"][..] } else { &["$experiment", "$run"] };
        for panel in boards::panels(&board) {
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                let series = query.matches("phalanx_").count() + query.matches("process_").count();
                for variable in chosen {
                    let kept = query.matches(&format!("=~\"{variable}\"")).count();
                    assert_eq!(kept, series, "{name}: {}: {variable} in {query}", panel["title"]);
                }
            }
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            assert_ne!(variable["allValue"], ".*", "{name}: it is true of series without the label too");
        }
    }
}

/// Runs of one rule and attack are told apart, where more than one run is shown.
#[test]
fn lines_of_runs_have_names_of_their_own() {
    let boards = boards::all();
    for (name, board) in boards.iter().filter(|(name, _)| *name != "live") {
        for panel in boards::panels(board).filter(|panel| panel["type"] == "timeseries") {
            for target in panel["targets"].as_array().unwrap() {
                let legend = target["legendFormat"].as_str().unwrap();
                let single = legend.contains("{{rule}}") && !legend.contains("{{run}}");
                assert!(!single, "{name}: {}: {legend}", panel["title"]);
            }
        }
    }
}

#[test]
fn panels_have_their_own_ids_and_do_not_overlap() {
    for (name, board) in boards::all() {
        let panels = board["panels"].as_array().unwrap();
        let number = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().unwrap();
        for (i, a) in panels.iter().enumerate() {
            assert!(number(a, "x") + number(a, "w") <= 24, "{name}: {}", a["title"]);
            for b in &panels[..i] {
                assert_ne!(a["id"], b["id"], "{name}");
                let apart = |place: &str, size: &str| {
                    number(a, place) >= number(b, place) + number(b, size)
                        || number(b, place) >= number(a, place) + number(a, size)
                };
                assert!(apart("x", "w") || apart("y", "h"), "{name}: {} over {}", a["title"], b["title"]);
            }
        }
    }
}
