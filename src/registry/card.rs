//! What the catalogue says about one name, read from the config struct: the
//! summary and the parameters' help are its doc comments, by way of its JSON schema.

use phalanx_robust::{
    aggregation::{Layer, Rule},
    attack::{AttackRule, Knowledge},
    contained,
    describe::{Described, Preset},
};
use schemars::schema_for;
use serde::Serialize;
use serde_json::{Map, Value};

use super::range::{followed, types, words};
use crate::data::About;

/// One line of the catalogue, with the parameters behind it.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The name in TOML.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// What else there is to say of what it computes, a text for each paragraph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Authors and year.
    pub source: String,
    /// What theory says of it, for rules.
    #[serde(flatten)]
    pub theory: Option<Theory>,
    /// What it looks at with default parameters, for attacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<Knowledge>,
    /// The same in words, for attacks that have no level of their own.
    #[serde(skip)]
    pub knows: Option<&'static str>,
    /// The parameters, in the order of their declaration.
    pub parameters: Vec<Parameter>,
    /// What each preset changes in the defaults; presets that change nothing are left out.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub presets: Map<String, Value>,
    /// What the program knows beforehand, for data sets.
    #[serde(skip)]
    pub about: Option<About>,
}

/// What theory says of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Theory {
    /// Its part in a chain: base, pre or meta.
    pub layer: &'static str,
    /// The condition on m and f under which it is defined.
    pub condition: &'static str,
    /// The published bound and who proved it; `null` if there is none.
    pub bound: Option<&'static str>,
}

/// One parameter.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    /// The key in TOML.
    pub name: String,
    /// What it is without being given.
    pub default: Value,
    /// What may be given.
    pub accepts: String,
    /// One sentence.
    pub help: String,
    /// What each of the values means, where tables are among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// One of the values that a parameter takes.
#[derive(Clone, Debug, Serialize)]
pub struct Alternative {
    /// The value, or the form of the table.
    pub accepts: String,
    /// One sentence.
    pub help: String,
}

/// The keys that `C` can make something of; none if it takes any, or not the same ones always.
pub(super) fn keys<C: Described>() -> Option<Vec<String>> {
    let schema = schema_for!(C).to_value();
    let takes_any = !matches!(schema["additionalProperties"], Value::Null | Value::Bool(false))
        || ["oneOf", "anyOf", "allOf"].iter().any(|choice| !schema[choice].is_null());
    let properties = schema["properties"].as_object().filter(|_| !takes_any)?;
    Some(properties.keys().cloned().collect())
}

impl Card {
    /// The card of a config struct.
    pub fn of<C: Described>() -> Self {
        let schema = schema_for!(C).to_value();
        let defaults = serde_json::to_value(C::default()).unwrap_or_default();
        let parameters = schema["properties"].as_object().into_iter().flatten();
        let parameters = parameters
            .map(|(name, property)| Parameter {
                name: name.clone(),
                default: defaults[name].clone(),
                accepts: accepts(&schema, property),
                help: one_line(&property["description"]),
                alternatives: alternatives(&schema, property),
            })
            .collect();
        Self {
            name: C::NAME.to_owned(),
            summary: one_line(&schema["description"]),
            details: details(&schema["description"]),
            source: C::SOURCE.to_owned(),
            theory: None,
            knowledge: None,
            knows: None,
            parameters,
            presets: presets::<C>(&defaults),
            about: None,
        }
    }

    /// The card of a rule.
    pub fn of_rule<R: Rule>() -> Self {
        let layer = match contained(|| R::default().build()) {
            Ok(Ok(Layer::Base(_))) => "base",
            Ok(Ok(Layer::Pre(_))) => "pre",
            Ok(Ok(Layer::Meta(_))) => "meta",
            Ok(Err(_)) | Err(_) => "needs parameters",
        };
        let theory = Theory { layer, condition: R::condition(), bound: R::guarantee() };
        Self { theory: Some(theory), ..Self::of::<R>() }
    }

    /// The card of an attack.
    pub fn of_attack<A: AttackRule>() -> Self {
        Self { knowledge: contained(A::usual_knowledge).ok().flatten(), ..Self::of::<A>() }
    }

