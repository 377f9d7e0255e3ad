//! A validation set: training samples that no worker is dealt, to choose
//! parameters by without looking at the test set.

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
        let train = self.train.len();
        if samples == 0 {
            return Ok(self);
        }
        if samples >= train {
            return Err(HoldOutError { samples, train });
        }
        let mut all: Vec<usize> = (0..train).collect();
        all.shuffle(&mut seed.stream("data", 0, "validation", 0));
        let (held, left) = all.split_at_mut(samples);
        held.sort_unstable();
        left.sort_unstable();
        Ok(Self { validation: Some(self.train.select(held)), train: self.train.select(left), ..self })
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
