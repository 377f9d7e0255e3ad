//! The table `[sweep]`: which keys take which values. Expansion is pure: no
//! file is read and nothing is checked but the table itself.

use toml::{Table, Value};

use crate::config::Named;

/// The keys that a cell sets and their values, in the order of the table.
pub type Assignments = Table;

/// A table `[sweep]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A key does not take a list.
    #[error("{key}: found {found}, a list of values is expected")]
    NoList {
        /// The key.
        key: String,
        /// What stands there.
        found: &'static str,
    },
    /// A key takes no value at all.
    #[error("{key}: the list is empty")]
    Empty {
        /// The key.
        key: String,
    },
    /// Keys that advance together take lists of different lengths.
    #[error("zip {number}: {key} has {found} values, the keys before it have {expected}")]
    Lengths {
        /// Which table `[[sweep.zip]]`, from 1.
        number: usize,
        /// The key.
        key: String,
        /// Its number of values.
        found: usize,
        /// That of the keys before it.
        expected: usize,
    },
    /// A key is there twice, or stands within another one.
    #[error("{key} is swept beside {other}; one would undo the other")]
    Twice {
        /// The key.
        key: String,
        /// The other one.
        other: String,
    },
    /// `[[sweep.zip]]` or `[[sweep.exclude]]` is something else.
    #[error("{name}: tables are expected, as in [[sweep.{name}]]")]
    NoTables {
        /// Which.
        name: &'static str,
    },
    /// An exclusion names a key that is not swept.
    #[error("exclude {number}: {key} is not swept")]
    NotSwept {
        /// Which table `[[sweep.exclude]]`, from 1.
        number: usize,
        /// The key.
        key: String,
    },
    /// The product of the lists is too large.
    #[error("there are {count} combinations; at most {MOST_CELLS} are accepted")]
    TooMany {
        /// How many; the largest number for more.
        count: usize,
    },
    /// No key is swept, or all cells are excluded.
    #[error("there are no cells: {reason}")]
    NoCells {
        /// Why.
        reason: &'static str,
    },
}

/// Below this every whole number is one of f64.
const MOST_EXACT: f64 = (1_u64 << 53) as f64;
/// Most cells of a sweep, excluded ones among them.
const MOST_CELLS: usize = 100_000;

/// What is swept.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    axes: Vec<Axis>,
    exclude: Vec<Table>,
}

/// Keys that advance together; a key on its own is the common case.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    keys: Vec<String>,
    /// A list for each key, all of one length.
    values: Vec<Vec<Value>>,
}

