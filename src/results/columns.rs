//! Reads a table of a run back by the names of its columns. A run that is
//! still going may be read at any time: a last line without its end is left out.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A result that cannot be read: file, line and column, and why.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A line of a table is no row of numbers.
    #[error("{}:{line}: {message}", path.display())]
    Row {
        /// The table.
        path: PathBuf,
        /// Line, from 1; the heading is the first.
        line: u64,
        /// What is wrong, with the column.
        message: String,
    },
    /// There is no run.
    #[error("{}: no run here (a run folder has a config.toml and a run.json)", path.display())]
    NoRuns {
        /// Where runs were looked for.
        path: PathBuf,
    },
}

impl ReadError {
    /// For use with `map_err`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

/// A table by columns: the round, and numbers of which some may be missing (NaN).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    round: Vec<u64>,
    columns: Vec<(String, Vec<f64>)>,
}

impl Columns {
    /// Reads the table in `path`; a file that is not there (yet) is a table without rows.
    ///
    /// # Errors
    /// [`ReadError`] naming file, line and column.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        contents(path)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(path, &text))
    }

    /// The same of a table of a run that is completed: it must end with a whole row, and with that of `round`.
    ///
    /// # Errors
    /// [`ReadError`] naming file, line and column.
    pub fn read_whole(path: &Path, round: u64) -> Result<Self, ReadError> {
        let Some(text) = contents(path)? else { return Ok(Self::default()) };
        let table = Self::parse(path, &text)?;
        if text.ends_with(b"\n") && table.round.last().copied().unwrap_or(0) == round {
            return Ok(table);
        }
        let message = format!("it is cut off: the run is completed, with {round} rounds");
        Err(ReadError::Content { path: path.to_owned(), message })
    }

    /// The table in `text`, which stands in `path`.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, ReadError> {
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        // No cell has a quote; one that opens would swallow all that follows.
        let mut reader = csv::ReaderBuilder::new().quoting(false).from_reader(&text[..whole]);
        let row_error = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            ReadError::Row { path: path.to_owned(), line, message: message_of(&error) }
        };
        let names: Vec<String> =
            reader.headers().map_err(row_error)?.iter().map(|name| name.trim().to_owned()).collect();
        if whole > 0 && names.first().map(String::as_str) != Some("round") {
            let message = "the first column must be `round`".to_owned();
            return Err(ReadError::Row { path: path.to_owned(), line: 1, message });
        }
        let mut table = Self {
            round: Vec::new(),
            columns: names.iter().skip(1).map(|name| (name.clone(), Vec::new())).collect(),
        };
        for record in reader.records() {
            let record = record.map_err(row_error)?;
            let line = record.position().map_or(0, csv::Position::line);
            table.push(&record).map_err(|message| ReadError::Row { path: path.to_owned(), line, message })?;
        }
        Ok(table)
    }

    fn push(&mut self, record: &csv::StringRecord) -> Result<(), String> {
        let round = &record[0];
        let number = round.parse().map_err(|_| format!("column round: `{round}` is no round"))?;
        self.round.push(number);
        for ((name, values), cell) in self.columns.iter_mut().zip(record.iter().skip(1)) {
            let value = match cell.trim() {
                "" => f64::NAN,
                text => text.parse().map_err(|_| format!("column {name}: `{text}` is no number"))?,
            };
            values.push(value);
        }
        Ok(())
    }

    /// The rows of the last round alone.
    pub fn last_round(mut self) -> Self {
        let before =
            self.round.iter().rposition(|round| Some(round) != self.round.last()).map_or(0, |at| at + 1);
        self.round.drain(..before);
        self.columns.iter_mut().for_each(|(_, values)| drop(values.drain(..before)));
        self
    }

    /// The rounds of the rows.
    pub fn round(&self) -> &[u64] {
        &self.round
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.round.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.round.is_empty()
    }

    /// The column of that name, NaN where a cell is empty; none if there is no such column or every cell of it is empty.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        let (_, values) = self.columns.iter().find(|(column, _)| column == name)?;
        values.iter().any(|value| !value.is_nan()).then_some(values)
    }

    /// Names of the columns behind `round`, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }
}

fn message_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, the heading has {expected_len}")
        }
        _ => error.to_string(),
    }
}

/// What is in the file, if there is one.
fn contents(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::Io { path: path.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Columns;

    fn parse(text: &str) -> Result<Columns, String> {
        Columns::parse(Path::new("t.csv"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let table = parse("round,new,test_loss,gap\n0,1,2.5,\n20,,inf,\n").unwrap();
        assert_eq!(table.round(), [0, 20]);
        assert_eq!(table.get("test_loss").unwrap(), [2.5, f64::INFINITY]);
        assert!(table.get("new").unwrap()[1].is_nan());
        assert_eq!(table.get("gap"), None, "a column without a number");
        assert_eq!(table.get("validation_loss"), None);
        assert_eq!(table.names().collect::<Vec<_>>(), ["new", "test_loss", "gap"]);
    }

    #[test]
    fn the_last_round_has_the_rows_behind_all_others() {
        let table = |text: &str| parse(text).unwrap().last_round();
        assert_eq!(table("round,a\n0,1\n0,2\n5,3\n5,4\n"), parse("round,a\n5,3\n5,4\n").unwrap());
        assert_eq!(table("round,a\n0,1\n0,2\n").get("a").unwrap(), [1.0, 2.0]);
        assert!(table("round,a\n").is_empty());
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out() {
        let table = parse("round,a\n1,0.5\n2,0.2").unwrap();
        assert_eq!(table.get("a").unwrap(), [0.5]);
        assert_eq!(parse("round,a").unwrap().len(), 0);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        assert_eq!(parse("round,a\n1,2\n2,x\n").unwrap_err(), "t.csv:3: column a: `x` is no number");
        assert_eq!(parse("round,a\n-1,2\n").unwrap_err(), "t.csv:2: column round: `-1` is no round");
        assert_eq!(parse("round,a\n1,2\n2\n").unwrap_err(), "t.csv:3: 1 cells, the heading has 2");
        assert_eq!(parse("a,round\n").unwrap_err(), "t.csv:1: the first column must be `round`");
    }
}
