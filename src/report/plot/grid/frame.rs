//! Where the panels are, and how large.

use super::{
    super::canvas::{legend_height, lines_of, room, width_of},
    Grid,
    headings::{SMALLEST, STRIP},
    scale::Scale,
};

/// Between two panels.
pub const GAP: i32 = 24;
/// What the title of the y axis takes on the left.
pub const TITLE: i32 = 26;
/// What the x axis and its title take below.
pub const BOTTOM: i32 = 48;
/// The height of a line of the notes, which are of size 10.
pub const NOTE: i32 = 15;

/// Where the panels are.
pub struct Frame {
    /// Width and height of a panel.
    pub panel: (i32, i32),
    /// Of the picture.
    pub width: i32,
    /// Of the picture.
    pub height: i32,
    /// Where the first column of panels begins.
    pub left: i32,
    /// Where the first row of panels begins.
    pub top: i32,
    /// What is free beside the last column.
    pub right: i32,
    /// What a heading over each panel takes.
    over: i32,
    /// The lines below.
    pub notes: Vec<String>,
}

impl Frame {
    /// Of `grid`, whose axes are those of `scale`.
    pub fn of(grid: &Grid, scale: &Scale) -> Self {
        let headed = |headings: &[String]| headings.iter().any(|heading| !heading.is_empty());
        let wrapped = grid.is_wrapped();
        // half of the last label stands out
        let label = scale.x.width() / 2 + 4;
        let right = if !wrapped && headed(&grid.rows) { STRIP + 4 } else { label.max(10) };
        let columns = grid.columns.len() as i32;
        let panel = panel_size(grid);
        let left = TITLE + scale.y.width() + 8;
        let least = (width_of(&grid.title, 14) + 40).min(760);
        let width = (left + columns * (panel.0 + GAP) - GAP + right).max(least);
        let rows = legend_height(&grid.legend, width - 24);
        let head = if wrapped || headed(&grid.columns) { STRIP } else { 4 };
        let top = 34 + rows + head;
        let over = if wrapped { STRIP } else { 0 };
        let notes: Vec<String> =
            grid.notes(scale).iter().flat_map(|note| lines_of(note, 10, width - 24)).collect();
        let height = top + grid.panels.len() as i32 * (panel.1 + GAP + over) - GAP - over + BOTTOM;
        let frame = Self { panel, width, height, left, top, right, over, notes };
        Self { height: height + frame.notes_height(), ..frame }
    }

    /// What the lines below take.
    pub fn notes_height(&self) -> i32 {
        if self.notes.is_empty() { 0 } else { 5 + self.notes.len() as i32 * NOTE }
    }

    /// The upper left corner of a panel.
    pub fn corner(&self, row: usize, column: usize) -> (i32, i32) {
        (
            self.left + column as i32 * (self.panel.0 + GAP),
            self.top + row as i32 * (self.panel.1 + GAP + self.over),
        )
    }
}

/// Width and height of a panel: by their number, and as large as their headings need to be told apart.
pub fn panel_size(grid: &Grid) -> (i32, i32) {
    let (wide, high) = match grid.columns.len() {
        1 => (440, 270),
        2 => (330, 220),
        _ => (236, 176),
    };
    let of_panels = || grid.rows.iter().flat_map(|row| row.split('\n')).map(str::to_owned).collect();
    let (over, beside) =
        if grid.is_wrapped() { (of_panels(), &[][..]) } else { (grid.columns.clone(), &grid.rows[..]) };
    (wide.max(room(&over, SMALLEST, wide - 4) + 4), high.max(room(beside, SMALLEST, high)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::canvas::width_of, Grid},
        SMALLEST, panel_size,
    };

    #[test]
    fn panels_are_as_large_as_headings_need_to_be_told_apart() {
        let size = |rows: &[String], columns: &[&str]| {
            let columns = columns.iter().map(|name| (*name).to_owned()).collect();
            panel_size(&Grid { rows: rows.to_vec(), columns, ..Grid::default() })
        };
        let long = ["x", "y"].map(|middle| format!("{}{middle}{0}", "a".repeat(60)));
        let alike = ["x", "x"].map(|end| format!("{}{end}", "a".repeat(120)));
        let whole = width_of(&long[0], SMALLEST);
        assert_eq!(size(&alike, &["sgd", "adam"]), (330, 220));
        assert_eq!(size(&long, &["sgd", "adam"]), (330, whole));
        assert_eq!(size(&[long.join("\n")], &["", ""]), (whole + 4, 220));
    }
}
