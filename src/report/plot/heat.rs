//! Heat maps: one number for each row and column, written into its cell.

use plotters::style::{RGBColor, WHITE};

use super::canvas::{Area, DrawError, Lie, fill, font, picture, room, shortened, width_of, write};

const CELL: (i32, i32) = (74, 30);
/// The size of what stands below a number, and how far both are from the middle of the cell.
const NOTE: (i32, i32) = (9, 6);
/// Of a cell without a number.
const GREY: RGBColor = RGBColor(242, 242, 242);
/// Ends and knots of the palette: viridis of matplotlib (van der Walt & Smith, 2015), light for large values.
const KNOTS: [(u8, u8, u8); 5] = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)];

/// What a cell holds.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A number.
    Number {
        /// What its colour is by.
        value: f64,
        /// How it is written.
        text: String,
        /// What stands below it; empty for nothing.
        note: String,
    },
    /// Why there is no number.
    Word(&'static str),
    /// Nothing that could have a number.
    Empty,
}

impl Cell {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number { value, .. } => Some(*value),
            Self::Word(_) | Self::Empty => None,
        }
    }

    /// What stands below its number.
    fn note(&self) -> &str {
        match self {
            Self::Number { note, .. } => note,
            Self::Word(_) | Self::Empty => "",
        }
    }
}

/// A heat map.
#[derive(Clone, Debug)]
pub struct Heat {
    /// Said above.
    pub title: String,
    /// What the cells hold, with its unit.
    pub what: String,
    /// What the columns are.
    pub across: String,
    /// Headings of the columns.
    pub columns: Vec<String>,
    /// Headings of the rows.
    pub rows: Vec<String>,
    /// By row and column.
    pub cells: Vec<Vec<Cell>>,
    /// The last column is another kind of number and stands apart.
    pub apart: bool,
    /// Whether larger is better, and so lighter.
    pub higher_is_better: bool,
    /// Whether colours follow the logarithms.
    pub log: bool,
}

impl Heat {
    /// The picture as SVG.
    ///
    /// # Errors
    /// `DrawError`.
    pub fn draw(&self) -> Result<String, DrawError> {
        let left = room(&self.rows, 11, 420) + 24;
        let notes: Vec<String> = self.cells.iter().flatten().map(|cell| cell.note().to_owned()).collect();
        let wide = (room(&self.columns, 10, 182) + 8).max(CELL.0).max(room(&notes, NOTE.0, 182) + 8);
        let top = 84;
        let columns = self.columns.len() as i32;
        let width = (left + columns * wide + 20)
            .max(width_of(&self.title, 14) + 24)
            .max(width_of(&self.what, 11) + 24);
        let height = top + self.rows.len() as i32 * CELL.1 + 14;
        let place = |column: usize| {
            let gap = if self.apart && column + 1 == self.columns.len() { 6 } else { 0 };
            left + column as i32 * wide + gap
        };
        picture(width, height, |root| {
            write(root, (12, 16), &self.title, font(14), Lie::From)?;
            write(root, (12, 36), &self.what, font(11), Lie::From)?;
            write(root, (left + columns * wide / 2, 56), &self.across, font(11), Lie::Middle)?;
            for (c, column) in self.columns.iter().enumerate() {
                write(root, (place(c) + wide / 2, 74), &shortened(column, 10, wide), font(10), Lie::Middle)?;
            }
            for (r, row) in self.rows.iter().enumerate() {
                let y = top + r as i32 * CELL.1;
                let label = shortened(row, 11, left - 20);
                write(root, (left - 8, y + CELL.1 / 2), &label, font(11), Lie::To)?;
                for (c, cell) in self.cells[r].iter().enumerate() {
                    self.cell(root, (place(c), y), wide, cell)?;
                }
            }
            Ok(())
        })
    }

    /// Draws `cell` with its upper left corner at (x, y).
    fn cell(&self, root: &Area<'_>, (x, y): (i32, i32), wide: i32, cell: &Cell) -> Result<(), DrawError> {
        let (paint, text) = match cell {
            Cell::Number { value, text, .. } => (self.paint(*value), text.as_str()),
            Cell::Word(word) => (GREY, *word),
            Cell::Empty => (GREY, "–"),
        };
        fill(root, (x, y), (x + wide - 2, y + CELL.1 - 2), paint)?;
        let style = |size| if is_dark(paint) { font(size).color(&WHITE) } else { font(size) };
        let (x, y) = (x + wide / 2 - 1, y + CELL.1 / 2 - 1);
        if cell.note().is_empty() {
            return write(root, (x, y), text, style(11), Lie::Middle);
        }
        write(root, (x, y - NOTE.1), text, style(11), Lie::Middle)?;
        write(root, (x, y + NOTE.1), cell.note(), style(NOTE.0), Lie::Middle)
    }

    /// The colour of a value, by its place between the least and the most.
    fn paint(&self, value: f64) -> RGBColor {
        let place = |value: f64| if self.log { value.ln() } else { value };
        let numbers = self.cells.iter().flatten().filter_map(Cell::number);
        let places = numbers.map(place).filter(|v| v.is_finite());
        let (low, high) = places.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let share = if high > low { ((place(value) - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        let share = if share.is_nan() { 0.0 } else { share };
        shade(if self.higher_is_better { share } else { 1.0 - share })
    }
}

/// The palette at `share` of its length.
fn shade(share: f64) -> RGBColor {
    let at = share * (KNOTS.len() - 1) as f64;
    let first = (at as usize).min(KNOTS.len() - 2);
    let (a, b, t) = (KNOTS[first], KNOTS[first + 1], at - first as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Whether white is easier to read on it than black.
fn is_dark(colour: RGBColor) -> bool {
    let RGBColor(r, g, b) = colour;
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b) < 135.0
}

#[cfg(test)]
mod tests {
    use plotters::style::RGBColor;

    use super::{Cell, Heat, is_dark, shade};

    #[test]
    fn colours_of_decades_are_as_far_apart() {
        let cell = |value| Cell::Number { value, text: String::new(), note: String::new() };
        let heat = Heat {
            title: String::new(),
            what: String::new(),
            across: String::new(),
            columns: Vec::new(),
            rows: Vec::new(),
            cells: vec![[1e-4, 1e-2, 1.0].map(cell).into()],
            apart: false,
            higher_is_better: false,
            log: true,
        };
        assert_eq!(heat.paint(1e-2), shade(0.5));
        assert_eq!(Heat { log: false, ..heat.clone() }.paint(1.0), heat.paint(1.0));
        assert_eq!(
            (heat.paint(1e-4), heat.paint(0.0), heat.paint(f64::INFINITY)),
            (shade(1.0), shade(1.0), shade(0.0))
        );
    }

    #[test]
    fn the_palette_runs_from_dark_to_light() {
        assert!(matches!(shade(0.0), RGBColor(68, 1, 84)));
        assert!(matches!(shade(1.0), RGBColor(253, 231, 37)));
        assert!(is_dark(shade(0.2)) && !is_dark(shade(0.9)));
    }
}
