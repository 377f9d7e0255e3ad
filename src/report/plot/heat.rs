//! Heat maps: one number for each row and column, written into its cell, and a
//! bar beside them that says what the colours are.

use plotters::style::{RGBColor, WHITE};

use super::{
    canvas::{Area, DrawError, Lie, fill, font, picture, room, shortened, width_of, write},
    ticks::{label, marks, place},
};

const CELL: (i32, i32) = (74, 30);
/// The size of what stands below a number, and how far both are from the middle of the cell.
const NOTE: (i32, i32) = (9, 6);
/// Of a cell without a number.
const GREY: RGBColor = RGBColor(242, 242, 242);
/// Of a cell whose number is not finite: none of the palette.
const DIVERGED: RGBColor = RGBColor(213, 94, 0);
/// Width and least height of the bar of colours.
const BAR: (i32, i32) = (12, 84);
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
        self.draw_among([self])
    }

    /// The same with colours that mean the same in all pictures of `maps`, of which it is one.
    ///
    /// # Errors
    /// `DrawError`.
    pub fn draw_among<'a>(&self, maps: impl IntoIterator<Item = &'a Self>) -> Result<String, DrawError> {
        let cells = maps.into_iter().flat_map(|map| map.cells.iter().flatten());
        let places =
            cells.filter_map(Cell::number).map(|value| place(value, self.log)).filter(|v| v.is_finite());
        self.draw_within(places.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v))))
    }

    /// The same with the ends of the palette at the places `limits`.
    fn draw_within(&self, limits: (f64, f64)) -> Result<String, DrawError> {
        let left = room(&self.rows, 11, 420) + 24;
        let notes: Vec<String> = self.cells.iter().flatten().map(|cell| cell.note().to_owned()).collect();
        let wide = (room(&self.columns, 10, 182) + 8).max(CELL.0).max(room(&notes, NOTE.0, 182) + 8);
        let top = 84;
        let columns = self.columns.len() as i32;
        let bar = Bar::new(limits, self.log, BAR.1.max(self.rows.len() as i32 * CELL.1));
        let right = left + columns * wide + 20;
        let width =
            (right + bar.width()).max(width_of(&self.title, 14) + 24).max(width_of(&self.what, 11) + 24);
        let height = top + bar.height.max(self.rows.len() as i32 * CELL.1) + 14;
        let edge = |column: usize| {
            let gap = if self.apart && column + 1 == self.columns.len() { 6 } else { 0 };
            left + column as i32 * wide + gap
        };
        picture(width, height, |root| {
            write(root, (12, 16), &self.title, font(14), Lie::From)?;
            write(root, (12, 36), &self.what, font(11), Lie::From)?;
            write(root, (left + columns * wide / 2, 56), &self.across, font(11), Lie::Middle)?;
            for (c, column) in self.columns.iter().enumerate() {
                write(root, (edge(c) + wide / 2, 74), &shortened(column, 10, wide), font(10), Lie::Middle)?;
            }
            for (r, row) in self.rows.iter().enumerate() {
                let y = top + r as i32 * CELL.1;
                let label = shortened(row, 11, left - 20);
                write(root, (left - 8, y + CELL.1 / 2), &label, font(11), Lie::To)?;
                for (c, cell) in self.cells[r].iter().enumerate() {
                    self.cell(root, (edge(c), y), wide, (cell, limits))?;
                }
            }
            bar.draw(root, (right, top), |share| self.shade(share))
        })
    }

    /// Draws `cell` with its upper left corner at (x, y).
    fn cell(
        &self,
        root: &Area<'_>,
        (x, y): (i32, i32),
        wide: i32,
        (cell, limits): (&Cell, (f64, f64)),
    ) -> Result<(), DrawError> {
        let (paint, text) = match cell {
            Cell::Number { value, text, .. } => (self.paint(*value, limits), text.as_str()),
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

    /// The colour of a value, by its place between the limits.
    fn paint(&self, value: f64, (low, high): (f64, f64)) -> RGBColor {
        if !value.is_finite() {
            return DIVERGED;
        }
        let share = (place(value, self.log) - low) / (high - low);
        // no number is below zero on a logarithmic scale
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.shade(if high > low { share } else { 0.5 })
    }

    /// The colour at `share` of the way from the least to the most.
    fn shade(&self, share: f64) -> RGBColor {
        shade(if self.higher_is_better { share } else { 1.0 - share })
    }
}

/// The bar of colours, with round numbers beside it; none if all numbers are one.
struct Bar {
    limits: (f64, f64),
    height: i32,
    marks: Vec<(f64, String)>,
}

impl Bar {
    fn new(limits: (f64, f64), log: bool, height: i32) -> Self {
        if limits.0 >= limits.1 {
            return Self { limits, height: 0, marks: Vec::new() };
        }
        let marks = marks(limits, log, (height / 20).max(3) as usize);
        let marks = marks.into_iter().map(|mark| (mark, label(mark, log))).collect();
        Self { limits, height, marks }
    }

    /// The pixels that it needs.
    fn width(&self) -> i32 {
        let widest = self.marks.iter().map(|(_, text)| width_of(text, 10)).max();
        widest.map_or(0, |widest| BAR.0 + 6 + widest + 8)
    }

    /// Draws it with its upper left corner at (x, y); `shade` is the colour at a share of its height.
    fn draw(
        &self,
        root: &Area<'_>,
        (x, y): (i32, i32),
        shade: impl Fn(f64) -> RGBColor,
    ) -> Result<(), DrawError> {
        let (low, high) = self.limits;
        let foot = y + self.height;
        for up in 0..self.height {
            let paint = shade((f64::from(up) + 0.5) / f64::from(self.height));
            fill(root, (x, foot - up - 1), (x + BAR.0, foot - up), paint)?;
        }
        for (mark, text) in &self.marks {
            let at = foot - ((mark - low) / (high - low) * f64::from(self.height)).round() as i32;
            fill(root, (x + BAR.0, at), (x + BAR.0 + 3, at + 1), RGBColor(110, 110, 110))?;
            write(root, (x + BAR.0 + 6, at), text, font(10), Lie::From)?;
        }
        Ok(())
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
    use std::collections::BTreeSet;

    use plotters::style::RGBColor;

    use super::{Cell, DIVERGED, Heat, is_dark, shade};

    fn heat(values: &[f64]) -> Heat {
        let cell = |&value: &f64| Cell::Number { value, text: String::new(), note: String::new() };
        Heat {
            title: String::new(),
            what: String::new(),
            across: String::new(),
            columns: values.iter().map(f64::to_string).collect(),
            rows: vec!["row".to_owned()],
            cells: vec![values.iter().map(cell).collect()],
            apart: false,
            higher_is_better: false,
            log: true,
        }
    }

    #[test]
    fn colours_of_decades_are_as_far_apart() {
        let log = heat(&[]);
        let paint = |value| log.paint(value, (-4.0, 0.0));
        assert_eq!([1e-4, 1e-2, 1.0].map(paint), [1.0, 0.5, 0.0].map(shade));
        assert_eq!(paint(0.0), shade(1.0));
        assert_eq!(Heat { log: false, ..log.clone() }.paint(0.25, (0.0, 1.0)), shade(0.75));
    }

    /// What diverged is not the worst of those that did not.
    #[test]
    fn what_is_not_finite_has_a_colour_of_its_own() {
        let palette: Vec<RGBColor> = (0..=100).map(|percent| shade(f64::from(percent) / 100.0)).collect();
        for value in [f64::INFINITY, f64::NAN] {
            assert_eq!(heat(&[]).paint(value, (-4.0, 0.0)), DIVERGED);
        }
        assert!(!palette.contains(&DIVERGED));
    }

    /// A value has one colour in both, though the second map reaches further; the bar beside them is the same.
    #[test]
    fn maps_side_by_side_share_their_colours() {
        let (near, far) = (heat(&[1e-2, 1.0]), heat(&[1e-2, 1e4]));
        // behind the paper and the first cell, which have 1e-2 at the best end in both
        let second = |svg: String| {
            let rectangle = svg.split("<rect").nth(3).unwrap().to_owned();
            rectangle.split("fill=\"").nth(1).unwrap()[..7].to_owned()
        };
        let among = |map: &Heat| second(map.draw_among([&near, &far]).unwrap());
        assert_eq!(second(near.draw().unwrap()), second(far.draw().unwrap()));
        assert_ne!(among(&near), among(&far));
        let texts = |svg: String| -> BTreeSet<String> {
            let texts = svg.split("</text>").filter_map(|part| part.rsplit_once('>'));
            texts.map(|(_, text)| text.trim().to_owned()).collect()
        };
        let (alone, other) = (texts(near.draw().unwrap()), texts(far.draw().unwrap()));
        let among = texts(near.draw_among([&near, &far]).unwrap());
        assert!(among.difference(&alone).any(|mark| other.contains(mark)), "{among:?} {alone:?}");
    }

    #[test]
    fn the_palette_runs_from_dark_to_light() {
        assert!(matches!(shade(0.0), RGBColor(68, 1, 84)));
        assert!(matches!(shade(1.0), RGBColor(253, 231, 37)));
        assert!(is_dark(shade(0.2)) && !is_dark(shade(0.9)));
    }
}
