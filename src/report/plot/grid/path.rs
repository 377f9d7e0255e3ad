//! What of a line can be drawn: its pieces on the axes' scales, and where they
//! cross the frame.

use super::{
    super::ticks::place,
    {Axis, Line, Point},
};

/// The parts of a line between values that cannot be drawn, on the axes' scales.
pub fn pieces(line: &Line, x: &Axis, y: &Axis) -> Vec<Vec<Point>> {
    let placed = |point: &Point| {
        // an interval that reaches below zero goes to the foot of a logarithmic axis
        let low = Some(place(point.low, y.log)).filter(|low| !low.is_nan()).unwrap_or(f64::NEG_INFINITY);
        let at = Point {
            x: place(point.x, x.log),
            y: place(point.y, y.log),
            low,
            high: place(point.high, y.log),
            ..*point
        };
        (at.x.is_finite() && at.y.is_finite()).then_some(at)
    };
    let placed: Vec<Option<Point>> = line.points.iter().map(placed).collect();
    let pieces = placed.split(Option::is_none).filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.iter().copied().flatten().collect()).collect()
}

/// A path with points of its own where it crosses an end of `range`; it falls straight to what is infinitely far away.
pub fn crossed(path: impl Iterator<Item = (f64, f64)>, range: (f64, f64)) -> Vec<(f64, f64)> {
    let mut whole: Vec<(f64, f64)> = Vec::new();
    for to in path {
        if let Some(&from) = whole.last() {
            let mut ends = [range.0, range.1];
            if to.1 < from.1 {
                ends.reverse();
            }
            let between = |end: &f64| (from.1 < *end && *end < to.1) || (to.1 < *end && *end < from.1);
            whole.extend(ends.into_iter().filter(between).map(|end| (crossing(from, to, end), end)));
        }
        whole.push(to);
    }
    whole
}

/// Where the way between two points is at the height `end`.
fn crossing(from: (f64, f64), to: (f64, f64), end: f64) -> f64 {
    if from.1.is_infinite() {
        return to.0;
    }
    // nothing of the way if it leads to infinity
    from.0 + (to.0 - from.0) * ((end - from.1) / (to.1 - from.1))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Axis, tests::line},
        crossed, pieces,
    };

    #[test]
    fn a_line_breaks_where_there_is_no_number() {
        let parts =
            pieces(&line(&[1.0, f64::NAN, 2.0, 3.0, f64::INFINITY]), &Axis::default(), &Axis::default());
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn zero_has_no_place_on_a_logarithmic_axis() {
        let log = Axis { log: true, ..Axis::default() };
        let parts = pieces(&line(&[0.0, 100.0]), &Axis::default(), &log);
        assert_eq!((parts.len(), parts[0][0].y), (1, 2.0));
    }

    /// From 1 to 3 and on to minus infinity, in a frame from 0 to 2.
    #[test]
    fn paths_are_cut_at_the_frame() {
        let path = [(0.0, 1.0), (1.0, 3.0), (2.0, f64::NEG_INFINITY), (3.0, 1.0)];
        let whole = crossed(path.into_iter(), (0.0, 2.0));
        let expected = [
            (0.0, 1.0),
            (0.5, 2.0),
            (1.0, 3.0),
            (1.0, 2.0),
            (1.0, 0.0),
            (2.0, f64::NEG_INFINITY),
            (3.0, 0.0),
            (3.0, 1.0),
        ];
        assert_eq!(whole, expected);
    }
}
