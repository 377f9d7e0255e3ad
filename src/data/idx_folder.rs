//! Data of a user's own: a folder with the four IDX files of an MNIST-like
//! data set, such as those of EMNIST. Unlike of the built-in sets nothing is
//! known about it beforehand: classes and normalisation come from the files,
//! and their digest goes into the record of the run.

use std::{path::PathBuf, sync::Arc};

use phalanx_robust::describe::{Described, ParameterError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Augmentation, DataError, Dataset, DatasetRule, Images, Normalisation,
    idx::{self, Idx},
    locate,
};
use crate::hex::hex;

/// The largest content of one file in bytes: 4 GiB.
const LIMIT: u64 = 1 << 32;

/// A folder of IDX files: PREFIXtrain-images-idx3-ubyte, PREFIXtrain-labels-idx1-ubyte, and the same with `test` or
/// `t10k` for `train`, each plain or packed by gzip (`.gz`). The smallest training label is class 0, the largest the last.
///
/// Images have the dimensions N, height, width or N, channels, height, width. Those of EMNIST are published with rows
/// and columns exchanged, which models need not mind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdxFolder {
    /// The folder; a relative one is looked for beside the experiment's file, then in the folders of `phalanx data path`.
    pub path: PathBuf,
    /// What the files' names begin with, e.g. `emnist-balanced-`.
    pub prefix: String,
    /// Mean of pixel / 255, a value for each channel; without it, that of the training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of pixel / 255, a value for each channel; without it, that of the training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// SHA-256 of the unpacked files one after another: training images and labels, test images and labels. Other
    /// content is refused; without it, a run's record says what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Described for IdxFolder {
    const NAME: &'static str = "idx";
    const SOURCE: &'static str = "format: LeCun, Cortes & Burges, 1998";
}

/// Images and labels of one part, before the classes are known.
struct Part {
    images: Idx,
    labels: Idx,
    /// Of the labels.
    file: PathBuf,
}

impl DatasetRule for IdxFolder {
    fn check(&self) -> Result<(), ParameterError> {
        if self.path.as_os_str().is_empty() {
            return Err(ParameterError::new("path", "nothing", "the path of a folder"));
        }
        for (key, values, least) in [("mean", &self.mean, f32::MIN), ("std", &self.std, f32::MIN_POSITIVE)] {
            let wrong = |value: &&f32| !value.is_finite() || **value < least;
            if let Some(value) = values.iter().flatten().find(wrong) {
                return Err(ParameterError::new(key, value, "finite numbers, those of std above 0"));
            }
        }
        Ok(())
    }

    /// Writes the whole path, the normalisation and the digest into `self`.
    fn load(&mut self, roots: &[PathBuf]) -> Result<Dataset, DataError> {
        self.path = self.folder(roots)?;
        let mut digest = Sha256::new();
        let train = self.part(&["train"], &mut digest)?;
        let test = self.part(&["test", "t10k"], &mut digest)?;
        self.verify(digest)?;
        let (first, last) = train.classes()?;
        let (train, test) = (train.into_images(first, last)?, test.into_images(first, last)?);
        let size = |part: &Images| format!("{}x{}x{}", part.channels, part.height, part.width);
        if size(&train) != size(&test) {
            return Err(self.wrong(format!(
                "training images of {}, test images of {}",
                size(&train),
                size(&test)
            )));
        }
        let normalisation = self.normalise(&train)?;
        let (name, augmentation) = (self.name(), Augmentation::None);
        Ok(Dataset { name, train, validation: None, test, normalisation, augmentation })
    }
}

impl IdxFolder {
    fn folder(&self, roots: &[PathBuf]) -> Result<PathBuf, DataError> {
        // An absolute path stands for itself wherever it is joined to.
        let looked: Vec<PathBuf> = roots.iter().map(|root| root.join(&self.path)).collect();
        let found = looked.iter().find(|folder| folder.is_dir());
        let folder =
            found.ok_or_else(|| DataError::NoFolder { path: self.path.clone(), looked: looked.clone() })?;
        folder.canonicalize().map_err(|source| DataError::Read { file: folder.clone(), source })
    }

    fn part(&self, names: &[&str], digest: &mut Sha256) -> Result<Part, DataError> {
        let mut read = |kind: &str| {
            let file = self.file(names, kind)?;
            let content = locate::content(&file, LIMIT)?;
            digest.update(&content);
            Ok::<_, DataError>((idx::parse(&file, content)?, file))
        };
        let ((images, _), (labels, file)) = (read("images-idx3-ubyte")?, read("labels-idx1-ubyte")?);
        Ok(Part { images, labels, file })
    }

