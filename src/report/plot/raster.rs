//! SVG to PNG with the embedded font, so that no font of the machine matters.

use std::sync::Arc;

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb},
};

/// DejaVu Sans, reduced to the letters and signs that reports use.
pub const FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");
/// Pixels of a PNG for one of its SVG.
const SCALE: f32 = 2.0;

/// Draws `svg` at twice its size and returns a PNG file.
///
/// # Errors
/// What is wrong with the picture.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    let options =
        Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let size = tree.size();
    let (width, height) = ((size.width() * SCALE) as u32, (size.height() * SCALE) as u32);
    let mut pixels =
        Pixmap::new(width, height).ok_or_else(|| format!("{width} by {height} pixels is no picture"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    encode(&pixels).map_err(|error| error.to_string())
}

fn encode(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width(), pixels.height());
    // pictures have a white ground, so nothing is transparent and premultiplied alpha is plain
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels.data())?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::png;

    /// Number of pixels that are not white.
    fn ink(svg: &str) -> usize {
        let file = png(svg).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels.chunks(4).filter(|pixel| pixel[..3] != [255; 3]).count()
    }

    #[test]
    fn text_is_drawn_without_a_font_of_the_machine() {
        let svg = |text: &str| {
            format!(
                "<svg width=\"60\" height=\"20\" xmlns=\"http://www.w3.org/2000/svg\"><rect width=\"60\" height=\"20\" \
                 fill=\"white\"/><text x=\"5\" y=\"15\" font-size=\"12\" font-family=\"DejaVu Sans\">{text}</text></svg>"
            )
        };
        assert_eq!(ink(&svg("")), 0);
        assert!(ink(&svg("m")) > 50 && ink(&svg("−²")) > 10 && ink(&svg("mmm")) > 2 * ink(&svg("m")));
    }
}
