//! What all pictures share: the palette, the fonts, the canvas, the legend.
//! Pictures are drawn in quarters of a pixel, since plotters places everything
//! on whole units.

use std::{collections::BTreeSet, io};

use plotters::backend::SVGBackend;
use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    element::{Rectangle, Text},
    style::{
        BLACK, Color, FontFamily, FontTransform, IntoFont, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Units in a pixel.
pub const UNITS: i32 = 4;
/// What plotters may say.
pub type DrawError = DrawingAreaErrorKind<io::Error>;
/// Where it is drawn.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The palette of Okabe & Ito (2008), which all kinds of colour vision tell apart; grey stands for its yellow, which
/// white paper swallows.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 140, 140),
];

/// Dashes and the gaps between them, in pixels; the first line has none.
const DASHES: [Option<(i32, i32)>; 8] = [
    None,
    Some((10, 4)),
    Some((5, 3)),
    Some((2, 3)),
    Some((14, 6)),
    Some((7, 7)),
    Some((4, 8)),
    Some((2, 6)),
];
/// The width of a line in a legend, in pixels.
const SAMPLE: i32 = 30;
/// The height of a row of a legend, in pixels.
const ROW: i32 = 18;

/// The dashes of the line with number `at` and the gaps between them, in pixels, so that of lines that coincide one is
/// seen in the gaps of another.
pub fn dashes(at: usize) -> Option<(i32, i32)> {
    DASHES[(at + at / PALETTE.len()) % DASHES.len()]
}

/// The colour of the line with number `at`; they repeat after eight, with other dashes.
pub fn colour(at: usize) -> RGBColor {
    PALETTE[at % PALETTE.len()]
}

/// Pixels in units.
pub fn px(pixels: i32) -> i32 {
    pixels * UNITS
}

