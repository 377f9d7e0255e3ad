//! A configuration as a flat list of facts: what a study varies by name
//! (attack, rule, m, f …) and everything else by its key. What cannot change a
//! result (names, folders, threads) and the seed are left out.

use std::iter::once;

use serde_json::{Map, Value};

use crate::config::{Config, Named, number};

/// One thing that a configuration says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// Its name, or the key in the file.
    pub key: String,
    /// What it is.
    pub value: String,
    /// The component whose parameter it is, as in [`Facts::has`]. Runs without that component do not have it.
    pub component: Option<String>,
}

/// All that a configuration says.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Those that have names first.
    list: Vec<Fact>,
    /// The components that are there, by the key under which their parameters stand.
    components: Vec<String>,
}

impl Facts {
    /// The facts of `config`.
    pub fn of(config: &Config) -> Self {
        let mut facts = Self::default();
        facts.cast(config);
        let Ok(Value::Object(mut rest)) = serde_json::to_value(config) else { return facts };
        for key in ["name", "seed", "machine", "telemetry", "checkpoint", "record", "workers", "attackers"] {
            rest.remove(key);
        }
        if let Some(Value::Object(evaluation)) = rest.get_mut("evaluation") {
            evaluation.remove("per_class"); // which changes no number, but what is told
        }
        if let Some(Value::Object(aggregator)) = rest.get_mut("aggregator") {
            aggregator.retain(|key, _| !["rule", "step", "f"].contains(&key.as_str()));
        }
        if let Some(Value::Object(task)) = rest.get_mut("task") {
            task.entry("local_steps").or_insert(1.into());
            if config.task.local_lr.is_some() {
                task.entry("local_schedule").or_insert("constant".into());
                task.entry("local_proximal").or_insert(0.into());
            }
            facts.way(task.remove("way"));
        }
        facts.walk("", &Value::Object(rest), None);
        facts.plain("machine.device", &config.machine.device);
        facts
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.list.iter()
    }

    /// The value of the fact `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.iter().find(|fact| fact.key == key).map(|fact| fact.value.as_str())
    }

    /// Whether `component` is there, also if none of its parameters has a value.
    pub fn has(&self, component: &str) -> bool {
        self.components.iter().any(|known| known == component)
    }

    fn plain(&mut self, key: &str, value: impl ToString) {
        self.list.push(Fact { key: key.to_owned(), value: value.to_string(), component: None });
    }

    /// What computed the gradients. Old records say `auto`, which does not tell, and are no other setting.
    fn way(&mut self, way: Option<Value>) {
        let known = way.filter(|way| way != "auto");
        let key = "task.way".to_owned();
        let fact = |way| Fact { value: text(&way), component: Some(key.clone()), key };
        self.list.extend(known.map(fact));
    }

    /// Who plays: attack, rule and its parts, the optimiser, m and f.
    fn cast(&mut self, config: &Config) {
        let rule: Vec<&str> = config.aggregator.rule.iter().map(|named| named.name.as_str()).collect();
        let (base, meta) = rule.split_last().map_or(("", &[][..]), |(base, meta)| (*base, meta));
        let honest: usize = config.workers.iter().map(|group| group.count).sum();
        let f: usize = config.attackers.iter().map(|group| group.count).sum();
        self.plain("attack", names(config.adversaries()));
        self.plain("rule", rule.join(" > "));
        self.plain("meta-aggregator", if meta.is_empty() { "none".to_owned() } else { meta.join(" > ") });
        self.plain("base", base);
        self.plain("estimator", names(config.workers.iter().map(|group| &group.estimator)));
        self.plain("step", &config.aggregator.step.name);
        // Where f and m vary together, it is f that a study of breakdown is about.
        self.plain("f", f);
        self.plain("m", honest + f);
        self.plain("aggregator.f", config.aggregator.f.unwrap_or(f));
        config.aggregator.rule.iter().for_each(|named| self.parameters("rule", named));
        config.adversaries().for_each(|named| self.parameters("attack", named));
        self.parameters("step", &config.aggregator.step);
        self.workers(config);
        self.attackers(config);
    }

    fn workers(&mut self, config: &Config) {
        for (at, group) in config.workers.iter().enumerate() {
            let prefix = numbered("workers", at, config.workers.len());
            self.group(&prefix, group, &["count", "estimator"], config.workers.len() > 1, None);
            self.parameters("estimator", &group.estimator);
        }
    }

    fn attackers(&mut self, config: &Config) {
        let first = config.workers.first();
        let groups: Vec<_> = config.attackers.iter().filter(|group| group.count > 0).collect();
        for (at, &group) in groups.iter().enumerate() {
            let prefix = numbered("attackers", at, groups.len());
            let mut known = vec!["count", "attack", "actor"];
            known.extend(
                first.is_some_and(|w| group.batch_size == Some(w.batch_size)).then_some("batch_size"),
            );
            known.extend(
                first.is_some_and(|w| group.estimator.as_ref() == Some(&w.estimator)).then_some("estimator"),
            );
            // Runs without attackers do not differ in what these would be.
            self.components.push(prefix.clone());
            self.group(&prefix, group, &known, groups.len() > 1, Some(&prefix));
        }
    }

    /// The keys of a group but those that are `known` by name; with `count` if there are several groups.
    fn group(
        &mut self,
        prefix: &str,
        group: &impl serde::Serialize,
        known: &[&str],
        several: bool,
        owner: Option<&str>,
    ) {
        let Ok(Value::Object(mut rest)) = serde_json::to_value(group) else { return };
        rest.retain(|key, _| !known.contains(&key.as_str()) || (several && key == "count"));
        self.walk(prefix, &Value::Object(rest), owner);
    }

    /// A component of the cast and its parameters; of several that have one name, the others are numbered.
    fn parameters(&mut self, role: &str, named: &Named) {
        let first = format!("{role}.{}", named.name);
        let others = (2..).map(|number| format!("{first}.{number}"));
        let Some(key) = once(first.clone()).chain(others).find(|key| !self.has(key)) else { return };
        // One without parameters is its name alone.
        let both = serde_json::to_value(named).unwrap_or_default();
        self.component(&key, both.get(&named.name).unwrap_or(&Map::new().into()));
    }

    fn component(&mut self, key: &str, parameters: &Value) {
        self.components.push(key.to_owned());
        self.walk(key, parameters, Some(key));
    }

    /// What stands at `key`, which is a parameter of `owner`.
    fn walk(&mut self, key: &str, value: &Value, owner: Option<&str>) {
        let fact = |value| Fact { key: key.to_owned(), value, component: owner.map(str::to_owned) };
        match value {
            Value::Object(map) => match component(map).filter(|_| !key.is_empty()) {
                Some((name, parameters)) => {
                    self.list.push(fact(name.clone()));
                    self.component(&format!("{key}.{name}"), parameters);
                }
                None => map.iter().for_each(|(name, value)| self.walk(&below(key, name), value, owner)),
            },
            other => self.list.push(fact(text(other))),
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

/// The names of all groups, joined; one if they have one name, `none` if there are no groups.
fn names<'a>(all: impl Iterator<Item = &'a Named>) -> String {
    let names: Vec<&str> = all.map(|named| named.name.as_str()).collect();
    match names[..] {
        [] => "none".to_owned(),
        [first, ref others @ ..] if others.iter().all(|other| *other == first) => first.to_owned(),
        _ => names.join(" + "),
    }
}

/// A value in few words: `[attack=ipm from=1, attack=alie(z=1.5) from=9]`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(whole) => whole.as_f64().map_or_else(|| whole.to_string(), number),
        Value::Array(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => match component(map) {
            Some((name, Value::Object(parameters))) if !parameters.is_empty() => {
                format!("{name}({})", fields(parameters))
            }
            Some((name, _)) => name.clone(),
            None => fields(map),
        },
        other => other.to_string(),
    }
}

