//! From images to vectors in PyTorch's order, channel by channel.

use super::{Backward, Forward, Real, Run};

/// Turns `[pixels, channels]` into `[channels, pixels]`.
#[derive(Debug)]
pub struct FlattenKernel {
    /// Channels of an image; 1 for what is flat already.
    pub channels: usize,
    /// Pixels of a channel.
    pub pixels: usize,
}

impl<T: Real> Run<T> for FlattenKernel {
    fn forward(&self, Forward { x, y, batch, .. }: Forward<'_, T>) {
        turn(x, y, batch, self.pixels, self.channels);
    }

    fn backward(&self, Backward { dy, dx, batch, .. }: Backward<'_, T>) {
        if let Some(dx) = dx {
            turn(dy, dx, batch, self.channels, self.pixels);
        }
    }
}

/// Every sample of `rows` x `columns` becomes one of `columns` x `rows`.
fn turn<T: Real>(from: &[T], to: &mut [T], batch: usize, rows: usize, columns: usize) {
    let len = rows * columns;
    for (from, to) in from.chunks_exact(len).zip(to.chunks_exact_mut(len)).take(batch) {
        for (c, to) in to.chunks_exact_mut(rows).enumerate() {
            for (r, to) in to.iter_mut().enumerate() {
                *to = from[r * columns + c];
            }
        }
    }
}
