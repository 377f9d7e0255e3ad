//! A name with parameters: `"krum"` or `{ krum = { power = 1 } }`. The names
//! are open (a plug-in adds some), so the parameters stay as written until the
//! registry hands them to the config struct of that name.

use std::{fmt, mem};

use figment::value::{Dict, Value};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::SeqAccessDeserializer},
    ser::SerializeMap,
};

use super::shorten;

/// A component by name, with the parameters that differ from its defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The parameters as written.
    pub parameters: Dict,
}

impl Named {
    /// `name` with its default parameters.
    pub fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), parameters: Dict::new() }
    }

    /// A chain as typed: a TOML list, TOML tables of one name each, or names with `>` or commas between them.
    ///
    /// # Errors
    /// What is wrong.
    pub fn chain(text: &str) -> Result<Vec<Self>, String> {
        let text = text.trim();
        let list = match text.chars().next() {
            Some('[') => text.to_owned(),
            Some('{') => format!("[{text}]"),
            _ => return text.split(['>', ',']).map(Self::typed).collect(),
        };
        let wrong = |error: toml::de::Error| error.message().to_owned();
        let table: toml::Table = toml::from_str(&format!("list = {list}")).map_err(wrong)?;
        let elements = table.get("list").filter(|_| table.len() == 1).and_then(toml::Value::as_array);
        let elements = elements.ok_or("a list is expected, and nothing after it")?;
        elements.iter().map(|element| element.clone().try_into().map_err(wrong)).collect()
    }

    fn typed(name: &str) -> Result<Self, String> {
        match name.trim() {
            "" => Err("a name is expected, as in ctma > nnm > cwmed".into()),
            name => Ok(Self::plain(name)),
        }
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedVisitor)
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.parameters.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.parameters)?;
        map.end()
    }
}

/// Reads a chain: a list, a string as [`Named::chain`] takes it, or the table of a single name.
///
/// # Errors
/// Those of the format.
pub(super) fn chain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Named>, D::Error> {
    deserializer.deserialize_any(ChainVisitor)
}

struct ChainVisitor;

impl<'de> Visitor<'de> for ChainVisitor {
    type Value = Vec<Named>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a list, names with `>` or commas between them, or a table of one name and its parameters",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Named>, E> {
        Named::chain(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<Named>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Named>, A::Error> {
        NamedVisitor.visit_map(map).map(|named| vec![named])
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a table of one name and its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Named, E> {
        Ok(Named::plain(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        match entries.as_mut_slice() {
            [(name, Value::Dict(_, parameters))] => {
                Ok(Named { name: mem::take(name), parameters: mem::take(parameters) })
            }
            entries => Err(A::Error::custom(no_name(entries))),
        }
    }
}

/// Why `entries`, which are not one name with a table, are no component. A parameter may have lost its place.
fn no_name(entries: &[(String, Value)]) -> String {
    let (tables, others): (Vec<_>, Vec<_>) =
        entries.iter().partition(|(_, value)| matches!(value, Value::Dict(..)));
    let shown = |(name, _): &&(String, Value)| shorten(name).into_owned();
    match (others.first().map(shown), tables.first().map(shown)) {
        (Some(stray), Some(name)) => {
            format!("`{stray}` stands beside the name `{name}`; a parameter of it would be `{name}.{stray}`")
        }
        (Some(stray), None) => format!(
            "`{stray}` has a plain value: a parameter stands below a name, as in {{ NAME = {{ {stray} = … }} }}; if it is \
             a name, its parameters must be a table, as in {{ {stray} = {{ … }} }}"
        ),
        (None, Some(first)) => {
            let second = tables.get(1).map(shown).unwrap_or_default();
            format!("one name is expected, found `{first}` and `{second}`")
        }
        (None, None) => "a name is expected, found an empty table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Named;
    use crate::config::{Config, read_back};

    fn config(rule: &str) -> Config {
        let text = format!(
            "[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n[aggregator]\nstep = 'sgd'\nrule = {rule}\n"
        );
        read_back("c.toml".as_ref(), &text).unwrap()
    }

    /// However a chain is written, it is one experiment.
    #[test]
    fn a_chain_is_a_list_names_or_a_table_of_one_name() {
        let krum = config("[{ krum = { power = 2 } }]");
        assert_eq!(config("{ krum = { power = 2 } }").digest(), krum.digest());
        assert_eq!(config("'{ krum = { power = 2 } }'").digest(), krum.digest());
        let chain = config("['ctma', 'nnm', 'cwtm']");
        for same in ["'ctma,nnm,cwtm'", "'ctma > nnm > cwtm'", "'ctma>nnm, cwtm'"] {
            assert_eq!(config(same).digest(), chain.digest(), "{same}");
        }
    }

    #[test]
    fn a_name_is_expected_on_both_sides() {
        for wrong in ["", ">", "nnm >", "> cwtm", "nnm > > cwtm", "nnm,>cwtm"] {
            assert!(Named::chain(wrong).unwrap_err().starts_with("a name is expected"), "{wrong}");
        }
    }
}
