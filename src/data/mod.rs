//! Data sets: what the models learn from, where its files lie, how they are
//! got, and how the training data is dealt to the workers.
//!
//! A data set is a [`Source`]: it says what it is ([`About`]) and reads itself.
//! [`built_in`] lists those that the program knows; [`load`] finds and reads
//! one by name, [`get::get`] fetches one, [`list`] says what is there.
//! [`partition`] deals the training data out and makes the workers' samplers.
//!
//! Nothing here knows a model, an actor or the command line.

mod catalogue;
mod checksum;
pub mod cifar;
mod cifar10;
mod digits;
mod error;
mod fashion_mnist;
pub mod get;
pub mod idx;
mod idx_folder;
mod locate;
mod mnist;
pub mod partition;
pub mod sampler;
mod validation;

use std::sync::Arc;

pub use catalogue::{About, FileSpec, Listing, Place, find, list, load};
pub use checksum::Digest;
pub use cifar10::Cifar10;
pub use digits::Digits;
pub use error::DataError;
pub use fashion_mnist::FashionMnist;
pub use idx_folder::IdxFolder;
pub use locate::{cache_folder, roots};
pub use mnist::Mnist;
pub use validation::HoldOutError;

/// N images of C x H x W pixels, and their labels.
#[derive(Clone, Debug)]
pub struct Images {
    /// Number of channels, C.
    pub channels: usize,
    /// Height in pixels, H.
    pub height: usize,
    /// Width in pixels, W.
    pub width: usize,
    /// Number of classes; labels are 0 to `classes - 1`.
    pub classes: usize,
    /// N * C * H * W values from 0 to 255, image by image, channel by channel, row by row.
    pub pixels: Arc<Vec<u8>>,
    /// N labels.
    pub labels: Arc<Vec<u8>>,
}

impl Images {
    /// Number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of values of one image, C * H * W.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The values of image `index`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.image_len()..][..self.image_len()]
    }
}

/// How pixels become inputs, per channel: input = (pixel / 255 - mean) / std.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// Mean of pixel / 255, one value a channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel / 255, one value a channel.
    pub std: Vec<f32>,
}

/// What is done to training images as they are drawn, after which they are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Augmentation {
    /// Nothing.
    None,
    /// The image is padded by `padding` black pixels at each side, cut to its size again at a random
    /// place, and mirrored left to right with probability 1/2.
    CropFlip {
        /// Width of the frame in pixels.
        padding: usize,
    },
}

/// A data set in memory. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name in TOML.
    pub name: String,
    /// What the workers learn from.
    pub train: Images,
    /// Training images held out by [`Dataset::hold_out`]; the model is evaluated on them too.
    pub validation: Option<Images>,
    /// What the model is evaluated on.
    pub test: Images,
    /// How pixels become inputs.
    pub normalisation: Normalisation,
    /// What is done to training images.
    pub augmentation: Augmentation,
}

/// A data set that the program can read.
pub trait Source: Send + Sync {
    /// What it is.
    fn about(&self) -> About;

    /// Reads it from the first of `roots` that holds it.
    ///
    /// # Errors
    /// [`DataError`].
    fn load(&self, roots: &[std::path::PathBuf]) -> Result<Dataset, DataError>;
}

/// The data sets built in.
pub fn built_in() -> [&'static dyn Source; 4] {
    [&Digits, &Mnist, &FashionMnist, &Cifar10]
}
