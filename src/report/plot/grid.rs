//! Small multiples: lines with bands in a grid of panels that share their
//! axes. Curves over rounds and breakdown curves are both drawn by it.

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext, LabelAreaPosition},
    coord::{
        cartesian::Cartesian2d,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    },
    element::{Circle, DashedPathElement, PathElement, Polygon},
    style::{
        Color, RGBColor, ShapeStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    canvas::{
        Area, DrawError, Entry, Lie, colour, dashes, fill, font, legend, legend_places, lines_of, picture,
        px, room, shortened, width_of, write,
    },
    ticks::{marks, written},
};

const GAP: i32 = 24;
/// The smallest headings that can be read.
const SMALLEST: i32 = 9;
/// What the title of the y axis takes on the left.
const TITLE: i32 = 26;
const BOTTOM: i32 = 48;
const STRIP: i32 = 20;
const WRAP: usize = 3;
/// How far bars of different lines stand from one another, in pixels.
const BESIDE: f64 = 2.5;
const GREY: RGBColor = RGBColor(110, 110, 110);
/// As many lines as a panel can have bands for.
const MOST_BANDS: usize = 5;
/// How many decades a logarithmic axis goes beyond the first values of its lines at least: of curves, and of points.
const DECADES: (f64, f64) = (3.0, 8.0);
/// The height of a line of the notes, which are of size 10.
const NOTE: i32 = 15;
/// As many lines as a note names.
const NAMED: usize = 6;

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

