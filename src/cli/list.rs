//! `phalanx list`: the catalogue, for people and as JSON.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use clap::ValueEnum;
use phalanx_robust::attack::Knowledge;
use ratatui::crossterm::terminal;
use serde_json::{Map, Value};

use super::{ListArguments, table};
use crate::{
    config::{self, nearest, shorten},
    registry::{Alternative, Card, Catalogue, Parameter, Registry},
};

/// A kind with those of its cards that are shown.
type Part = (Catalogue, Vec<Card>);

/// Those parts of the rules that are kinds for a reader, and what their cards call them.
const LAYERS: [(&str, &str); 2] = [("pre-aggregators", "pre"), ("meta-aggregators", "meta")];

/// Longest lines of one name, and of a kind on a terminal.
const WIDTHS: [usize; 2] = [100, 120];

/// Prints the catalogue, a kind of it, or the cards of one name.
pub fn main(registry: &Registry, arguments: &ListArguments) -> ExitCode {
    let whole = |kind: &Catalogue| (*kind, registry.cards(*kind));
    let all = || Catalogue::value_variants().iter().map(whole).collect::<Vec<Part>>();
    let Some(what) = &arguments.what else { return show(&all(), arguments.json, true) };
    if let Ok(kind) = Catalogue::from_str(what, true) {
        return show(&[whole(&kind)], arguments.json, true);
    }
    if let Some((_, layer)) = LAYERS.iter().find(|(name, _)| what.eq_ignore_ascii_case(name)) {
        let mut rules = whole(&Catalogue::Rules);
        rules.1.retain(|card| card.theory.as_ref().is_some_and(|theory| theory.layer == *layer));
        return show(&[rules], arguments.json, true);
    }
    let parts = named(what, all());
    if parts.is_empty() {
        super::unusable(unknown(what, &all()))
    } else {
        show(&parts, arguments.json, false)
    }
}

/// `kinds` says that whole kinds are shown, with their legends, not one name.
fn show(parts: &[Part], json: bool, kinds: bool) -> ExitCode {
    if json {
        print_json(parts);
    } else {
        print_text(parts, kinds, width(kinds));
    }
    ExitCode::SUCCESS
}

/// How long a line may be. Kinds that go to another program, `grep` say, have every text on one line.
fn width(kinds: bool) -> Option<usize> {
    let [name, kind] = WIDTHS;
    let shown = stdout().is_terminal();
    let columns = || terminal::size().map_or(name, |(columns, _)| usize::from(columns));
    match kinds {
        true => shown.then(|| columns().min(kind)),
        false => Some(if shown { columns().min(name) } else { name }),
    }
}

/// The cards of the name `what`, of whatever kind.
fn named(what: &str, mut all: Vec<Part>) -> Vec<Part> {
    all.iter_mut().for_each(|(_, cards)| cards.retain(|card| card.name == what));
    all.retain(|(_, cards)| !cards.is_empty());
    all
}

/// What is said of a name that nothing has.
fn unknown(what: &str, all: &[Part]) -> String {
    let kinds: Vec<String> = all.iter().map(|(kind, _)| title(*kind)).collect();
    let names = all.iter().flat_map(|(_, cards)| cards).map(|card| card.name.as_str());
    let layers = LAYERS.iter().map(|(name, _)| *name);
    let known: Vec<&str> = kinds.iter().map(String::as_str).chain(layers).chain(names).collect();
    let hint = match nearest(what, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("kinds: {}", kinds.join(", ")),
    };
    format!("`{}` is no kind and no name that is built in; {hint}", shorten(what))
}

fn title(kind: Catalogue) -> String {
    kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn print_json(parts: &[Part]) {
    let all: Map<String, Value> = parts
        .iter()
        .map(|(kind, cards)| (title(*kind), serde_json::to_value(cards).unwrap_or_default()))
        .collect();
    super::print(&format!("{:#}\n", Value::Object(all)));
}

fn print_text(parts: &[Part], legends: bool, width: Option<usize>) {
    let part = |(kind, cards): &Part| {
        let legend = match (legend(*kind), width) {
            (legend, Some(width)) if legends && !legend.is_empty() => {
                table::paragraph("  ", legend, 2, width)
            }
            (legend, None) if legends => legend.to_owned(),
            _ => String::new(),
        };
        let cards: String = cards.iter().map(|card| card_text(card, !legends, width)).collect();
        format!("{}\n{legend}\n{cards}", title(*kind).to_uppercase())
    };
    super::print(&parts.iter().map(part).collect::<Vec<_>>().join("\n"));
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

/// A card, with its details if they are asked for.
fn card_text(card: &Card, detailed: bool, width: Option<usize>) -> String {
    let parameters: Vec<_> = card.parameters.iter().flat_map(parameter).collect();
    let parameters = match width {
        Some(width) => table::wrapped(&parameters, width),
        None => table::columns(&parameters),
    };
    let line = |head: &str, text: &str, hanging: usize| match width {
        Some(width) => table::paragraph(&format!("      {head}"), text, hanging, width),
        None => format!("      {head}{text}\n"),
    };
    let details = card.details.iter().filter(|_| detailed);
    let summary: String = [&card.summary].into_iter().chain(details).map(|text| line("", text, 6)).collect();
    let facts: String =
        facts(card).iter().map(|(name, value)| line(&format!("{name}: "), value, 10)).collect();
    format!("  {}\n{summary}{facts}{parameters}\n", card.name)
}

/// The rows of a parameter: one, and one for each of its values if they need words.
fn parameter(p: &Parameter) -> Vec<Vec<String>> {
    let default = if p.default.is_null() { "-".to_owned() } else { as_toml(&p.default) };
    let accepts = if p.alternatives.is_empty() { p.accepts.clone() } else { "one of".to_owned() };
    let first = vec![format!("      . {} = {default}", p.name), accepts, p.help.clone()];
    let value = |one: &Alternative| vec![String::new(), one.accepts.clone(), one.help.clone()];
    [first].into_iter().chain(p.alternatives.iter().map(value)).collect()
}

/// What is said of a component beside its summary and its parameters.
fn facts(card: &Card) -> Vec<(String, String)> {
    let mut facts = vec![("source".to_owned(), card.source.clone())];
    if let Some(theory) = &card.theory {
        facts.push(("layer".into(), theory.layer.into()));
        facts.push(("needs".into(), theory.condition.into()));
        facts.push(("bound".into(), theory.bound.unwrap_or("none known").into()));
    }
    if let Some(knows) = card.knowledge.map(about).or(card.knows) {
        facts.push(("knows".into(), knows.into()));
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
    toml.map_or_else(|| value.to_string(), |toml| config::value(&toml))
}

fn about(knowledge: Knowledge) -> &'static str {
    match knowledge {
        Knowledge::Blind => "blind: the shape of a vector, the point and the last aggregate",
        Knowledge::Own => "own: what its workers computed by the honest protocol",
        Knowledge::Honest => "honest: this round's honest vectors",
        Knowledge::Defence => "defence: this round's honest vectors and the server's whole defence",
    }
}
