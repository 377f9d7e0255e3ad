//! A value put at a dotted key, in place of what stands there.

use figment::value::{Dict, Value};

use super::{Named, shorten};

/// The keys that name one component.
const COMPONENTS: [&str; 9] =
    ["step", "partition", "dataset", "model", "objective", "estimator", "attack", "actor", "fault"];

/// Most parts of a dotted key; none that is known has as many.
const DEEPEST: usize = 32;

/// Replaces what stands at `key`, as a whole; a number in it is an index into a list.
///
/// # Errors
/// Why there is no such place.
pub fn put(dict: &mut Dict, key: &str, value: Value) -> Result<(), String> {
    let path: Vec<&str> = key.split('.').collect();
    if path.len() > DEEPEST {
        return Err(format!("the key has {} parts; at most {DEEPEST} are accepted", path.len()));
    }
    replace(dict, &path, value)
}

/// Replaces what stands at `path`; a number in the path is an index into a list.
fn replace(dict: &mut Dict, path: &[&str], value: Value) -> Result<(), String> {
    let Some((key, rest)) = path.split_first().filter(|(key, _)| !key.is_empty()) else {
        return Err("the key has an empty part".into());
    };
    if rest.is_empty() {
        dict.insert((*key).to_owned(), value);
        return Ok(());
    }
    let inner = dict.entry((*key).to_owned()).or_insert_with(|| Dict::new().into());
    replace_in(inner, key, rest, value)
}

fn replace_in(inner: &mut Value, key: &str, rest: &[&str], value: Value) -> Result<(), String> {
    list(inner, key, rest[0]);
    match inner {
        Value::Dict(_, dict) => replace(dict, rest, value),
        Value::Array(_, items) => {
            let len = items.len();
            let item = rest[0].parse().ok().and_then(|i: usize| items.get_mut(i));
            let item = item.ok_or_else(|| no_element(key, rest[0], len))?;
            if rest.len() == 1 {
                *item = value;
                return Ok(());
            }
            replace_in(item, rest[0], &rest[1..], value)
        }
        // a plain name becomes a name with parameters: rule.0.krum.power=1 over rule = ["krum"]
        Value::String(_, name) if name == rest[0] && rest.len() > 1 => {
            let mut parameters = Dict::new();
            replace(&mut parameters, &rest[1..], value)?;
            *inner = Dict::from([(name.clone(), parameters.into())]).into();
            Ok(())
        }
        Value::String(_, name) if is_component(key) && name != rest[0] => {
            let (name, parameter) = (shorten(name), rest.join("."));
            let place = format!("{key}.{name}.{}", shorten(&parameter));
            Err(format!("`{key}` is the name `{name}`; a parameter of it would be `{place}`"))
        }
        _ => Err(format!("`{key}` is not a table")),
    }
}

/// Why `at` is none of the `len` elements of the list at `key`.
fn no_element(key: &str, at: &str, len: usize) -> String {
    let there = match len {
        0 => "no element".to_owned(),
        1 => format!("one element, `{key}.0`"),
        _ => format!("{len} elements, `{key}.0` to `{key}.{}`", len - 1),
    };
    format!("`{key}` has {there}; there is no `{key}.{}`", shorten(at))
}

/// Whether `key` is where a component is named; numbers are places in a chain of rules.
fn is_component(key: &str) -> bool {
    COMPONENTS.contains(&key) || key.parse::<usize>().is_ok()
}

/// Makes a list of a chain of rules that is written as names or as a table, if `at` is a place in it.
fn list(inner: &mut Value, key: &str, at: &str) {
    let names = match inner {
        _ if key != "rule" || at.parse::<usize>().is_err() => return,
        Value::String(_, text) => Named::chain(text).unwrap_or_default(),
        Value::Dict(..) => return *inner = vec![inner.clone()].into(),
        _ => return,
    };
    *inner = names.into_iter().map(|named| Value::from(named.name)).collect::<Vec<_>>().into();
}
