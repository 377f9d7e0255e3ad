//! The grey strips over and beside the panels, with what tells these apart.

use super::{
    super::canvas::{Area, DrawError, Lie, fill, font, shortened, width_of, write},
    Grid,
    frame::{Frame, GAP},
};
use plotters::style::RGBColor;

/// The smallest headings that can be read.
pub const SMALLEST: i32 = 9;
/// How wide a strip is, with what is free beside it.
pub const STRIP: i32 = 20;
const PALE: RGBColor = RGBColor(236, 236, 236);

impl Grid {
    pub(super) fn strips(&self, root: &Area<'_>, frame: &Frame) -> Result<(), DrawError> {
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
            fill(root, (x, y), (x + STRIP - 2, y + frame.panel.1), PALE)?;
            let middle = (x + STRIP / 2 - 1, y + frame.panel.1 / 2);
            write(root, middle, &shortened(heading, size, frame.panel.1), font(size), Lie::Down)?;
        }
        Ok(())
    }
}

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
    fill(root, (x, y - STRIP), (x + wide, y - 2), PALE)?;
    let middle = (x + wide / 2, y - STRIP / 2 - 1);
    write(root, middle, &shortened(heading, size, wide - 4), font(size), Lie::Middle)
}

#[cfg(test)]
mod tests {
    use super::heading_size;

    #[test]
    fn headings_of_one_picture_have_one_size() {
        assert_eq!(heading_size(["cwmed", "krum"].into_iter(), 236), 11);
        assert_eq!(heading_size(["cwmed", "geometric-median · storm / anytime-sgd"].into_iter(), 236), 10);
    }
}
