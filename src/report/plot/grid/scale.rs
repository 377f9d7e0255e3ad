//! Both axes, which all panels share: how far they reach, and what of a point is within.

use super::{
    super::ticks::place,
    frame::panel_size,
    path::{crossed, pieces},
    span::Span,
    {Axis, Grid, Point},
};

/// How many decades a logarithmic axis goes beyond the first values of its lines at least: of curves, and of points.
const DECADES: (f64, f64) = (3.0, 8.0);

/// Both axes, which all panels share.
pub struct Scale {
    /// That below.
    pub x: Span,
    /// That on the left.
    pub y: Span,
}

impl Scale {
    /// Of the lines of `grid`.
    pub fn of(grid: &Grid) -> Self {
        let lines = || grid.panels.iter().flatten().flatten();
        let of = |line| pieces(line, &grid.x, &grid.y).into_iter().flatten();
        let points: Vec<Point> = lines().flat_map(of).collect();
        // also where a line cannot be seen, so that it is seen where it ends
        let xs = range(lines().flat_map(|line| &line.points).map(|point| place(point.x, grid.x.log)));
        // bands of few seeds can be huge: the axis follows the means and half as much again at most
        let mut means = range(points.iter().map(|point| point.y));
        if grid.y.log {
            let first = range(lines().filter_map(|line| of(line).next()).map(|point| point.y));
            means.1 = means.1.min(highest(first.1, means.0, grid.marks));
        }
        let room = means.1 - means.0;
        let has_ends = |point: &&Point| grid.has_intervals() && point.y <= means.1;
        let ends = points.iter().filter(has_ends).flat_map(|point| [point.low, point.high]);
        let (least, most) = grid.y.limits.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let (least, most) = (least.max(means.0 - room * 0.25), most.min(means.1 + room * 0.25));
        let ends = ends.map(|end| end.max(least).min(most));
        let all = range([means.0, means.1].into_iter().chain(ends));
        let x_pad = if grid.marks { 0.05 } else { 0.0 };
        let (wide, high) = panel_size(grid);
        Self {
            x: Span::across(padded(xs, x_pad, &grid.x), &grid.x, wide),
            y: Span::new(padded(all, 0.04, &grid.y), &grid.y, (high / 28) as usize),
        }
    }

    /// The height nearest to `y` within the axis.
    pub fn clamp(&self, y: f64) -> f64 {
        y.clamp(self.y.range.0, self.y.range.1)
    }

    /// Whether the height `y` is within the axis.
    pub fn holds(&self, y: f64) -> bool {
        self.clamp(y) == y
    }

    /// The outline of the intervals of `points`, as much of it as is within the axis.
    pub fn band(&self, points: &[Point]) -> Vec<(f64, f64)> {
        let edge = |end: fn(&Point) -> f64| {
            let edge = crossed(points.iter().map(|point| (point.x, end(point))), self.y.range);
            edge.into_iter().map(|(x, y)| (x, self.clamp(y)))
        };
        edge(|point| point.low).chain(edge(|point| point.high).rev()).collect()
    }
}

/// Where a logarithmic axis ends whose lines begin at `first` at most and fall to `low`: lines that grow further have
/// diverged, and would leave no room for the others.
fn highest(first: f64, low: f64, marks: bool) -> f64 {
    let least = if marks { DECADES.1 } else { DECADES.0 };
    first + least.max((first - low) / 2.0)
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// The range with some room around it, a range of its own if it has no width, and within the axis' limits.
fn padded((low, high): (f64, f64), share: f64, axis: &Axis) -> (f64, f64) {
    if low > high {
        return (0.0, 1.0);
    }
    let width = if high > low { high - low } else { high.abs().max(1.0) * 0.2 };
    let pad = if high > low { share * width } else { width / 2.0 };
    let (least, most) = axis.limits.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    ((low - pad).max(least.min(low)), (high + pad).min(most.max(high)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{line, panel},
        Axis, Point, Scale, padded,
    };

    /// The band of a line that has left the frame would cover all of it.
    #[test]
    fn a_band_ends_with_its_line() {
        let bands = |ys: &[f64]| {
            let falls: &[f64] = &[1.0, 1e-2, 1e-4, 1e-5];
            panel(&[falls, ys], true).draw().unwrap().matches("<polygon").count()
        };
        assert_eq!((bands(&[1.0, 2.0, 3.0, 4.0]), bands(&[1.0, 1e60, 1e61, 1e62])), (2, 1));
        let points =
            line(&[1.0, 2.0, 3.0]).points.into_iter().map(|point| Point { low: f64::NEG_INFINITY, ..point });
        let scale = Scale::of(&panel(&[&[1.0, 2.0]], true));
        let (low, high) = scale.y.range;
        let band = scale.band(&points.collect::<Vec<_>>());
        assert!(band.iter().all(|(_, y)| (low..=high).contains(y)), "{band:?}");
    }

    #[test]
    fn ranges_have_room_within_their_limits() {
        let percent = Axis { limits: Some((0.0, 100.0)), ..Axis::default() };
        assert_eq!(padded((0.0, 90.0), 0.1, &percent), (0.0, 99.0));
        assert_eq!(padded((5.0, 5.0), 0.1, &Axis::default()), (4.5, 5.5));
        assert_eq!(padded((f64::INFINITY, f64::NEG_INFINITY), 0.1, &percent), (0.0, 1.0));
    }
}