impl Grid {
    /// Reads the table `[sweep]`; the lists of `over` replace those of their keys, or come after them.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn parse(sweep: &Table, over: &[(String, Value)]) -> Result<Self, GridError> {
        let mut lists = Vec::new();
        for (key, value) in sweep.iter().filter(|(key, _)| !["zip", "exclude"].contains(&key.as_str())) {
            flatten(key, value, &mut lists)?;
        }
        for (key, value) in over {
            let mut list = Vec::new();
            flatten(key, value, &mut list)?;
            match lists.iter_mut().find(|(swept, _)| swept == key) {
                Some(swept) => swept.1 = list.into_iter().flat_map(|(_, list)| list).collect(),
                None => lists.extend(list),
            }
        }
        let mut axes: Vec<Axis> =
            lists.into_iter().map(|(key, list)| Axis { keys: vec![key], values: vec![list] }).collect();
        for (at, table) in tables(sweep, "zip")?.iter().enumerate() {
            axes.push(zip(at + 1, table)?);
        }
        let mut grid = Self { axes, exclude: Vec::new() };
        grid.check_keys()?;
        for (at, table) in tables(sweep, "exclude")?.iter().enumerate() {
            let exclude = grid.exclusion(at + 1, table)?;
            grid.exclude.push(exclude);
        }
        Ok(grid)
    }

    /// The swept keys, slowest first.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().flat_map(|axis| axis.keys.iter().map(String::as_str))
    }

    /// The swept key whose values go over `key`: the key itself, or one that it stands within.
    pub fn over(&self, key: &str) -> Option<&str> {
        self.keys().find(|swept| within(key, swept))
    }

    /// All cells, the last axis fastest, without the excluded ones.
    ///
    /// # Errors
    /// [`GridError::NoCells`].
    pub fn cells(&self) -> Result<Vec<Assignments>, GridError> {
        let product =
            |count: usize, axis: &Axis| count.saturating_mul(axis.values.first().map_or(0, Vec::len));
        let count = self.axes.iter().fold(1, product);
        if count > MOST_CELLS {
            return Err(GridError::TooMany { count });
        }
        let mut cells = vec![Table::new()];
        for axis in &self.axes {
            cells = cells.iter().flat_map(|cell| axis.extensions(cell)).collect();
        }
        cells.retain(|cell| !self.exclude.iter().any(|exclude| matches(cell, exclude)));
        if cells.is_empty() {
            return Err(GridError::NoCells { reason: "all of them are excluded" });
        }
        Ok(cells)
    }

    /// The exclusions, by number from 1, that match no cell: on some axis no step has all of their values.
    pub fn idle(&self) -> Vec<usize> {
        let met = |exclude: &Table| self.axes.iter().all(|axis| axis.meets(exclude));
        (1..).zip(&self.exclude).filter(|(_, exclude)| !met(exclude)).map(|(number, _)| number).collect()
    }

    fn check_keys(&self) -> Result<(), GridError> {
        let keys: Vec<&str> = self.keys().collect();
        if keys.is_empty() {
            return Err(GridError::NoCells { reason: "[sweep] names no key" });
        }
        for (at, key) in keys.iter().enumerate() {
            if let Some(other) = keys[..at].iter().find(|other| within(key, other) || within(other, key)) {
                return Err(GridError::Twice { key: (*key).to_owned(), other: (*other).to_owned() });
            }
        }
        Ok(())
    }

    /// The table with its dotted keys put together, whether they stand in quotes or not.
    fn exclusion(&self, number: usize, table: &Table) -> Result<Table, GridError> {
        let mut exclude = Table::new();
        let mut open: Vec<(String, &Value)> = table.iter().map(|(k, v)| (k.clone(), v)).collect();
        while let Some((key, value)) = open.pop() {
            if self.keys().any(|swept| swept == key) {
                exclude.insert(key, value.clone());
            } else if let Value::Table(inner) = value {
                open.extend(inner.iter().map(|(k, v)| (format!("{key}.{k}"), v)));
            } else {
                return Err(GridError::NotSwept { number, key });
            }
        }
        Ok(exclude)
    }
}

impl Axis {
    /// `cell` with each of this axis' values in turn.
    fn extensions(&self, cell: &Table) -> Vec<Table> {
        let count = self.values.first().map_or(0, Vec::len);
        let extended = |at: usize| {
            let values = self.values.iter().map(|values| values[at].clone());
            cell.clone().into_iter().chain(self.keys.iter().cloned().zip(values)).collect()
        };
        (0..count).map(extended).collect()
    }

    /// Whether a step of this axis has what `exclude` says of its keys.
    fn meets(&self, exclude: &Table) -> bool {
        let says = |at: usize, key: &String, values: &[Value]| {
            exclude.get(key).is_none_or(|excluded| said(&values[at]) == said(excluded))
        };
        let count = self.values.first().map_or(0, Vec::len);
        (0..count).any(|at| self.keys.iter().zip(&self.values).all(|(key, values)| says(at, key, values)))
    }
}

/// Whether `key` is `outer` or stands within it.
fn within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `cell` has all values of `exclude`.
fn matches(cell: &Table, exclude: &Table) -> bool {
    let has = |(key, value): (&String, &Value)| cell.get(key).is_some_and(|own| said(own) == said(value));
    !exclude.is_empty() && exclude.iter().all(has)
}

/// What a value says, however it is written: as a list, of one for a single value; "nnm > cwmed" as its names; a table of a
/// name without parameters as the name; 1.0 as 1.
fn said(value: &Value) -> Vec<Value> {
    let list = match value {
        Value::Array(list) => list.clone(),
        Value::String(text) => names(text).unwrap_or_else(|| vec![value.clone()]),
        other => vec![other.clone()],
    };
    list.iter().map(plain).collect()
}

