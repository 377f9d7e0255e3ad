//! A panel: its mesh, and its lines with their intervals and marks.

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext, LabelAreaPosition},
    coord::cartesian::Cartesian2d,
    element::{Circle, DashedPathElement, PathElement, Polygon},
    style::{
        Color, RGBColor, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    super::canvas::{Area, DrawError, colour, dashes, font, px},
    GREY, Grid, Line, Point,
    frame::{Frame, TITLE, panel_size},
    path::{crossed, pieces},
    scale::Scale,
    span::Span,
};

/// What the labels of the x axis take below the lowest panels.
const LABELS: i32 = 22;
/// How far bars of different lines stand from one another, in pixels.
const BESIDE: f64 = 2.5;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Span, Span>>;

impl Grid {
    /// The panel at row `r` and column `c`; the first of a row and the lowest of a column have the labels of the axes.
    pub(super) fn panel(
        &self,
        root: &Area<'_>,
        frame: &Frame,
        scale: &Scale,
        (r, c): (usize, usize),
        lines: &[Line],
    ) -> Result<(), DrawError> {
        let (x, y) = frame.corner(r, c);
        let (wide, high) = frame.panel;
        let left = if c == 0 { frame.left - TITLE } else { 0 };
        let lowest = r + 1 == self.panels.len() || self.is_void(r + 1, c);
        let bottom = if lowest { LABELS } else { 0 };
        let area = root.clone().shrink((px(x - left), px(y)), (px(wide + left), px(high + bottom)));
        let mut chart = axes(&area, scale, (left, bottom))?;
        if lines.iter().all(|line| line.points.is_empty()) {
            let style = font(11).color(&GREY).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw_text("no runs", &style, (px(left + wide / 2), px(high / 2)))?;
        }
        lines.iter().try_for_each(|line| self.line(&mut chart, scale, line))
    }

    fn line(&self, chart: &mut Chart<'_, '_>, scale: &Scale, line: &Line) -> Result<(), DrawError> {
        let shift = self.beside(line.colour) * scale.x.of_pixels(BESIDE, panel_size(self).0);
        let mut hollow: Vec<(f64, f64)> = Vec::new();
        for mut piece in pieces(line, &self.x, &self.y) {
            piece.iter_mut().for_each(|point| point.x += shift);
            if self.marks {
                let inside: Vec<Point> = piece.iter().copied().filter(|point| scale.holds(point.y)).collect();
                marks(chart, scale, &inside, colour(line.colour))?;
                hollow.extend(inside.iter().filter(|point| point.hollow).map(at));
            } else if self.has_intervals() {
                bands(chart, scale, &piece, colour(line.colour))?;
            }
            path(chart, scale, &piece, line.colour)?;
        }
        // Over the line, which would fill them.
        chart.draw_series(hollow.into_iter().map(|at| Circle::new(at, px(2), WHITE.filled())))?;
        Ok(())
    }

    /// How far the line with that colour stands beside the others, whose bars would hide its own at the same place.
    fn beside(&self, colour: usize) -> f64 {
        if self.marks { colour as f64 - self.legend.len().max(1) as f64 / 2.0 + 0.5 } else { 0.0 }
    }
}

/// The axes and the mesh in `area`, with so much room for labels on the left and below.
fn axes<'a, 'b>(
    area: &'a Area<'b>,
    scale: &Scale,
    (left, bottom): (i32, i32),
) -> Result<Chart<'a, 'b>, DrawError> {
    let mut chart = ChartBuilder::on(area)
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
    Ok(chart)
}

fn at(point: &Point) -> (f64, f64) {
    (point.x, point.y)
}

/// The intervals of `points` as bars, and a mark on each.
fn marks(chart: &mut Chart<'_, '_>, scale: &Scale, points: &[Point], ink: RGBColor) -> Result<(), DrawError> {
    let bars = points.iter().filter(|point| point.low < point.high);
    let ends = |p: &Point| [p.low, p.high].map(|end| (p.x, scale.clamp(end)));
    chart.draw_series(bars.map(|point| PathElement::new(ends(point), ink.stroke_width(5))))?;
    chart.draw_series(points.iter().map(|point| Circle::new(at(point), px(3), ink.filled())))?;
    Ok(())
}

/// The intervals along a piece of a line as bands, wherever it is within the axis.
fn bands(chart: &mut Chart<'_, '_>, scale: &Scale, piece: &[Point], ink: RGBColor) -> Result<(), DrawError> {
    let is_wide = |band: &&[Point]| band.len() > 1 && band.iter().any(|point| point.low < point.high);
    let bands = piece.split(|point| !scale.holds(point.y)).filter(is_wide);
    chart.draw_series(bands.map(|band| Polygon::new(scale.band(band), ink.mix(0.18))))?;
    Ok(())
}

/// A piece of the line with that colour, wherever it is within the axis.
fn path(chart: &mut Chart<'_, '_>, scale: &Scale, piece: &[Point], number: usize) -> Result<(), DrawError> {
    let (ink, stroke) = (colour(number), colour(number).stroke_width(7));
    let whole = crossed(piece.iter().map(at), scale.y.range);
    for path in whole.split(|(_, y)| !scale.holds(*y)).filter(|path| !path.is_empty()) {
        if let [alone] = path {
            // all that there is of a line that diverges at once
            chart.draw_series([Circle::new(*alone, px(2), ink.filled())])?;
        } else if let Some((dash, gap)) = dashes(number) {
            chart.draw_series([DashedPathElement::new(path.to_vec(), px(dash), px(gap), stroke)])?;
        } else {
            chart.draw_series([PathElement::new(path.to_vec(), stroke)])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::panel;

    #[test]
    fn the_first_line_alone_has_no_dashes() {
        let drawn = |lines: &[&[f64]]| panel(lines, false).draw().unwrap().matches("<polyline").count();
        let first = drawn(&[&[1.0, 2.0]]);
        assert!(drawn(&[&[1.0, 2.0], &[1.0, 2.0]]) > first + 10);
    }

    /// All that there is of it is a point, on an axis that goes on.
    #[test]
    fn a_line_that_diverges_at_once_is_a_point() {
        let grid = panel(&[&[1.0, f64::INFINITY, f64::INFINITY]], false);
        assert_eq!(super::Scale::of(&grid).x.range, (0.0, 2.0));
        assert_eq!(grid.draw().unwrap().matches("<circle").count(), 1);
        assert!(!panel(&[&[1.0, 2.0]], false).draw().unwrap().contains("<circle"));
    }
}
