//! Where the time of a round goes: a bar for each rule, in stacked phases.

use super::{
    canvas::{
        DrawError, Entry, Lie, colour, fill, font, legend, legend_height, picture, room, shortened, whole,
        write,
    },
    ticks::{step, written},
};
use plotters::style::RGBColor;

const BAR: i32 = 24;
const LENGTH: i32 = 460;

/// Stacked bars.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Said above.
    pub title: String,
    /// What the length is, with its unit.
    pub axis: String,
    /// The parts, in order.
    pub parts: Vec<String>,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is called.
    pub label: String,
    /// The lengths of its parts.
    pub parts: Vec<f64>,
    /// What stands behind its number.
    pub note: String,
}

impl Bars {
    /// The picture as SVG.
    ///
    /// # Errors
    /// [`DrawError`].
    pub fn draw(&self) -> Result<String, DrawError> {
        let texts = |of: fn(&Bar) -> &String| self.bars.iter().map(of).cloned().collect::<Vec<_>>();
        let left = room(&texts(|bar| &bar.label), 11, 420) + 24;
        let width = left + LENGTH + 80 + room(&texts(|bar| &bar.note), 10, 182);
        let entries: Vec<Entry> = self.parts.iter().cloned().zip(0..).collect();
        // a single part is named by the axis
        let entries = if entries.len() > 1 { entries } else { Vec::new() };
        let rows = legend_height(&entries, width - 24);
        let top = 38 + rows;
        let foot = top + self.bars.len() as i32 * BAR;
        let most = self.bars.iter().map(|bar| bar.parts.iter().sum::<f64>()).fold(0.0, f64::max);
        let (step, end) = steps(most);
        let x = |value: f64| left + (value / end * f64::from(LENGTH)).round() as i32;
        picture(width, foot + 48, |root| {
            write(root, (12, 16), &self.title, font(14), Lie::From)?;
            legend(root, (12, 30), width - 24, (&entries, whole))?;
            for at in 0..=(end / step).round() as i32 {
                let value = f64::from(at) * step;
                fill(root, (x(value), top), (x(value) + 1, foot), RGBColor(222, 222, 222))?;
                write(root, (x(value), foot + 12), &written(value), font(10), Lie::Middle)?;
            }
            write(root, (left + LENGTH / 2, foot + 32), &self.axis, font(12), Lie::Middle)?;
            for (at, Bar { label, parts, note }) in self.bars.iter().enumerate() {
                let y = top + at as i32 * BAR;
                write(root, (left - 8, y + BAR / 2), &shortened(label, 11, left - 20), font(11), Lie::To)?;
                let mut sum = 0.0;
                for (part, value) in parts.iter().enumerate() {
                    fill(root, (x(sum), y + 3), (x(sum + value), y + BAR - 3), colour(part))?;
                    sum += value;
                }
                let text = super::super::measure::number(sum) + note;
                write(root, (x(sum) + 6, y + BAR / 2), &text, font(10), Lie::From)?;
            }
            Ok(())
        })
    }
}

/// A round step that goes up to six times into `most`, and the multiple of it that reaches `most`.
fn steps(most: f64) -> (f64, f64) {
    if most.is_nan() || most <= 0.0 {
        return (1.0, 1.0);
    }
    let step = step(most, 6);
    (step, (most / step).ceil() * step)
}

#[cfg(test)]
mod tests {
    use super::{Bar, Bars, steps};

    /// A sample in a legend is as what it stands for: two areas, their two samples, the paper, and the lines of the axis.
    #[test]
    fn samples_of_areas_have_no_dashes() {
        let bars = |parts: Vec<f64>| Bars {
            parts: (0..parts.len()).map(|part| part.to_string()).collect(),
            bars: vec![Bar { label: "a".to_owned(), parts, note: String::new() }],
            title: String::new(),
            axis: String::new(),
        };
        let rectangles = |parts| bars(parts).draw().unwrap().matches("<rect").count();
        // one part is named by the axis, without a legend
        assert_eq!(rectangles(vec![1.0, 1.0]), rectangles(vec![2.0]) + 1 + 2);
    }

    #[test]
    fn steps_are_round_and_reach_the_end() {
        assert_eq!(steps(9.0), (2.0, 10.0));
        assert_eq!(steps(0.0), (1.0, 1.0));
        let (step, end) = steps(0.0031);
        assert!((step - 0.001).abs() < 1e-12 && (end - 0.004).abs() < 1e-12);
    }
}