    /// The card of a data set.
    pub fn of_dataset(about: &About) -> Self {
        let [channels, height, width] = about.shape;
        let sizes = format!("{} + {} images of {channels}x{height}x{width}", about.train, about.test);
        Self {
            name: about.name.to_owned(),
            summary: format!(
                "{} ({sizes}, {} classes; licence: {})",
                about.summary, about.classes, about.licence
            ),
            details: Vec::new(),
            source: about.source.to_owned(),
            theory: None,
            knowledge: None,
            knows: None,
            parameters: Vec::new(),
            presets: Map::new(),
            about: Some(*about),
        }
    }
}

/// For every preset, the parameters in which it differs from `defaults`.
fn presets<C: Described>(defaults: &Value) -> Map<String, Value> {
    let changes = |preset| {
        let own = serde_json::to_value(C::preset(preset)).unwrap_or_default();
        let own = own.as_object().into_iter().flatten();
        own.filter(|(name, value)| defaults[name.as_str()] != **value)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Map<_, _>>()
    };
    [("paper", Preset::Paper), ("dahan", Preset::Dahan), ("byzfl", Preset::Byzfl)]
        .into_iter()
        .map(|(name, preset)| (name.to_owned(), changes(preset)))
        .filter(|(_, changes)| !changes.is_empty())
        .map(|(name, changes)| (name, Value::Object(changes)))
        .collect()
}

/// The first paragraph.
fn one_line(text: &Value) -> String {
    paragraphs(text).next().unwrap_or_default()
}

/// The paragraphs behind the first, up to an example.
fn details(text: &Value) -> Vec<String> {
    paragraphs(text).skip(1).take_while(|text| !text.starts_with("```")).collect()
}

/// The paragraphs of a doc comment, each on one line.
fn paragraphs(text: &Value) -> impl Iterator<Item = String> {
    let text = text.as_str().unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What is said of each value of a property, if one of them is a table.
fn alternatives(root: &Value, property: &Value) -> Vec<Alternative> {
    let all = followed(root, property)["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
    if !all.iter().any(|one| one["properties"].is_object()) {
        return Vec::new();
    }
    let told = |one| Alternative { accepts: accepts(root, one), help: one_line(&one["description"]) };
    all.iter().map(told).collect()
}

/// The values that a property's schema accepts, in words.
fn accepts(root: &Value, property: &Value) -> String {
    let property = followed(root, property);
    if let Some(constant) = property["const"].as_str() {
        return constant.to_owned();
    }
    if let Some(values) = property["enum"].as_array() {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return values.iter().filter(|v| !v.is_null()).map(word).collect::<Vec<_>>().join(" | ");
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(all) = property[alternatives].as_array() {
            let all: Vec<String> =
                all.iter().map(|one| accepts(root, one)).filter(|one| !one.is_empty()).collect();
            return all.join(" | ");
        }
    }
    number_or_type(root, property)
}

fn number_or_type(root: &Value, property: &Value) -> String {
    let types = types(property);
    let Some(kind) = types.first() else { return String::new() };
    match *kind {
        "null" => String::new(),
        "array" => format!("list of {}", accepts(root, &property["items"])),
        "object" => fields(root, property),
        kind => format!("{kind}{}", words(property)),
    }
}

/// `{ milestones, decay = 0.1 }`, with the defaults that there are; of a table of one name with what is accepted there:
/// `{ cosine = { rounds, end = 0.0 } }`.
fn fields(root: &Value, property: &Value) -> String {
    let Some(fields) = property["properties"].as_object() else { return "table".into() };
    let inner = |value: &Value| value["properties"].is_object().then(|| accepts(root, value));
    let field = |(name, value): (&String, &Value)| match inner(value) {
        Some(inner) => format!("{name} = {inner}"),
        None if value["default"].is_null() => name.clone(),
        None => format!("{name} = {}", value["default"]),
    };
    format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use phalanx_robust::describe::Described;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::Card;

    /// Nothing.
    #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Counts {
        /// All of them.
        #[schemars(inner(range(min = 1, max = 10_000_000)))]
        widths: Vec<usize>,
        /// One.
        #[schemars(extend("not" = { "const": 0 }))]
        by: i64,
    }

    impl Described for Counts {
        const NAME: &'static str = "some";
        const SOURCE: &'static str = "a test";
    }

    #[test]
    fn ranges_of_what_is_in_a_list_and_numbers_that_are_excluded_are_told() {
        let card = Card::of::<Counts>();
        let accepts: Vec<&str> = card.parameters.iter().map(|one| one.accepts.as_str()).collect();
        assert_eq!(accepts, ["list of integer from 1 to 10000000", "integer other than 0"]);
    }
}
