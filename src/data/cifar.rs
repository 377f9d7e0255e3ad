//! The binary form of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 x 32 x 32 pixels.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{About, Augmentation, DataError, Dataset, FileSpec, Images, Normalisation, locate};

/// Values of one image, 3 x 32 x 32.
pub const IMAGE: usize = 3 * 32 * 32;

/// What records of one of the two data sets look like.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Bytes of labels; the last of them is the class.
    labels: usize,
    classes: usize,
}

/// CIFAR-10: the class.
pub const TEN: Form = Form { labels: 1, classes: 10 };
/// CIFAR-100: one of twenty superclasses, then the class.
pub const HUNDRED: Form = Form { labels: 2, classes: 100 };

impl Form {
    /// Number of classes.
    pub const fn classes(self) -> usize {
        self.classes
    }

    /// Bytes of one record.
    pub const fn record(self) -> usize {
        self.labels + IMAGE
    }

    /// Appends the records of `content`, which was read from `path`, to `pixels` and `labels`.
    ///
    /// # Errors
    /// [`DataError::Format`].
    pub fn append(
        self,
        path: &Path,
        content: &[u8],
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let wrong = |message| DataError::Format { file: path.to_owned(), message };
        let size = self.record();
        if !content.len().is_multiple_of(size) {
            return Err(wrong(format!(
                "{} bytes are not a whole number of records of {size}",
                content.len()
            )));
        }
        for (index, record) in content.chunks_exact(size).enumerate() {
            let label = record[self.labels - 1];
            if usize::from(label) >= self.classes {
                let last = self.classes - 1;
                return Err(wrong(format!("record {index} has the label {label}, above {last}")));
            }
            labels.push(label);
            pixels.extend_from_slice(&record[self.labels..]);
        }
        Ok(())
    }

    /// Reads the files of `about`, of which the last one is the test set.
    ///
    /// # Errors
    /// [`DataError`].
    pub(super) fn read(
        self,
        about: &About,
        roots: &[PathBuf],
        normalisation: Normalisation,
        augmentation: Augmentation,
    ) -> Result<Dataset, DataError> {
        let paths = locate::locate(about, roots)?;
        let (train, test) = paths.split_at(paths.len() - 1);
        let (train_files, test_files) = about.files.split_at(train.len());
        Ok(Dataset {
            name: about.name.to_owned(),
            train: self.images(train, train_files)?,
            validation: None,
            test: self.images(test, test_files)?,
            normalisation,
            augmentation,
        })
    }

    fn images(self, paths: &[PathBuf], files: &[FileSpec]) -> Result<Images, DataError> {
        let contents: Vec<Vec<u8>> = paths
            .par_iter()
            .zip(files)
            .map(|(path, file)| locate::verified(path, file))
            .collect::<Result<_, _>>()?;
        let count = contents.iter().map(|content| content.len() / self.record()).sum::<usize>();
        let (mut pixels, mut labels) = (Vec::with_capacity(count * IMAGE), Vec::with_capacity(count));
        for (path, content) in paths.iter().zip(&contents) {
            self.append(path, content, &mut pixels, &mut labels)?;
        }
        let (pixels, labels) = (Arc::new(pixels), Arc::new(labels));
        Ok(Images { channels: 3, height: 32, width: 32, classes: self.classes, pixels, labels })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{HUNDRED, IMAGE, TEN};
    use crate::data::{About, Augmentation, Digest, FileSpec, Normalisation};

    /// So many records of this class.
    fn records(count: usize, class: u8) -> Vec<u8> {
        [vec![0, class], vec![class; IMAGE]].concat().repeat(count)
    }

    #[test]
    fn the_last_file_is_the_test_set() {
        let root = tempfile::tempdir().unwrap();
        let file = |(name, content): (&'static str, Vec<u8>)| {
            fs::write(root.path().join(name), &content).unwrap();
            let digest = Digest::Sha1(Digest::Sha1("").of(&content).leak());
            FileSpec { name, bytes: content.len() as u64, digest }
        };
        let files = [("a.bin", records(1, 30)), ("b.bin", records(2, 99)), ("c.bin", records(1, 50))];
        let files = Vec::from(files.map(file)).leak();
        let about = About { files, folders: &[], ..crate::data::find("cifar100").unwrap().about() };
        let normalisation = Normalisation { mean: vec![0.5; 3], std: vec![0.5; 3] };
        let roots = [root.path().to_owned()];
        let set = HUNDRED.read(&about, &roots, normalisation, Augmentation::None).unwrap();
        assert_eq!((set.train.labels.as_slice(), set.test.labels.as_slice()), (&[30, 99, 99][..], &[50][..]));
        assert_eq!((set.train.classes, set.train.image(2)), (100, &[99; IMAGE][..]));
    }

    #[test]
    fn records_come_apart_and_broken_ones_are_refused() {
        let size = TEN.record();
        let mut content = vec![7u8; 2 * size];
        content[size] = 3;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut append = |content: &[u8]| TEN.append(Path::new("f"), content, &mut pixels, &mut labels);
        append(&content).unwrap();
        let error = append(&content[1..]).unwrap_err();
        assert!(error.to_string().contains("whole number of records of 3073"), "{error}");
        content[0] = 10;
        let error = append(&content).unwrap_err();
        assert!(error.to_string().contains("label 10, above 9"), "{error}");
        assert_eq!((labels.as_slice(), pixels.len()), (&[7, 3][..], 2 * IMAGE));
    }

    #[test]
    fn of_two_labels_the_second_is_the_class() {
        let record = |superclass, class, pixel| [vec![superclass, class], vec![pixel; IMAGE]].concat();
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut append = |content: &[u8]| HUNDRED.append(Path::new("f"), content, &mut pixels, &mut labels);
        append(&[record(19, 99, 1), record(200, 0, 2)].concat()).unwrap();
        let error = append(&record(0, 100, 3)).unwrap_err();
        assert!(error.to_string().contains("label 100, above 99"), "{error}");
        assert_eq!(labels, [99, 0]);
        assert_eq!(pixels, [vec![1; IMAGE], vec![2; IMAGE]].concat());
    }
}