impl Line {
    /// Whether it goes beyond `top`, or to what is no number.
    fn leaves(&self, top: f64) -> bool {
        let begun = self.points.iter().skip_while(|point| point.y.is_nan());
        begun.map(|point| point.y).any(|y| y.is_nan() || y.is_infinite() || y > top)
    }
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
            let foot = frame.height - frame.notes_height();
            let middle = (frame.left + frame.width - frame.right) / 2;
            write(root, (middle, foot - 12), &self.x.label, font(12), Lie::Middle)?;
            let middle = (frame.top + foot - BOTTOM) / 2;
            write(root, (14, middle), &self.y.label, font(12), Lie::Up)?;
            for (note, at) in frame.notes.iter().zip(0..) {
                write(root, (12, foot + 5 + at * NOTE), note, font(10).color(&GREY), Lie::From)?;
            }
            Ok(())
        })
    }

    /// Whether intervals are drawn; bands of many lines in a panel would hide all.
    fn has_intervals(&self) -> bool {
        self.marks || self.panels.iter().flatten().all(|lines| lines.len() <= MOST_BANDS)
    }

    /// What a reader cannot see, and has to know.
    fn notes(&self, scale: &Scale) -> Vec<String> {
        let top = if self.y.log { 10f64.powf(scale.y.range.1) } else { scale.y.range.1 };
        let told = |what: &str, is_so: &dyn Fn(&Line) -> bool| {
            let names = self.names(is_so);
            (!names.is_empty()).then(|| format!("{what}: {}.", names.join("; ")))
        };
        let bands = "Without the bands of intervals: a panel has more than five lines.".to_owned();
        let notes = [
            told("Diverged, beyond the axis or to no number at all", &|line| line.leaves(top)),
            told("Not drawn where 0 or less, for which a logarithmic axis has no place", &|line| {
                self.y.log && line.points.iter().any(|point| point.y <= 0.0)
            }),
            (!self.has_intervals()).then_some(bands),
        ];
        notes.into_iter().flatten().collect()
    }

    /// The lines of which something is so, with the panels in which it is.
    fn names(&self, is_so: &dyn Fn(&Line) -> bool) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut labels: Vec<(&str, usize)> =
            self.legend.iter().map(|(label, number)| (label.as_str(), *number)).collect();
        if labels.is_empty() {
            labels.push(("", 0));
        }
        for (label, number) in labels {
            let panels = self
                .panels
                .iter()
                .enumerate()
                .flat_map(|(r, row)| row.iter().enumerate().map(move |(c, lines)| ((r, c), lines)));
            let those =
                panels.filter(|(_, lines)| lines.iter().any(|line| line.colour == number && is_so(line)));
            let places: Vec<String> = those.map(|((r, c), _)| self.heading(r, c)).collect();
            if places.is_empty() {
                continue;
            }
            let places = places.into_iter().filter(|place| !place.is_empty()).collect::<Vec<_>>().join(", ");
            names.push(match (label, places.as_str()) {
                ("", "") => "the line".to_owned(),
                (one, "") | ("", one) => one.to_owned(),
                (label, places) => format!("{label} ({places})"),
            });
        }
        if names.len() > NAMED {
            let more = names.split_off(NAMED).len();
            names.push(format!("{more} more"));
        }
        names
    }

    /// What stands over and beside a panel.
    fn heading(&self, row: usize, column: usize) -> String {
        if self.is_wrapped() {
            return self.rows[row].split('\n').nth(column).unwrap_or_default().to_owned();
        }
        let both = [&self.rows[row], &self.columns[column]];
        both.into_iter().filter(|one| !one.is_empty()).cloned().collect::<Vec<_>>().join(" · ")
    }

    /// A single row or column becomes several rows, each panel under its heading.
    fn wrap(&mut self) {
        let (rows, columns) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.columns));
        let (mut headings, other) = match (rows.len(), columns.len()) {
            (2.., 1) => (rows, columns),
            (1, wide) if wide > WRAP + 1 => (columns, rows),
            _ => {
                (self.rows, self.columns) = (rows, columns);
                return;
            }
        };
        // The one heading of the other side holds for every panel.
        if let Some(other) = other.first().filter(|other| !other.is_empty()) {
            headings.iter_mut().for_each(|heading| *heading = format!("{other} · {heading}"));
        }
        let mut panels: Vec<Vec<Line>> = std::mem::take(&mut self.panels).into_iter().flatten().collect();
        let wide = if headings.len() == 4 { 2 } else { WRAP.min(headings.len()) };
        self.columns = vec![String::new(); wide];
        while !panels.is_empty() {
            let take = wide.min(panels.len());
            self.panels.push(panels.drain(..take).collect());
            self.rows.push(headings.drain(..take).collect::<Vec<_>>().join("\n"));
        }
        if let Some(last) = self.panels.last_mut() {
            last.resize(wide, Vec::new());
        }
    }

    /// Whether the headings stand over each panel.
    fn is_wrapped(&self) -> bool {
        self.columns.len() > 1 && self.columns.iter().all(String::is_empty)
    }

    /// Whether there is no panel at this place of a wrapped grid.
    fn is_void(&self, row: usize, column: usize) -> bool {
        self.is_wrapped() && self.rows[row].split('\n').nth(column).is_none()
    }

    fn strips(&self, root: &Area<'_>, frame: &Frame) -> Result<(), DrawError> {
        if self.is_wrapped() {
            let size = heading_size(self.rows.iter().flat_map(|row| row.split('\n')), frame.panel.0);
            for (r, row) in self.rows.iter().enumerate() {
                for (c, heading) in row.split('\n').enumerate() {
                    over(root, frame, frame.corner(r, c), heading, size)?;
                }
            }
            return Ok(());
        }
        let size = heading_size(self.columns.iter().map(String::as_str), frame.panel.0);
        for (c, heading) in self.columns.iter().enumerate().filter(|(_, heading)| !heading.is_empty()) {
            over(root, frame, frame.corner(0, c), heading, size)?;
        }
        let size = heading_size(self.rows.iter().map(String::as_str), frame.panel.1);
        for (r, heading) in self.rows.iter().enumerate().filter(|(_, heading)| !heading.is_empty()) {
            let (x, y) = frame.corner(r, self.columns.len());
            let x = x - GAP + 4;
            fill(root, (x, y), (x + STRIP - 2, y + frame.panel.1), RGBColor(236, 236, 236))?;
            let middle = (x + STRIP / 2 - 1, y + frame.panel.1 / 2);
            write(root, middle, &shortened(heading, size, frame.panel.1), font(size), Lie::Down)?;
        }
        Ok(())
    }

    fn panel(
        &self,
        root: &Area<'_>,
        frame: &Frame,
        scale: &Scale,
        (r, c): (usize, usize),
        lines: &[Line],
    ) -> Result<(), DrawError> {
        let (x, y) = frame.corner(r, c);
        let left = if c == 0 { frame.left - TITLE } else { 0 };
        // the lowest panel of its column has the axis
        let lowest = r + 1 == self.panels.len() || self.is_void(r + 1, c);
        let bottom = if lowest { 22 } else { 0 };
        let area = root
            .clone()
            .shrink((px(x - left), px(y)), (px(frame.panel.0 + left), px(frame.panel.1 + bottom)));
        let mut chart = ChartBuilder::on(&area)
            .set_label_area_size(LabelAreaPosition::Left, px(left))
            .set_label_area_size(LabelAreaPosition::Bottom, px(bottom))
            .build_cartesian_2d(scale.x.clone(), scale.y.clone())?;
        chart
            .configure_mesh()
            .label_style(font(10).color(&GREY))
            .axis_style(GREY.stroke_width(3))
            .bold_line_style(RGBColor(222, 222, 222).stroke_width(3))
            .light_line_style(RGBColor(255, 255, 255).mix(0.0))
            .set_all_tick_mark_size(px(3))
            .draw()?;
        if lines.iter().all(|line| line.points.is_empty()) {
            let style = font(11).color(&GREY).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw_text("no runs", &style, (px(left + frame.panel.0 / 2), px(frame.panel.1 / 2)))?;
        }
        for line in lines {
            self.line(&mut chart, scale, line)?;
        }
        Ok(())
    }

    fn line(&self, chart: &mut Chart<'_, '_>, scale: &Scale, line: &Line) -> Result<(), DrawError> {
        let ink = colour(line.colour);
        // bars of other lines at the same place stand beside
        let beside =
            if self.marks { line.colour as f64 - self.legend.len().max(1) as f64 / 2.0 + 0.5 } else { 0.0 };
        let shift = beside * scale.x.of_pixels(BESIDE, panel_size(self).0);
        let mut hollow: Vec<(f64, f64)> = Vec::new();
        for mut piece in pieces(line, &self.x, &self.y) {
            piece.iter_mut().for_each(|point| point.x += shift);
            let at = |point: &Point| (point.x, point.y);
            let stroke: ShapeStyle = ink.stroke_width(7);
            if self.marks {
                let inside = || piece.iter().filter(|point| scale.clamp(point.y) == point.y);
                let bars = inside().filter(|point| point.low < point.high);
                chart.draw_series(bars.map(|p| {
                    PathElement::new(
                        [(p.x, scale.clamp(p.low)), (p.x, scale.clamp(p.high))],
                        ink.stroke_width(5),
                    )
                }))?;
                hollow.extend(inside().filter(|point| point.hollow).map(at));
                chart.draw_series(inside().map(|p| Circle::new(at(p), px(3), ink.filled())))?;
            } else if self.has_intervals() {
                let bands = piece.split(|point| scale.clamp(point.y) != point.y);
                let is_wide =
                    |band: &&[Point]| band.len() > 1 && band.iter().any(|point| point.low < point.high);
                let bands = bands.filter(is_wide);
                chart.draw_series(bands.map(|band| Polygon::new(scale.band(band), ink.mix(0.18))))?;
            }
            let whole = crossed(piece.iter().map(at), scale.y.range);
            for path in whole.split(|(_, y)| scale.clamp(*y) != *y).filter(|path| !path.is_empty()) {
                if let [alone] = path {
                    // all that there is of a line that diverges at once
                    chart.draw_series([Circle::new(*alone, px(2), ink.filled())])?;
                } else if let Some((dash, gap)) = dashes(line.colour) {
                    chart.draw_series([DashedPathElement::new(path.to_vec(), px(dash), px(gap), stroke)])?;
                } else {
                    chart.draw_series([PathElement::new(path.to_vec(), stroke)])?;
                }
            }
        }
        // Over the line, which would fill them.
        chart.draw_series(hollow.into_iter().map(|at| Circle::new(at, px(2), WHITE.filled())))?;
        Ok(())
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Span, Span>>;

/// The largest size at which all headings fit into `room` pixels, or the smallest that can be read.
fn heading_size<'a>(headings: impl Iterator<Item = &'a str> + Clone, room: i32) -> i32 {
    let fits = |size: &i32| headings.clone().all(|heading| width_of(heading, *size) <= room);
    [11, 10, SMALLEST].into_iter().find(fits).unwrap_or(SMALLEST)
}

