//! The binary form of CIFAR-10: records of a label byte and 3 x 32 x 32 pixels, 10,000 to a file.

use std::path::Path;

use super::DataError;

/// Values of one image, 3 x 32 x 32.
pub const IMAGE: usize = 3 * 32 * 32;
/// Bytes of one record.
pub const RECORD: usize = 1 + IMAGE;

/// Appends the records of `content`, which was read from `path`, to `pixels` and `labels`.
///
/// # Errors
/// [`DataError::Format`].
pub fn append(
    path: &Path,
    content: &[u8],
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u8>,
) -> Result<(), DataError> {
    let wrong = |message| DataError::Format { file: path.to_owned(), message };
    if !content.len().is_multiple_of(RECORD) {
        return Err(wrong(format!("{} bytes are not a whole number of records of {RECORD}", content.len())));
    }
    for (index, record) in content.chunks_exact(RECORD).enumerate() {
        if record[0] > 9 {
            return Err(wrong(format!("record {index} has the label {}, above 9", record[0])));
        }
        labels.push(record[0]);
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{RECORD, append};
    use std::path::Path;

    #[test]
    fn records_come_apart_and_broken_ones_are_refused() {
        let mut content = vec![7u8; 2 * RECORD];
        content[RECORD] = 3;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        append(Path::new("f"), &content, &mut pixels, &mut labels).unwrap();
        assert_eq!((labels.as_slice(), pixels.len()), (&[7, 3][..], 2 * (RECORD - 1)));
        let error = append(Path::new("f"), &content[1..], &mut pixels, &mut labels).unwrap_err();
        assert!(error.to_string().contains("whole number of records"), "{error}");
        content[0] = 10;
        let error = append(Path::new("f"), &content, &mut pixels, &mut labels).unwrap_err();
        assert!(error.to_string().contains("label 10"), "{error}");
    }
}
