//! The machine's best at arithmetic: the product of two large matrices.

use std::{hint::black_box, time::Instant};

use tch::{Cuda, Device, Kind, TchError, Tensor};

use super::Precision;

/// Sides of the square matrices; the fastest counts.
const SIDES: [i64; 2] = [1024, 2048];
/// Products of each size.
const REPEATS: usize = 4;

/// Floating-point operations in a second of the fastest matrix product, in this format of activations on this device. On
/// the CPU libtorch takes so many threads, and keeps that setting on the calling thread.
///
/// # Errors
/// libtorch's.
pub fn peak(precision: Precision, device: Device, threads: usize) -> Result<f64, TchError> {
    tch::set_num_threads(threads as i32);
    let mut fastest = 0f64;
    for side in SIDES {
        let [a, b] = [0, 1].map(|_| Tensor::f_randn([side, side], (Kind::Float, device)));
        let (a, b) = (a?.to_kind(precision.activations()), b?.to_kind(precision.activations()));
        let flops = 2.0 * (side as f64).powi(3);
        for _ in 0..REPEATS {
            let began = Instant::now();
            let _ = black_box(a.f_matmul(&b)?);
            wait_for(device);
            fastest = fastest.max(flops / began.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}

fn wait_for(device: Device) {
    if let Device::Cuda(index) = device {
        Cuda::synchronize(index as i64);
    }
}
