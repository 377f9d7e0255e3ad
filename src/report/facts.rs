//! A configuration as a flat list of facts: what a study varies by name
//! (attack, rule, m, f …) and everything else by its key. What cannot change a
//! result (names, folders, threads) and the seed are left out.

use serde_json::{Map, Value};

use crate::config::{Config, Named};

/// One thing that a configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name, or the key in the file.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Whether it is a parameter of a component, which runs without that component do not have.
    pub parameter: bool,
}

/// All facts of `config`, those that have names first.
pub fn facts(config: &Config) -> Vec<Fact> {
    let mut list = List::default();
    list.cast(config);
    let Ok(Value::Object(mut rest)) = serde_json::to_value(config) else { return list.0 };
    for key in ["name", "seed", "machine", "telemetry", "workers", "attackers"] {
        rest.remove(key);
    }
    if let Some(Value::Object(aggregator)) = rest.get_mut("aggregator") {
        aggregator.retain(|key, _| !["rule", "step", "f"].contains(&key.as_str()));
    }
    if let Some(Value::Object(task)) = rest.get_mut("task") {
        task.entry("local_steps").or_insert(1.into());
        list.way(task.remove("way"));
    }
    list.walk("", &Value::Object(rest), false);
    list.plain("machine.device", &config.machine.device);
    list.0
}

/// The value of the fact `key`.
pub fn value_of<'a>(facts: &'a [Fact], key: &str) -> Option<&'a str> {
    facts.iter().find(|fact| fact.key == key).map(|fact| fact.value.as_str())
}

#[derive(Default)]
struct List(Vec<Fact>);

impl List {
    fn plain(&mut self, key: &str, value: impl ToString) {
        self.0.push(Fact { key: key.to_owned(), value: value.to_string(), parameter: false });
    }

    /// What computed the gradients. Old records say `auto`, which does not tell, and are no other setting.
    fn way(&mut self, way: Option<Value>) {
        let known = way.filter(|way| way != "auto");
        let fact = |way| Fact { key: "task.way".to_owned(), value: text(&way), parameter: true };
        self.0.extend(known.map(fact));
    }

    /// Who plays: attack, rule and its parts, the optimiser, m and f.
    fn cast(&mut self, config: &Config) {
        let rule: Vec<&str> = config.aggregator.rule.iter().map(|named| named.name.as_str()).collect();
        let (base, meta) = rule.split_last().map_or(("", &[][..]), |(base, meta)| (*base, meta));
        let attackers = config.attackers.iter().filter(|group| group.count > 0);
        let attacks = attackers.clone().filter_map(|group| group.attack.as_ref().or(group.actor.as_ref()));
        let honest: usize = config.workers.iter().map(|group| group.count).sum();
        let f: usize = attackers.clone().map(|group| group.count).sum();
        self.plain("attack", names(attacks.clone()));
        self.plain("rule", rule.join(" > "));
        self.plain("meta-aggregator", if meta.is_empty() { "none".to_owned() } else { meta.join(" > ") });
        self.plain("base", base);
        self.plain("estimator", names(config.workers.iter().map(|group| &group.estimator)));
        self.plain("step", &config.aggregator.step.name);
        self.plain("m", honest + f);
        self.plain("f", f);
        if let Some(told) = config.aggregator.f.filter(|&told| told != f) {
            self.plain("aggregator.f", told);
        }
        config.aggregator.rule.iter().for_each(|named| self.parameters("rule", named));
        attacks.for_each(|named| self.parameters("attack", named));
        self.parameters("step", &config.aggregator.step);
        self.workers(config);
        self.attackers(config);
    }

    fn workers(&mut self, config: &Config) {
        for (at, group) in config.workers.iter().enumerate() {
            let prefix = numbered("workers", at, config.workers.len());
            self.group(&prefix, group, &["count", "estimator"], config.workers.len() > 1);
            self.parameters("estimator", &group.estimator);
        }
    }

