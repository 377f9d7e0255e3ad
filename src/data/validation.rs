//! Training samples that no worker is dealt: a validation set, to choose
//! parameters by without looking at the test set, and the server's root set.

use std::sync::Arc;

use phalanx_robust::random::Seed;
use rand::seq::SliceRandom;

use super::{Dataset, Images};

/// More samples than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{samples} of {train} training samples cannot be held out; at least one must be left to learn from")]
pub struct HoldOutError {
    /// How many are to be held out.
    pub samples: usize,
    /// How many there are.
    pub train: usize,
}

impl Dataset {
    /// Holds `samples` random images out of the training set, those of the stream ("data", 0, "validation", 0); both
    /// parts keep the order of the training set. Nothing changes if `samples` is 0.
    ///
    /// # Errors
    /// [`HoldOutError`] unless there are more training images than that.
    pub fn hold_out(self, samples: usize, seed: Seed) -> Result<Self, HoldOutError> {
        if samples == 0 {
            return Ok(self);
        }
        let (held, left) = self.drawn("validation", samples, seed)?;
        Ok(Self { validation: Some(self.train.select(&held)), train: self.train.select(&left), ..self })
    }

    /// Moves `samples` random images to the end of the training set, those of the stream ("data", 0, "root", 0); both
    /// parts keep the order of the training set. The server draws from the end, the workers from the rest.
    ///
    /// # Errors
    /// [`HoldOutError`] unless there are more training images than that.
    pub fn set_root_last(self, samples: usize, seed: Seed) -> Result<Self, HoldOutError> {
        if samples == 0 {
            return Ok(self);
        }
        let (root, left) = self.drawn("root", samples, seed)?;
        Ok(Self { train: self.train.select(&[left, root].concat()), ..self })
    }

    /// Positions of `samples` random training images, and of the others; both ascend.
    fn drawn(
        &self,
        purpose: &'static str,
        samples: usize,
        seed: Seed,
    ) -> Result<(Vec<usize>, Vec<usize>), HoldOutError> {
        let train = self.train.len();
        if samples >= train {
            return Err(HoldOutError { samples, train });
        }
        let mut held: Vec<usize> = (0..train).collect();
        held.shuffle(&mut seed.stream("data", 0, purpose, 0));
        let mut left = held.split_off(samples);
        held.sort_unstable();
        left.sort_unstable();
        Ok((held, left))
    }
}

impl Images {
    /// The images at `positions`, in that order.
    ///
    /// # Panics
    /// If there is no such image.
    fn select(&self, positions: &[usize]) -> Self {
        let pixels = positions.iter().flat_map(|&at| self.image(at).iter().copied()).collect();
        let labels = positions.iter().map(|&at| self.labels[at]).collect();
        Self { pixels: Arc::new(pixels), labels: Arc::new(labels), ..*self }
    }
}
