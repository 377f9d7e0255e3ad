//! The ranges that parameters declare in their schema, by schemars' attributes: in words, for the catalogue, and held
//! against what is configured, of built-ins and plug-ins alike, before anything is made of it.

use std::cmp::Ordering;

use figment::value::{Num, Value};
use phalanx_robust::describe::Described;
use schemars::schema_for;
use serde_json::{Number, Value as Json};

use super::resolve::ComponentError;
use crate::config::{number, shorten};

/// That all numbers of `config` are in the ranges that their schema declares, in tables and lists too. One that stands where
/// the schema has no such number is nobody's here: `build` may know more.
///
/// # Errors
/// [`ComponentError`] of the first number that is not.
pub(super) fn check<C: Described>(config: &C) -> Result<(), ComponentError> {
    let schema = schema_for!(C).to_value();
    let Ok(value) = Value::serialize(config) else { return Ok(()) };
    match outside(&schema, &schema, &value) {
        None => Ok(()),
        Some(Outside { path, message }) => {
            let path: Vec<String> = path.into_iter().rev().collect();
            Err(ComponentError { parameter: path.join("."), message })
        }
    }
}

/// " from 0 to 1", " above 0, below 1": the ends that a property's schema gives; nothing if it gives none. " other than 0"
/// for a number that it excludes.
pub(super) fn words(property: &Json) -> String {
    let end = |words: &str, key: &str| Some(format!("{words} {}", number(property[key].as_f64()?)));
    let low = end(" from", "minimum").or_else(|| end(" above", "exclusiveMinimum"));
    let [to, below] = match &low {
        None => [" up to", " below"],
        Some(low) if low.starts_with(" from") => [" to", ", below"],
        Some(_) => [", up to", ", below"],
    };
    let high = end(to, "maximum").or_else(|| end(below, "exclusiveMaximum"));
    let except = property["not"]["const"].as_f64().map(|value| format!(" other than {}", number(value)));
    [low, high, except].into_iter().flatten().collect()
}

/// The schema that `property` is or refers to.
pub(super) fn followed<'a>(root: &'a Json, property: &'a Json) -> &'a Json {
    let target = property["$ref"].as_str().map(|target| target.trim_start_matches('#'));
    target.map_or(property, |target| root.pointer(target).unwrap_or(&Json::Null))
}

/// The types that a schema names, but for that of nothing.
pub(super) fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(many) => many.iter().filter_map(Json::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    }
}

/// A number out of its range.
struct Outside {
    /// Where it stands, innermost first.
    path: Vec<String>,
    message: String,
}

impl Outside {
    fn below(mut self, key: impl ToString) -> Self {
        self.path.push(key.to_string());
        self
    }
}

fn outside(root: &Json, schema: &Json, value: &Value) -> Option<Outside> {
    let schema = followed(root, schema);
    if let Some(all) = alternatives(schema) {
        // In range of one alternative is in range.
        let fitting = all.iter().filter(|one| admits(root, one, value));
        let found: Option<Vec<_>> = fitting.map(|one| outside(root, one, value)).collect();
        return found?.into_iter().next();
    }
    match value {
        Value::Num(_, number) => (!holds(schema, *number)).then(|| refusal(schema, *number)),
        Value::Array(_, all) => {
            all.iter().enumerate().find_map(|(at, one)| Some(outside(root, &schema["items"], one)?.below(at)))
        }
        Value::Dict(_, all) => {
            all.iter().find_map(|(key, one)| Some(outside(root, &schema["properties"][key], one)?.below(key)))
        }
        _ => None,
    }
}

fn alternatives(schema: &Json) -> Option<&Vec<Json>> {
    schema["oneOf"].as_array().or(schema["anyOf"].as_array())
}

/// Whether `value` has the form of this alternative: the type, and the name of the table.
fn admits(root: &Json, schema: &Json, value: &Value) -> bool {
    let schema = followed(root, schema);
    if let Some(all) = alternatives(schema) {
        return all.iter().any(|one| admits(root, one, value));
    }
    let has = |kind: &str| types(schema).contains(&kind);
    match value {
        Value::Num(..) => has("number") || has("integer"),
        Value::Array(..) => has("array"),
        Value::Dict(_, all) => {
            let required = schema["required"].as_array().into_iter().flatten();
            has("object") && required.filter_map(Json::as_str).all(|key| all.contains_key(key))
        }
        _ => true,
    }
}

fn holds(schema: &Json, number: Num) -> bool {
    let end = |key: &str, is_in: fn(Ordering) -> bool| {
        schema[key].as_number().is_none_or(|end| order(number, end).is_some_and(is_in))
    };
    let other =
        schema["not"]["const"].as_number().is_none_or(|not| order(number, not) != Some(Ordering::Equal));
    let listed = schema["enum"].as_array().is_none_or(|all| {
        all.iter().filter_map(Json::as_number).any(|one| order(number, one) == Some(Ordering::Equal))
    });
    let ends = end("minimum", Ordering::is_ge)
        && end("exclusiveMinimum", Ordering::is_gt)
        && end("maximum", Ordering::is_le)
        && end("exclusiveMaximum", Ordering::is_lt);
    // JSON, whose schema it is, knows no infinity.
    ends && other && listed && (words(schema).is_empty() || is_finite(number))
}

fn is_finite(number: Num) -> bool {
    number.to_f64().is_none_or(f64::is_finite)
}

/// Whole numbers are compared as such, and one of f32 with the end as f32 has it: 0.1 is within 0.1.
fn order(number: Num, end: &Number) -> Option<Ordering> {
    let whole = number.to_i128().or_else(|| i128::try_from(number.to_u128()?).ok());
    match (whole, end.as_i128(), number) {
        (Some(number), Some(end), _) => Some(number.cmp(&end)),
        (Some(number), None, _) => (number as f64).partial_cmp(&end.as_f64()?),
        (None, _, Num::F32(number)) => number.partial_cmp(&(end.as_f64()? as f32)),
        _ => number.to_f64()?.partial_cmp(&end.as_f64()?),
    }
}