/// Draws a picture of `width` by `height` pixels and returns it as SVG.
///
/// # Errors
/// [`DrawError`].
pub fn picture(
    width: i32,
    height: i32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut svg = String::new();
    let (w, h) = (px(width), px(height));
    {
        let root = SVGBackend::with_string(&mut svg, (w as u32, h as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    let units = format!("width=\"{w}\" height=\"{h}\" viewBox");
    Ok(svg.replacen(&units, &format!("width=\"{width}\" height=\"{height}\" viewBox"), 1))
}

/// A font of `size` pixels.
pub fn font(size: i32) -> TextStyle<'static> {
    // plotters' SVG divides sizes by 1.24
    (FontFamily::Name("DejaVu Sans, Verdana, sans-serif"), f64::from(px(size)) * 1.24)
        .into_font()
        .color(&BLACK)
}

/// How a text lies about its point.
#[derive(Clone, Copy)]
pub enum Lie {
    /// Begins there.
    From,
    /// Its middle is there.
    Middle,
    /// Ends there.
    To,
    /// Its middle is there, read upwards.
    Up,
    /// Its middle is there, read downwards.
    Down,
}

/// Writes `text` at a point in pixels, vertically centred on it.
///
/// # Errors
/// [`DrawError`].
pub fn write(
    area: &Area<'_>,
    at: (i32, i32),
    text: &str,
    style: TextStyle<'_>,
    lie: Lie,
) -> Result<(), DrawError> {
    let h_pos = match lie {
        Lie::From => HPos::Left,
        Lie::To => HPos::Right,
        _ => HPos::Center,
    };
    let mut style = style.pos(Pos::new(h_pos, VPos::Center));
    style.font = match lie {
        Lie::Up => style.font.transform(FontTransform::Rotate270),
        Lie::Down => style.font.transform(FontTransform::Rotate90),
        _ => style.font,
    };
    area.draw(&Text::new(text.to_owned(), (px(at.0), px(at.1)), style))
}

/// Fills a rectangle between two corners in pixels.
///
/// # Errors
/// [`DrawError`].
pub fn fill(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), DrawError> {
    area.draw(&Rectangle::new([(px(from.0), px(from.1)), (px(to.0), px(to.1))], colour.filled()))
}

/// About how wide `text` is in a font of `size` pixels.
pub fn width_of(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * f64::from(size) * 0.62).ceil() as i32
}

/// The lines of `text`, broken between words, of about `width` pixels.
pub fn lines_of(text: &str, size: i32, width: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width_of(line, size) + width_of(word, size) <= width => {
                *line += &format!(" {word}")
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `text`, shortened in its middle to about `width` pixels.
pub fn shortened(text: &str, size: i32, width: i32) -> String {
    let most = (f64::from(width) / (f64::from(size) * 0.6)) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // What tells long texts apart is at their end.
    let (head, tail) = (most.saturating_sub(1) * 3 / 5, most.saturating_sub(1) * 2 / 5);
    let end = text.chars().count() - tail;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(end)).collect()
}

/// The pixels that `labels` need, at most `most` if they can still be told apart when they are shortened to that.
pub fn room(labels: &[String], size: i32, most: i32) -> i32 {
    let whole = labels.iter().map(|label| width_of(label, size)).max().unwrap_or(0);
    let different =
        |label: &dyn Fn(&String) -> String| labels.iter().map(label).collect::<BTreeSet<_>>().len();
    let apart = different(&|label| shortened(label, size, most)) == different(&|label| label.clone());
    if apart { whole.min(most) } else { whole }
}

/// An entry of a legend: what it is called, and the number of its colour.
pub type Entry = (String, usize);

/// The places of the entries of a legend that is `width` pixels wide: in one row, or else in columns of one width.
fn legend_places(entries: &[Entry], width: i32) -> Vec<(i32, i32)> {
    let wide: Vec<i32> = entries.iter().map(|(label, _)| SAMPLE + 10 + width_of(label, 11) + 14).collect();
    if wide.iter().sum::<i32>() <= width {
        let before = |at: usize| wide[..at].iter().sum();
        return (0..wide.len()).map(|at| (before(at), 0)).collect();
    }
    let column = wide.iter().copied().max().unwrap_or(width);
    let columns = (width / column).max(1) as usize;
    (0..wide.len()).map(|at| ((at % columns) as i32 * column, (at / columns) as i32 * ROW)).collect()
}

/// The pixels that a legend needs, `width` pixels wide.
pub fn legend_height(entries: &[Entry], width: i32) -> i32 {
    legend_places(entries, width).last().map_or(0, |place| place.1 + ROW)
}

/// The dashes of the entry with a number, and the gaps between them: [`dashes`] of lines, [`whole`] of areas.
type Stroke = fn(usize) -> Option<(i32, i32)>;

/// No dashes.
pub fn whole(_: usize) -> Option<(i32, i32)> {
    None
}

/// Draws a legend with its upper left corner at `at`, of samples with such strokes.
///
/// # Errors
/// [`DrawError`].
pub fn legend(
    area: &Area<'_>,
    at: (i32, i32),
    width: i32,
    (entries, stroke): (&[Entry], Stroke),
) -> Result<(), DrawError> {
    for ((label, number), (x, y)) in entries.iter().zip(legend_places(entries, width)) {
        let (x, y) = (at.0 + x, at.1 + y + 9);
        let (dash, gap) = stroke(*number).unwrap_or((SAMPLE, 1));
        for from in (0..SAMPLE).step_by((dash + gap) as usize) {
            fill(area, (x + from, y - 2), (x + (from + dash).min(SAMPLE), y + 1), colour(*number))?;
        }
        let text = shortened(label, 11, width - x + at.0 - SAMPLE - 10);
        write(area, (x + SAMPLE + 6, y), &text, font(11), Lie::From)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Entry, colour, dashes, legend_places, lines_of, room, shortened, width_of};

    #[test]
    fn a_legend_is_a_row_or_has_columns() {
        let entries: Vec<Entry> =
            ["short", "ten letters", "short"].map(str::to_owned).into_iter().zip(0..).collect();
        let row = legend_places(&entries, 400);
        assert!(row.iter().all(|place| place.1 == 0) && row[1].0 < row[2].0 - row[1].0, "{row:?}");
        let places = legend_places(&entries, 260);
        assert_eq!((places[0], places[1].1, places[2]), ((0, 0), 0, (0, 18)));
        assert_eq!(legend_places(&entries, 20).iter().map(|place| place.1).collect::<Vec<_>>(), [0, 18, 36]);
    }

    #[test]
    fn labels_have_the_room_to_be_told_apart() {
        let labels = |middles: [&str; 2]| middles.map(|middle| format!("{}{middle}{0}", "a".repeat(30)));
        assert_eq!(room(&labels(["x", "x"]), 10, 100), 100);
        let wide = width_of(&labels(["x", "y"])[0], 10);
        assert_eq!(room(&labels(["x", "y"]), 10, 100), wide);
        assert_eq!(room(&labels(["x", "y"]), 10, 500), wide);
    }

    #[test]
    fn long_notes_are_broken_between_words() {
        assert_eq!(lines_of("one two three", 10, 50), ["one two", "three"]);
        assert_eq!(lines_of("one two three", 10, 500), ["one two three"]);
    }

    /// Of each two lines, another colour or other dashes.
    #[test]
    fn no_two_of_many_lines_look_alike() {
        let all: Vec<_> = (0..64).map(|at| (colour(at), dashes(at))).collect();
        assert!((0..64).all(|at| !all[..at].contains(&all[at])));
        assert!((1..8).all(|at| {
            dashes(at).is_some_and(|dashes| (0..at).all(|other| super::dashes(other) != Some(dashes)))
        }));
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(shortened("abcdef", 10, 60), "abcdef");
        assert_eq!(shortened("abcdefghijkl", 10, 60), "abcde…jkl");
    }
}
