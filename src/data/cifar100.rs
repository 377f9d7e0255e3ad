//! CIFAR-100: 60,000 colour photographs of 32x32 pixels in a hundred classes (Krizhevsky, 2009).

use std::path::PathBuf;

use super::{
    About, Augmentation, DataError, Dataset, Digest, FileSpec, Normalisation, Source, cifar, get::Way,
};

/// CIFAR-100, by its hundred classes.
#[derive(Clone, Copy, Debug)]
pub struct Cifar100;

/// The digests are those that MXNet pins.
const FILES: [FileSpec; 2] = [
    part("train.bin", 50_000, "e207cd2e05b73b1393c74c7f5e7bea451d63e08e"),
    part("test.bin", 10_000, "8fb6623e830365ff53cf14adec797474f5478006"),
];

const fn part(name: &'static str, images: u64, sha1: &'static str) -> FileSpec {
    FileSpec { name, bytes: images * cifar::HUNDRED.record() as u64, digest: Digest::Sha1(sha1) }
}

impl Source for Cifar100 {
    fn about(&self) -> About {
        About {
            name: "cifar100",
            summary: "colour photographs of 32x32 pixels in a hundred classes",
            source: "Krizhevsky, 2009",
            licence: "not stated with the files",
            train: 50_000,
            test: 10_000,
            shape: [3, 32, 32],
            classes: 100,
            files: &FILES,
            folders: &["cifar100", "cifar-100-binary", "cifar100/cifar-100-binary"],
            ways: &[Way::Archive { url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz" }],
        }
    }

    fn load(&self, roots: &[PathBuf]) -> Result<Dataset, DataError> {
        let (mean, std) = (vec![0.5071, 0.4865, 0.4409], vec![0.2673, 0.2564, 0.2762]);
        let augmentation = Augmentation::CropFlip { padding: 4 };
        cifar::HUNDRED.read(&self.about(), roots, Normalisation { mean, std }, augmentation)
    }
}
