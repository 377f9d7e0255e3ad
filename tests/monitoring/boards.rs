//! The dashboards as they are committed: their panels and their queries.

use std::path::PathBuf;

use serde_json::Value;

/// The folder `dashboards/`.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// Name and content of every dashboard.
pub fn all() -> Vec<(&'static str, Value)> {
    ["live", "compare", "sweep"]
        .map(|name| {
            let path = folder().join("grafana").join(name).with_extension("json");
            (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        })
        .into()
}

/// The panels that show something.
pub fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// The query of a panel's first target, with the variables filled in.
pub fn query(board: &str, title: &str) -> String {
    let at = format!("{board}: {title}: A");
    queries().into_iter().find(|(place, _)| *place == at).unwrap_or_else(|| panic!("{at} is not there")).1
}

/// Every query of every panel: where it stands, and its text with the variables filled in for all runs
/// and with windows short enough for a test.
pub fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, board) in all() {
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            for target in panel["targets"].as_array().unwrap() {
                let at = format!("{name}: {title}: {}", target["refId"].as_str().unwrap());
                found.push((at, filled(target["expr"].as_str().unwrap())));
            }
        }
    }
    found
}

/// The queries of the variables, `label_values(metric, label)`, as (where, metric, label).
pub fn variables() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (name, board) in all() {
        for variable in board["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["query"]["query"].as_str() else { continue };
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
            let (metric, label) = inner.rsplit_once(", ").unwrap();
            let at = format!("{name}: {}", variable["name"].as_str().unwrap());
            found.push((at, filled(metric), label.to_owned()));
        }
    }
    found
}

fn filled(query: &str) -> String {
    let text = query.replace("$__rate_interval", "8s").replace("$__range", "1h");
    let text = ["$experiment", "$run", "$sweep"].iter().fold(text, |text, name| text.replace(name, ".+"));
    assert!(!text.contains('$'), "a variable that is not known: {query}");
    text
}
