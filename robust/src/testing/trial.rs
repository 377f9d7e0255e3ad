//! Inputs, and what is done with each: at several numbers of threads, behind a wall against panics.

use std::sync::atomic::{AtomicBool, Ordering};

use rand_distr::{Distribution, StandardNormal};
use rayon::ThreadPoolBuilder;

use super::{Broken, Promise};
use crate::{
    Dtype, Layout, Pass, Vector, Watch, contained,
    random::{Seed, Stream},
};

/// Length of the vectors: more than a kernel takes at once, and no multiple of a register's width.
pub(super) const D: usize = 1003;
/// Numbers of threads that give the same bits.
const THREADS: [usize; 2] = [1, 3];

/// One input.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) vectors: Vec<Vector>,
    pub(super) f: usize,
    pub(super) round: u64,
}

impl Trial {
    /// `m` vectors of `round`, around a common one.
    pub(super) fn drawn(m: usize, f: usize, d: usize, dtype: Dtype, round: u64) -> Self {
        let mut rng = stream("vectors", round);
        let mut draw = |size: f64| -> Vec<f64> {
            (0..d).map(|_| StandardNormal.sample(&mut rng)).map(|value: f64| size * value).collect()
        };
        let common = draw(0.5);
        let row = |noise: Vec<f64>| noise.iter().zip(&common).map(|(a, b)| a + b).collect::<Vec<f64>>();
        let vectors = (0..m).map(|_| Vector::zeros(d, dtype).like(&row(draw(1.0)))).collect();
        Self { vectors, f, round }
    }

    /// The promise is broken on this input.
    pub(super) fn breaks(&self, promise: Promise, found: impl Into<String>) -> Broken {
        let kind = self.vectors.first().map_or_else(String::new, |first| format!(" of {}", first.kind()));
        let input =
            format!("{} vectors{kind} with f = {} in round {}", self.vectors.len(), self.f, self.round);
        Broken { promise, found: found.into(), input, vectors: self.vectors.clone() }
    }

    /// `Ok` if `holds`, else the broken promise.
    pub(super) fn require(
        &self,
        promise: Promise,
        holds: bool,
        found: impl FnOnce() -> String,
    ) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(self.breaks(promise, found())) }
    }

    /// What `work` makes, unless it panics.
    pub(super) fn calm<T>(&self, work: impl FnOnce() -> T) -> Result<T, Broken> {
        contained(work).map_err(|message| self.breaks(Promise::NoPanic, format!("it panicked: {message}")))
    }

    /// What `work` makes, which must be the same at every number of threads.
    pub(super) fn repeated<T: Same + Send>(
        &self,
        work: impl Fn() -> Result<T, Broken> + Sync,
    ) -> Result<T, Broken> {
        let first = work()?;
        for threads in THREADS {
            // Without threads to be had there is nothing to compare.
            let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() else { continue };
            let again = pool.install(&work)?;
            self.require(Promise::SameBits, first.is_same(&again), || {
                format!("other bits when repeated with {threads} threads")
            })?;
        }
        Ok(first)
    }
}

/// What can be the same to the bit.
pub(super) trait Same {
    fn is_same(&self, other: &Self) -> bool;
}

impl Same for Vector {
    fn is_same(&self, other: &Self) -> bool {
        self.is_like(other) && self.to_f64().is_same(&other.to_f64())
    }
}

impl Same for f64 {
    fn is_same(&self, other: &Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl<T: Same> Same for Vec<T> {
    fn is_same(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(a, b)| a.is_same(b))
    }
}

impl<T: Same> Same for Option<T> {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(a), Some(b)) => a.is_same(b),
            (None, None) => true,
            _ => false,
        }
    }
}

/// A stream of the trials' own.
pub(super) fn stream(purpose: &str, round: u64) -> Stream {
    Seed(1).stream("testing", 0, purpose, round)
}

/// Whether there was a pass for all pairs.
#[derive(Debug, Default)]
pub(super) struct Pairs(AtomicBool);

impl Pairs {
    pub(super) fn were_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watch for Pairs {
    fn began(&self, pass: Pass) {
        self.0.fetch_or(pass == Pass::Gram, Ordering::Relaxed);
    }

    fn ended(&self, _: Pass) {}
}

/// Two layers in d coordinates, the first of which has two tensors if there are enough.
pub(super) fn two_layers(d: usize) -> Layout {
    let (weight, bias) = (d / 2, d / 8);
    Layout::new([("0.weight", weight), ("0.bias", bias), ("1.weight", d - weight - bias)])
}