/// A heading over the panel with that corner.
fn over(
    root: &Area<'_>,
    frame: &Frame,
    (x, y): (i32, i32),
    heading: &str,
    size: i32,
) -> Result<(), DrawError> {
    let wide = frame.panel.0;
    fill(root, (x, y - STRIP), (x + wide, y - 2), RGBColor(236, 236, 236))?;
    let middle = (x + wide / 2, y - STRIP / 2 - 1);
    write(root, middle, &shortened(heading, size, wide - 4), font(size), Lie::Middle)
}

/// A path with points of its own where it crosses an end of `range`; it falls straight to what is infinitely far away.
fn crossed(path: impl Iterator<Item = (f64, f64)>, range: (f64, f64)) -> Vec<(f64, f64)> {
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

/// Where a value is on an axis.
fn on(value: f64, axis: &Axis) -> f64 {
    if axis.log { value.log10() } else { value }
}

/// The parts of a line between values that cannot be drawn, on the axes' scales.
fn pieces(line: &Line, x: &Axis, y: &Axis) -> Vec<Vec<Point>> {
    let placed = |point: &Point| {
        // an interval that reaches below zero goes to the foot of a logarithmic axis
        let low = Some(on(point.low, y)).filter(|low| !low.is_nan()).unwrap_or(f64::NEG_INFINITY);
        let at = Point { x: on(point.x, x), y: on(point.y, y), low, high: on(point.high, y), ..*point };
        (at.x.is_finite() && at.y.is_finite()).then_some(at)
    };
    let placed: Vec<Option<Point>> = line.points.iter().map(placed).collect();
    let pieces = placed.split(Option::is_none).filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.iter().copied().flatten().collect()).collect()
}

