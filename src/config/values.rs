//! From TOML to the values of the layers.

use figment::value::{Dict, Value};

/// The keys and values of `table`.
pub fn dict_of(table: &toml::Table) -> Dict {
    table.iter().map(|(key, value)| (key.clone(), value_of(value))).collect()
}

/// The value of TOML as one of the layers.
pub fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(value_of).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => dict_of(table).into(),
    }
}

/// A TOML value. `nan` and `inf` are names of attacks here, not numbers.
pub fn toml_value(text: &str) -> Option<Value> {
    if ["nan", "inf"].contains(&text) {
        return Some(text.into());
    }
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?;
    table.get("value").filter(|_| table.len() == 1).map(value_of)
}

/// A TOML value, an integer that TOML does not have, or else a string as it stands.
pub fn parse_value(text: &str) -> Value {
    let integer = || text.parse::<u128>().ok().map(Value::from);
    toml_value(text).or_else(integer).unwrap_or_else(|| text.into())
}
