//! Small multiples: lines with bands in a grid of panels that share their
//! axes. Curves over rounds and breakdown curves are both drawn by it.

mod frame;
mod headings;
mod notes;
mod panel;
mod path;
mod scale;
mod span;
mod wrap;

use plotters::style::RGBColor;

use self::{
    frame::{BOTTOM, Frame, NOTE},
    scale::Scale,
};
use super::canvas::{Area, DrawError, Entry, Lie, dashes, font, legend, picture, shortened, write};

const GREY: RGBColor = RGBColor(110, 110, 110);
/// As many lines as a panel can have bands for.
const MOST_BANDS: usize = 5;

/// A point of a line with its band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The mean.
    pub y: f64,
    /// Where its interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// Whether its mark is hollow: not all that there is to know of it is in the mean.
    pub hollow: bool,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Number of its colour.
    pub colour: usize,
    /// Its points, by x.
    pub points: Vec<Point>,
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What and in which unit.
    pub label: String,
    /// Whether it is logarithmic.
    pub log: bool,
    /// Values that the axis never goes beyond.
    pub limits: Option<(f64, f64)>,
    /// Where the marks are, if these fit; round numbers otherwise.
    pub marks: Vec<f64>,
}

/// A grid of panels.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Said above.
    pub title: String,
    /// The axis below.
    pub x: Axis,
    /// The axis on the left.
    pub y: Axis,
    /// Headings of the columns; a single empty one for none.
    pub columns: Vec<String>,
    /// Headings of the rows; a single empty one for none.
    pub rows: Vec<String>,
    /// For every row and column its lines; none where there are no runs.
    pub panels: Vec<Vec<Vec<Line>>>,
    /// Labels and numbers of colours.
    pub legend: Vec<Entry>,
    /// Whether points are marked and intervals are bars.
    pub marks: bool,
}

impl Grid {
    /// The picture as SVG.
    ///
    /// # Errors
    /// [`DrawError`].
    pub fn draw(mut self) -> Result<String, DrawError> {
        self.wrap();
        let scale = Scale::of(&self);
        let frame = Frame::of(&self, &scale);
        picture(frame.width, frame.height, |root| {
            write(root, (12, 16), &shortened(&self.title, 14, frame.width - 24), font(14), Lie::From)?;
            legend(root, (12, 30), frame.width - 24, (&self.legend, dashes))?;
            self.strips(root, &frame)?;
            for (r, row) in self.panels.iter().enumerate() {
                for (c, lines) in row.iter().enumerate().filter(|(c, _)| !self.is_void(r, *c)) {
                    self.panel(root, &frame, &scale, (r, c), lines)?;
                }
            }
            self.write_around(root, &frame)
        })
    }

    /// Writes the titles of the axes and the notes.
    fn write_around(&self, root: &Area<'_>, frame: &Frame) -> Result<(), DrawError> {
        let foot = frame.height - frame.notes_height();
        let middle = (frame.left + frame.width - frame.right) / 2;
        write(root, (middle, foot - 12), &self.x.label, font(12), Lie::Middle)?;
        let middle = (frame.top + foot - BOTTOM) / 2;
        write(root, (14, middle), &self.y.label, font(12), Lie::Up)?;
        for (note, at) in frame.notes.iter().zip(0..) {
            write(root, (12, foot + 5 + at * NOTE), note, font(10).color(&GREY), Lie::From)?;
        }
        Ok(())
    }

    /// Whether intervals are drawn; bands of many lines in a panel would hide all.
    fn has_intervals(&self) -> bool {
        self.marks || self.panels.iter().flatten().all(|lines| lines.len() <= MOST_BANDS)
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Grid, Line, Point};

    pub fn line(ys: &[f64]) -> Line {
        let point = |(x, &y): (usize, &f64)| Point { x: x as f64, y, low: y, high: y, hollow: false };
        Line { colour: 0, points: ys.iter().enumerate().map(point).collect() }
    }

    /// A grid of one panel with these lines, each with a band of a tenth and its number as its name.
    pub fn panel(lines: &[&[f64]], log: bool) -> Grid {
        let banded = |point: &Point| Point { low: 0.9 * point.y, high: 1.1 * point.y, ..*point };
        let lines = lines
            .iter()
            .enumerate()
            .map(|(colour, ys)| Line { colour, points: line(ys).points.iter().map(banded).collect() });
        let lines: Vec<Line> = lines.collect();
        let legend = (0..lines.len()).map(|number| (format!("line-{number}"), number)).collect();
        let names = || vec![String::new()];
        let y = Axis { log, ..Axis::default() };
        Grid { rows: names(), columns: names(), panels: vec![vec![lines]], legend, y, ..Grid::default() }
    }
}
