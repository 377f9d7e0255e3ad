//! Values as they are written in TOML: by libraries, but a number has an exponent
//! where all of its digits would be long.

use toml_edit::{DocumentMut, Formatted, Value, visit_mut::VisitMut};

/// A value as it may stand behind a key.
pub(crate) fn value(value: &toml::Value) -> String {
    let text = value.to_string();
    let Ok(mut value) = text.parse::<Value>() else { return text };
    Short.visit_value_mut(&mut value);
    value.to_string()
}

/// A document with its numbers so.
pub(super) fn document(text: String) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else { return text };
    Short.visit_document_mut(&mut document);
    document.to_string()
}

/// Writes numbers in the shortest form that reads back as the same.
struct Short;

impl VisitMut for Short {
    fn visit_float_mut(&mut self, node: &mut Formatted<f64>) {
        let exact = format!("{:?}", node.value());
        if let Ok(Value::Float(mut short)) = exact.parse()
            && exact.contains('e')
        {
            *short.decor_mut() = node.decor().clone();
            *node = short;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{document, value};

    #[test]
    fn long_numbers_have_an_exponent_and_others_do_not() {
        let floats = [1e300, -1e-10, 30.0, 0.1, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let written = floats.map(|x| value(&toml::Value::Float(x)));
        assert_eq!(written, ["1e300", "-1e-10", "30.0", "0.1", "-0.0", "inf", "-inf", "nan"]);
        let nested: toml::Table = toml::from_str("a = { b = [1e300, { c = 5e-324 }], d = 1 }").unwrap();
        assert_eq!(value(&nested["a"]), "{ b = [1e300, { c = 5e-324 }], d = 1 }");
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
            clip = 1e300
            [empty]
        "#;
        let table: toml::Table = toml::from_str(text).unwrap();
        let written = document(toml::to_string(&table).unwrap());
        assert_eq!(toml::from_str::<toml::Table>(&written).unwrap(), table, "{written}");
        assert!(written.contains("\nclip = 1e300\n") && written.contains("5e-324"), "{written}");
    }
}
