//! Centered clipping, one bucket of vectors after the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Layer, Output, Rule, RuleError,
    beside::Beside,
    buckets::{across, by_cosine, shuffled},
    centre::{Remembered, pull},
    radius::{factor, norms},
};
use crate::{
    Batch, Gram, Size,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// Sequential centered clipping (S-CC): from the last round's result v, one bucket of `size` vectors after the other, v
/// moves by the mean over the bucket of (x_i - v) min(1, tau / ‖x_i - v‖).
///
/// The vectors, ordered by their cosine to the last round's result, are cut into `size` runs of one length (or one less);
/// a bucket takes one vector of each, drawn at random, and the last buckets lack those of runs that are short. So no
/// bucket holds more of the vectors that point one way than its share. Before there is a result v is zero and the order a
/// random one. In one bucket of all vectors it is `centered-clipping` in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialCenteredClipping {
    /// The radius around the centre.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub tau: f64,
    /// Vectors in a bucket.
    #[schemars(range(min = 1))]
    pub size: usize,
}

impl Default for SequentialCenteredClipping {
    fn default() -> Self {
        Self { tau: 1.0, size: 3 }
    }
}

impl Described for SequentialCenteredClipping {
    const NAME: &'static str = "sequential-centered-clipping";
    const SOURCE: &'static str = "Özfatura et al., 2024";
}

impl Rule for SequentialCenteredClipping {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::positive("tau", self.tau)?;
        ParameterError::at_least_one("size", self.size)?;
        Ok(Layer::Base(Box::new(Clipper { rule: self.clone(), centre: Remembered::default() })))
    }
}

/// The rule with its memory.
#[derive(Clone, Debug)]
struct Clipper {
    rule: SequentialCenteredClipping,
    centre: Remembered,
}

impl Stateful for Clipper {
    fn state(&self) -> State {
        self.centre.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.centre.restore(state)
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.centre.holds(workers, rounds)
    }
}

impl Aggregator for Clipper {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(SequentialCenteredClipping::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let centre = self.centre.0.as_ref();
        let beside = centre.map(|v| Beside::new(batch, v, SequentialCenteredClipping::NAME)).transpose()?;
        let (rows, mut v) = match &beside {
            Some(beside) => (beside.batch()?, [vec![0.0; m], vec![1.0]].concat()),
            None => (batch.clone(), vec![0.0; m]),
        };
        let gram = rows.gram()?;
        let order = match centre {
            Some(centre) => by_cosine(&batch.dots(centre), &norms(gram)[..m]),
            None => shuffled((0..m).collect(), &mut context.rng),
        };
        for bucket in across(&order, self.rule.size, &mut context.rng) {
            self.step(gram, &bucket, &mut v);
        }
        let mut result = Aggregate::vector(rows.combine(&v));
        if context.wants_distances && batch.map().is_none() {
            result.distances = Some(gram.distances2_to(&v)[..m].to_vec());
        }
        if let Output::Vector(centre) = &result.output {
            self.centre = Remembered(Some(centre.clone()));
        }
        Ok(result)
    }
}

impl Clipper {
    /// Moves the centre, given as coefficients over the rows, by the clipped vectors of a bucket.
    fn step(&self, gram: &Gram, bucket: &[usize], v: &mut [f64]) {
        let distances2 = gram.distances2_to(v);
        let part = |&i: &usize| (i, factor(distances2[i], self.rule.tau) / bucket.len() as f64);
        pull(v, &bucket.iter().map(part).collect::<Vec<_>>());
    }
}
