//! `phalanx list`: the catalogue, for people and as JSON.

use std::process::ExitCode;

use clap::ValueEnum;
use phalanx_robust::attack::Knowledge;
use serde_json::{Map, Value};

use super::{ListArguments, table};
use crate::registry::{Card, Catalogue, Parameter, Registry};

/// Prints the catalogue.
pub fn main(registry: &Registry, arguments: &ListArguments) -> ExitCode {
    let kinds = match arguments.kind {
        Some(kind) => vec![kind],
        None => Catalogue::value_variants().to_vec(),
    };
    if arguments.json {
        print_json(registry, &kinds);
    } else {
        print_text(registry, &kinds);
    }
    ExitCode::SUCCESS
}

fn title(kind: Catalogue) -> String {
    kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn print_json(registry: &Registry, kinds: &[Catalogue]) {
    let all: Map<String, Value> = kinds
        .iter()
        .map(|&kind| (title(kind), serde_json::to_value(registry.cards(kind)).unwrap_or_default()))
        .collect();
    super::print(&format!("{:#}\n", Value::Object(all)));
}

fn print_text(registry: &Registry, kinds: &[Catalogue]) {
    let part = |&kind: &Catalogue| {
        let cards: String = registry.cards(kind).iter().map(card_text).collect();
        format!("{}\n{}\n{cards}", title(kind).to_uppercase(), legend(kind))
    };
    super::print(&kinds.iter().map(part).collect::<Vec<_>>().join("\n"));
}

/// What the terms on the cards of a kind mean.
fn legend(kind: Catalogue) -> &'static str {
    match kind {
        Catalogue::Rules => {
            "  m vectors, of which up to f are Byzantine; r = f/(m - 2f), delta = f/m. A bound holds for every
  input: |output - honest mean|^2 <= kappa * honest variance; or in expectation: <= c * rho^2, where
  rho^2 bounds the expected squared distance of two honest vectors. A prime marks the bound of a layer
  over a rule with the bound that has none.\n"
        }
        Catalogue::Attacks => "  knows: the most that an attack with default parameters is shown.\n",
        _ => "",
    }
}

fn card_text(card: &Card) -> String {
    let row = |p: &Parameter| {
        let default = if p.default.is_null() { "-".to_owned() } else { as_toml(&p.default) };
        vec![format!("      . {} = {default}", p.name), p.accepts.clone(), p.help.clone()]
    };
    let parameters = table::columns(&card.parameters.iter().map(row).collect::<Vec<_>>());
    let facts: String = facts(card).iter().map(|(name, value)| format!("      {name}: {value}\n")).collect();
    format!("  {}\n      {}\n{facts}{parameters}\n", card.name, card.summary)
}

/// What is said of a component beside its summary and its parameters.
fn facts(card: &Card) -> Vec<(String, String)> {
    let mut facts = vec![("source".to_owned(), card.source.clone())];
    if let Some(theory) = &card.theory {
        facts.push(("layer".into(), theory.layer.into()));
        facts.push(("needs".into(), theory.condition.into()));
        facts.push(("bound".into(), theory.bound.unwrap_or("none known").into()));
    }
    if let Some(knowledge) = card.knowledge {
        facts.push(("knows".into(), about(knowledge).into()));
    }
    let preset = |(name, changes): (&String, &Value)| (format!("preset {name}"), assignments(changes));
    facts.extend(card.presets.iter().map(preset));
    facts
}

/// `tau = 100.0, start = "zero"`.
fn assignments(changes: &Value) -> String {
    let all = changes.as_object().into_iter().flatten();
    all.map(|(name, value)| format!("{name} = {}", as_toml(value))).collect::<Vec<_>>().join(", ")
}

/// A value as it is written in an experiment. Numbers, words and booleans look alike in JSON and TOML.
fn as_toml(value: &Value) -> String {
    let table = value.is_array() || value.is_object();
    let toml = table.then(|| toml::Value::try_from(value).ok()).flatten();
    toml.map_or_else(|| value.to_string(), |toml| toml.to_string())
}

fn about(knowledge: Knowledge) -> &'static str {
    match knowledge {
        Knowledge::Blind => "blind: the shape of a vector and the last aggregate",
        Knowledge::Own => "own: what its workers computed by the honest protocol",
        Knowledge::Honest => "honest: this round's honest vectors",
        Knowledge::Defence => "defence: this round's honest vectors and the server's whole defence",
    }
}