fn fields(map: &Map<String, Value>) -> String {
    map.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Facts;
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
            [checkpoint]
            every_minutes = 5
        "#;
        let facts = Facts::of(&read_back(Path::new("c.toml"), text).unwrap());
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
            assert_eq!(facts.value(key), Some(value), "{key} in {facts:#?}");
        }
        assert!(facts.value("task.local_steps") == Some("1"));
        for key in [
            "task.way",
            "checkpoint.every_minutes",
            "seed",
            "name",
            "machine.threads",
            "attackers.batch_size",
            "workers.count",
        ] {
            assert_eq!(facts.value(key), None, "{key}");
        }
        let owner = |key| facts.iter().find(|fact| fact.key == key).unwrap().component.as_deref();
        assert_eq!((owner("attack.alie.z"), owner("m")), (Some("attack.alie"), None));
        assert!(facts.has("attack.alie") && facts.has("rule.cwmed") && !facts.has("attack.ipm"));
    }

    #[test]
    fn values_are_told_in_few_words() {
        let schedule = r#"[{ from = 1, attack = "ipm" }, { from = 9, attack = { alie = { z = 1.5 } } }]"#;
        let text = format!(
            "[task]\ndataset = \"digits\"\n[[workers]]\ncount = 9\n[[attackers]]\ncount = 2\n\
             attack = {{ switching = {{ schedule = {schedule} }} }}\n\
             [aggregator]\nrule = [\"mean\"]\nstep = {{ sgd = {{ lr = 1e30 }} }}\n"
        );
        let facts = Facts::of(&read_back(Path::new("c.toml"), &text).unwrap());
        assert_eq!(
            facts.value("attack.switching.schedule"),
            Some("[attack=ipm from=1, attack=alie(z=1.5) from=9]")
        );
        assert_eq!(facts.value("step.sgd.lr"), Some("1e30"));
    }

    /// Nothing may hide behind the first of several groups.
    #[test]
    fn groups_of_one_name_each_have_their_parameters() {
        let group = |attack: &str| format!("[[attackers]]\ncount = 2\nattack = {attack}\n");
        let told = |attacks: &[&str]| {
            let groups: String = attacks.iter().map(|attack| group(attack)).collect();
            let text = format!("[task]\ndataset = \"digits\"\n[[workers]]\ncount = 9\n{groups}");
            Facts::of(&read_back(Path::new("c.toml"), &text).unwrap())
        };
        let [weak, strong] = ["{ ipm = { epsilon = 0.5 } }", "{ ipm = { epsilon = 30.0 } }"];
        let facts = told(&[weak, strong]);
        assert_eq!(facts.value("attack"), Some("ipm"));
        assert_eq!(facts.value("attack.ipm.epsilon"), Some("0.5"));
        assert_eq!(facts.value("attack.ipm.2.epsilon"), Some("30"));
        assert_eq!(told(&[weak, "'alie'", strong]).value("attack"), Some("ipm + alie + ipm"));
    }
}
