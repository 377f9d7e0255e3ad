//! Random numbers of a model in training, for layers that draw some.

use phalanx_robust::random::Stream;
use rand::Rng;

/// The stream of a key that this is, beside the one of augmentation: no step of a local walk has so high a number.
const OWN: u64 = 1 << 63;

/// What the layers of a model draw in one pass of one worker: a function of the worker's batch, the same at every point
/// and whatever computes.
#[derive(Clone, Debug)]
pub struct Chance(Stream);

impl Chance {
    /// That of the batch with these random numbers.
    pub fn of(batch: &Stream) -> Self {
        let mut rng = batch.clone();
        rng.set_stream(rng.get_stream() | OWN);
        Self(rng)
    }

    /// Of each value whether it is kept, which it is not with probability `rate`, from 0 and below 1, to 32 bits.
    pub fn kept(&mut self, rate: f64) -> impl Iterator<Item = bool> {
        let dropped = (rate * 2f64.powi(32)) as u32;
        std::iter::repeat_with(move || self.0.next_u32() >= dropped)
    }
}
