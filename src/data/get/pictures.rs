//! CIFAR-10 from lossless pictures: row i of a 1024 x 10,000 picture holds the
//! 1,024 pixels of image i in colour, and the labels stand in two JSON lists.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::Path,
};

use super::{Progress, Reason};
use crate::data::cifar::TEN;

const PIXELS: usize = 32 * 32;
const IMAGES: usize = 10_000;
const CHANNELS: usize = 3;
/// The misspelling is the package's.
const LABELS: [&str; 2] = ["train_lables.json", "test_lables.json"];
const BATCHES: [&str; 6] =
    ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];

/// Whether a file of the package is a picture of the data or a list of labels.
pub(super) fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    LABELS.contains(&&*name) || name.strip_suffix(".png").is_some_and(|batch| BATCHES.contains(&batch))
}

/// Turns the pictures and labels in `folder` into the binary batches.
pub(super) fn to_records(folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Reason> {
    let mut labels = Vec::new();
    for name in LABELS {
        labels.extend(read_labels(&folder.join(name))?);
    }
    if labels.len() != BATCHES.len() * IMAGES {
        return Err(format!("{} labels came, expected {}", labels.len(), BATCHES.len() * IMAGES));
    }
    for (index, (batch, labels)) in BATCHES.iter().zip(labels.chunks_exact(IMAGES)).enumerate() {
        to_batch(&folder.join(batch), labels)?;
        let bytes = |batches| (batches * IMAGES * TEN.record()) as u64;
        let (done, total) = (bytes(index + 1), Some(bytes(BATCHES.len())));
        progress(Progress::Bytes { file: "records".into(), done, total });
    }
    Ok(())
}

/// Turns the picture at `path`, given without its extension, into a batch beside it.
fn to_batch(path: &Path, labels: &[u8]) -> Result<(), Reason> {
    let (picture, records) = (path.with_extension("png"), path.with_extension("bin"));
    let failed = |error: std::io::Error| format!("{}: {error}", records.display());
    let pixels = read_picture(&picture)?;
    let mut out = BufWriter::new(File::create(&records).map_err(failed)?);
    for (row, &label) in pixels.chunks_exact(PIXELS * CHANNELS).zip(labels) {
        out.write_all(&record(row, label)).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    fs::remove_file(&picture).map_err(failed)
}

/// The label, then all red, all green and all blue values.
fn record(row: &[u8], label: u8) -> Vec<u8> {
    let channels = (0..CHANNELS).flat_map(|channel| row.iter().skip(channel).step_by(CHANNELS));
    std::iter::once(&label).chain(channels).copied().collect()
}

fn read_labels(path: &Path) -> Result<Vec<u8>, Reason> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_picture(path: &Path) -> Result<Vec<u8>, Reason> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().map_err(|error| failed(&error))?;
    let info = reader.info();
    let (size, kind) = ((info.width as usize, info.height as usize), (info.color_type, info.bit_depth));
    if size != (PIXELS, IMAGES) || kind != (png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err(failed(&format!(
            "a picture of {size:?}, {kind:?}, expected 1024 x 10000 in RGB of 8 bits"
        )));
    }
    let mut pixels = vec![0; PIXELS * IMAGES * CHANNELS];
    reader.next_frame(&mut pixels).map_err(|error| failed(&error))?;
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_record_holds_one_plane_after_the_other() {
        assert_eq!(super::record(&[1, 2, 3, 4, 5, 6], 9), [9, 1, 4, 2, 5, 3, 6]);
    }
}