/// What is shown of an axis, and its marks; exponents of ten on a logarithmic one.
#[derive(Clone)]
struct Span {
    range: (f64, f64),
    marks: Vec<f64>,
    log: bool,
}

impl Span {
    /// With so many marks at most.
    fn new(range: (f64, f64), axis: &Axis, most: usize) -> Self {
        Self { range, marks: marks(range, axis.log, most), log: axis.log }
    }

    /// With the marks of the axis, or as many as have room for their labels side by side on `pixels`.
    fn across(range: (f64, f64), axis: &Axis, pixels: i32) -> Self {
        let fits = |span: &Self| span.marks.len() as i32 * (span.width() + 14) <= pixels;
        let own = (!axis.marks.is_empty()).then(|| Self { range, marks: axis.marks.clone(), log: axis.log });
        let round = (3..9).rev().map(|most| Self::new(range, axis, most));
        own.into_iter().chain(round).find(fits).unwrap_or_else(|| Self::new(range, axis, 3))
    }

    /// What so many pixels of `all` are on the axis.
    fn of_pixels(&self, pixels: f64, all: i32) -> f64 {
        pixels * (self.range.1 - self.range.0) / f64::from(all)
    }

    fn label(&self, mark: f64) -> String {
        written(if self.log { 10f64.powf(mark) } else { mark })
    }

    /// How wide the widest label is.
    fn width(&self) -> i32 {
        self.marks.iter().map(|mark| width_of(&self.label(*mark), 10)).max().unwrap_or(0)
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
        self.label(*mark)
    }
}

/// Both axes, which all panels share.
struct Scale {
    x: Span,
    y: Span,
}

