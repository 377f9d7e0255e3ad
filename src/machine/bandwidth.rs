//! How fast memory is read: the yardstick of whatever passes over large data.

use std::{hint::black_box, time::Instant};

use rayon::prelude::*;

/// Larger than the caches of today's processors.
const BYTES: usize = 512 << 20;
/// The fastest of so many passes counts.
const PASSES: usize = 5;
const LANES: usize = 16;

/// Bytes of a large buffer that so many threads read in a second; `None` if they cannot be started.
pub fn read_bandwidth(threads: usize) -> Option<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok()?;
    let buffer = vec![1u64; BYTES / size_of::<u64>()];
    let pass = || {
        let began = Instant::now();
        black_box(pool.install(|| sum(black_box(&buffer))));
        began.elapsed().as_secs_f64()
    };
    let fastest = (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min);
    Some(BYTES as f64 / fastest)
}

fn sum(buffer: &[u64]) -> u64 {
    let part = |part: &[u64]| {
        let mut lanes = [0u64; LANES];
        for values in part.as_chunks::<LANES>().0 {
            lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane = lane.wrapping_add(*value));
        }
        lanes.iter().sum::<u64>()
    };
    buffer.par_chunks(1 << 16).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn every_value_is_read() {
        assert_eq!(sum(&vec![1; 1 << 20]), 1 << 20);
    }
}
