//! Plain tables and text for a terminal.

use textwrap::{Options, WordSeparator, WordSplitter};

/// `rows` in columns as wide as their widest cell; the last column is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The same on lines of `width` characters: the last column is wrapped, or stands below the others where they leave it
/// little room.
pub fn wrapped(rows: &[Vec<String>], width: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let parts: Vec<(&[String], &str)> = rows
        .iter()
        .map(|row| {
            let (front, last) = row.split_at(row.len().min(count.saturating_sub(1)));
            (front, last.first().map_or("", String::as_str))
        })
        .collect();
    let fronts = columns(&parts.iter().map(|(front, _)| front.to_vec()).collect::<Vec<_>>());
    let room = fronts.lines().map(|line| line.chars().count()).max().unwrap_or(0) + 2;
    if room + LEAST > width {
        return parts.iter().map(|(front, last)| below(front, last, width)).collect();
    }
    let line = |(front, (_, last)): (&str, &(&[String], &str))| match last {
        &"" => format!("{front}\n"),
        last => paragraph(&format!("{front:room$}"), last, room, width),
    };
    fronts.lines().zip(&parts).map(line).collect()
}

/// The first cells of a row, and `last` below them; a row without a first cell belongs to the one above.
fn below(front: &[String], last: &str, width: usize) -> String {
    let inside = front.first().is_some_and(String::is_empty);
    let indent = if inside { BELOW + 2 } else { BELOW };
    let cells: Vec<&str> = front.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
    let head = format!("{:1$}{2}\n", "", if inside { BELOW } else { 0 }, cells.join("  "));
    let last =
        if last.is_empty() { String::new() } else { paragraph(&" ".repeat(indent), last, indent, width) };
    head + &last
}

/// Least room of a column of text beside others.
const LEAST: usize = 30;

/// Where a line begins that stands below its row.
const BELOW: usize = 10;

/// `head`, then the words of `text` on lines of `width` characters, of which those after the first begin at `hanging`. A
/// word that is longer has a line of its own.
pub fn paragraph(head: &str, text: &str, hanging: usize, width: usize) -> String {
    let indent = " ".repeat(hanging);
    let lines = Options::new(width)
        .initial_indent(head)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(text, lines) + "\n"
}

#[cfg(test)]
mod tests {
    use super::{paragraph, wrapped};

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(paragraph("a: ", "bb cc  dddd e", 2, 8), "a: bb cc\n  dddd e\n");
        assert_eq!(paragraph("", "longer than it", 1, 4), "longer\n than\n it\n");
    }

    #[test]
    fn the_last_column_is_wrapped_or_below() {
        let rows = [vec!["a".to_owned(), "one two three four five six seven".into()], vec!["bbb".into()]];
        let beside = "a    one two three four five six\n     seven\nbbb\n";
        assert_eq!(wrapped(&rows, 35), beside);
        assert_eq!(
            wrapped(&rows, 20),
            "a\n          one two\n          three four\n          five six\n          seven\nbbb\n"
        );
        assert_eq!(wrapped(&[], 20), "");
        let rows = [["a", "any", "one two"], ["", "2", "three"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(wrapped(&rows, 20), "a  any\n          one two\n          2\n            three\n");
    }
}