/// The elements of the chain that `text` is, if it is one.
fn names(text: &str) -> Option<Vec<Value>> {
    Named::chain(text).ok()?.iter().map(|named| Value::try_from(named).ok()).collect()
}

/// An element of what is said.
fn plain(value: &Value) -> Value {
    match value {
        Value::Float(real) if real.fract() == 0.0 && real.abs() < MOST_EXACT => Value::Integer(*real as i64),
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        Value::Table(table) => match table.iter().next() {
            Some((name, Value::Table(inner))) if table.len() == 1 && inner.is_empty() => name.as_str().into(),
            _ => Value::Table(table.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
        },
        other => other.clone(),
    }
}

/// Finds the lists; a dotted key without quotes is a table in a table to TOML.
fn flatten(key: &str, value: &Value, lists: &mut Vec<(String, Vec<Value>)>) -> Result<(), GridError> {
    match value {
        Value::Table(table) => {
            table.iter().try_for_each(|(inner, value)| flatten(&format!("{key}.{inner}"), value, lists))
        }
        Value::Array(list) if list.is_empty() => Err(GridError::Empty { key: key.to_owned() }),
        Value::Array(list) => {
            lists.push((key.to_owned(), list.clone()));
            Ok(())
        }
        other => Err(GridError::NoList { key: key.to_owned(), found: other.type_str() }),
    }
}

fn zip(number: usize, table: &Table) -> Result<Axis, GridError> {
    let mut lists = Vec::new();
    table.iter().try_for_each(|(key, value)| flatten(key, value, &mut lists))?;
    let expected = lists.first().map_or(0, |(_, list)| list.len());
    if let Some((key, list)) = lists.iter().find(|(_, list)| list.len() != expected) {
        return Err(GridError::Lengths { number, key: key.clone(), found: list.len(), expected });
    }
    let (keys, values) = lists.into_iter().unzip();
    Ok(Axis { keys, values })
}

fn tables<'a>(sweep: &'a Table, name: &'static str) -> Result<Vec<&'a Table>, GridError> {
    let list = match sweep.get(name) {
        None => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or(GridError::NoTables { name })?,
    };
    list.iter().map(Value::as_table).collect::<Option<_>>().ok_or(GridError::NoTables { name })
}

#[cfg(test)]
mod tests {
    use super::{Grid, GridError};

    fn grid(text: &str) -> Result<Grid, GridError> {
        Grid::parse(&toml::from_str(text).unwrap(), &[])
    }

    /// Every cell as `key=value` in the order of its keys.
    fn cells(text: &str) -> Vec<String> {
        let show = |cell: &toml::Table| {
            cell.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        grid(text).unwrap().cells().unwrap().iter().map(show).collect()
    }

    #[test]
    fn the_last_key_is_the_fastest() {
        assert_eq!(
            cells("z = [1, 2]\na = ['x', 'y']"),
            ["z=1 a=\"x\"", "z=1 a=\"y\"", "z=2 a=\"x\"", "z=2 a=\"y\""]
        );
    }

    #[test]
    fn a_dotted_key_needs_no_quotes() {
        let expected = ["attackers.0.count=8 seed=1", "attackers.0.count=4 seed=1"];
        assert_eq!(cells("attackers.0.count = [8, 4]\nseed = [1]"), expected);
        assert_eq!(cells("'attackers.0.count' = [8, 4]\nseed = [1]"), expected);
        assert_eq!(
            cells("attackers.0.count = [8, 4]\nseed = [1]\n[[exclude]]\nattackers.0.count = 8"),
            expected[1..]
        );
    }

    #[test]
    fn zipped_keys_advance_together_and_are_the_fastest() {
        assert_eq!(
            cells("s = [1, 2]\n[[zip]]\na = [3, 4]\nb = [5, 6]"),
            ["s=1 a=3 b=5", "s=1 a=4 b=6", "s=2 a=3 b=5", "s=2 a=4 b=6"]
        );
    }

    #[test]
    fn values_may_be_lists_and_tables() {
        let rules = "rule = [['nnm', 'cwmed'], ['mean']]";
        assert_eq!(cells(rules), ["rule=[\"nnm\", \"cwmed\"]", "rule=[\"mean\"]"]);
        let steps = "step = [{ sgd = { lr = 0.1 } }, 'sgd']\n[[exclude]]\nstep = { sgd = { lr = 0.1 } }";
        assert_eq!(cells(steps), ["step=\"sgd\""]);
    }

    #[test]
    fn a_cell_that_matches_all_of_one_exclusion_is_dropped() {
        let text = "f = [1, 2]\nrule = [['a'], ['b', 'a']]\n[[exclude]]\nf = 2\nrule = ['b', 'a']\n";
        assert_eq!(cells(text), ["f=1 rule=[\"a\"]", "f=1 rule=[\"b\", \"a\"]", "f=2 rule=[\"a\"]"]);
        let two = format!("{text}[[exclude]]\nf = 1\n");
        assert_eq!(cells(&two), ["f=2 rule=[\"a\"]"]);
    }

    /// However it is written: as a whole number, as a chain, as a list.
    #[test]
    fn an_exclusion_is_of_values_not_of_spellings() {
        let rules = "rule = ['krum', ['nnm', 'krum'], 'nnm,cwtm', [{ krum = { power = 1 } }]]\n";
        let left = |exclude: &str| cells(&format!("{rules}[[exclude]]\nrule = {exclude}")).len();
        for one in [
            "['krum']",
            "{ krum = {} }",
            "[{ krum = {} }]",
            "'nnm, krum'",
            "'nnm > krum'",
            "['nnm', 'cwtm']",
            "[{ krum = { power = 1.0 } }]",
        ] {
            assert_eq!(left(one), 3, "{one}");
        }
        let rates = "lr = [1.0, 2, 0.5]\nstep = [{ sgd = { lr = 1 } }, { sgd = { lr = 1.5 } }]\n";
        let text =
            format!("{rates}[[exclude]]\nlr = 1\n[[exclude]]\nlr = 2.0\nstep = {{ sgd = {{ lr = 1.0 }} }}");
        assert_eq!(cells(&text).len(), 3);
    }

    #[test]
    fn exclusions_that_match_nothing_are_known() {
        let idle = |text: &str| grid(text).unwrap().idle();
        let text = "a = [1, 2]\n[[zip]]\nb = [3, 4]\nc = [5, 6]\n";
        let exclude = |tables: &[&str]| {
            tables.iter().fold(text.to_owned(), |all, table| format!("{all}[[exclude]]\n{table}\n"))
        };
        assert_eq!(idle(&exclude(&["a = 1", "b = 3\nc = 5", "a = 2\nb = 4"])), Vec::<usize>::new());
        assert_eq!(idle(&exclude(&["a = 3", "a = 1", "b = 3\nc = 6", "a = 3\nb = 3"])), [1, 3, 4]);
    }

    #[test]
    fn a_swept_key_goes_over_all_within_it() {
        let grid = grid("seed = [1]\n'attackers.0' = [2]\n[[zip]]\nf = [3]").unwrap();
        for (key, swept) in [("seed", "seed"), ("attackers.0.attack", "attackers.0"), ("f", "f")] {
            assert_eq!(grid.over(key), Some(swept));
        }
        for key in ["seeds", "attackers", "attackers.01", ""] {
            assert_eq!(grid.over(key), None, "{key}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let wrong = [
            ("seed = 3", "seed: found integer, a list"),
            ("seed = []", "seed: the list is empty"),
            ("", "names no key"),
            ("[[zip]]\na = [1]\nb = [1, 2]", "zip 1: b has 2 values, the keys before it have 1"),
            ("a = [1]\n[[zip]]\na = [2]", "a is swept beside a"),
            ("a = [1]\n'a.b' = [2]", "a.b is swept beside a"),
            ("'a.b' = [2]\na = [1]", "a is swept beside a.b"),
            ("a = [1]\n[[exclude]]\nb = 1", "exclude 1: b is not swept"),
            ("a = [1]\n[[exclude]]\na = 1", "all of them are excluded"),
            ("a = [1]\nzip = [1]", "zip: tables are expected"),
        ];
        for (text, message) in wrong {
            let error = grid(text).and_then(|grid| grid.cells()).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