    fn file(&self, names: &[&str], kind: &str) -> Result<PathBuf, DataError> {
        let names: Vec<String> = names
            .iter()
            .flat_map(|name| {
                [format!("{}{name}-{kind}", self.prefix), format!("{}{name}-{kind}.gz", self.prefix)]
            })
            .collect();
        let found = names.iter().map(|name| self.path.join(name)).find(|file| file.is_file());
        found.ok_or_else(|| DataError::NoFile { folder: self.path.clone(), names })
    }

    /// Holds the digest against the one that is asked for, and notes it.
    fn verify(&mut self, digest: Sha256) -> Result<(), DataError> {
        let found = hex(digest.finalize());
        match self.sha256.replace(found.clone()) {
            Some(expected) if !expected.eq_ignore_ascii_case(&found) => {
                Err(self.wrong(format!("the files' sha256 is {found}, {expected} is asked for")))
            }
            _ => Ok(()),
        }
    }

    /// The normalisation as given, or else measured, and notes it.
    fn normalise(&mut self, train: &Images) -> Result<Normalisation, DataError> {
        let (mean, std) = moments(train);
        let mean = self.mean.get_or_insert(mean).clone();
        let std = self.std.get_or_insert(std).clone();
        let channels = train.channels;
        if mean.len() != channels || std.len() != channels {
            let message =
                format!("{channels} channels, but {} values of mean and {} of std", mean.len(), std.len());
            return Err(self.wrong(message));
        }
        if std.contains(&0.0) {
            return Err(
                self.wrong("all training pixels of a channel are alike; give `std` to read it".into())
            );
        }
        Ok(Normalisation { mean, std })
    }

    /// What the data set is called: the prefix, or else the folder's name.
    fn name(&self) -> String {
        match self.prefix.trim_end_matches(['-', '_']) {
            "" => {
                self.path.file_name().map_or_else(|| "idx".into(), |name| name.to_string_lossy().into_owned())
            }
            prefix => prefix.to_owned(),
        }
    }

    fn wrong(&self, message: String) -> DataError {
        DataError::Format { file: self.path.clone(), message }
    }
}

impl Part {
    /// The smallest and the largest label.
    fn classes(&self) -> Result<(u8, u8), DataError> {
        let labels = &self.labels.elements;
        match (labels.iter().min(), labels.iter().max()) {
            (Some(first), Some(last)) if first < last => Ok((*first, *last)),
            _ => Err(self.wrong("two classes at least are needed".into())),
        }
    }

    /// The images, with labels counted from `first` to `last`.
    fn into_images(self, first: u8, last: u8) -> Result<Images, DataError> {
        let (count, channels, height, width) = match self.images.dimensions[..] {
            [n, height, width] => (n, 1, height, width),
            [n, channels, height, width] => (n, channels, height, width),
            _ => {
                let found = self.images.dimensions.len();
                return Err(self.wrong(format!("its images have {found} dimensions; 3 or 4 are read")));
            }
        };
        let labels = &self.labels.elements;
        if self.labels.dimensions != [count] || self.images.elements.is_empty() {
            return Err(self.wrong(format!("{} labels for {count} images of {height}x{width}", labels.len())));
        }
        if let Some(label) = labels.iter().find(|label| !(first..=last).contains(*label)) {
            let message =
                format!("label {label}, where those of the training images go from {first} to {last}");
            return Err(self.wrong(message));
        }
        let labels = labels.iter().map(|label| label - first).collect();
        let classes = usize::from(last - first) + 1;
        let pixels = Arc::new(self.images.elements);
        Ok(Images { channels, height, width, classes, pixels, labels: Arc::new(labels) })
    }

    fn wrong(&self, message: String) -> DataError {
        DataError::Format { file: self.file.clone(), message }
    }
}

/// Mean and standard deviation of pixel / 255, a value for each channel.
fn moments(images: &Images) -> (Vec<f32>, Vec<f32>) {
    let plane = images.height * images.width;
    let count = (images.len() * plane) as f64;
    let channel = |channel: usize| {
        let mut histogram = [0u64; 256];
        let planes = images.pixels.chunks_exact(plane).skip(channel).step_by(images.channels);
        planes.flatten().for_each(|&pixel| histogram[usize::from(pixel)] += 1);
        let moment = |power: i32| {
            let terms = histogram.iter().enumerate();
            terms.map(|(pixel, &n)| n as f64 * (pixel as f64 / 255.0).powi(power)).sum::<f64>() / count
        };
        let mean = moment(1);
        (mean as f32, (moment(2) - mean * mean).max(0.0).sqrt() as f32)
    };
    (0..images.channels).map(channel).unzip()
}
