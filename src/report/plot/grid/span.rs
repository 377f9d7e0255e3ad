//! What is shown of one axis, for plotters: its range, its marks and their labels.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::{
    super::{
        canvas::width_of,
        ticks::{label, marks},
    },
    Axis,
};

/// What is shown of an axis, and its marks; exponents of ten on a logarithmic one.
#[derive(Clone)]
pub struct Span {
    pub range: (f64, f64),
    pub marks: Vec<f64>,
    log: bool,
}

impl Span {
    /// With so many marks at most.
    pub fn new(range: (f64, f64), axis: &Axis, most: usize) -> Self {
        Self { range, marks: marks(range, axis.log, most), log: axis.log }
    }

    /// With the marks of the axis, or as many as have room for their labels side by side on `pixels`.
    pub fn across(range: (f64, f64), axis: &Axis, pixels: i32) -> Self {
        let fits = |span: &Self| span.marks.len() as i32 * (span.width() + 14) <= pixels;
        let own = (!axis.marks.is_empty()).then(|| Self { range, marks: axis.marks.clone(), log: axis.log });
        let round = (3..9).rev().map(|most| Self::new(range, axis, most));
        own.into_iter().chain(round).find(fits).unwrap_or_else(|| Self::new(range, axis, 3))
    }

    /// What so many pixels of `all` are on the axis.
    pub fn of_pixels(&self, pixels: f64, all: i32) -> f64 {
        pixels * (self.range.1 - self.range.0) / f64::from(all)
    }

    /// How wide the widest label is.
    pub fn width(&self) -> i32 {
        self.marks.iter().map(|mark| width_of(&label(*mark, self.log), 10)).max().unwrap_or(0)
    }
}

impl Ranged for Span {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (low, high) = self.range;
        limit.0 + ((value - low) / (high - low) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Span {
    fn format_ext(&self, mark: &f64) -> String {
        label(*mark, self.log)
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Span};

    #[test]
    fn labels_have_room_side_by_side() {
        let marks = |high: f64, pixels| Span::across((0.0, high), &Axis::default(), pixels).marks.len();
        assert_eq!(
            [(100.0, 236), (100.0, 120), (500_000.0, 236)].map(|(high, pixels)| marks(high, pixels)),
            [6, 3, 3]
        );
        let own = Axis { marks: vec![1.0, 4.0, 8.0], ..Axis::default() };
        assert_eq!(Span::across((1.0, 8.0), &own, 236).marks, own.marks);
    }
}