    fn attackers(&mut self, config: &Config) {
        let first = config.workers.first();
        for (at, group) in config.attackers.iter().enumerate().filter(|(_, group)| group.count > 0) {
            let prefix = numbered("attackers", at, config.attackers.len());
            let mut known = vec!["count", "attack", "actor"];
            known.extend(
                first.is_some_and(|w| group.batch_size == Some(w.batch_size)).then_some("batch_size"),
            );
            known.extend(
                first.is_some_and(|w| group.estimator.as_ref() == Some(&w.estimator)).then_some("estimator"),
            );
            self.group(&prefix, group, &known, config.attackers.len() > 1);
        }
    }

    /// The keys of a group but those that are `known` by name; with `count` if there are several groups.
    fn group(&mut self, prefix: &str, group: &impl serde::Serialize, known: &[&str], several: bool) {
        let Ok(Value::Object(mut rest)) = serde_json::to_value(group) else { return };
        rest.retain(|key, _| !known.contains(&key.as_str()) || (several && key == "count"));
        self.walk(prefix, &Value::Object(rest), false);
    }

    fn parameters(&mut self, role: &str, named: &Named) {
        let Ok(Value::Object(both)) = serde_json::to_value(named) else { return };
        if let Some(parameters) = both.get(&named.name) {
            self.walk(&format!("{role}.{}", named.name), parameters, true);
        }
    }

    fn walk(&mut self, key: &str, value: &Value, parameter: bool) {
        match value {
            Value::Object(map) => match component(map).filter(|_| !key.is_empty()) {
                Some((name, parameters)) => {
                    self.0.push(Fact { key: key.to_owned(), value: name.clone(), parameter });
                    self.walk(&format!("{key}.{name}"), parameters, true);
                }
                None => map.iter().for_each(|(name, value)| self.walk(&below(key, name), value, parameter)),
            },
            other => self.0.push(Fact { key: key.to_owned(), value: text(other), parameter }),
        }
    }
}

/// A table of one name and its parameters.
fn component(map: &Map<String, Value>) -> Option<(&String, &Value)> {
    map.iter().next().filter(|(_, inner)| map.len() == 1 && inner.is_object())
}

fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

fn numbered(key: &str, at: usize, len: usize) -> String {
    if len == 1 { key.to_owned() } else { format!("{key}.{at}") }
}

/// The names, each once, joined; `none` if there are none.
fn names<'a>(all: impl Iterator<Item = &'a Named>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for named in all {
        if !names.contains(&named.name.as_str()) {
            names.push(&named.name);
        }
    }
    if names.is_empty() { "none".to_owned() } else { names.join(" + ") }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |n| n.to_string()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{facts, value_of};
    use crate::config::read_back;

    #[test]
    fn a_cast_is_told_by_the_names_of_the_field() {
        let text = r#"
            seed = 7
            [task]
            dataset = "mnist"
            partition = { dirichlet = { alpha = 0.5 } }
            [aggregator]
            rule = ["ctma", { nnm = { f = 3 } }, "cwmed"]
            step = { sgd = { lr = 0.1 } }
            f = 2
            [[workers]]
            count = 9
            batch_size = 4
            [[attackers]]
            count = 3
            batch_size = 4
            attack = { alie = { z = 1.5 } }
            [machine]
            threads = 3
        "#;
        let facts = facts(&read_back(Path::new("c.toml"), text).unwrap());
        for (key, value) in [
            ("attack", "alie"),
            ("rule", "ctma > nnm > cwmed"),
            ("meta-aggregator", "ctma > nnm"),
            ("base", "cwmed"),
            ("estimator", "sgd"),
            ("m", "12"),
            ("f", "3"),
            ("aggregator.f", "2"),
            ("rule.nnm.f", "3"),
            ("attack.alie.z", "1.5"),
            ("step.sgd.lr", "0.1"),
            ("workers.batch_size", "4"),
            ("task.partition", "dirichlet"),
            ("task.partition.dirichlet.alpha", "0.5"),
            ("machine.device", "cpu"),
        ] {
            assert_eq!(value_of(&facts, key), Some(value), "{key} in {facts:#?}");
        }
        assert!(value_of(&facts, "task.local_steps") == Some("1"));
        for key in ["task.way", "seed", "name", "machine.threads", "attackers.batch_size", "workers.count"] {
            assert_eq!(value_of(&facts, key), None, "{key}");
        }
        assert!(facts.iter().any(|fact| fact.parameter && fact.key == "attack.alie.z"));
    }
}