impl Scale {
    fn of(grid: &Grid) -> Self {
        let lines = || grid.panels.iter().flatten().flatten();
        let of = |line| pieces(line, &grid.x, &grid.y).into_iter().flatten();
        let points: Vec<Point> = lines().flat_map(of).collect();
        // also where a line cannot be seen, so that it is seen where it ends
        let xs = range(lines().flat_map(|line| &line.points).map(|point| on(point.x, &grid.x)));
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

    fn clamp(&self, y: f64) -> f64 {
        y.clamp(self.y.range.0, self.y.range.1)
    }

    /// The outline of the intervals of `points`, as much of it as is within the axis.
    fn band(&self, points: &[Point]) -> Vec<(f64, f64)> {
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

/// Where the panels are.
struct Frame {
    panel: (i32, i32),
    width: i32,
    height: i32,
    left: i32,
    top: i32,
    right: i32,
    over: i32,
    /// The lines below.
    notes: Vec<String>,
}

impl Frame {
    fn of(grid: &Grid, scale: &Scale) -> Self {
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
        let rows = legend_places(&grid.legend, width - 24).last().map_or(0, |place| place.1 + 18);
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
    fn notes_height(&self) -> i32 {
        if self.notes.is_empty() { 0 } else { 5 + self.notes.len() as i32 * NOTE }
    }

    /// The upper left corner of a panel.
    fn corner(&self, row: usize, column: usize) -> (i32, i32) {
        (
            self.left + column as i32 * (self.panel.0 + GAP),
            self.top + row as i32 * (self.panel.1 + GAP + self.over),
        )
    }
}

/// Width and height of a panel: by their number, and as large as their headings need to be told apart.
fn panel_size(grid: &Grid) -> (i32, i32) {
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
        Axis, Grid, Line, Point, SMALLEST, Scale, Span, crossed, heading_size, padded, panel_size, pieces,
        width_of,
    };

    fn line(ys: &[f64]) -> Line {
        let point = |(x, &y): (usize, &f64)| Point { x: x as f64, y, low: y, high: y, hollow: false };
        Line { colour: 0, points: ys.iter().enumerate().map(point).collect() }
    }

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

    #[test]
    fn the_one_heading_of_the_other_side_stays_when_a_grid_is_wrapped() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let wrapped = |rows: &[&str], columns: &[&str]| {
            let panels = vec![vec![Vec::new(); columns.len()]; rows.len()];
            let mut grid = Grid { rows: names(rows), columns: names(columns), panels, ..Grid::default() };
            grid.wrap();
            (grid.rows, grid.panels.len())
        };
        assert_eq!(wrapped(&["ipm", "alie"], &["sgd"]), (names(&["sgd · ipm\nsgd · alie"]), 1));
        assert_eq!(wrapped(&["ipm", "alie"], &[""]), (names(&["ipm\nalie"]), 1));
        let (rows, panels) = wrapped(&["ipm"], &["a", "b", "c", "d", "e"]);
        assert_eq!((rows.len(), panels), (2, 2));
        assert!(rows[0].starts_with("ipm · a\nipm · b") && rows[1].ends_with("ipm · e"), "{rows:?}");
    }

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

    /// A grid of one panel with these lines, each with a band of a tenth and its number as its name.
    fn panel(lines: &[&[f64]], log: bool) -> Grid {
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

    #[test]
    fn the_first_line_alone_has_no_dashes() {
        let drawn = |lines: &[&[f64]]| panel(lines, false).draw().unwrap().matches("<polyline").count();
        let first = drawn(&[&[1.0, 2.0]]);
        assert!(drawn(&[&[1.0, 2.0], &[1.0, 2.0]]) > first + 10);
    }

    #[test]
    fn bands_of_many_lines_are_left_out() {
        let line: &[f64] = &[1.0, 2.0];
        let few = panel(&[line; 5], false).draw().unwrap();
        let many = panel(&[line; 6], false).draw().unwrap();
        assert_eq!([&few, &many].map(|svg| svg.matches("<polygon").count()), [5, 0]);
        assert_eq!([few, many].map(|svg| svg.contains("Without the bands")), [false, true]);
    }

    /// Of a line that grows beyond all numbers there is what can be seen, and a note.
    #[test]
    fn what_diverges_is_told_and_does_not_set_the_range() {
        let (falls, grows): (&[f64], &[f64]) = (&[1.0, 1e-2, 1e-4], &[1.0, 1e30, 1e60]);
        let top = |lines: &[&[f64]]| Scale::of(&panel(lines, true)).y.range.1;
        assert!(top(&[falls, grows]) < 4.0 && top(&[falls]) < 1.0);
        let told = |ys| panel(&[falls, ys], true).draw().unwrap().contains("to no number at all: line-1.");
        let never = &[f64::NAN, 1.0];
        let cases: [&[f64]; 5] = [grows, &[1.0, f64::INFINITY], &[1.0, f64::NAN], never, falls];
        assert_eq!(cases.map(told), [true, true, true, false, false]);
        let zero = panel(&[falls, &[1.0, 0.0, 1.0]], true).draw().unwrap();
        assert!(zero.contains("for which a logarithmic axis has no place: line-1."), "{zero}");
        assert!(!panel(&[falls, &[1.0, 0.0, 1.0]], false).draw().unwrap().contains("0 or less"));
    }

    /// All that there is of it is a point, on an axis that goes on.
    #[test]
    fn a_line_that_diverges_at_once_is_a_point() {
        let grid = panel(&[&[1.0, f64::INFINITY, f64::INFINITY]], false);
        assert_eq!(Scale::of(&grid).x.range, (0.0, 2.0));
        assert_eq!(grid.draw().unwrap().matches("<circle").count(), 1);
        assert!(!panel(&[&[1.0, 2.0]], false).draw().unwrap().contains("<circle"));
    }

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

    #[test]
    fn headings_of_one_picture_have_one_size() {
        assert_eq!(heading_size(["cwmed", "krum"].into_iter(), 236), 11);
        assert_eq!(heading_size(["cwmed", "geometric-median · storm / anytime-sgd"].into_iter(), 236), 10);
    }

    #[test]
    fn ranges_have_room_within_their_limits() {
        let percent = Axis { limits: Some((0.0, 100.0)), ..Axis::default() };
        assert_eq!(padded((0.0, 90.0), 0.1, &percent), (0.0, 99.0));
        assert_eq!(padded((5.0, 5.0), 0.1, &Axis::default()), (4.5, 5.5));
        assert_eq!(padded((f64::INFINITY, f64::NEG_INFINITY), 0.1, &percent), (0.0, 1.0));
    }
}
