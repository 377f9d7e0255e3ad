//! A random rotation that mixes all coordinates in O(d log d), where a dense one would take d² numbers.

use std::{
    f64::consts::{FRAC_1_SQRT_2, TAU},
    iter::repeat,
    mem::swap,
};

use phalanx_robust::random::Stream;
use rand::RngExt;

/// With three sweeps a matrix in the new basis has as much of itself off the
/// diagonal, and entries as even, as under a rotation drawn uniformly.
const SWEEPS: usize = 3;

/// Layers, each of which turns neighbours (x_0, x_1), (x_2, x_3), … in their planes, and then puts the first of every
/// pair before the second of every pair: after ⌈log2 d⌉ of them, a sweep, each coordinate has met each other if d is a
/// power of two, and after two sweeps in any case. The first turns of a sweep are by random angles, the others by an eighth
/// of a circle.
pub(super) struct Rotation {
    /// Of each sweep the first turns; without a sweep nothing turns.
    sweeps: Vec<Vec<Turn>>,
    dim: usize,
}

#[derive(Clone, Copy)]
struct Turn {
    cos: f64,
    sin: f64,
}

/// An eighth of a circle.
const EIGHTH: Turn = Turn { cos: FRAC_1_SQRT_2, sin: FRAC_1_SQRT_2 };

impl Rotation {
    /// How many vectors of d numbers one that is drawn holds.
    pub const VECTORS: u64 = SWEEPS as u64;

    /// The one that turns nothing.
    pub fn none(dim: usize) -> Self {
        Self { sweeps: Vec::new(), dim }
    }

    /// One drawn from `rng`.
    pub fn drawn(dim: usize, rng: &mut Stream) -> Self {
        let mut turn = || {
            let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
            Turn { cos, sin }
        };
        let sweeps = (0..SWEEPS).map(|_| (0..dim / 2).map(|_| turn()).collect()).collect();
        Self { sweeps, dim }
    }

    /// Q x.
    pub fn apply(&self, mut x: Vec<f64>) -> Vec<f64> {
        let mut next = self.room();
        for first in &self.sweeps {
            apply(first.iter().copied(), &x, &mut next);
            swap(&mut x, &mut next);
            for _ in 1..self.layers() {
                apply(repeat(EIGHTH), &x, &mut next);
                swap(&mut x, &mut next);
            }
        }
        x
    }

    /// Qᵀ x.
    pub fn undo(&self, mut x: Vec<f64>) -> Vec<f64> {
        let mut next = self.room();
        for first in self.sweeps.iter().rev() {
            for _ in 1..self.layers() {
                undo(repeat(EIGHTH), &x, &mut next);
                swap(&mut x, &mut next);
            }
            undo(first.iter().copied(), &x, &mut next);
            swap(&mut x, &mut next);
        }
        x
    }

    fn layers(&self) -> u32 {
        self.dim.next_power_of_two().trailing_zeros()
    }

    /// For what a layer gives.
    fn room(&self) -> Vec<f64> {
        vec![0.0; if self.sweeps.is_empty() { 0 } else { self.dim }]
    }
}

/// One layer on x. The last coordinate of an odd number is alone, and comes to lie in the middle.
fn apply(turns: impl Iterator<Item = Turn>, x: &[f64], out: &mut [f64]) {
    let (pairs, alone) = x.as_chunks::<2>();
    let (first, rest) = out.split_at_mut(pairs.len());
    let (middle, second) = rest.split_at_mut(alone.len());
    middle.copy_from_slice(alone);
    for (((a, b), [x, y]), Turn { cos, sin }) in first.iter_mut().zip(second).zip(pairs).zip(turns) {
        (*a, *b) = (cos * x - sin * y, sin * x + cos * y);
    }
}

/// The x of which a layer makes `turned`.
fn undo(turns: impl Iterator<Item = Turn>, turned: &[f64], x: &mut [f64]) {
    let (pairs, alone) = x.as_chunks_mut::<2>();
    let (first, rest) = turned.split_at(pairs.len());
    let (middle, second) = rest.split_at(alone.len());
    alone.copy_from_slice(middle);
    for (([x, y], (a, b)), Turn { cos, sin }) in pairs.iter_mut().zip(first.iter().zip(second)).zip(turns) {
        (*x, *y) = (cos * a + sin * b, cos * b - sin * a);
    }
}
