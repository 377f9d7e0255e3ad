//! Data sets: what the models learn from, where its files lie, how they are
//! got, and how the training data is dealt to the workers.
//!
//! A data set that the program knows is a [`Source`]: it says what it is
//! ([`About`]) and reads itself. [`built_in`] lists them; [`load`] finds and reads
//! one by name, [`get::get`] fetches one, a [`Listing`] says where it is. Any other is
//! a config struct with [`DatasetRule`], such as [`IdxFolder`].
//! [`partition`] deals the training data out and makes the workers' samplers.
//!
//! Nothing here knows a model, an actor or the command line.

mod catalogue;
mod check;
mod checksum;
pub mod cifar;
mod cifar10;
mod cifar100;
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

use std::{path::PathBuf, sync::Arc};

use phalanx_robust::describe::{Described, ParameterError};

pub use catalogue::{About, FileSpec, Listing, Place, find, load};
pub use checksum::Digest;
pub use cifar10::Cifar10;
pub use cifar100::Cifar100;
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
    fn load(&self, roots: &[PathBuf]) -> Result<Dataset, DataError>;
}

/// A data set as configured: [`IdxFolder`], or one from outside.
///
/// ```
/// use std::path::PathBuf;
///
/// use phalanx::{
///     Program,
///     data::{Augmentation, DataError, Dataset, DatasetRule, Images, Normalisation},
/// };
/// use phalanx_robust::describe::Described;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// Pixels that are black or white; which of the two is to be told.
/// #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Extremes {}
///
/// impl Described for Extremes {
///     const NAME: &'static str = "extremes";
///     const SOURCE: &'static str = "an example";
/// }
///
/// impl DatasetRule for Extremes {
///     fn load(&mut self, _: &[PathBuf]) -> Result<Dataset, DataError> {
///         let labels: Vec<u8> = (0..100).map(|i| i % 2).collect();
///         let pixels = labels.iter().map(|label| label * 255).collect::<Vec<_>>().into();
///         let images = Images { channels: 1, height: 1, width: 1, classes: 2, pixels, labels: labels.into() };
///         Ok(Dataset {
///             name: Self::NAME.to_owned(),
///             train: images.clone(),
///             validation: None,
///             test: images,
///             normalisation: Normalisation { mean: vec![0.5], std: vec![0.5] },
///             augmentation: Augmentation::None,
///         })
///     }
/// }
///
/// let program = Program::new().dataset::<Extremes>();
/// # let _ = program;
/// ```
pub trait DatasetRule: Described {
    /// Whether the parameters can be used, before any file is read.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn check(&self) -> Result<(), ParameterError> {
        Ok(())
    }

    /// Reads it; a relative path is looked for under the `roots` in turn, of which the folder of the experiment's file is
    /// the first. `self` afterwards is what a run's record says: what was found may be written into it (a digest, the
    /// whole path), so that the record reads the same data. What is returned is held against [`Dataset::check`].
    ///
    /// # Errors
    /// [`DataError`], such as [`DataError::other`].
    fn load(&mut self, roots: &[PathBuf]) -> Result<Dataset, DataError>;
}

/// The data sets built in.
pub fn built_in() -> [&'static dyn Source; 5] {
    [&Digits, &Mnist, &FashionMnist, &Cifar10, &Cifar100]
}
