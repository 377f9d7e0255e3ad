//! What a rule is told of a round.

use std::sync::Arc;

use super::Judge;
use crate::{Vector, Watch, random::Stream};

/// What a rule may know of the round besides the vectors.
#[derive(Clone, Debug)]
pub struct Context {
    /// Number of Byzantine vectors the rule is told to withstand.
    pub f: usize,
    /// Random numbers for this round.
    pub rng: Stream,
    /// Whether the rule above wants [`Aggregate::distances`](super::Aggregate::distances); at the top, whether the
    /// report shall hold them.
    pub wants_distances: bool,
    /// What the server computed itself, e.g. a gradient on data that it trusts.
    pub reference: Option<Vector>,
    /// x_t, the server's point at which the vectors of the round were computed.
    pub point: Option<Vector>,
    /// The aggregate of the last round; none before the first. A [`Defence`](super::Defence) puts in its own, for layers
    /// that ask for it.
    pub last: Option<Vector>,
    /// Who tells how good other points are, on data of the server's own.
    pub judge: Option<Arc<dyn Judge>>,
    /// Which worker sent each row, for parameters and memory that belong to workers; empty if row i is worker i's.
    pub workers: Vec<usize>,
    /// Who is told of every pass over the vectors.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Context {
    /// A round in which the rule is told `f`: every worker is there, and nothing is known of the
    /// server's own: no vector, point or judge.
    pub fn new(f: usize, rng: Stream) -> Self {
        Self {
            f,
            rng,
            wants_distances: true,
            reference: None,
            point: None,
            last: None,
            judge: None,
            workers: Vec::new(),
            watch: None,
        }
    }

    /// The worker that sent row i.
    pub fn worker(&self, i: usize) -> usize {
        self.workers.get(i).copied().unwrap_or(i)
    }
}
