//! The 8x8 handwritten digits, embedded in the program so that a first run
//! needs no file.
//!
//! E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
//! Machine Learning Repository, 1998, <https://doi.org/10.24432/C50P49>; CC BY 4.0.
//! `NOTICE.md` beside this file says what was changed, `scripts/digits.py` how.
//!
//! The published pixels count the black dots of a 4x4 block, 0 to 16; here they
//! are scaled to 0 to 255, rounded. The first 1,437 images are for training and
//! the last 360 for testing. Neighbouring images share a writer, so the test
//! digits come mostly from hands that training has not seen.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::DeflateDecoder;

use super::{About, Augmentation, DataError, Dataset, Images, Normalisation, Source};

/// The embedded digits.
#[derive(Clone, Copy, Debug)]
pub struct Digits;

const PACKED: &[u8] = include_bytes!("digits.bin");
const TRAIN: usize = 1437;
const TEST: usize = 360;
const PIXELS: usize = 64;

impl Source for Digits {
    fn about(&self) -> About {
        About {
            name: "digits",
            summary: "handwritten digits of 8x8 pixels, embedded in the program",
            source: "Alpaydin & Kaynak, 1998",
            licence: "CC BY 4.0",
            train: TRAIN,
            test: TEST,
            shape: [1, 8, 8],
            classes: 10,
            files: &[],
            folders: &[],
            ways: &[],
        }
    }

    fn load(&self, _: &[PathBuf]) -> Result<Dataset, DataError> {
        let (mut pixels, mut labels) = unpack()?;
        pixels.iter_mut().for_each(|pixel| *pixel = ((u16::from(*pixel) * 255 + 8) / 16) as u8);
        let test = images(pixels.split_off(TRAIN * PIXELS), labels.split_off(TRAIN));
        Ok(Dataset {
            name: "digits".into(),
            train: images(pixels, labels),
            validation: None,
            test,
            // Of the training images, as printed by scripts/digits.py.
            normalisation: Normalisation { mean: vec![0.3054], std: vec![0.3753] },
            augmentation: Augmentation::None,
        })
    }
}

fn images(pixels: Vec<u8>, labels: Vec<u8>) -> Images {
    Images {
        channels: 1,
        height: 8,
        width: 8,
        classes: 10,
        pixels: Arc::new(pixels),
        labels: Arc::new(labels),
    }
}

/// The published pixels, 0 to 16, and labels.
fn unpack() -> Result<(Vec<u8>, Vec<u8>), DataError> {
    let file = || Path::new("the embedded digits").to_owned();
    let mut all = Vec::with_capacity((TRAIN + TEST) * (PIXELS + 1));
    DeflateDecoder::new(PACKED)
        .read_to_end(&mut all)
        .map_err(|source| DataError::Read { file: file(), source })?;
    if all.len() != (TRAIN + TEST) * (PIXELS + 1) {
        return Err(DataError::Format { file: file(), message: format!("{} bytes", all.len()) });
    }
    let labels = all.split_off((TRAIN + TEST) * PIXELS);
    Ok((all, labels))
}

#[cfg(test)]
mod tests {
    use super::unpack;
    use crate::data::Digest;

    /// Golden digests of scikit-learn 1.9.1:
    /// `d = load_digits(); md5(d.data.astype("uint8").tobytes())`, and the same of `d.target`.
    #[test]
    fn the_content_is_that_of_scikit_learn() {
        let (pixels, labels) = unpack().unwrap();
        assert_eq!(Digest::Md5("").of(&pixels), "fa70cba135d4cdd4cde65da70dbffde2");
        assert_eq!(Digest::Md5("").of(&labels), "96ecbac7ce6c9c7e9f9f82160cffba40");
    }
}