fn refusal(schema: &Json, given: Num) -> Outside {
    let message = format!("{} is given; {}", shorten(&shown(given)), needed(schema));
    Outside { path: Vec::new(), message }
}

fn shown(given: Num) -> String {
    match (given, given.to_i128(), given.to_u128()) {
        (Num::F32(value), ..) => number(value.to_string().parse().unwrap_or(value.into())),
        (_, Some(whole), _) => whole.to_string(),
        (_, _, Some(whole)) => whole.to_string(),
        _ => given.to_f64().map_or_else(String::new, number),
    }
}

/// What is accepted, as a sentence goes on with it.
fn needed(schema: &Json) -> String {
    if let Some(all) = schema["enum"].as_array() {
        return all.iter().filter(|one| !one.is_null()).map(Json::to_string).collect::<Vec<_>>().join(" | ");
    }
    let kind = if types(schema).contains(&"integer") { "an integer" } else { "a number" };
    let is_open = schema["maximum"].is_null() && schema["exclusiveMaximum"].is_null();
    let range = words(schema);
    format!("{kind}{}", if is_open { range.replacen(" from", " of at least", 1) } else { range })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use phalanx_robust::describe::Described;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::check;

    /// Numbers of all kinds.
    #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Numbers {
        /// A fraction.
        #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
        share: f64,
        /// Not wide.
        #[schemars(range(max = 0.1))]
        narrow: f32,
        /// Large.
        #[schemars(range(max = 9_007_199_254_740_993_u64))]
        large: u64,
        /// May be left out.
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        maybe: Option<f64>,
        /// One of three.
        #[schemars(extend("enum" = [0, 2, 4]))]
        power: u32,
        /// Not this one.
        #[schemars(extend("not" = { "const": 7 }))]
        by: i64,
        /// Of any size.
        free: f64,
        /// In a list.
        #[schemars(inner(range(min = 1.0, max = 2.0)))]
        list: Vec<f64>,
        /// In a table.
        nested: Option<Nested>,
        /// By names of the user's.
        named: BTreeMap<String, f64>,
    }

    /// Tables and numbers side by side.
    #[derive(Clone, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Nested {
        Name,
        ShortTable {
            #[schemars(range(max = 3))]
            end: i32,
        },
        LongTable {
            #[schemars(range(min = 3))]
            every: i32,
            deeper: Box<Option<Nested>>,
        },
    }

    impl Described for Numbers {
        const NAME: &'static str = "numbers";
        const SOURCE: &'static str = "a test";
    }

    fn said(change: impl FnOnce(&mut Numbers)) -> Option<String> {
        let mut numbers = Numbers::default();
        change(&mut numbers);
        check(&numbers).err().map(|error| format!("{}: {}", error.parameter, error.message))
    }

    #[test]
    fn what_is_in_range_is_taken() {
        assert_eq!(said(|_| ()), None);
        assert_eq!(said(|n| (n.share, n.narrow, n.maybe) = (0.999, 0.1, Some(1e-300))), None);
        assert_eq!(said(|n| (n.large, n.power, n.by) = (9_007_199_254_740_993, 4, 8)), None);
        assert_eq!(said(|n| (n.free, n.list) = (f64::INFINITY, vec![1.0, 2.0])), None, "no range, no word");
        assert_eq!(said(|n| n.nested = Some(Nested::Name)), None);
        assert_eq!(said(|n| n.nested = Some(Nested::ShortTable { end: 3 })), None);
        assert_eq!(said(|n| n.named = [("any".to_owned(), f64::NAN)].into()), None);
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_path_and_the_range() {
        let refused =
            |change: fn(&mut Numbers), expected: &str| assert_eq!(said(change).as_deref(), Some(expected));
        refused(|n| n.share = 1.0, "share: 1 is given; a number from 0, below 1");
        refused(|n| n.share = -0.1, "share: -0.1 is given; a number from 0, below 1");
        refused(|n| n.share = f64::NAN, "share: NaN is given; a number from 0, below 1");
        refused(|n| n.narrow = 0.11, "narrow: 0.11 is given; a number up to 0.1");
        refused(|n| n.narrow = f32::NEG_INFINITY, "narrow: -inf is given; a number up to 0.1");
        refused(|n| n.maybe = Some(0.0), "maybe: 0 is given; a number above 0");
        refused(|n| n.maybe = Some(f64::INFINITY), "maybe: inf is given; a number above 0");
        refused(|n| n.power = 3, "power: 3 is given; 0 | 2 | 4");
        refused(|n| n.by = 7, "by: 7 is given; an integer other than 7");
        refused(|n| n.list = vec![1.0, 0.5], "list.1: 0.5 is given; a number from 1 to 2");
        refused(
            |n| n.nested = Some(Nested::ShortTable { end: 4 }),
            "nested.short-table.end: 4 is given; an integer up to 3",
        );
        refused(
            |n| {
                let deeper = Box::new(Some(Nested::LongTable { every: 2, deeper: Box::new(None) }));
                n.nested = Some(Nested::LongTable { every: 3, deeper });
            },
            "nested.long-table.deeper.long-table.every: 2 is given; an integer of at least 3",
        );
        // one more than f64 can tell from the end
        let larger = said(|n| n.large = 9_007_199_254_740_994).unwrap();
        assert!(
            larger.starts_with("large: 9007199254740994 is given; an integer from 0 to 900719925474099"),
            "{larger}"
        );
    }
}
