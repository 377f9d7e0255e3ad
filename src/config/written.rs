//! Values as they are written in TOML. A number has an exponent where all of
//! its digits would be long, and reads back as itself.

use toml::{Table, Value};

/// A value of TOML on one line, as it may stand behind a key.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Float(x) => float(*x),
        Value::Array(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let entry = |(name, value): (&String, &Value)| format!("{} = {}", key(name), self::value(value));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A document: its plain keys, then a section for each of its tables and lists of tables.
pub(super) fn document(table: &Table) -> String {
    let mut text = lines(table.iter().filter(|(_, value)| sections(value).is_none()));
    for (name, value) in table {
        let Some((open, close, tables)) = sections(value) else { continue };
        for table in tables {
            text += &format!("\n{open}{}{close}\n{}", key(name), lines(table));
        }
    }
    text
}

/// The tables that are sections of a document, with the brackets around their name; of other values there are none.
fn sections(value: &Value) -> Option<(&str, &str, Vec<&Table>)> {
    match value {
        Value::Table(table) => Some(("[", "]", vec![table])),
        Value::Array(items) if !items.is_empty() => {
            let tables = items.iter().map(Value::as_table).collect::<Option<_>>()?;
            Some(("[[", "]]", tables))
        }
        _ => None,
    }
}

fn lines<'a>(entries: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    entries.into_iter().map(|(name, value)| format!("{} = {}\n", key(name), self::value(value))).collect()
}

/// A key, in quotes where TOML needs them.
fn key(name: &str) -> String {
    let is_plain = |ch: char| ch.is_ascii_alphanumeric() || "-_".contains(ch);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    quoted(name)
}

/// A text on one line. What JSON escapes TOML escapes in the same way, and one character more.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// The shortest form that is the same number of TOML.
fn float(x: f64) -> String {
    if x.is_nan() { "nan".to_owned() } else { format!("{x:?}") }
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::{document, value};

    #[test]
    fn long_numbers_have_an_exponent_and_others_do_not() {
        let floats = [1e300, 1e-10, 30.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let written = floats.map(|x| value(&Value::Float(x)));
        assert_eq!(written, ["1e300", "1e-10", "30.0", "inf", "-inf", "nan"]);
    }

    /// Whatever its keys, texts and numbers are.
    #[test]
    fn a_document_is_read_back_as_it_was() {
        let text = r#"
            name = "a \"b\" \\ \u007f"
            lines = "one\ntwo"
            seed = 9223372036854775807
            day = 2026-01-02
            flags = [true, [], {}, [1e-300, 5e-324, 1.7976931348623157e308, -0.0, 0.1]]
            mixed = [{ a = 1 }, 2]
            none = []
            "" = 1
            "a b\n\u007f\"'é" = { "x.y" = 1e22, z = { deep = [{ w = "3" }] } }
            [[workers]]
            count = 3
            [[workers]]
            estimator = { momentum = { beta = 0.9 } }
            [task]
            partition = "iid"
            [empty]
        "#;
        let table: Table = toml::from_str(text).unwrap();
        let written = document(&table);
        assert_eq!(toml::from_str::<Table>(&written).unwrap(), table, "{written}");
        assert!(written.contains("\n[[workers]]\nestimator = { momentum = { beta = 0.9 } }\n"), "{written}");
    }
}
